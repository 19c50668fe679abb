/* gather.c - a batch's plain reads of one namespace as one MGET.
 *
 * Reads that follow one another in a batch are gathered by namespace and
 * bucket; a task carries each such group. The operations stay single ones to
 * everybody else: each may be cancelled, and what turns out to need the READ
 * script goes on in a task of its own. Ownership: the task owns its group,
 * which ends with the last of its operations. */
#include <stdlib.h>

#include "engines/redis/hiredis_compat.h"
#include "engines/redis/session.h"

enum { GATHER_MAX = 128 };

struct redis_gather {
    size_t count, live; /* slots in use; those whose operation is still there */
    bool finishing;     /* operations are being completed: cancelling frees nothing */
    struct engine_op *ops[GATHER_MAX]; /* NULL: cancelled or done */
};

/* What one batch has open; a bucket has at most one group at a time. */
struct batch {
    struct redis_session *session;
    struct redis_task *open[KEYS_BUCKETS];
    uint16_t buckets[KEYS_BUCKETS]; /* of those that are open */
    size_t open_count;
};

/* ---- Submitting ---- */

/* What was gathered leaves; operations that end here have no task after it. */
static void start_one(struct batch *batch, unsigned bucket)
{
    struct redis_task *task = batch->open[bucket];
    struct redis_gather *gather = task->gather;
    const char *detail = NULL;
    enum engine_status status = redis_task_start(task, &detail);

    batch->open[bucket] = NULL;
    if (status == ENGINE_STATUSES)
        return;
    for (size_t i = 0; i < gather->count; i++) {
        gather->ops[i]->engine_private = NULL;
        gather->ops[i]->status = status;
        gather->ops[i]->detail = detail;
    }
    free(gather);
    redis_task_free(task);
}

static void start_all(struct batch *batch)
{
    for (size_t i = 0; i < batch->open_count; i++)
        if (batch->open[batch->buckets[i]])
            start_one(batch, batch->buckets[i]);
    batch->open_count = 0;
}

static struct redis_task *open_group(struct batch *batch, unsigned bucket)
{
    struct redis_task *task = redis_task_create(batch->session);

    if (!task)
        return NULL;
    task->gather = malloc(sizeof *task->gather);
    if (!task->gather) {
        redis_task_free(task);
        return NULL;
    }
    task->gather->count = task->gather->live = 0;
    task->gather->finishing = false;
    task->bucket = (uint16_t)bucket;
    batch->open[bucket] = task;
    batch->buckets[batch->open_count++] = (uint16_t)bucket;
    return task;
}

/* False: it is to be submitted by itself. */
static bool gather(struct batch *batch, struct engine_op *op)
{
    struct redis_session *session = batch->session;
    unsigned bucket;
    struct redis_task *task;

    if (op->verb != ENGINE_GET)
        return false;
    bucket = redis_keys_bucket(&session->config->keys, op->ns, op->key);
    if (redis_session_scripts(session, bucket, op))
        return false;
    task = batch->open[bucket];
    if (task && (task->gather->count == GATHER_MAX || !bytes_equal(task->op->ns, op->ns))) {
        start_all(batch);
        task = NULL;
    }
    if (!task)
        task = open_group(batch, bucket);
    if (!task)
        return false;
    task->op = op;
    task->gather->ops[task->gather->count++] = op;
    task->gather->live++;
    op->engine_private = task;
    return true;
}

void redis_gather_submit(struct engine_session *base, struct engine_op *const *ops, size_t count,
                         enum engine_progress *progress)
{
    struct batch batch = { .session = (struct redis_session *)(void *)base };

    for (size_t i = 0; i < count; i++) {
        progress[i] = ENGINE_PENDING;
        if (gather(&batch, ops[i]))
            continue;
        start_all(&batch); /* reads before a write are not to see it */
        progress[i] = redis_session_submit(base, ops[i]);
        if (progress[i] == ENGINE_DONE)
            ops[i]->engine_private = NULL;
    }
    start_all(&batch);
    for (size_t i = 0; i < count; i++)
        if (ops[i]->verb == ENGINE_GET && !ops[i]->engine_private)
            progress[i] = ENGINE_DONE;
}

/* ---- Sending ---- */

static void close_gaps(struct redis_gather *gather)
{
    size_t kept = 0;

    for (size_t i = 0; i < gather->count; i++)
        if (gather->ops[i])
            gather->ops[kept++] = gather->ops[i];
    gather->count = kept;
}

static bool names_fit(const struct redis_task *task, struct redis_name *ns, struct redis_name *all)
{
    const struct redis_keys *keys = &task->session->config->keys;
    struct redis_name name;

    for (size_t i = 0; i < task->gather->count; i++)
        if (!redis_keys_entry(keys, task->bucket, task->op->ns, task->gather->ops[i]->key, &name))
            return false;
    return redis_keys_generation(keys, task->bucket, task->op->ns, ns) &&
           redis_keys_generation(keys, task->bucket, BYTES_NONE, all);
}

static void ignore(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    (void)call;
    (void)end;
    (void)reply;
}

bool redis_gather_send(struct redis_task *task, struct redis_link *link)
{
    struct redis_gather *gather = task->gather;
    struct outbox *outbox = &link->outbox;
    struct redis_name name, ns, all;

    close_gaps(gather);
    if (!names_fit(task, &ns, &all))
        return false;
    if (task->ask) {
        redis_link_push(link, &task->asking, ignore);
        redis_outbox_command(outbox, 1);
        redis_outbox_bulk(outbox, BYTES("ASKING"));
    }
    redis_link_push(link, &task->call, redis_answer_take);
    redis_outbox_command(outbox, gather->count + 3);
    redis_outbox_bulk(outbox, BYTES("MGET"));
    for (size_t i = 0; i < gather->count; i++)
        if (redis_keys_entry(&task->session->config->keys, task->bucket, task->op->ns, gather->ops[i]->key, &name))
            redis_outbox_bulk(outbox, redis_name_bytes(&name));
    redis_outbox_bulk(outbox, redis_name_bytes(&ns));
    redis_outbox_bulk(outbox, redis_name_bytes(&all));
    return true;
}

/* ---- Ending ---- */

/* Takes an operation out; what it submits or cancels when it is done may be
 * others of the group. */
static struct engine_op *take_out(struct redis_gather *gather, size_t index)
{
    struct engine_op *op = gather->ops[index];

    gather->ops[index] = NULL;
    if (op) {
        gather->live--;
        op->engine_private = NULL;
    }
    return op;
}

static void complete(struct redis_session *session, struct engine_op *op, unsigned status, const char *detail)
{
    op->status = (enum engine_status)status;
    op->detail = detail;
    engine_complete(&session->base, op);
}

/* On its own, by the script. */
static void go_alone(struct redis_task *group, struct engine_op *op)
{
    struct redis_task *task = redis_task_create(group->session);

    if (!task) {
        complete(group->session, op, ENGINE_BUSY, "out of memory");
        return;
    }
    task->op = op;
    task->bucket = group->bucket;
    task->scripted = true;
    op->engine_private = task;
    redis_task_again(task, 0);
}

void redis_gather_take(struct redis_task *task, struct redisReply *reply)
{
    static const char garbled[] = "redis answered with something else";
    struct redis_session *session = task->session;
    struct redis_gather *gather = task->gather;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != gather->count + 2) {
        redis_link_doom(task->link, LINK_BROKE, garbled);
        redis_gather_finish(task, ENGINE_FAILED, garbled);
        return;
    }
    gather->finishing = true;
    for (size_t i = 0; i < gather->count; i++) {
        struct engine_op *op = take_out(gather, i);
        unsigned answer;
        if (!op)
            continue;
        answer = redis_answer_stored(task, op, reply, i);
        if (answer == ANSWER_AGAIN)
            go_alone(task, op);
        else if (answer == ANSWER_GARBLED) {
            redis_link_doom(task->link, LINK_BROKE, garbled);
            complete(session, op, ENGINE_FAILED, garbled);
        } else
            complete(session, op, answer, NULL);
    }
    free(gather);
    redis_task_free(task);
}

void redis_gather_finish(struct redis_task *task, enum engine_status status, const char *detail)
{
    struct redis_session *session = task->session;
    struct redis_gather *gather = task->gather;

    gather->finishing = true;
    for (size_t i = 0; i < gather->count; i++) {
        struct engine_op *op = take_out(gather, i);
        if (op)
            complete(session, op, status, detail);
    }
    free(gather);
    redis_task_free(task);
}

static struct engine_op *any_of(const struct redis_gather *gather)
{
    for (size_t i = 0; i < gather->count; i++)
        if (gather->ops[i])
            return gather->ops[i];
    return NULL;
}

enum engine_status redis_gather_cancel(struct redis_task *task, struct engine_op *op)
{
    struct redis_gather *gather = task->gather;
    bool waiting = task->waiting, retried = task->retried;

    for (size_t i = 0; i < gather->count; i++)
        if (gather->ops[i] == op)
            (void)take_out(gather, i);
    if (gather->finishing)
        return ENGINE_LATE;
    task->op = any_of(gather);
    if (gather->live > 0) {
        if (!waiting)
            redis_link_suspect(task->link, &task->call);
        return waiting && !retried ? ENGINE_BUSY : ENGINE_LATE;
    }
    free(gather);
    task->gather = NULL;
    return redis_task_cancel(task);
}
