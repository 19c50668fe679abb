/* gather.c - a batch's plain reads of one namespace as one MGET, its plain
 * writes as one PUT_MANY.
 *
 * Reads that follow one another in a batch are gathered by namespace and
 * bucket, and so are writes; a task carries each such group. The operations
 * stay single ones to everybody else: each may be cancelled and has its own
 * outcome, and what turns out to need the READ script, or a slot that is not
 * being moved, goes on in a task of its own. Ownership: the task owns its
 * group, which ends with the last of its operations. */
#include <stdlib.h>

#include "engines/redis/fault.h"
#include "engines/redis/hiredis_compat.h"
#include "engines/redis/session.h"

enum {
    GATHER_MAX = 128,
    GATHER_BYTES_MAX = 256 * 1024, /* values of one group */
    GATHER_VALUE_MAX = 4000,       /* a larger one goes by itself: PUT copies no large old values */
};

static const char GARBLED[] = "redis answered with something else";

struct redis_gather {
    size_t count, live; /* slots in use; those whose operation is still there */
    size_t bytes;       /* of all values that are written */
    bool finishing;     /* operations are being completed: cancelling frees nothing */
    struct engine_op *ops[GATHER_MAX]; /* NULL: cancelled or done */
    /* Writes only. */
    uint64_t versions[GATHER_MAX];
    unsigned char answers[GATHER_MAX]; /* ENGINE_OK or CREATED, while held for replicas */
};

/* What one batch has open; a bucket has at most one group at a time. */
struct batch {
    struct redis_session *session;
    struct redis_task *open[KEYS_BUCKETS];
    uint16_t buckets[KEYS_BUCKETS]; /* of those that are open */
    size_t open_count;
};

/* ---- Submitting ---- */

static void refuse(struct engine_op *op, enum engine_status status, const char *detail)
{
    op->engine_private = NULL;
    op->status = status;
    op->detail = detail;
}

/* What was gathered leaves; operations that end here have no task after it. */
static void start_one(struct batch *batch, unsigned bucket)
{
    struct redis_task *task = batch->open[bucket];
    struct redis_gather *gather = task->gather;
    const char *detail = NULL;
    enum engine_status status;

    batch->open[bucket] = NULL;
    if (gather->count == 1) { /* no crowd */
        task->version = gather->versions[0];
        task->gather = NULL;
    }
    status = redis_task_start(task, &detail);
    if (status != ENGINE_STATUSES) {
        for (size_t i = 0; i < gather->count; i++)
            refuse(gather->ops[i], status, detail);
        redis_task_free(task);
    }
    if (status != ENGINE_STATUSES || gather->count == 1)
        free(gather);
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
    task->gather->count = task->gather->live = task->gather->bytes = 0;
    task->gather->finishing = false;
    task->bucket = (uint16_t)bucket;
    batch->open[bucket] = task;
    batch->buckets[batch->open_count++] = (uint16_t)bucket;
    return task;
}

static bool is_gathered(struct redis_session *session, unsigned bucket, const struct engine_op *op)
{
    if (op->verb == ENGINE_PUT)
        return op->value->len <= GATHER_VALUE_MAX && redis_command_is_plain(session, op);
    return op->verb == ENGINE_GET && !redis_session_scripts(session, bucket, op);
}

static bool is_full(const struct redis_task *task, const struct engine_op *op)
{
    const struct redis_gather *gather = task->gather;

    return gather->count == GATHER_MAX || gather->bytes > GATHER_BYTES_MAX - GATHER_VALUE_MAX ||
           task->writes != (op->verb == ENGINE_PUT) || !bytes_equal(task->op->ns, op->ns);
}

static void enter(struct redis_task *task, struct engine_op *op)
{
    struct redis_gather *gather = task->gather;

    if (op->verb == ENGINE_PUT) {
        if (gather->count == 0)
            redis_namespaces_note(task->session, op->ns);
        task->writes = true;
        gather->versions[gather->count] = redis_session_random(task->session);
        gather->bytes += op->value->len;
    }
    task->op = op;
    gather->ops[gather->count++] = op;
    gather->live++;
    op->engine_private = task;
}

/* False: it is to be submitted by itself. */
static bool gather(struct batch *batch, struct engine_op *op)
{
    struct redis_session *session = batch->session;
    unsigned bucket = redis_keys_bucket(&session->config->keys, op->ns, op->key);
    struct redis_task *task;

    if (!is_gathered(session, bucket, op))
        return false;
    task = batch->open[bucket];
    if (task && is_full(task, op)) {
        start_all(batch);
        task = NULL;
    }
    if (!task)
        task = open_group(batch, bucket);
    if (!task)
        return false;
    enter(task, op);
    return true;
}

static bool any_writes(struct engine_op *const *ops, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (engine_verb_writes(ops[i]->verb))
            return true;
    return false;
}

void redis_gather_submit(struct engine_session *base, struct engine_op *const *ops, size_t count,
                         enum engine_progress *progress)
{
    struct batch batch = { .session = (struct redis_session *)(void *)base };

    batch.session->ordered = any_writes(ops, count);
    for (size_t i = 0; i < count; i++) {
        progress[i] = ENGINE_PENDING;
        if (gather(&batch, ops[i]))
            continue;
        start_all(&batch); /* reads before a write are not to see it, those after it are */
        progress[i] = redis_session_submit(base, ops[i]);
        if (progress[i] == ENGINE_DONE)
            ops[i]->engine_private = NULL;
    }
    start_all(&batch);
    batch.session->ordered = false;
    for (size_t i = 0; i < count; i++)
        if ((ops[i]->verb == ENGINE_GET || ops[i]->verb == ENGINE_PUT) && !ops[i]->engine_private)
            progress[i] = ENGINE_DONE;
}

/* ---- Sending ---- */

static void close_gaps(struct redis_gather *gather)
{
    size_t kept = 0;

    for (size_t i = 0; i < gather->count; i++) {
        if (!gather->ops[i])
            continue;
        gather->versions[kept] = gather->versions[i];
        gather->ops[kept++] = gather->ops[i];
    }
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

static void add_entries(const struct redis_task *task, struct outbox *outbox)
{
    const struct redis_gather *gather = task->gather;
    struct redis_name name;

    for (size_t i = 0; i < gather->count; i++)
        if (redis_keys_entry(&task->session->config->keys, task->bucket, task->op->ns, gather->ops[i]->key, &name))
            redis_outbox_bulk(outbox, redis_name_bytes(&name));
}

static void send_reads(const struct redis_task *task, struct outbox *outbox, const struct redis_name *ns,
                       const struct redis_name *all)
{
    redis_outbox_command(outbox, task->gather->count + 3);
    redis_outbox_bulk(outbox, BYTES("MGET"));
    add_entries(task, outbox);
    redis_outbox_bulk(outbox, redis_name_bytes(ns));
    redis_outbox_bulk(outbox, redis_name_bytes(all));
}

static void send_writes(struct redis_task *task, struct outbox *outbox, const struct redis_name *ns,
                        const struct redis_name *all)
{
    struct redis_gather *gather = task->gather;

    redis_command_script(task, outbox, SCRIPT_PUT_MANY, 2 + gather->count, 1 + 2 * gather->count);
    redis_outbox_bulk(outbox, redis_name_bytes(ns));
    redis_outbox_bulk(outbox, redis_name_bytes(all));
    add_entries(task, outbox);
    redis_command_generations(task, task->op->ns, outbox);
    for (size_t i = 0; i < gather->count; i++)
        redis_command_record(task, gather->ops[i], gather->versions[i], outbox);
}

bool redis_gather_send(struct redis_task *task, struct redis_link *link)
{
    struct outbox *outbox = &link->outbox;
    struct redis_name ns, all;

    close_gaps(task->gather);
    if (!names_fit(task, &ns, &all))
        return false;
    if (task->ask) {
        redis_link_push(link, &task->asking, ignore);
        redis_outbox_command(outbox, 1);
        redis_outbox_bulk(outbox, BYTES("ASKING"));
    }
    redis_link_push(link, &task->call, redis_answer_take);
    if (task->writes)
        send_writes(task, outbox, &ns, &all);
    else
        send_reads(task, outbox, &ns, &all);
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

static struct engine_op *any_of(const struct redis_gather *gather)
{
    for (size_t i = 0; i < gather->count; i++)
        if (gather->ops[i])
            return gather->ops[i];
    return NULL;
}

static void complete(struct redis_session *session, struct engine_op *op, unsigned status, const char *detail)
{
    op->status = (enum engine_status)status;
    op->detail = detail;
    engine_complete(&session->base, op);
}

static void release(struct redis_task *task)
{
    free(task->gather);
    redis_task_free(task);
}

/* On its own; `scripted`: a read, by the script. */
static void go_alone(const struct redis_task *group, struct engine_op *op, uint64_t version, bool scripted)
{
    struct redis_task *task = redis_task_create(group->session);

    if (!task) {
        complete(group->session, op, ENGINE_BUSY, "out of memory");
        return;
    }
    task->op = op;
    task->bucket = group->bucket;
    task->writes = group->writes;
    task->version = version;
    task->scripted = scripted;
    op->engine_private = task;
    redis_task_again(task, 0);
}

void redis_gather_disband(struct redis_task *task)
{
    struct redis_gather *gather = task->gather;

    gather->finishing = true;
    for (size_t i = 0; i < gather->count; i++) {
        struct engine_op *op = take_out(gather, i);
        if (op)
            go_alone(task, op, gather->versions[i], false);
    }
    release(task);
}

static void garble(struct redis_task *task)
{
    redis_link_doom(task->link, LINK_BROKE, GARBLED);
    redis_gather_finish(task, ENGINE_FAILED, GARBLED);
}

static void take_reads(struct redis_task *task, struct redisReply *reply)
{
    struct redis_session *session = task->session;
    struct redis_gather *gather = task->gather;

    for (size_t i = 0; i < gather->count; i++) {
        struct engine_op *op = take_out(gather, i);
        unsigned answer;
        if (!op)
            continue;
        answer = redis_answer_stored(task, op, reply, i);
        if (answer == ANSWER_AGAIN)
            go_alone(task, op, 0, true);
        else if (answer == ANSWER_GARBLED) {
            redis_link_doom(task->link, LINK_BROKE, GARBLED);
            complete(session, op, ENGINE_FAILED, GARBLED);
        } else
            complete(session, op, answer, NULL);
    }
    release(task);
}

/* {a letter for each, generations or "", an error for each E} */
static bool is_answer_to_writes(const struct redis_gather *gather, const struct redisReply *reply)
{
    const struct redisReply *codes = reply->elements >= 2 ? reply->element[0] : NULL;
    const struct redisReply *generations = codes ? reply->element[1] : NULL;
    size_t errors = 0;

    if (!codes || codes->type != REDIS_REPLY_STRING || codes->len != gather->count ||
        generations->type != REDIS_REPLY_STRING ||
        (generations->len != 0 && generations->len != RECORD_GENERATIONS_BYTES))
        return false;
    for (size_t i = 0; i < codes->len; i++) {
        if (!strchr("01E", codes->str[i]) || codes->str[i] == '\0')
            return false;
        errors += codes->str[i] == 'E';
    }
    for (size_t i = 2; i < reply->elements; i++)
        if (reply->element[i]->type != REDIS_REPLY_ERROR)
            return false;
    return reply->elements == 2 + errors;
}

static void fail_write(struct redis_task *task, struct engine_op *op, const struct redisReply *error)
{
    struct redis_fault fault = redis_fault_of_error(bytes_of(error->str, error->len));

    if (fault.action == FAULT_DROP)
        redis_link_doom(task->link, fault.status == ENGINE_REFUSED ? LINK_TURNED_AWAY : LINK_NOT_SERVING,
                        fault.detail);
    complete(task->session, op, fault.status, fault.detail);
}

/* What was refused is done; what was written as well, unless it waits for
 * replicas. */
static void take_writes(struct redis_task *task, struct redisReply *reply)
{
    struct redis_gather *gather = task->gather;
    const char *codes = reply->element[0]->str;
    size_t error = 2;

    if (reply->element[1]->len > 0)
        memcpy(redis_session_guess(task->session, task->bucket, task->op->ns)->generations, reply->element[1]->str,
               RECORD_GENERATIONS_BYTES);
    for (size_t i = 0; i < gather->count; i++) {
        struct engine_op *op = gather->ops[i];
        const struct redisReply *why = codes[i] == 'E' ? reply->element[error++] : NULL;
        if (!op)
            continue;
        op->entry.version = gather->versions[i];
        op->entry.bytes = op->value->len;
        op->entry.idle_ms = op->idle_ms;
        gather->answers[i] = codes[i] == '1' ? ENGINE_CREATED : ENGINE_OK;
        if (why)
            fail_write(task, take_out(gather, i), why);
        else if (!task->confirm)
            complete(task->session, take_out(gather, i), gather->answers[i], NULL);
    }
    gather->finishing = false;
    task->op = any_of(gather);
    if (task->op)
        redis_confirm_hold(task, ENGINE_OK);
    else
        release(task);
}

void redis_gather_take(struct redis_task *task, struct redisReply *reply)
{
    struct redis_gather *gather = task->gather;

    if (reply->type != REDIS_REPLY_ARRAY || (task->writes ? !is_answer_to_writes(gather, reply)
                                                          : reply->elements != gather->count + 2)) {
        garble(task);
        return;
    }
    gather->finishing = true;
    if (task->writes)
        take_writes(task, reply);
    else
        take_reads(task, reply);
}

void redis_gather_finish(struct redis_task *task, enum engine_status status, const char *detail)
{
    struct redis_session *session = task->session;
    struct redis_gather *gather = task->gather;
    bool confirmed = task->held && status == ENGINE_OK;

    gather->finishing = true;
    for (size_t i = 0; i < gather->count; i++) {
        struct engine_op *op = take_out(gather, i);
        if (op)
            complete(session, op, confirmed ? gather->answers[i] : status, detail);
    }
    release(task);
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
