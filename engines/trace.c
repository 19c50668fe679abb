#include "engines/trace.h"

#include <stdlib.h>

#include "service/base/clock.h"

struct trace_engine {
    struct engine base; /* first: cast */
    struct engine *inner;
    struct trace_options options;
};

struct trace_session {
    struct engine_session base; /* first: cast */
    struct engine_session *inner;
};

static const struct trace_options *options_of(const struct engine_session *session)
{
    return &((const struct trace_engine *)session->engine)->options;
}

static struct engine_session *inner_of(struct engine_session *session)
{
    return ((struct trace_session *)session)->inner;
}

static uint64_t since(uint64_t start, uint64_t now)
{
    return now > start ? now - start : 0;
}

static void report(const struct engine_session *session, const struct engine_op *op, uint64_t duration_ns)
{
    const struct trace_options *options = options_of(session);

    options->sink(options->context, op, duration_ns);
}

static void completed(struct engine_session *session, struct engine_op *op)
{
    report(session, op, since(op->now_ns, options_of(session)->now()));
}

static struct engine_session *attach(struct engine *engine, struct loop *loop)
{
    struct engine *inner = ((struct trace_engine *)engine)->inner;
    struct trace_session *session = malloc(sizeof *session);

    if (!session)
        return NULL;
    engine_session_init(&session->base, engine, loop);
    session->base.completed = completed;
    session->inner = inner->table->attach(inner, loop);
    if (!session->inner) {
        free(session);
        return NULL;
    }
    session->inner->outer = &session->base;
    return &session->base;
}

static void detach(struct engine_session *session)
{
    struct engine_session *inner = inner_of(session);

    inner->table->detach(inner);
    free(session);
}

static enum engine_progress submit(struct engine_session *session, struct engine_op *op)
{
    uint64_t start = options_of(session)->now();
    enum engine_progress progress = engine_submit(inner_of(session), op);

    if (progress == ENGINE_DONE)
        report(session, op, since(start, options_of(session)->now()));
    return progress;
}

static void submit_batch(struct engine_session *session, struct engine_op *const *ops, size_t count,
                         enum engine_progress *progress)
{
    uint64_t start = options_of(session)->now();
    size_t pending = engine_submit_batch(inner_of(session), ops, count, progress);
    uint64_t duration;

    if (pending == count)
        return;
    duration = since(start, options_of(session)->now());
    for (size_t i = 0; i < count; i++)
        if (progress[i] == ENGINE_DONE)
            report(session, ops[i], duration);
}

static enum engine_status cancel(struct engine_session *session, struct engine_op *op)
{
    struct engine_session *inner = inner_of(session);

    op->status = inner->table->cancel(inner, op);
    completed(session, op);
    return op->status;
}

static bool is_ready(struct engine *engine, const char **reason)
{
    return engine_ready(((struct trace_engine *)engine)->inner, reason);
}

static void tell_facts(struct engine *engine, engine_fact_fn *fn, void *context)
{
    engine_tell_facts(((struct trace_engine *)engine)->inner, fn, context);
}

static void close_engine(struct engine *engine)
{
    engine_close(((struct trace_engine *)engine)->inner);
    free(engine);
}

static const struct engine_table trace_table = {
    .name = "trace",
    .attach = attach,
    .detach = detach,
    .submit = submit,
    .submit_batch = submit_batch,
    .cancel = cancel,
    .ready = is_ready,
    .close = close_engine,
    .facts = tell_facts,
};

struct engine *trace_open(struct engine *inner, const struct trace_options *options)
{
    struct trace_engine *engine;

    if (!inner)
        return NULL;
    engine = malloc(sizeof *engine);
    if (!engine) {
        engine_close(inner);
        return NULL;
    }
    engine->base = (struct engine){ &trace_table, inner->name, inner->capabilities, inner->max_value_bytes };
    engine->inner = inner;
    engine->options = *options;
    if (!engine->options.now)
        engine->options.now = clock_monotonic_ns;
    return &engine->base;
}
