/* Batches, deadlines, cancelling, the end of a session. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "service/base/clock.h"
#include "tests/contract/contract.h"

#define NS BYTES("progress")
#define KEY BYTES("key")

TestSuite(progress, .init = contract_open, .fini = contract_close, .timeout = 60);

static bool can_stall(void)
{
    if (!engine_under_test.stall)
        cr_log_info("left out: this engine always answers");
    return engine_under_test.stall != NULL;
}

/* ---- Batches ---- */

Test(progress, a_batch_answers_each_in_its_place_and_in_order)
{
    enum { COUNT = 6 };
    static const struct engine_condition if_absent = { .if_none_match = { .given = true, .any = true } };
    struct engine_op ops[COUNT];
    struct value *value = value_for(BYTES("x"), BYTES("text/plain"));

    ops[0] = op_for(ENGINE_GET, NS, BYTES("nothing"));
    ops[1] = op_for(ENGINE_PUT, NS, BYTES("a"));
    ops[2] = op_for(ENGINE_PUT, NS, BYTES("b"));
    ops[3] = op_for(ENGINE_DELETE, NS, BYTES("nothing"));
    ops[4] = op_for(ENGINE_TOUCH, NS, BYTES("nothing"));
    ops[5] = op_for(ENGINE_PUT, NS, BYTES("c"));
    ops[1].value = ops[2].value = ops[5].value = value;
    if (engine->capabilities & ENGINE_CAN_CONDITIONS)
        ops[5].condition = &if_absent;
    client_run_batch(&client, ops, COUNT);
    expect_status(ops[0], ENGINE_MISS, "get");
    expect_status(ops[1], ENGINE_CREATED, "put a");
    expect_status(ops[2], ENGINE_CREATED, "put b");
    expect_status(ops[3], ENGINE_MISS, "delete");
    expect_status(ops[4], ENGINE_MISS, "touch");
    expect_status(ops[5], ENGINE_CREATED, "put c");
    value_unref(value);
    expect_value(NS, BYTES("a"), BYTES("x"), "a");
    expect_value(NS, BYTES("b"), BYTES("x"), "b");
    expect_value(NS, BYTES("c"), BYTES("x"), "c");
}

Test(progress, a_thousand_at_once)
{
    enum { COUNT = 1000 };
    struct engine_op *ops = calloc(COUNT, sizeof(*ops));
    uint16_t *keys = calloc(COUNT, sizeof(*keys));

    for (int i = 0; i < COUNT; i++) {
        keys[i] = (uint16_t)i;
        ops[i] = op_for(ENGINE_PUT, NS, bytes_of((char *)&keys[i], sizeof keys[i]));
        ops[i].value = value_for(ops[i].key, BYTES(""));
    }
    client_run_batch(&client, ops, COUNT);
    for (int i = 0; i < COUNT; i++) {
        expect_status(ops[i], ENGINE_CREATED, "put");
        value_unref(ops[i].value);
        ops[i] = op_for(ENGINE_GET, NS, bytes_of((char *)&keys[i], sizeof keys[i]));
    }
    client_run_batch(&client, ops, COUNT);
    for (int i = 0; i < COUNT; i++) {
        expect_status(ops[i], ENGINE_OK, "get");
        cr_assert(bytes_equal(value_bytes(ops[i].entry.value), ops[i].key), "another one's value");
        value_unref(ops[i].entry.value);
    }
    free(keys);
    free(ops);
}

/* ---- Deadlines ---- */

Test(progress, a_deadline_that_has_passed_is_busy_and_nothing_happens)
{
    struct engine_op op = op_for(ENGINE_PUT, NS, KEY);

    op.value = value_for(BYTES("x"), BYTES(""));
    op.deadline_ns = op.now_ns;
    client_run(&client, &op);
    value_unref(op.value);
    expect_status(op, ENGINE_BUSY, "put");
    expect_status(get(NS, KEY), ENGINE_MISS, "nothing was stored");
}

Test(progress, a_silent_engine_is_late_and_then_works_again)
{
    struct engine_op ops[20];

    if (!can_stall())
        return;
    put(NS, KEY, BYTES("x"));
    engine_under_test.stall(engine, true);
    for (int i = 0; i < 20; i++) {
        ops[i] = op_for(i % 2 ? ENGINE_GET : ENGINE_TOUCH, NS, KEY);
        ops[i].deadline_ns = ops[i].now_ns + 100 * NS_PER_MS;
    }
    client_run_batch(&client, ops, 20);
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(ops[i].status, ENGINE_LATE, "%s", engine_status_name(ops[i].status));
        cr_assert_null(ops[i].entry.value);
    }
    engine_under_test.stall(engine, false);
    expect_value(NS, KEY, BYTES("x"), "afterwards");
}

Test(progress, after_lateness_nobody_gets_another_ones_answer)
{
    char text[2];

    if (!can_stall())
        return;
    for (char c = 'a'; c <= 'z'; c++)
        put(NS, bytes_of(&c, 1), bytes_of(&c, 1));
    for (char c = 'a'; c <= 'z'; c++) {
        struct engine_op op = op_for(ENGINE_GET, NS, bytes_of(&c, 1));
        engine_under_test.stall(engine, c % 4 == 0);
        op.deadline_ns = op.now_ns + (c % 4 == 0 ? 20 * NS_PER_MS : 10 * NS_PER_SECOND);
        client_run(&client, &op);
        engine_under_test.stall(engine, false);
        if (op.status != ENGINE_OK)
            continue;
        text[0] = op.entry.value->data[0];
        value_unref(op.entry.value);
        cr_assert_eq(text[0], c, "the value of %c for %c", text[0], c);
    }
    for (char c = 'a'; c <= 'z'; c++)
        expect_value(NS, bytes_of(&c, 1), bytes_of(&c, 1), "afterwards");
}

/* ---- Cancelling ---- */

struct given_up {
    struct engine_op op;
    char *key; /* on the heap: freed at once, so that a later use is found */
    unsigned calls;
    bool pending;
    enum engine_status cancelled;
};

static void count_call(struct engine_op *op)
{
    ((struct given_up *)op->context)->calls++;
}

static void submit_one(struct client *own, void *argument)
{
    struct given_up *given_up = argument;

    given_up->key = malloc(3);
    memcpy(given_up->key, "key", 3);
    given_up->op = op_for(ENGINE_GET, NS, bytes_of(given_up->key, 3));
    given_up->op.done = count_call;
    given_up->op.context = given_up;
    given_up->pending = engine_submit(own->session, &given_up->op) == ENGINE_PENDING;
}

static void cancel_one(struct client *own, void *argument)
{
    struct given_up *given_up = argument;

    given_up->cancelled = engine_cancel(own->session, &given_up->op);
    free(given_up->key);
    memset(&given_up->op, 0x5a, sizeof given_up->op);
}

Test(progress, what_is_cancelled_is_never_called_back_nor_touched)
{
    struct given_up given_up[3] = { { .calls = 0 } };

    if (!can_stall())
        return;
    put(NS, KEY, BYTES("x"));
    engine_under_test.stall(engine, true);
    for (int i = 0; i < 3; i++) {
        client_call(&client, submit_one, &given_up[i]);
        cr_assert(given_up[i].pending);
    }
    for (int i = 2; i >= 0; i--)
        client_call(&client, cancel_one, &given_up[i]);
    engine_under_test.stall(engine, false);
    expect_value(NS, KEY, BYTES("x"), "afterwards");
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(given_up[i].calls, 0);
        cr_assert(given_up[i].cancelled == ENGINE_LATE || given_up[i].cancelled == ENGINE_BUSY);
    }
}

/* ---- The end ---- */

Test(progress, the_end_of_a_session_answers_what_is_pending)
{
    struct given_up given_up[3] = { { .calls = 0 } };
    struct client own;

    if (!can_stall())
        return;
    client_open(&own);
    engine_under_test.stall(engine, true);
    for (int i = 0; i < 3; i++)
        client_call(&own, submit_one, &given_up[i]);
    client_close(&own);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(given_up[i].calls, 1);
        cr_assert_eq(given_up[i].op.status, ENGINE_UNAVAILABLE);
        free(given_up[i].key);
    }
    engine_under_test.stall(engine, false);
    expect_status(get(NS, KEY), ENGINE_MISS, "other sessions go on");
}

Test(progress, an_engine_that_works_is_ready)
{
    const char *reason = "unset";

    expect_status(get(NS, KEY), ENGINE_MISS, "get");
    cr_assert(engine_ready(engine, &reason), "%s", reason);
}
