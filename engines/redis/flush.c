/* flush.c - a flush of a cluster: the generation of every bucket.
 *
 * The parts are operations of their own, sent in one turn to all masters; each
 * finds its way through redirections by itself. The flush is done when all
 * are, and failed when one is: deleting a generation twice does no harm, so
 * the client may flush again. */
#include <stdlib.h>

#include "engines/redis/session.h"

struct redis_flush {
    struct engine_op *op; /* NULL: cancelled */
    unsigned left, flushed;
    bool starting; /* inside submit: nothing is to be completed */
    enum engine_status status; /* of the first part that failed */
    const char *detail;
    struct engine_op parts[KEYS_BUCKETS]; /* engine_private: the task, NULL once done */
};

static enum engine_status outcome(struct redis_flush *flush)
{
    bool nothing = flush->status == ENGINE_UNAVAILABLE || flush->status == ENGINE_BUSY ||
                   flush->status == ENGINE_REFUSED;

    if (flush->status == ENGINE_OK)
        return ENGINE_OK;
    if (!nothing || flush->flushed == 0)
        return flush->status;
    flush->detail = "only a part of the cluster was flushed";
    return ENGINE_FAILED;
}

static void take_part(struct redis_flush *flush, struct engine_op *part, enum engine_status status,
                      const char *detail)
{
    part->engine_private = NULL;
    flush->left--;
    if (status == ENGINE_OK)
        flush->flushed++;
    else if (flush->status == ENGINE_OK) {
        flush->status = status;
        flush->detail = detail;
    }
}

void redis_flush_part_done(struct redis_flush *flush, struct redis_session *session, struct engine_op *part,
                           enum engine_status status, const char *detail)
{
    struct engine_op *op = flush->op;

    take_part(flush, part, status, detail);
    if (flush->left > 0 || flush->starting)
        return;
    op->status = outcome(flush);
    op->detail = flush->detail;
    free(flush);
    if (op->status == ENGINE_OK && op->tag.len == 0)
        redis_sweep_start(session, op->ns);
    engine_complete(&session->base, op);
}

/* Starts the part of one bucket; what goes wrong at once is entered. */
static void start_part(struct redis_flush *flush, struct redis_session *session, unsigned bucket)
{
    struct engine_op *part = &flush->parts[bucket];
    struct redis_task *task = redis_task_create(session);
    enum engine_status status = ENGINE_BUSY;
    const char *detail = "out of memory";

    *part = *flush->op;
    part->key = BYTES_NONE;
    part->engine_private = task;
    if (task) {
        task->op = part;
        task->flush = flush;
        task->writes = true;
        task->bucket = (uint16_t)bucket;
        status = redis_task_start(task, &detail);
    }
    if (status == ENGINE_STATUSES)
        return;
    if (task)
        redis_task_free(task);
    take_part(flush, part, status, detail);
}

enum engine_progress redis_flush_start(struct redis_session *session, struct engine_op *op)
{
    struct redis_flush *flush = malloc(sizeof *flush);

    if (!flush) {
        op->status = ENGINE_BUSY;
        op->detail = "out of memory";
        return ENGINE_DONE;
    }
    flush->op = op;
    flush->left = KEYS_BUCKETS;
    flush->flushed = 0;
    flush->status = ENGINE_OK;
    flush->detail = NULL;
    flush->starting = true;
    op->engine_private = flush;
    for (unsigned bucket = 0; bucket < KEYS_BUCKETS; bucket++)
        start_part(flush, session, bucket);
    flush->starting = false;
    if (flush->left > 0)
        return ENGINE_PENDING;
    op->status = outcome(flush);
    op->detail = flush->detail;
    free(flush);
    return ENGINE_DONE;
}

enum engine_status redis_flush_cancel(struct engine_op *op)
{
    struct redis_flush *flush = op->engine_private;
    bool sent = flush->flushed > 0;

    for (unsigned bucket = 0; bucket < KEYS_BUCKETS; bucket++) {
        struct redis_task *task = flush->parts[bucket].engine_private;
        if (task && redis_task_cancel(task) != ENGINE_BUSY)
            sent = true;
    }
    free(flush);
    return sent ? ENGINE_LATE : ENGINE_BUSY;
}
