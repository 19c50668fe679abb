/* memory.c - the memory engine: sessions, the background timer, dispatch.
 *
 * Every operation finishes inside submit, but for a PUT whose value pushes very
 * many small ones out of its namespace: that is done in steps, between which
 * the thread's other requests have their turn, and the PUT is answered after the
 * last. Where the answer is given up meanwhile, the steps go on.
 *
 * Threading: the store is shared and locks for itself; a session holds only
 * its timers, and what its PUTs owe. Every session's timer takes its share of the shards, so the
 * background work is spread over the threads and goes on if one is busy. */
#include "engines/memory/memory.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "engines/memory/list.h"
#include "engines/memory/store.h"
#include "service/base/clock.h"

#define SWEEP_EVERY_NS (100 * NS_PER_MS)
/* When a sweep left work undone: its bound is half a millisecond, so a tenth
 * of the thread's time at most. */
#define SWEEP_AGAIN_NS (5 * NS_PER_MS)

/* Evictions in one step of a PUT: half a millisecond. */
#define DEBT_STEP 256

struct memory_engine {
    struct engine base;
    struct store *store;
    _Atomic unsigned sessions;
};

struct memory_session {
    struct engine_session base;
    struct loop_timer *timer;
    struct loop_timer *debt_timer; /* fires while there are any */
    struct list debts;
};

/* A PUT that waits for what it owes. */
struct debt {
    struct list link;     /* in session->debts */
    struct engine_op *op; /* NULL: given up */
    struct quota_debt quota;
};

static struct memory_engine *memory_engine(struct engine *engine)
{
    return LIST_OWNER(engine, struct memory_engine, base);
}

static struct memory_session *memory_session(struct engine_session *session)
{
    return LIST_OWNER(session, struct memory_session, base);
}

static void sweep(void *context)
{
    struct memory_session *session = context;
    struct memory_engine *engine = memory_engine(session->base.engine);
    unsigned sessions = atomic_load(&engine->sessions);
    unsigned share = (store_shards(engine->store) + sessions - 1) / sessions;
    uint64_t now = loop_now(session->base.loop);
    bool more = store_sweep(engine->store, share, now);

    loop_timer_at(session->timer, now + (more ? SWEEP_AGAIN_NS : SWEEP_EVERY_NS));
}

/* ---- What PUTs owe ---- */

/* From here on nothing is known of the PUT. */
static void end_debt(struct memory_session *session, struct debt *debt)
{
    struct engine_op *op = debt->op;

    list_remove(&debt->link);
    free(debt);
    if (op)
        engine_complete(&session->base, op);
}

/* One step, of the oldest. */
static void pay_some(void *context)
{
    struct memory_session *session = context;
    struct store *store = memory_engine(session->base.engine)->store;
    struct debt *debt;

    if (list_is_empty(&session->debts))
        return;
    debt = LIST_OWNER(session->debts.prev, struct debt, link);
    if (quota_pay(store, &debt->quota, DEBT_STEP))
        end_debt(session, debt);
    if (!list_is_empty(&session->debts))
        loop_timer_at(session->debt_timer, loop_now(session->base.loop));
}

static enum engine_progress put(struct memory_session *session, struct engine_op *op)
{
    struct store *store = memory_engine(session->base.engine)->store;
    struct quota_debt quota;
    struct debt *debt;

    store_put_owing(store, op, &quota);
    if (quota_pay(store, &quota, DEBT_STEP))
        return ENGINE_DONE;
    debt = malloc(sizeof *debt);
    if (!debt) {
        while (!quota_pay(store, &quota, DEBT_STEP))
            continue;
        return ENGINE_DONE;
    }
    debt->op = op;
    debt->quota = quota;
    op->engine_private = debt;
    list_push_front(&session->debts, &debt->link);
    loop_timer_at(session->debt_timer, loop_now(session->base.loop));
    return ENGINE_PENDING;
}

/* It is written: only who waits for the answer is let go. */
static enum engine_status cancel(struct engine_session *session, struct engine_op *op)
{
    struct debt *debt = op->engine_private;

    (void)session;
    debt->op = NULL;
    return ENGINE_LATE;
}

/* ---- The table ---- */

static void free_session(struct memory_session *session)
{
    loop_timer_destroy(session->timer);
    loop_timer_destroy(session->debt_timer);
    free(session);
}

static struct engine_session *attach(struct engine *engine, struct loop *loop)
{
    struct memory_session *session = malloc(sizeof *session);

    if (!session)
        return NULL;
    engine_session_init(&session->base, engine, loop);
    list_init(&session->debts);
    session->timer = loop_timer_create(loop, sweep, session);
    session->debt_timer = loop_timer_create(loop, pay_some, session);
    if (!session->timer || !session->debt_timer) {
        free_session(session);
        return NULL;
    }
    atomic_fetch_add(&memory_engine(engine)->sessions, 1);
    loop_timer_at(session->timer, loop_now(loop) + SWEEP_EVERY_NS);
    return &session->base;
}

static void detach(struct engine_session *base)
{
    struct memory_session *session = memory_session(base);
    struct store *store = memory_engine(base->engine)->store;

    while (!list_is_empty(&session->debts)) {
        struct debt *debt = LIST_OWNER(session->debts.prev, struct debt, link);
        while (!quota_pay(store, &debt->quota, DEBT_STEP))
            continue;
        end_debt(session, debt);
    }
    atomic_fetch_sub(&memory_engine(base->engine)->sessions, 1);
    free_session(session);
}

static enum engine_progress submit(struct engine_session *session, struct engine_op *op)
{
    if (op->verb == ENGINE_PUT)
        return put(memory_session(session), op);
    store_do(memory_engine(session->engine)->store, op);
    return ENGINE_DONE;
}

static void tell_facts(struct engine *engine, engine_fact_fn *fn, void *context)
{
    struct memory_stats stats;

    memory_stats(engine, &stats);
    fn(context, ENGINE_FACT_USED_BYTES, BYTES_NONE, (double)stats.bytes);
    fn(context, ENGINE_FACT_MAX_BYTES, BYTES_NONE, (double)stats.max_bytes);
    fn(context, ENGINE_FACT_ENTRIES, BYTES_NONE, (double)stats.entries);
    fn(context, ENGINE_FACT_CELLS, BYTES_NONE, (double)stats.cells);
    fn(context, ENGINE_FACT_EVICTIONS, BYTES_NONE, (double)stats.evictions);
    fn(context, ENGINE_FACT_EXPIRATIONS, BYTES_NONE, (double)stats.expirations);
}

static void close_engine(struct engine *engine)
{
    struct memory_engine *memory = memory_engine(engine);

    store_destroy(memory->store);
    free(memory);
}

static const struct engine_table memory_table = {
    .name = "memory",
    .attach = attach,
    .detach = detach,
    .submit = submit,
    .cancel = cancel,
    .close = close_engine,
    .facts = tell_facts,
};

struct engine *memory_open(const struct memory_options *options)
{
    struct memory_engine *memory = malloc(sizeof *memory);

    if (!memory)
        return NULL;
    memory->base = (struct engine){
        .table = &memory_table,
        .name = "memory",
        .capabilities = ENGINE_CAN_STORE | ENGINE_CAN_CONDITIONS | ENGINE_CAN_SLIDE | ENGINE_CAN_FLUSH |
                        ENGINE_CAN_TAG | ENGINE_CAN_LEASE | ENGINE_CAN_FENCE | ENGINE_CAN_LIST | ENGINE_CAN_COUNT |
                        ENGINE_CAN_LIMIT | ENGINE_CAN_LOCK | ENGINE_CAN_ATOMIC | ENGINE_CAN_QUOTA,
    };
    memory->store = store_create(options);
    if (!memory->store) {
        free(memory);
        return NULL;
    }
    atomic_init(&memory->sessions, 0);
    return &memory->base;
}

void memory_stats(struct engine *engine, struct memory_stats *stats)
{
    store_stats(memory_engine(engine)->store, stats);
}
