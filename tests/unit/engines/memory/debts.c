/* The memory engine: a PUT that pushes very many entries out does so in steps. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "engines/memory/memory.h"
#include "service/base/clock.h"
#include "tests/support/virtual_loop.h"

#define NS BYTES("ns")

enum { SMALL = 5000, LARGE = 4000 };

static const struct engine_put bounds = { .max_bytes = SMALL };

static struct loop *loop;
static struct engine *engine;
static struct engine_session *session;
static unsigned done;

static void on_done(struct engine_op *op)
{
    (void)op;
    done++;
}

static struct engine_op op_for(enum engine_verb verb, struct bytes key)
{
    return (struct engine_op){ .verb = verb,
                               .ns = NS,
                               .key = key,
                               .ttl_ms = ENGINE_NO_EXPIRY,
                               .idle_ms = ENGINE_NO_IDLE,
                               .without_value = true,
                               .now_ns = loop_now(loop),
                               .deadline_ns = loop_now(loop) + NS_PER_SECOND,
                               .done = on_done };
}

static enum engine_progress put(struct engine_op *op, struct bytes key, size_t len)
{
    enum engine_progress progress;

    *op = op_for(ENGINE_PUT, key);
    op->put = &bounds;
    op->value = value_create(BYTES("text/plain"), len);
    cr_assert_not_null(op->value);
    memset(value_writable(op->value), 'v', len);
    progress = engine_submit(session, op);
    value_unref(op->value);
    return progress;
}

static enum engine_status get(struct bytes key)
{
    struct engine_op op = op_for(ENGINE_GET, key);

    cr_assert_eq(engine_submit(session, &op), ENGINE_DONE);
    return op.status;
}

static uint64_t entries(void)
{
    struct memory_stats stats;

    memory_stats(engine, &stats);
    return stats.entries;
}

/* A namespace full of entries of one byte. */
static void open_full(void)
{
    struct memory_options options = { .max_bytes = 64 << 20 };
    struct engine_op op;
    char key[32];

    loop = loop_create();
    engine = memory_open(&options);
    session = engine_attach(engine, loop);
    cr_assert_not_null(session);
    for (int i = 0; i < SMALL; i++) {
        int len = snprintf(key, sizeof key, "k%d", i);
        cr_assert_eq(put(&op, bytes_of(key, (size_t)len), 1), ENGINE_DONE);
        cr_assert_eq(op.status, ENGINE_CREATED);
    }
    done = 0;
}

static void close_engine(void)
{
    if (session)
        engine_detach(session);
    engine_close(engine);
    loop_destroy(loop);
}

TestSuite(debts, .init = open_full, .fini = close_engine);

Test(debts, one_entry_for_another_goes_at_once)
{
    struct engine_op op;

    cr_assert_eq(put(&op, BYTES("new"), 1), ENGINE_DONE);
    cr_assert_eq(op.status, ENGINE_CREATED);
    cr_assert_eq(entries(), SMALL);
}

Test(debts, many_go_in_steps_and_the_answer_comes_after_the_last)
{
    unsigned settings = virtual_loop_settings(loop);
    struct engine_op op;

    cr_assert_eq(put(&op, BYTES("large"), LARGE), ENGINE_PENDING);
    cr_assert_gt(entries(), SMALL - 500, "a step is a small one");
    cr_assert_eq(get(BYTES("large")), ENGINE_OK, "others are served meanwhile, and it is written");
    cr_assert_eq(done, 0);
    virtual_loop_advance(loop, NS_PER_MS);
    cr_assert_eq(done, 1);
    cr_assert_eq(op.status, ENGINE_CREATED);
    cr_assert_eq(op.entry.bytes, LARGE);
    cr_assert_eq(entries(), SMALL - LARGE + 1);
    cr_assert_eq(get(BYTES("large")), ENGINE_OK);
    cr_assert_geq(virtual_loop_settings(loop), settings + LARGE / 300);
}

Test(debts, two_at_a_time_are_both_answered)
{
    struct engine_op one, other;

    cr_assert_eq(put(&one, BYTES("one"), LARGE), ENGINE_PENDING);
    cr_assert_eq(put(&other, BYTES("other"), SMALL - LARGE), ENGINE_PENDING);
    virtual_loop_advance(loop, NS_PER_MS);
    cr_assert_eq(done, 2);
    cr_assert_leq(entries(), 2);
    cr_assert_eq(get(BYTES("other")), ENGINE_OK);
}

Test(debts, are_paid_also_when_the_answer_is_given_up)
{
    struct engine_op op;

    cr_assert_eq(put(&op, BYTES("large"), LARGE), ENGINE_PENDING);
    cr_assert_eq(engine_cancel(session, &op), ENGINE_LATE);
    memset(&op, 0xee, sizeof op);
    virtual_loop_advance(loop, NS_PER_MS);
    cr_assert_eq(done, 0);
    cr_assert_eq(entries(), SMALL - LARGE + 1);
}

Test(debts, are_paid_before_a_session_ends)
{
    struct engine_op op;

    cr_assert_eq(put(&op, BYTES("large"), LARGE), ENGINE_PENDING);
    engine_detach(session);
    session = NULL;
    cr_assert_eq(done, 1);
    cr_assert_eq(op.status, ENGINE_CREATED);
    cr_assert_eq(entries(), SMALL - LARGE + 1);
}
