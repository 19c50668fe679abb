/* engine.c - what is common to all engines: names, conditions, deadlines.
 *
 * The outermost session of a chain keeps its pending operations in a list
 * ordered by deadline, with one timer for the soonest. An operation that is
 * done at once touches neither. The timer is never moved to a later time: an
 * operation that completes leaves it armed, and when it fires too early it is
 * armed anew, so that a stream of operations with one timeout costs one timer
 * setting per timeout and not one per operation.
 *
 * Threading: everything here runs on the session's thread. */
#include "engines/engine.h"

#include <stdlib.h>

#include "service/base/clock.h"

/* ---- Names and conditions ---- */

const char *engine_verb_name(enum engine_verb verb)
{
    static const char *const names[ENGINE_VERBS] = {
        [ENGINE_GET] = "get",
        [ENGINE_PUT] = "put",
        [ENGINE_DELETE] = "delete",
        [ENGINE_TOUCH] = "touch",
        [ENGINE_FLUSH] = "flush",
        [ENGINE_LIST] = "list",
        [ENGINE_NAMESPACES] = "namespaces",
        [ENGINE_ATOMIC] = "atomic",
        [ENGINE_COUNTER_ADD] = "counter-add",
        [ENGINE_COUNTER_GET] = "counter-get",
        [ENGINE_COUNTER_SET] = "counter-set",
        [ENGINE_COUNTER_DELETE] = "counter-delete",
        [ENGINE_LIMIT_TAKE] = "limit-take",
        [ENGINE_LOCK_ACQUIRE] = "lock-acquire",
        [ENGINE_LOCK_RENEW] = "lock-renew",
        [ENGINE_LOCK_RELEASE] = "lock-release",
        [ENGINE_LOCK_GET] = "lock-get",
    };

    return (unsigned)verb < ENGINE_VERBS ? names[verb] : "unknown";
}

const char *engine_status_name(enum engine_status status)
{
    static const char *const names[ENGINE_STATUSES] = {
        [ENGINE_OK] = "ok",
        [ENGINE_CREATED] = "created",
        [ENGINE_MISS] = "miss",
        [ENGINE_MISMATCH] = "mismatch",
        [ENGINE_FENCED] = "fenced",
        [ENGINE_VOID] = "void",
        [ENGINE_HELD] = "held",
        [ENGINE_BOUND] = "bound",
        [ENGINE_LIMITED] = "limited",
        [ENGINE_UNSUPPORTED] = "unsupported",
        [ENGINE_TOO_LARGE] = "too-large",
        [ENGINE_FULL] = "full",
        [ENGINE_BUSY] = "busy",
        [ENGINE_UNAVAILABLE] = "unavailable",
        [ENGINE_LATE] = "late",
        [ENGINE_REFUSED] = "refused",
        [ENGINE_FAILED] = "failed",
    };

    return (unsigned)status < ENGINE_STATUSES ? names[status] : "unknown";
}

bool engine_verb_writes(enum engine_verb verb)
{
    switch (verb) {
    case ENGINE_GET:
    case ENGINE_LIST:
    case ENGINE_NAMESPACES:
    case ENGINE_COUNTER_GET:
    case ENGINE_LOCK_GET:
        return false;
    default:
        return true;
    }
}

unsigned engine_verb_needs(enum engine_verb verb)
{
    static const unsigned needs[ENGINE_VERBS] = {
        [ENGINE_GET] = ENGINE_CAN_STORE,
        [ENGINE_PUT] = ENGINE_CAN_STORE,
        [ENGINE_DELETE] = ENGINE_CAN_STORE,
        [ENGINE_TOUCH] = ENGINE_CAN_STORE,
        [ENGINE_FLUSH] = ENGINE_CAN_FLUSH,
        [ENGINE_LIST] = ENGINE_CAN_LIST,
        [ENGINE_NAMESPACES] = ENGINE_CAN_LIST,
        [ENGINE_ATOMIC] = ENGINE_CAN_ATOMIC,
        [ENGINE_COUNTER_ADD] = ENGINE_CAN_COUNT,
        [ENGINE_COUNTER_GET] = ENGINE_CAN_COUNT,
        [ENGINE_COUNTER_SET] = ENGINE_CAN_COUNT,
        [ENGINE_COUNTER_DELETE] = ENGINE_CAN_COUNT,
        [ENGINE_LIMIT_TAKE] = ENGINE_CAN_LIMIT,
        [ENGINE_LOCK_ACQUIRE] = ENGINE_CAN_LOCK,
        [ENGINE_LOCK_RENEW] = ENGINE_CAN_LOCK,
        [ENGINE_LOCK_RELEASE] = ENGINE_CAN_LOCK,
        [ENGINE_LOCK_GET] = ENGINE_CAN_LOCK,
    };

    return needs[verb];
}

static bool tags_name(const struct engine_tags *tags, engine_version version)
{
    if (version == 0)
        return false;
    if (tags->any)
        return true;
    for (size_t i = 0; i < tags->count; i++)
        if (tags->versions[i] == version)
            return true;
    return false;
}

bool engine_condition_holds(const struct engine_condition *condition, engine_version version)
{
    if (!condition)
        return true;
    if (condition->if_match.given && !tags_name(&condition->if_match, version))
        return false;
    return !condition->if_none_match.given || !tags_name(&condition->if_none_match, version);
}

/* ---- The observer ---- */

void engine_observe(struct engine_session *session, engine_observer_fn *fn, void *context)
{
    session->observer = (struct engine_observer){ .fn = fn, .context = context };
}

static void report(struct engine_session *session, struct engine_op *op, uint64_t duration_ns)
{
    if (!session->observer.fn)
        return;
    op->took_ns = duration_ns;
    session->observer.fn(session->observer.context, op, duration_ns);
}

static void report_pending(struct engine_session *session, struct engine_op *op)
{
    uint64_t now = session->observer.fn ? loop_now(session->loop) : 0;

    report(session, op, now > op->now_ns ? now - op->now_ns : 0);
}

/* Two readings of the clock cost a tenth of what the memory engine takes for a
 * read. 0: this one is not timed. */
static uint64_t begin_timing(struct engine_session *session, const struct engine_op *op)
{
    if (!session->observer.fn)
        return 0;
    if (op->verb <= ENGINE_TOUCH) {
        if (op->now_ns < session->observer.next_ns[op->verb])
            return 0;
        session->observer.next_ns[op->verb] = op->now_ns + ENGINE_TIMED_EVERY_NS;
    }
    return clock_monotonic_ns();
}

static void end_timing(struct engine_session *session, struct engine_op *op, uint64_t began)
{
    uint64_t duration = began > 0 ? clock_monotonic_ns() - began : 0;

    if (op->verb <= ENGINE_TOUCH && began > 0)
        session->observer.timed_ns[op->verb] = duration;
    else if (op->verb <= ENGINE_TOUCH)
        duration = session->observer.timed_ns[op->verb];
    report(session, op, duration);
}

/* ---- Pending operations, by deadline ---- */

static void count_pending(struct engine_session *session, int n)
{
    size_t before = atomic_load_explicit(&session->pending_count, memory_order_relaxed);

    atomic_store_explicit(&session->pending_count, before + (size_t)n, memory_order_relaxed);
}

static void pending_insert(struct engine_session *session, struct engine_op *op)
{
    struct engine_op *before = session->pending_tail;

    /* From the tail: timeouts are mostly equal, so deadlines mostly grow. */
    while (before && before->deadline_ns > op->deadline_ns)
        before = before->prev;
    op->prev = before;
    op->next = before ? before->next : session->pending_head;
    *(op->prev ? &op->prev->next : &session->pending_head) = op;
    *(op->next ? &op->next->prev : &session->pending_tail) = op;
    count_pending(session, 1);
    if (op->deadline_ns < session->deadline_armed_ns) {
        session->deadline_armed_ns = op->deadline_ns;
        loop_timer_at(session->deadline_timer, op->deadline_ns);
    }
}

static void pending_remove(struct engine_session *session, struct engine_op *op)
{
    *(op->prev ? &op->prev->next : &session->pending_head) = op->next;
    *(op->next ? &op->next->prev : &session->pending_tail) = op->prev;
    op->next = op->prev = NULL;
    count_pending(session, -1);
}

static void clear_results(struct engine_op *op)
{
    op->status = ENGINE_FAILED;
    op->entry = (struct engine_entry){ .ttl_ms = ENGINE_NO_EXPIRY };
    op->lease = ENGINE_LEASE_NONE;
    op->lease_left_ms = 0;
    op->limit = 0;
    op->detail = NULL;
    op->took_ns = 0;
}

static enum engine_status cancel_pending(struct engine_session *session, struct engine_op *op)
{
    enum engine_status status;

    pending_remove(session, op);
    status = session->table->cancel(session, op);
    clear_results(op);
    op->status = status;
    return status;
}

/* A timer this late says that the thread was busy with something else; the
 * answers may be there, unread. They get one turn. */
#define LATE_NS (50 * NS_PER_MS)

static bool grants_a_turn(struct engine_session *session, uint64_t now)
{
    bool late = now > session->deadline_armed_ns && now - session->deadline_armed_ns > LATE_NS;

    if (!late || session->granted)
        return session->granted = false;
    session->granted = true;
    loop_timer_at(session->deadline_timer, now + NS_PER_MS);
    return true;
}

static void expire_pending(void *context)
{
    struct engine_session *session = context;
    uint64_t now = loop_now(session->loop);

    if (grants_a_turn(session, now))
        return;
    session->deadline_armed_ns = UINT64_MAX;
    /* `done` may submit or cancel others: look at the head anew each time. */
    while (session->pending_head && session->pending_head->deadline_ns <= now) {
        struct engine_op *op = session->pending_head;
        /* Late is late, even where nothing was sent yet: to its submitter that is the engine's slowness. */
        cancel_pending(session, op);
        op->status = ENGINE_LATE;
        op->detail = "no answer by the deadline";
        report_pending(session, op);
        op->done(op);
    }
    if (session->pending_head && session->pending_head->deadline_ns < session->deadline_armed_ns) {
        session->deadline_armed_ns = session->pending_head->deadline_ns;
        loop_timer_at(session->deadline_timer, session->deadline_armed_ns);
    }
}

/* ---- Sessions ---- */

void engine_session_init(struct engine_session *session, struct engine *engine, struct loop *loop)
{
    *session = (struct engine_session){
        .table = engine->table,
        .engine = engine,
        .loop = loop,
        .deadline_armed_ns = UINT64_MAX,
    };
}

struct engine_session *engine_attach(struct engine *engine, struct loop *loop)
{
    struct engine_session *session = engine->table->attach(engine, loop);

    /* An engine that cannot cancel never has anything pending. */
    if (!session || !engine->table->cancel)
        return session;
    session->deadline_timer = loop_timer_create(loop, expire_pending, session);
    if (!session->deadline_timer) {
        session->table->detach(session);
        return NULL;
    }
    return session;
}

void engine_detach(struct engine_session *session)
{
    struct loop_timer *timer;

    if (!session)
        return;
    timer = session->deadline_timer;
    session->detaching = true;
    session->table->detach(session);
    loop_timer_destroy(timer);
}

/* ---- Operations ---- */

/* False: the operation is answered already, without the engine. */
static bool admit(struct engine_session *session, struct engine_op *op)
{
    clear_results(op);
    if (engine_verb_needs(op->verb) & ~session->engine->capabilities) {
        op->status = ENGINE_UNSUPPORTED;
        return false;
    }
    if (op->deadline_ns <= op->now_ns) {
        op->status = ENGINE_BUSY;
        op->detail = "the deadline had passed before the engine was asked";
        return false;
    }
    if (session->detaching) {
        op->status = ENGINE_UNAVAILABLE;
        op->detail = "shutting down";
        return false;
    }
    return true;
}

enum engine_progress engine_submit(struct engine_session *session, struct engine_op *op)
{
    uint64_t began = begin_timing(session, op);

    if (!admit(session, op) || session->table->submit(session, op) == ENGINE_DONE) {
        if (session->observer.fn)
            end_timing(session, op, began);
        return ENGINE_DONE;
    }
    if (!session->outer)
        pending_insert(session, op);
    return ENGINE_PENDING;
}

/* Submits operations that were all admitted. */
static size_t submit_run(struct engine_session *session, struct engine_op *const *ops, size_t count,
                         enum engine_progress *progress)
{
    size_t pending = 0;

    if (session->table->submit_batch)
        session->table->submit_batch(session, ops, count, progress);
    else
        for (size_t i = 0; i < count; i++)
            progress[i] = session->table->submit(session, ops[i]);
    for (size_t i = 0; i < count; i++) {
        if (progress[i] == ENGINE_DONE)
            continue;
        pending++;
        if (!session->outer)
            pending_insert(session, ops[i]);
    }
    return pending;
}

/* The trip's time is that of each. */
static void report_batch(struct engine_session *session, struct engine_op *const *ops, size_t count,
                         const enum engine_progress *progress, uint64_t began)
{
    uint64_t duration = clock_monotonic_ns() - began;

    for (size_t i = 0; i < count; i++)
        if (progress[i] == ENGINE_DONE)
            report(session, ops[i], duration);
}

size_t engine_submit_batch(struct engine_session *session, struct engine_op *const *ops, size_t count,
                           enum engine_progress *progress)
{
    uint64_t began = session->observer.fn ? clock_monotonic_ns() : 0;
    size_t pending = 0, start = 0;

    /* Runs between the operations that are not admitted; mostly one run. */
    for (size_t i = 0; i < count; i++) {
        if (admit(session, ops[i]))
            continue;
        if (i > start)
            pending += submit_run(session, ops + start, i - start, progress + start);
        progress[i] = ENGINE_DONE;
        start = i + 1;
    }
    if (count > start)
        pending += submit_run(session, ops + start, count - start, progress + start);
    if (session->observer.fn && pending < count)
        report_batch(session, ops, count, progress, began);
    return pending;
}

enum engine_status engine_cancel(struct engine_session *session, struct engine_op *op)
{
    return cancel_pending(session, op);
}

void engine_complete(struct engine_session *session, struct engine_op *op)
{
    while (session->outer) {
        session = session->outer;
        if (session->completed)
            session->completed(session, op);
    }
    pending_remove(session, op);
    report_pending(session, op);
    op->done(op);
}

bool engine_ready(struct engine *engine, const char **reason)
{
    *reason = NULL;
    return !engine->table->ready || engine->table->ready(engine, reason);
}

size_t engine_pending(const struct engine_session *session)
{
    return atomic_load_explicit(&session->pending_count, memory_order_relaxed);
}

void engine_tell_facts(struct engine *engine, engine_fact_fn *fn, void *context)
{
    if (engine->table->facts)
        engine->table->facts(engine, fn, context);
}

void engine_close(struct engine *engine)
{
    if (engine)
        engine->table->close(engine);
}
