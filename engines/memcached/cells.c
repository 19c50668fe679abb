/* cells.c - counters, limits and locks: steps on a cell, stored with CAS.
 *
 * The jobs of a batch that are on one cell are carried out in turn on what was
 * read and stored at once: as many writers cost as much as one, and what one
 * of them is answered holds because all of it was stored, or nothing. When
 * another writer was faster, all of them begin anew. */
#include "engines/memcached/batch.h"
#include "engines/memcached/cell_item.h"
#include "service/base/clock.h"

#define NS_PER_US UINT64_C(1000)

static struct engine_op op_of(struct job *job)
{
    struct engine_op op = { .verb = job->verb, .ns = job->ns, .key = job->key, .status = ENGINE_FAILED };
    unsigned needs = engine_verb_needs(job->verb);

    /* What is asked for and what is answered share a struct. */
    job->result = job->operand;
    if (needs & ENGINE_CAN_COUNT)
        op.counter = &job->result.counter;
    else if (needs & ENGINE_CAN_LIMIT)
        op.rate = &job->result.rate;
    else
        op.lock = &job->result.lock;
    return op;
}

/* One step; the job has its answer, should what comes of it be stored. */
static enum cell_change step(struct job *job, struct cell *cell, uint64_t now_us)
{
    struct engine_op op = op_of(job);
    enum cell_change change = cell_apply(&op, cell, now_us);

    job_answer(job, op.status, op.detail);
    if (change == CELL_REMOVE)
        cell->len = 0;
    return change;
}

static bool is_foreign(const struct job *job)
{
    return job->found.present && !job->found.ours;
}

static void answer_foreign(struct job *job)
{
    job_answer(job, ENGINE_FAILED, "what stands under this name is damaged, or nothing of this service");
}

void cells_look(struct job *job)
{
    if (is_foreign(job))
        answer_foreign(job);
    else
        (void)!step(job, &job->cell, clock_realtime_ns() / NS_PER_US);
}

/* ---- Groups ---- */

struct group {
    struct job **jobs;
    unsigned count;
    unsigned first_change; /* the first job whose answer depends on the store */
};

static void answer_all(const struct group *group, const struct job *as)
{
    for (unsigned i = 0; i < group->count; i++)
        job_answer(group->jobs[i], as->status, as->detail);
}

static enum peer_result store_cell(struct worker *worker, const struct job *job, const struct cell *cell)
{
    bool named = job->name.digested;
    char data[CELL_ITEM_MAX];
    size_t len;

    if (cell->len == 0)
        return job->found.present ? work_store_over(worker, job, BYTES(""), ITEM_EXPIRED_ALREADY) : PEER_OK;
    len = cell_item_write(cell, cell_kind_of(job->verb), named ? job->ns : BYTES_NONE,
                          named ? job->key : BYTES_NONE, data);
    return work_store_over(worker, job, bytes_of(data, len), item_expiry_at(cell->expires_ms, work_now_ms()));
}

/* Carries all steps out on a copy of what was read by the first job. */
static void step_all(struct group *group, struct cell *cell)
{
    uint64_t now_us = clock_realtime_ns() / NS_PER_US;

    *cell = group->jobs[0]->cell;
    group->first_change = group->count;
    for (unsigned i = 0; i < group->count; i++)
        if (!job_is_cancelled(group->jobs[i]) && step(group->jobs[i], cell, now_us) != CELL_KEEP &&
            group->first_change == group->count)
            group->first_change = i;
}

static enum progress try_all(struct worker *worker, struct group *group)
{
    struct job *first = group->jobs[0];
    enum peer_result result;
    struct cell cell;

    if (is_foreign(first)) {
        answer_foreign(first);
        answer_all(group, first);
        return ANSWERED;
    }
    if (!work_connect(worker, first)) {
        answer_all(group, first);
        return ANSWERED;
    }
    step_all(group, &cell);
    if (group->first_change == group->count)
        return ANSWERED;
    result = store_cell(worker, first, &cell);
    if (result == PEER_EXISTS || result == PEER_ABSENT)
        return AGAIN;
    for (unsigned i = group->first_change; result != PEER_OK && i < group->count; i++)
        work_answer_failure(group->jobs[i], result);
    return ANSWERED;
}

/* Leaves out who has no time left: it is answered, and the rest goes on. */
static void keep_who_may_try(struct group *group, unsigned attempt)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < group->count; i++) {
        struct job *job = group->jobs[i];
        if (!work_may_try(job, attempt))
            continue;
        /* The others stay in the caller's array, behind. */
        group->jobs[i] = group->jobs[kept];
        group->jobs[kept++] = job;
    }
    group->count = kept;
}

void cells_write(struct worker *worker, struct job **jobs, unsigned count)
{
    struct group group = { .jobs = jobs, .count = count };
    struct item_stamp none;

    for (unsigned attempt = 0; group.count > 0; attempt++) {
        work_back_off(attempt);
        keep_who_may_try(&group, attempt);
        if (group.count == 0)
            break;
        if (attempt > 0 && !batch_read_again(worker, group.jobs[0], &none)) {
            answer_all(&group, group.jobs[0]);
            break;
        }
        if (try_all(worker, &group) == ANSWERED)
            break;
    }
}
