#include "tests/unit/engines/puppet.h"

#include <stdlib.h>

#include "service/base/clock.h"

static struct puppet *puppet_of(struct engine_session *session)
{
    return (struct puppet *)session->engine;
}

static struct engine_session *attach(struct engine *engine, struct loop *loop)
{
    struct engine_session *session = malloc(sizeof *session);

    if (session)
        engine_session_init(session, engine, loop);
    ((struct puppet *)engine)->session = session;
    return session;
}

/* What is still pending is what was asked and has no answer yet. */
static void forget(struct puppet *puppet, const struct engine_op *op)
{
    for (size_t i = 0; i < puppet->asked_count; i++)
        if (puppet->asked[i] == op)
            puppet->asked[i] = NULL;
}

static void detach(struct engine_session *session)
{
    struct puppet *puppet = puppet_of(session);

    for (size_t i = 0; i < puppet->asked_count; i++)
        if (puppet->asked[i])
            puppet_answer(puppet, puppet->asked[i], ENGINE_UNAVAILABLE);
    free(session);
}

static enum engine_progress submit(struct engine_session *session, struct engine_op *op)
{
    struct puppet *puppet = puppet_of(session);

    if (puppet->asked_count == PUPPET_MAX)
        abort();
    puppet->asked[puppet->asked_count++] = puppet->answer_at_once ? NULL : op;
    if (puppet->answer_at_once)
        op->status = ENGINE_OK;
    return puppet->answer_at_once ? ENGINE_DONE : ENGINE_PENDING;
}

static void submit_batch(struct engine_session *session, struct engine_op *const *ops, size_t count,
                         enum engine_progress *progress)
{
    puppet_of(session)->trips++;
    for (size_t i = 0; i < count; i++)
        progress[i] = submit(session, ops[i]);
}

static enum engine_status cancel(struct engine_session *session, struct engine_op *op)
{
    struct puppet *puppet = puppet_of(session);

    forget(puppet, op);
    puppet->cancelled++;
    return puppet->cancel_says;
}

static bool is_ready(struct engine *engine, const char **reason)
{
    *reason = ((struct puppet *)engine)->unready ? "asleep" : NULL;
    return !((struct puppet *)engine)->unready;
}

static void close_engine(struct engine *engine)
{
    free(engine);
}

static const struct engine_table with_batches = { "puppet",     attach, detach,   submit,
                                                  submit_batch, cancel, is_ready, close_engine };
static const struct engine_table without_batches = { "puppet", attach, detach,   submit,
                                                     NULL,     cancel, is_ready, close_engine };

struct puppet *puppet_open(bool batches)
{
    struct puppet *puppet = calloc(1, sizeof *puppet);

    if (!puppet)
        abort();
    puppet->base.table = batches ? &with_batches : &without_batches;
    puppet->base.name = "puppet";
    puppet->base.capabilities = ENGINE_CAN_STORE | ENGINE_CAN_FLUSH;
    puppet->cancel_says = ENGINE_LATE;
    return puppet;
}

void puppet_answer(struct puppet *puppet, struct engine_op *op, enum engine_status status)
{
    forget(puppet, op);
    op->status = status;
    engine_complete(puppet->session, op);
}

static void job_done(struct engine_op *op)
{
    struct job *job = (struct job *)op;

    job->calls++;
    if (job->then)
        job->then(job);
}

void job_init(struct job *job, struct engine_session *session, enum engine_verb verb, uint64_t timeout_ms)
{
    uint64_t now = loop_now(session->loop);

    *job = (struct job){
        .op = { .verb = verb,
                .ns = BYTES("ns"),
                .key = BYTES("key"),
                .ttl_ms = ENGINE_NO_EXPIRY,
                .now_ns = now,
                .deadline_ns = now + timeout_ms * NS_PER_MS,
                .done = job_done },
        .session = session,
    };
}

enum engine_progress job_submit(struct job *job)
{
    return engine_submit(job->session, &job->op);
}
