#include "engines/redis/list_errand.h"

#include "engines/redis/session.h"

static struct redis_errand *of(struct engine_op *op)
{
    return (struct redis_errand *)(void *)op;
}

void redis_errand_init(struct redis_errand *errand, const struct redis_errand_kind *kind,
                       struct redis_session *session, enum engine_verb verb)
{
    *errand = (struct redis_errand){ .op.verb = verb, .kind = kind, .session = session };
}

static struct redis_task *create_task(struct redis_errand *errand, unsigned bucket)
{
    struct redis_task *task = redis_task_create(errand->session);

    if (task) {
        task->op = &errand->op;
        task->bucket = (uint16_t)bucket;
    }
    errand->op.engine_private = task;
    return task;
}

enum engine_status redis_errand_start(struct redis_errand *errand, unsigned bucket, const char **detail)
{
    struct redis_task *task = create_task(errand, bucket);
    enum engine_status status;

    if (!task) {
        *detail = "out of memory";
        return ENGINE_BUSY;
    }
    status = redis_task_start(task, detail);
    if (status != ENGINE_STATUSES)
        redis_task_free(task);
    return status;
}

void redis_errand_again(struct redis_errand *errand, unsigned bucket)
{
    struct redis_task *task = create_task(errand, bucket);

    if (task)
        redis_task_again(task, 0);
    else
        errand->kind->done(errand, ENGINE_BUSY, "out of memory");
}

enum engine_status redis_errand_cancel(struct redis_errand *errand)
{
    return redis_task_cancel(errand->op.engine_private);
}

void redis_errand_send(struct redis_task *task, struct outbox *outbox)
{
    of(task->op)->kind->send(task, outbox);
}

unsigned redis_errand_take(struct redis_task *task, struct redisReply *reply)
{
    return of(task->op)->kind->take(task, reply);
}

void redis_errand_end(struct engine_op *op, enum engine_status status, const char *detail)
{
    of(op)->kind->done(of(op), status, detail);
}
