/* batch.c - a thread's work on the jobs it took: one multi-get for all, then
 * the answers of the reads, then the writes one by one. */
#include "engines/memcached/batch.h"

#include "engines/memcached/session.h"

/* A sliding entry is not rewritten for less; expiry is exact to 50 ms. */
#define SLIDE_MIN_MS 20
/* Answers of writes wait for this many. */
#define DELIVER_EVERY 8

/* ---- On the way home ---- */

struct delivery {
    struct lane *lane;
    struct job *head, *tail;
    unsigned count;
};

static void deliver_all(struct delivery *delivery)
{
    if (delivery->count == 0)
        return;
    lane_unreserve(delivery->lane, delivery->count);
    session_deliver(delivery->head->session, delivery->head, delivery->tail, delivery->count);
    delivery->head = delivery->tail = NULL;
    delivery->count = 0;
}

static void deliver(struct delivery *delivery, struct job *job)
{
    if (delivery->count > 0 && delivery->head->session != job->session)
        deliver_all(delivery);
    job->next = NULL;
    if (delivery->tail)
        delivery->tail->next = job;
    else
        delivery->head = job;
    delivery->tail = job;
    delivery->count++;
}

/* ---- Answers ---- */

bool batch_found_holds(const struct job *job, const struct item_stamp *stamp)
{
    return job->found.ours && !job->found.untagged && item_holds(&job->found.item, stamp);
}

bool batch_entry_stands(const struct job *job, const struct item_stamp *stamp, uint64_t now_ms)
{
    return batch_found_holds(job, stamp) && item_stands(&job->found.item, now_ms);
}

void job_describe(struct job *job, const struct item *item, size_t bytes, uint64_t now_ms)
{
    job->entry.version = item->version;
    job->entry.bytes = bytes;
    job->entry.ttl_ms = item_remaining_ms(item, now_ms);
    job->entry.idle_ms = (int64_t)item->idle_ms;
    job->entry.stale = item_is_stale(item, now_ms);
}

/* False: the lease is there to be taken. */
static bool look_at_lease(struct job *job, const struct item_stamp *stamp, uint64_t now_ms)
{
    int64_t left = batch_found_holds(job, stamp) ? item_lease_left_ms(&job->found.item, now_ms) : 0;

    job->lease = left > 0 ? ENGINE_LEASE_HELD : ENGINE_LEASE_NONE;
    job->lease_left_ms = left;
    return left > 0;
}

bool batch_answer_get(struct job *job, const struct item_stamp *stamp, uint64_t now_ms)
{
    bool stands = batch_entry_stands(job, stamp, now_ms);
    struct found *found = &job->found;

    job->lease = ENGINE_LEASE_NONE;
    if (found->lost) {
        job_answer(job, ENGINE_FAILED, "out of memory");
        return true;
    }
    if (job->lease_ms > 0 && (!stands || item_is_stale(&found->item, now_ms)) && !look_at_lease(job, stamp, now_ms))
        return false;
    if (!stands) {
        job_answer(job, ENGINE_MISS, NULL);
        return true;
    }
    if (found->item.idle_ms != 0 && item_slide(&found->item, now_ms) - found->item.due_ms >= SLIDE_MIN_MS)
        return false;
    job_answer(job, ENGINE_OK, NULL);
    job_describe(job, &found->item, found->bytes, now_ms);
    if (!job->without_value) {
        job->entry.value = found->value;
        found->value = NULL;
    }
    return true;
}

/* False: it has to write. */
static bool answer_read(struct job *job, const struct item_stamp *stamp, uint64_t now_ms)
{
    if (job->verb == ENGINE_GET)
        return batch_answer_get(job, stamp, now_ms);
    if (engine_verb_writes(job->verb))
        return false;
    cells_look(job);
    return true;
}

static void answer_reads(struct batch *batch, struct delivery *delivery)
{
    uint64_t now_ms = work_now_ms();

    for (unsigned i = 0; i < batch->count; i++) {
        struct job *job = batch->jobs[i];
        struct item_stamp stamp = batch_stamp(batch, job);
        if (!answer_read(job, &stamp, now_ms))
            continue;
        deliver(delivery, job);
        batch->jobs[i] = NULL;
    }
    deliver_all(delivery);
}

/* ---- Writes ---- */

/* Takes the jobs on one cell, from that at `first` on, out of the batch: they
 * are carried out together. */
static unsigned take_group(struct batch *batch, unsigned first, struct job **group)
{
    const struct item_name *name = &batch->jobs[first]->name;
    unsigned count = 0;

    for (unsigned i = first; i < batch->count; i++) {
        struct job *job = batch->jobs[i];
        if (!job || !job_is_cell(job) ||
            !bytes_equal(bytes_of(job->name.text, job->name.len), bytes_of(name->text, name->len)))
            continue;
        group[count++] = job;
        batch->jobs[i] = NULL;
    }
    return count;
}

static void do_writes(struct batch *batch, struct delivery *delivery)
{
    struct job *group[LANE_BATCH_MAX];

    for (unsigned i = 0; i < batch->count; i++) {
        unsigned count = 1;
        if (!batch->jobs[i])
            continue;
        worker_ends_reading(batch->worker);
        group[0] = batch->jobs[i];
        if (job_is_cell(group[0])) {
            count = take_group(batch, i, group);
            cells_write(batch->worker, group, count);
        } else {
            write_job(batch->worker, group[0], batch_stamp(batch, group[0]));
        }
        for (unsigned j = 0; j < count; j++)
            deliver(delivery, group[j]);
        if (delivery->count >= DELIVER_EVERY)
            deliver_all(delivery);
    }
    deliver_all(delivery);
}

static void work(struct batch *batch, struct delivery *delivery)
{
    enum peer_result result;

    if (batch->count == 0)
        return;
    result = batch_read(batch);
    if (result == PEER_OK) {
        answer_reads(batch, delivery);
        do_writes(batch, delivery);
        return;
    }
    for (unsigned i = 0; i < batch->count; i++) {
        batch_answer_failed(batch->worker->lane, batch->jobs[i], result);
        deliver(delivery, batch->jobs[i]);
    }
    deliver_all(delivery);
}

/* Whether the job is to be carried out; else it is answered. */
static bool take_job(const struct lane *lane, struct job *job)
{
    unsigned stage = JOB_QUEUED;

    if (!atomic_compare_exchange_strong(&job->stage, &stage, JOB_TAKEN))
        return false;
    if (lane_state(lane) != LANE_DOWN)
        return true;
    lane_answer(lane, job);
    return false;
}

void batch_run(struct worker *worker, struct job *jobs)
{
    struct delivery delivery = { .lane = worker->lane };
    struct batch batch;

    batch_init(&batch, worker);
    while (jobs) {
        struct job *job = jobs;
        jobs = job->next;
        if (!take_job(worker->lane, job)) {
            deliver(&delivery, job);
        } else if (job->verb == ENGINE_FLUSH) {
            worker_ends_reading(worker);
            generations_flush(worker, job);
            deliver(&delivery, job);
        } else {
            batch_add(&batch, job);
        }
    }
    deliver_all(&delivery);
    work(&batch, &delivery);
}
