/* Fenced writes: who comes late with a lower fence changes nothing. */
#include <criterion/criterion.h>

#include "tests/contract/contract.h"

#define NS BYTES("fences")
#define KEY BYTES("key")
#define MARGIN_MS 60

TestSuite(fences, .init = contract_open_timed, .fini = contract_close, .timeout = 60);

static const struct engine_condition if_any = { .if_match = { .given = true, .any = true } };
static const struct engine_condition if_absent = { .if_none_match = { .given = true, .any = true } };

static struct engine_op put_fenced(uint64_t fence, struct bytes data)
{
    struct engine_put with = { .fence = fence };

    return put_with(NS, KEY, data, &with);
}

static void expect_fenced(uint64_t fence, struct bytes stands, const char *what)
{
    engine_version version = get(NS, KEY).entry.version;

    expect_status(put_fenced(fence, BYTES("late")), ENGINE_FENCED, what);
    expect_value(NS, KEY, stands, what);
    cr_assert_eq(get(NS, KEY).entry.version, version, "%s: another version", what);
}

Test(fences, refuse_what_is_lower_than_what_was_seen)
{
    if (!can(ENGINE_CAN_FENCE))
        return;
    expect_status(put_fenced(5, BYTES("five")), ENGINE_CREATED, "first");
    expect_fenced(4, BYTES("five"), "lower");
    expect_fenced(1, BYTES("five"), "much lower");
    expect_status(put_fenced(5, BYTES("five again")), ENGINE_OK, "equal");
    expect_status(put_fenced(9, BYTES("nine")), ENGINE_OK, "higher");
    expect_fenced(8, BYTES("nine"), "lower than the new one");
}

Test(fences, are_kept_across_writes_without_one)
{
    struct engine_put nothing = { .fence = 0 };

    if (!can(ENGINE_CAN_FENCE))
        return;
    put_fenced(5, BYTES("five"));
    expect_status(put(NS, KEY, BYTES("plain")), ENGINE_OK, "plain");
    expect_fenced(4, BYTES("plain"), "after a plain write");
    expect_status(put_with(NS, KEY, BYTES("plain too"), &nothing), ENGINE_OK, "plain");
    expect_fenced(4, BYTES("plain too"), "after another");
    expect_status(put_for(NS, KEY, 60000, ENGINE_NO_IDLE), ENGINE_OK, "with a ttl");
    expect_fenced(4, BYTES("value"), "after one with a ttl");
    expect_status(touch_for(NS, KEY, 90000, NULL), ENGINE_OK, "touch");
    expect_fenced(4, BYTES("value"), "after a touch");
    expect_status(put_fenced(5, BYTES("five")), ENGINE_OK, "equal");
}

Test(fences, are_taken_on_by_entries_that_had_none)
{
    if (!can(ENGINE_CAN_FENCE))
        return;
    put(NS, KEY, BYTES("plain"));
    expect_status(put_fenced(3, BYTES("three")), ENGINE_OK, "first fence");
    expect_fenced(2, BYTES("three"), "lower");
}

Test(fences, near_each_other_are_told_apart_to_the_highest)
{
    static const uint64_t fences[] = { UINT64_C(1) << 32, (UINT64_C(1) << 53) - 1, (UINT64_C(1) << 53) + 1,
                                       (UINT64_C(1) << 63) + 1, UINT64_MAX };

    if (!can(ENGINE_CAN_FENCE))
        return;
    for (size_t i = 0; i < sizeof fences / sizeof fences[0]; i++) {
        put_fenced(fences[i], BYTES("x"));
        expect_fenced(fences[i] - 1, BYTES("x"), "one lower");
        expect_status(put_fenced(fences[i], BYTES("x")), ENGINE_OK, "equal");
    }
}

Test(fences, are_forgotten_with_their_entry)
{
    if (!can(ENGINE_CAN_FENCE))
        return;
    put_fenced(5, BYTES("five"));
    expect_status(delete_if(NS, KEY, NULL), ENGINE_OK, "delete");
    expect_status(put_fenced(1, BYTES("one")), ENGINE_CREATED, "after a delete");
    if (engine->capabilities & ENGINE_CAN_FLUSH) {
        put_fenced(5, BYTES("five"));
        flush(NS);
        expect_status(put_fenced(1, BYTES("one")), ENGINE_CREATED, "after a flush");
    }
}

Test(fences, are_forgotten_at_the_end_of_their_entry)
{
    struct engine_put with = { .fence = 5 };
    struct engine_op op;

    if (!can(ENGINE_CAN_FENCE))
        return;
    op = op_for(ENGINE_PUT, NS, KEY);
    op.put = &with;
    op.ttl_ms = 200;
    expect_status(run_put(op, BYTES("five")), ENGINE_CREATED, "put");
    pass_ms(200 + MARGIN_MS);
    expect_status(put_fenced(1, BYTES("one")), ENGINE_CREATED, "after its ttl");
}

Test(fences, of_writes_that_fail_are_not_seen)
{
    struct engine_put with = { .fence = 90 };
    struct engine_op op;

    if (!can(ENGINE_CAN_FENCE | ENGINE_CAN_CONDITIONS))
        return;
    put_fenced(5, BYTES("five"));
    op = op_for(ENGINE_PUT, NS, KEY);
    op.put = &with;
    op.condition = &if_absent;
    expect_status(run_put(op, BYTES("x")), ENGINE_MISMATCH, "create");
    expect_status(put_fenced(6, BYTES("six")), ENGINE_OK, "lower than what failed");
    op = op_for(ENGINE_PUT, NS, KEY);
    op.put = &with;
    op.condition = &if_any;
    expect_status(run_put(op, BYTES("ninety")), ENGINE_OK, "with a condition that holds");
    expect_fenced(89, BYTES("ninety"), "lower");
}

/* ---- Races ---- */

enum { WRITES = 25 };

static void race_to_write(struct racer *racer)
{
    for (uint64_t i = 0; i < WRITES; i++) {
        struct engine_put with = { .fence = 1 + i * RACERS_MAX + racer->index };
        struct engine_op op = op_for(ENGINE_PUT, NS, KEY);
        op.put = &with;
        op.value = value_for(bytes_of((char *)&with.fence, sizeof with.fence), BYTES(""));
        client_run(&racer->client, &op);
        value_unref(op.value);
        racer->failed += op.status != ENGINE_CREATED && op.status != ENGINE_OK && op.status != ENGINE_FENCED;
    }
}

Test(fences, leave_the_highest_of_racing_writers)
{
    uint64_t highest = (uint64_t)WRITES * RACERS_MAX;

    if (!can(ENGINE_CAN_FENCE))
        return;
    race(RACERS_MAX, race_to_write);
    expect_value(NS, KEY, bytes_of((char *)&highest, sizeof highest), "the highest");
}
