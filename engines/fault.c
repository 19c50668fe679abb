#include "engines/fault.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "service/base/clock.h"

struct fault_engine {
    struct engine base; /* first: cast */
    struct engine *inner;
    pthread_mutex_t lock; /* rules, seen */
    struct fault_rule rules[FAULT_RULES_MAX];
    uint64_t seen[FAULT_RULES_MAX]; /* operations each rule applied to */
    size_t count;
    const char *_Atomic unready;
    _Atomic size_t held;
};

/* An operation held back, in the order of due_ns. op->engine_private is not
 * used: it belongs to the engine below. */
struct held {
    struct held *next;
    struct engine_op *op;
    uint64_t due_ns; /* UINT64_MAX: dropped */
    struct fault_rule rule;
};

struct fault_session {
    struct engine_session base; /* first: cast */
    struct engine_session *inner;
    struct held *held;
    struct loop_timer *timer;
};

static struct fault_engine *engine_of(struct engine_session *session)
{
    return (struct fault_engine *)session->engine;
}

/* ---- Rules ---- */

void fault_set_rules(struct engine *engine, const struct fault_rule *rules, size_t count)
{
    struct fault_engine *fault = (struct fault_engine *)engine;

    pthread_mutex_lock(&fault->lock);
    fault->count = count < FAULT_RULES_MAX ? count : FAULT_RULES_MAX;
    for (size_t i = 0; i < fault->count; i++) {
        fault->rules[i] = rules[i];
        fault->seen[i] = 0;
    }
    pthread_mutex_unlock(&fault->lock);
}

void fault_set_unready(struct engine *engine, const char *reason)
{
    atomic_store(&((struct fault_engine *)engine)->unready, reason);
}

size_t fault_held(struct engine *engine)
{
    return atomic_load(&((struct fault_engine *)engine)->held);
}

/* False: `op` passes unharmed. */
static bool find_rule(struct fault_engine *fault, const struct engine_op *op, struct fault_rule *found)
{
    bool applies = false;

    *found = (struct fault_rule){ .verbs = 0 };
    pthread_mutex_lock(&fault->lock);
    for (size_t i = 0; i < fault->count && !applies; i++) {
        if (!(fault->rules[i].verbs & FAULT_VERB(op->verb)))
            continue;
        fault->seen[i]++;
        applies = fault->rules[i].every <= 1 || fault->seen[i] % fault->rules[i].every == 0;
        *found = fault->rules[i];
    }
    pthread_mutex_unlock(&fault->lock);
    return applies;
}

/* ---- Operations held back ---- */

static void arm(struct fault_session *session)
{
    if (session->held && session->held->due_ns != UINT64_MAX)
        loop_timer_at(session->timer, session->held->due_ns);
    else
        loop_timer_stop(session->timer);
}

static bool hold(struct fault_session *session, struct engine_op *op, const struct fault_rule *rule)
{
    struct held **at = &session->held;
    struct held *held = malloc(sizeof *held);

    if (!held)
        return false;
    *held = (struct held){ .op = op, .rule = *rule, .due_ns = UINT64_MAX };
    if (!rule->drop)
        held->due_ns = loop_now(session->base.loop) + rule->delay_ms * NS_PER_MS;
    while (*at && (*at)->due_ns <= held->due_ns)
        at = &(*at)->next;
    held->next = *at;
    *at = held;
    atomic_fetch_add(&engine_of(&session->base)->held, 1);
    arm(session);
    return true;
}

/* Takes the operation at `*at` out. */
static struct engine_op *release(struct fault_session *session, struct held **at, struct fault_rule *rule)
{
    struct held *held = *at;
    struct engine_op *op = held->op;

    *at = held->next;
    *rule = held->rule;
    free(held);
    atomic_fetch_sub(&engine_of(&session->base)->held, 1);
    return op;
}

static void fail(struct engine_op *op, enum engine_status status)
{
    op->status = status;
    op->detail = "a fault on purpose";
}

static void serve_held(void *context)
{
    struct fault_session *session = context;
    uint64_t now = loop_now(session->base.loop);

    /* A completion may submit or cancel: look at the head anew each time. */
    while (session->held && session->held->due_ns <= now) {
        struct fault_rule rule;
        struct engine_op *op = release(session, &session->held, &rule);
        if (rule.fail)
            fail(op, rule.status);
        else if (engine_submit(session->inner, op) == ENGINE_PENDING)
            continue;
        engine_complete(&session->base, op);
    }
    arm(session);
}

/* ---- The table ---- */

static struct engine_session *attach(struct engine *engine, struct loop *loop)
{
    struct engine *inner = ((struct fault_engine *)engine)->inner;
    struct fault_session *session = malloc(sizeof *session);

    if (!session)
        return NULL;
    engine_session_init(&session->base, engine, loop);
    session->held = NULL;
    session->timer = loop_timer_create(loop, serve_held, session);
    if (!session->timer)
        goto fail;
    session->inner = inner->table->attach(inner, loop);
    if (!session->inner)
        goto fail;
    session->inner->outer = &session->base;
    return &session->base;

fail:
    loop_timer_destroy(session->timer);
    free(session);
    return NULL;
}

static void detach(struct engine_session *base)
{
    struct fault_session *session = (struct fault_session *)base;

    while (session->held) {
        struct fault_rule rule;
        struct engine_op *op = release(session, &session->held, &rule);
        op->status = ENGINE_UNAVAILABLE;
        op->detail = "shutting down";
        engine_complete(base, op);
    }
    session->inner->table->detach(session->inner);
    loop_timer_destroy(session->timer);
    free(session);
}

static enum engine_progress submit(struct engine_session *base, struct engine_op *op)
{
    struct fault_session *session = (struct fault_session *)base;
    struct fault_rule rule;

    if (!find_rule(engine_of(base), op, &rule))
        return engine_submit(session->inner, op);
    if (rule.drop || rule.delay_ms > 0) {
        if (hold(session, op, &rule))
            return ENGINE_PENDING;
        op->status = ENGINE_BUSY;
        op->detail = "out of memory";
        return ENGINE_DONE;
    }
    if (!rule.fail)
        return engine_submit(session->inner, op);
    fail(op, rule.status);
    return ENGINE_DONE;
}

static enum engine_status cancel(struct engine_session *base, struct engine_op *op)
{
    struct fault_session *session = (struct fault_session *)base;
    struct held **at = &session->held;
    struct fault_rule rule;

    while (*at && (*at)->op != op)
        at = &(*at)->next;
    if (!*at)
        return session->inner->table->cancel(session->inner, op);
    (void)release(session, at, &rule);
    arm(session);
    return ENGINE_LATE;
}

static bool is_ready(struct engine *engine, const char **reason)
{
    struct fault_engine *fault = (struct fault_engine *)engine;
    const char *unready = atomic_load(&fault->unready);

    if (!unready)
        return engine_ready(fault->inner, reason);
    *reason = unready;
    return false;
}

static void tell_facts(struct engine *engine, engine_fact_fn *fn, void *context)
{
    engine_tell_facts(((struct fault_engine *)engine)->inner, fn, context);
}

static void close_engine(struct engine *engine)
{
    struct fault_engine *fault = (struct fault_engine *)engine;

    engine_close(fault->inner);
    pthread_mutex_destroy(&fault->lock);
    free(fault);
}

static const struct engine_table fault_table = {
    .name = "fault",
    .attach = attach,
    .detach = detach,
    .submit = submit,
    .cancel = cancel,
    .ready = is_ready,
    .close = close_engine,
    .facts = tell_facts,
};

struct engine *fault_open(struct engine *inner)
{
    struct fault_engine *fault;

    if (!inner)
        return NULL;
    fault = calloc(1, sizeof *fault);
    if (!fault || pthread_mutex_init(&fault->lock, NULL) != 0) {
        free(fault);
        engine_close(inner);
        return NULL;
    }
    fault->base = (struct engine){ &fault_table, inner->name, inner->capabilities, inner->max_value_bytes };
    fault->inner = inner;
    return &fault->base;
}
