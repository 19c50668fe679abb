/* Several operations as one step, or none of them. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "tests/contract/contract.h"

#define NS BYTES("atomic")
#define A BYTES("a")
#define B BYTES("b")
#define C BYTES("c")
#define MOST 8

TestSuite(atomic, .init = contract_open, .fini = contract_close, .timeout = 60);

static const struct engine_condition if_any = { .if_match = { .given = true, .any = true } };
static const struct engine_condition if_absent = { .if_none_match = { .given = true, .any = true } };

/* The operations of a test's step. */
static struct engine_op ops[MOST];
static size_t count;

static struct engine_op *step(enum engine_verb verb, struct bytes key)
{
    ops[count] = op_for(verb, NS, key);
    return &ops[count++];
}

static struct engine_op *step_put(struct bytes key, struct bytes data, const struct engine_condition *condition)
{
    struct engine_op *op = step(ENGINE_PUT, key);

    op->value = value_for(data, BYTES("text/plain"));
    op->condition = condition;
    return op;
}

static enum engine_status run_atomic(struct client *own, struct engine_op *const *all, size_t len, size_t *failed)
{
    struct engine_atomic atomic = { .ops = all, .count = len, .failed = SIZE_MAX };
    struct engine_op op = op_for(ENGINE_ATOMIC, BYTES_NONE, BYTES_NONE);

    op.atomic = &atomic;
    client_run(own, &op);
    *failed = atomic.failed;
    return op.status;
}

/* Runs the step; a new one may be put together afterwards. Values that were read are not released. */
static void go(enum engine_status expected, size_t expected_failed, const char *what)
{
    struct engine_op *all[MOST];
    enum engine_status status;
    size_t failed;

    for (size_t i = 0; i < count; i++)
        all[i] = &ops[i];
    status = run_atomic(&client, all, count, &failed);
    cr_assert_eq(status, expected, "%s: %s, not %s", what, engine_status_name(status), engine_status_name(expected));
    if (expected != ENGINE_OK) {
        cr_assert_eq(failed, expected_failed, "%s: %zu failed, not %zu", what, failed, expected_failed);
        cr_assert_eq(ops[failed].status, expected, "%s: that which failed is %s", what,
                     engine_status_name(ops[failed].status));
    }
    for (size_t i = 0; i < count; i++) {
        if (ops[i].verb == ENGINE_PUT)
            value_unref(ops[i].value);
        if (expected != ENGINE_OK)
            cr_assert_null(ops[i].entry.value, "%s: a value nobody releases", what);
    }
    count = 0;
}

Test(atomic, steps_are_all_done)
{
    if (!can(ENGINE_CAN_ATOMIC))
        return;
    put(NS, B, BYTES("old"));
    step_put(A, BYTES("one"), &if_absent);
    step_put(B, BYTES("two"), &if_any);
    step(ENGINE_DELETE, C);
    step(ENGINE_TOUCH, BYTES("nothing"))->ttl_ms = 1000;
    go(ENGINE_OK, 0, "step");
    expect_status(ops[0], ENGINE_CREATED, "a");
    expect_status(ops[1], ENGINE_OK, "b");
    expect_status(ops[2], ENGINE_MISS, "a miss is no failure");
    expect_status(ops[3], ENGINE_MISS, "nor this");
    expect_value(NS, A, BYTES("one"), "a");
    expect_value(NS, B, BYTES("two"), "b");
    cr_assert_eq(get(NS, A).entry.version, ops[0].entry.version);
    cr_assert_eq(get(NS, B).entry.version, ops[1].entry.version);
    cr_assert_neq(ops[0].entry.version, 0);
}

Test(atomic, steps_are_not_done_at_all_when_one_fails)
{
    engine_version version;

    if (!can(ENGINE_CAN_ATOMIC))
        return;
    version = put_for(NS, B, 60000, ENGINE_NO_IDLE).entry.version;
    step_put(A, BYTES("one"), NULL);
    step_put(B, BYTES("two"), NULL);
    step(ENGINE_TOUCH, B)->ttl_ms = 600000;
    step_put(B, BYTES("three"), &if_absent);
    step_put(C, BYTES("four"), &if_any);
    go(ENGINE_MISMATCH, 3, "step");
    expect_status(get(NS, A), ENGINE_MISS, "a");
    expect_value(NS, B, BYTES("value"), "b");
    cr_assert_eq(get(NS, B).entry.version, version);
    cr_assert_leq(get(NS, B).entry.ttl_ms, 60000);
    expect_status(get(NS, C), ENGINE_MISS, "c");
}

Test(atomic, the_first_that_fails_is_told)
{
    engine_version other = 4711;
    struct engine_condition if_other = { .if_match = { .given = true, .count = 1, .versions = &other } };

    if (!can(ENGINE_CAN_ATOMIC))
        return;
    put(NS, A, BYTES("x"));
    for (size_t at = 0; at < 5; at++) {
        for (size_t i = 0; i < 5; i++)
            step(ENGINE_DELETE, A)->condition = i == at || i == 4 ? &if_other : NULL;
        if (at > 0) /* what an earlier one would remove is not there for a later one */
            ops[0].condition = &if_any;
        go(ENGINE_MISMATCH, at, "step");
        expect_value(NS, A, BYTES("x"), "it stands");
    }
}

Test(atomic, later_steps_see_what_earlier_ones_did)
{
    engine_version first;
    struct engine_condition if_first = { .if_match = { .given = true, .count = 1, .versions = &first } };

    if (!can(ENGINE_CAN_ATOMIC))
        return;
    first = put(NS, A, BYTES("zero")).entry.version;
    step(ENGINE_GET, A);
    step_put(A, BYTES("one"), &if_first);
    step(ENGINE_GET, A);
    step(ENGINE_DELETE, A);
    step(ENGINE_GET, A);
    step_put(A, BYTES("two"), &if_absent);
    step(ENGINE_TOUCH, A)->ttl_ms = 60000;
    step(ENGINE_GET, A)->without_value = true;
    go(ENGINE_OK, 0, "step");
    expect_status(ops[0], ENGINE_OK, "get");
    cr_assert(bytes_equal(value_bytes(ops[0].entry.value), BYTES("zero")));
    expect_status(ops[2], ENGINE_OK, "get, put");
    cr_assert(bytes_equal(value_bytes(ops[2].entry.value), BYTES("one")));
    cr_assert_eq(ops[2].entry.version, ops[1].entry.version);
    expect_status(ops[3], ENGINE_OK, "delete");
    expect_status(ops[4], ENGINE_MISS, "get, deleted");
    expect_status(ops[5], ENGINE_CREATED, "put");
    expect_status(ops[6], ENGINE_OK, "touch");
    expect_status(ops[7], ENGINE_OK, "get, touched");
    cr_assert_null(ops[7].entry.value);
    cr_assert(ops[7].entry.ttl_ms > 50000 && ops[7].entry.ttl_ms <= 60000);
    value_unref(ops[0].entry.value);
    value_unref(ops[2].entry.value);
    expect_value(NS, A, BYTES("two"), "after");
}

Test(atomic, a_condition_on_what_an_earlier_step_replaced_fails)
{
    engine_version first;
    struct engine_condition if_first = { .if_match = { .given = true, .count = 1, .versions = &first } };

    if (!can(ENGINE_CAN_ATOMIC))
        return;
    first = put(NS, A, BYTES("zero")).entry.version;
    step_put(A, BYTES("one"), NULL);
    step_put(A, BYTES("two"), &if_first);
    go(ENGINE_MISMATCH, 1, "step");
    expect_value(NS, A, BYTES("zero"), "after");
    cr_assert_eq(get(NS, A).entry.version, first);
}

Test(atomic, a_fence_or_lease_fails_it_too)
{
    struct engine_put low = { .fence = 3 }, high = { .fence = 9 }, leased = { .lease = 77 };

    if (!can(ENGINE_CAN_ATOMIC | ENGINE_CAN_FENCE | ENGINE_CAN_LEASE))
        return;
    put_with(NS, B, BYTES("fenced"), &(struct engine_put){ .fence = 5 });
    step_put(A, BYTES("x"), NULL);
    step_put(B, BYTES("x"), NULL)->put = &low;
    go(ENGINE_FENCED, 1, "a lower fence");
    step_put(A, BYTES("x"), NULL);
    step_put(B, BYTES("x"), NULL)->put = &high;
    step_put(C, BYTES("x"), NULL)->put = &leased;
    go(ENGINE_VOID, 2, "no lease");
    expect_status(get(NS, A), ENGINE_MISS, "nothing was done");
    expect_value(NS, B, BYTES("fenced"), "nothing was done");
    expect_status(put_with(NS, B, BYTES("six"), &(struct engine_put){ .fence = 6 }), ENGINE_OK, "nor seen");
    cr_assert_eq(get_lease(NS, C, 60000, 77).lease, ENGINE_LEASE_WON);
    step_put(C, BYTES("filled"), NULL)->put = &leased;
    step_put(B, BYTES("nine"), NULL)->put = &high;
    go(ENGINE_OK, 0, "both hold");
    expect_value(NS, C, BYTES("filled"), "filled");
}

Test(atomic, a_failure_leaves_leases_out)
{
    struct engine_put leased = { .lease = 77 };

    if (!can(ENGINE_CAN_ATOMIC | ENGINE_CAN_LEASE))
        return;
    cr_assert_eq(get_lease(NS, A, 60000, 77).lease, ENGINE_LEASE_WON);
    step_put(A, BYTES("x"), NULL)->put = &leased;
    step_put(B, BYTES("x"), &if_any);
    go(ENGINE_MISMATCH, 1, "step");
    step(ENGINE_DELETE, A);
    step_put(B, BYTES("x"), &if_any);
    go(ENGINE_MISMATCH, 1, "step");
    expect_status(put_with(NS, A, BYTES("filled"), &leased), ENGINE_CREATED, "fill");
}

Test(atomic, steps_reach_across_namespaces)
{
    if (!can(ENGINE_CAN_ATOMIC))
        return;
    step_put(A, BYTES("one"), NULL);
    step_put(A, BYTES("two"), NULL)->ns = BYTES("another");
    go(ENGINE_OK, 0, "step");
    expect_value(NS, A, BYTES("one"), "one");
    expect_value(BYTES("another"), A, BYTES("two"), "two");
}

static char texts[ENGINE_ATOMIC_MAX][32];

Test(atomic, a_thousand_steps_are_one)
{
    static struct engine_op many[ENGINE_ATOMIC_MAX];
    static struct engine_op *all[ENGINE_ATOMIC_MAX];
    struct value *value;
    size_t failed;

    if (!can(ENGINE_CAN_ATOMIC))
        return;
    value = value_for(BYTES("x"), BYTES("text/plain"));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < ENGINE_ATOMIC_MAX; i++) {
            many[i] = op_for(ENGINE_PUT, NS, numbered(texts[i], "k", i));
            many[i].value = value;
            all[i] = &many[i];
        }
        if (round == 0) /* all but the last could be done */
            many[ENGINE_ATOMIC_MAX - 1].condition = &if_any;
        cr_assert_eq(run_atomic(&client, all, ENGINE_ATOMIC_MAX, &failed), round ? ENGINE_OK : ENGINE_MISMATCH);
        if (round == 0) {
            cr_assert_eq(failed, ENGINE_ATOMIC_MAX - 1);
            expect_status(get(NS, BYTES("k0")), ENGINE_MISS, "none");
            expect_status(get(NS, BYTES("k998")), ENGINE_MISS, "none");
        }
    }
    value_unref(value);
    for (int i = 0; i < ENGINE_ATOMIC_MAX; i += 37)
        expect_status(get(NS, numbered(texts[0], "k", i)), ENGINE_OK, "all");
}

/* ---- Races: money moves between two accounts ---- */

struct account {
    engine_version version;
    long amount;
};

/* Both accounts as one step sees them. */
static bool read_both(struct racer *racer, struct account both[2])
{
    struct engine_op gets[2] = { op_for(ENGINE_GET, NS, A), op_for(ENGINE_GET, NS, B) };
    struct engine_op *all[2] = { &gets[0], &gets[1] };
    bool sound;
    size_t failed;

    sound = run_atomic(&racer->client, all, 2, &failed) == ENGINE_OK;
    for (int i = 0; i < 2; i++) {
        struct engine_entry *entry = &gets[i].entry;
        sound = sound && gets[i].status == ENGINE_OK && entry->bytes == sizeof both[i].amount;
        if (sound) {
            memcpy(&both[i].amount, entry->value->data, sizeof both[i].amount);
            both[i].version = entry->version;
        }
        value_unref(entry->value);
    }
    return sound && both[0].amount + both[1].amount == 1000;
}

static enum engine_status move(struct racer *racer, struct account both[2], long amount)
{
    struct engine_op puts[2] = { op_for(ENGINE_PUT, NS, A), op_for(ENGINE_PUT, NS, B) };
    struct engine_op *all[2] = { &puts[0], &puts[1] };
    struct engine_condition conditions[2];
    enum engine_status status;
    size_t failed;

    for (int i = 0; i < 2; i++) {
        both[i].amount += i ? amount : -amount;
        conditions[i] = (struct engine_condition){
            .if_match = { .given = true, .count = 1, .versions = &both[i].version },
        };
        puts[i].condition = &conditions[i];
        puts[i].value = value_for(bytes_of((char *)&both[i].amount, sizeof both[i].amount), BYTES(""));
    }
    status = run_atomic(&racer->client, all, 2, &failed);
    value_unref(puts[0].value);
    value_unref(puts[1].value);
    return status;
}

static void race_to_move(struct racer *racer)
{
    for (int moved = 0; moved < 25;) {
        struct account both[2];
        enum engine_status status;
        if (!read_both(racer, both)) {
            racer->failed++;
            return;
        }
        status = move(racer, both, 1 + (long)racer->index);
        moved += status == ENGINE_OK;
        racer->failed += status != ENGINE_OK && status != ENGINE_MISMATCH;
    }
}

Test(atomic, nothing_is_lost_between_racing_movers)
{
    long amount = 1000, none = 0;

    if (!can(ENGINE_CAN_ATOMIC))
        return;
    put(NS, A, bytes_of((char *)&amount, sizeof amount));
    put(NS, B, bytes_of((char *)&none, sizeof none));
    race(4, race_to_move);
    amount -= 25 * (1 + 2 + 3 + 4);
    none = 1000 - amount;
    expect_value(NS, A, bytes_of((char *)&amount, sizeof amount), "a");
    expect_value(NS, B, bytes_of((char *)&none, sizeof none), "b");
}
