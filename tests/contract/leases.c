/* Leases: the right of one caller to fill what is missing. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "tests/contract/contract.h"

#define NS BYTES("leases")
#define KEY BYTES("key")
#define MARGIN_MS 60
#define LONG_MS 60000

TestSuite(leases, .init = contract_open_timed, .fini = contract_close, .timeout = 60);

static const struct engine_condition if_any = { .if_match = { .given = true, .any = true } };
static const struct engine_condition if_absent = { .if_none_match = { .given = true, .any = true } };

static void expect_lease(struct engine_op op, enum engine_status status, enum engine_lease lease, const char *what)
{
    expect_status(op, status, what);
    cr_assert_eq(op.lease, lease, "%s: lease %d, not %d", what, (int)op.lease, (int)lease);
    if (lease == ENGINE_LEASE_HELD)
        cr_assert(op.lease_left_ms > 0 && op.lease_left_ms <= LONG_MS, "%s: %lld ms", what,
                  (long long)op.lease_left_ms);
}

static void win(uint64_t token)
{
    expect_lease(get_lease(NS, KEY, LONG_MS, token), ENGINE_MISS, ENGINE_LEASE_WON, "win");
}

static struct engine_op fill(uint64_t token, struct bytes data)
{
    struct engine_put with = { .lease = token };

    return put_with(NS, KEY, data, &with);
}

Test(leases, are_won_by_the_first_and_held_for_the_others)
{
    struct engine_op op;

    if (!can(ENGINE_CAN_LEASE))
        return;
    win(1);
    op = get_lease(NS, KEY, LONG_MS, 2);
    expect_lease(op, ENGINE_MISS, ENGINE_LEASE_HELD, "second");
    cr_assert_gt(op.lease_left_ms, LONG_MS - 10000);
    expect_lease(get(NS, KEY), ENGINE_MISS, ENGINE_LEASE_NONE, "who does not ask");
    expect_lease(get_lease(NS, BYTES("other"), LONG_MS, 3), ENGINE_MISS, ENGINE_LEASE_WON, "another key");
}

Test(leases, fill_what_is_missing_once)
{
    if (!can(ENGINE_CAN_LEASE))
        return;
    win(UINT64_MAX);
    expect_status(fill(UINT64_MAX, BYTES("filled")), ENGINE_CREATED, "fill");
    expect_value(NS, KEY, BYTES("filled"), "filled");
    expect_status(fill(UINT64_MAX, BYTES("again")), ENGINE_VOID, "fill again");
    expect_value(NS, KEY, BYTES("filled"), "the first stands");
    expect_lease(get_lease(NS, KEY, LONG_MS, 2), ENGINE_OK, ENGINE_LEASE_NONE, "an entry stands");
}

Test(leases, fill_by_their_own_token_only)
{
    if (!can(ENGINE_CAN_LEASE))
        return;
    expect_status(fill(5, BYTES("x")), ENGINE_VOID, "no lease is out");
    win(1);
    expect_status(fill(2, BYTES("x")), ENGINE_VOID, "another token");
    expect_status(fill(UINT64_C(1) << 53 | 1, BYTES("x")), ENGINE_VOID, "another token");
    expect_status(get(NS, KEY), ENGINE_MISS, "nothing was stored");
    expect_lease(get_lease(NS, KEY, LONG_MS, 3), ENGINE_MISS, ENGINE_LEASE_HELD, "it is still out");
    expect_status(fill(1, BYTES("y")), ENGINE_CREATED, "the winner");
}

Test(leases, tell_tokens_apart_that_are_near_each_other)
{
    static const uint64_t token = (UINT64_C(1) << 63) + 2;

    if (!can(ENGINE_CAN_LEASE))
        return;
    win(token);
    expect_status(fill(token - 1, BYTES("x")), ENGINE_VOID, "one less");
    expect_status(fill(token + 1, BYTES("x")), ENGINE_VOID, "one more");
    expect_status(fill(token, BYTES("x")), ENGINE_CREATED, "exactly");
}

Test(leases, end_by_their_time)
{
    if (!can(ENGINE_CAN_LEASE))
        return;
    expect_lease(get_lease(NS, KEY, 200, 1), ENGINE_MISS, ENGINE_LEASE_WON, "first");
    pass_ms(200 + MARGIN_MS);
    expect_status(fill(1, BYTES("late")), ENGINE_VOID, "over");
    expect_status(get(NS, KEY), ENGINE_MISS, "nothing was stored");
    expect_lease(get_lease(NS, KEY, LONG_MS, 2), ENGINE_MISS, ENGINE_LEASE_WON, "second");
    expect_status(fill(1, BYTES("late")), ENGINE_VOID, "another's");
    expect_status(fill(2, BYTES("in time")), ENGINE_CREATED, "the second");
}

/* ---- What voids them ---- */

Test(leases, are_void_after_a_write)
{
    if (!can(ENGINE_CAN_LEASE))
        return;
    win(1);
    expect_status(put(NS, KEY, BYTES("newer")), ENGINE_CREATED, "put");
    expect_status(fill(1, BYTES("older")), ENGINE_VOID, "fill");
    expect_value(NS, KEY, BYTES("newer"), "the write stands");
}

Test(leases, are_void_after_a_write_and_its_end)
{
    if (!can(ENGINE_CAN_LEASE))
        return;
    win(1);
    put(NS, KEY, BYTES("newer"));
    expect_status(delete_if(NS, KEY, NULL), ENGINE_OK, "delete");
    expect_status(fill(1, BYTES("older")), ENGINE_VOID, "fill");
    expect_status(get(NS, KEY), ENGINE_MISS, "nothing stands");
}

Test(leases, are_void_after_a_delete)
{
    if (!can(ENGINE_CAN_LEASE))
        return;
    win(1);
    expect_status(delete_if(NS, KEY, NULL), ENGINE_MISS, "delete");
    expect_status(fill(1, BYTES("older")), ENGINE_VOID, "fill");
    win(2);
    expect_status(fill(2, BYTES("x")), ENGINE_CREATED, "the next");
}

Test(leases, are_void_after_a_flush)
{
    if (!can(ENGINE_CAN_LEASE | ENGINE_CAN_FLUSH))
        return;
    for (int i = 0; i < 2; i++) {
        win((uint64_t)i + 1);
        expect_status(flush(i ? NS : BYTES_NONE), ENGINE_OK, "flush");
        expect_status(fill((uint64_t)i + 1, BYTES("older")), ENGINE_VOID, "fill");
        expect_status(get(NS, KEY), ENGINE_MISS, "nothing stands");
    }
    win(3);
    expect_status(flush(BYTES("elsewhere")), ENGINE_OK, "flush of another namespace");
    expect_status(fill(3, BYTES("x")), ENGINE_CREATED, "is not reached by it");
}

/* ---- What does not ---- */

Test(leases, outlast_what_fails_or_only_reads)
{
    engine_version some = 4711;
    struct engine_condition if_some = { .if_match = { .given = true, .count = 1, .versions = &some } };

    if (!can(ENGINE_CAN_LEASE | ENGINE_CAN_CONDITIONS))
        return;
    win(1);
    expect_status(put_if(NS, KEY, BYTES("x"), &if_any), ENGINE_MISMATCH, "put if any");
    expect_status(put_if(NS, KEY, BYTES("x"), &if_some), ENGINE_MISMATCH, "put if some");
    cr_assert_eq(put_if(NS, KEY, BYTES("x"), &if_some).entry.version, 0, "nothing stands");
    expect_status(delete_if(NS, KEY, &if_any), ENGINE_MISMATCH, "delete if any");
    expect_status(touch_for(NS, KEY, 1000, NULL), ENGINE_MISS, "touch");
    expect_status(get_value(NS, KEY), ENGINE_MISS, "get");
    expect_lease(get_lease(NS, KEY, LONG_MS, 2), ENGINE_MISS, ENGINE_LEASE_HELD, "another who asks");
    expect_status(fill(1, BYTES("filled")), ENGINE_CREATED, "fill");
}

Test(leases, are_nothing_to_conditions)
{
    struct engine_put with = { .lease = 2 };
    struct engine_op op;

    if (!can(ENGINE_CAN_LEASE | ENGINE_CAN_CONDITIONS))
        return;
    win(1);
    expect_status(put_if(NS, KEY, BYTES("x"), &if_absent), ENGINE_CREATED, "create where a lease is out");
    expect_status(fill(1, BYTES("older")), ENGINE_VOID, "fill");
    delete_if(NS, KEY, NULL);
    win(2);
    op = op_for(ENGINE_PUT, NS, KEY);
    op.condition = &if_absent;
    op.put = &with;
    expect_status(run_put(op, BYTES("y")), ENGINE_CREATED, "both");
}

/* How many keys a listing has. */
static size_t count_listed(bool with_leases, struct bytes prefix)
{
    struct engine_listing listing = { .limit = 100, .with_leases = with_leases, .prefix = prefix };
    struct engine_op op = op_for(ENGINE_LIST, NS, BYTES_NONE);
    size_t count;

    op.listing = &listing;
    expect_status(run(op), ENGINE_OK, "list");
    count = listing.page->count;
    free(listing.page);
    return count;
}

Test(leases, are_listed_for_those_alone_who_ask)
{
    if (!can(ENGINE_CAN_LEASE | ENGINE_CAN_LIST))
        return;
    win(1);
    put(NS, BYTES("another"), BYTES("x"));
    cr_assert_eq(count_listed(false, BYTES_NONE), 1);
    cr_assert_eq(count_listed(true, BYTES_NONE), 2);
    cr_assert_eq(count_listed(true, BYTES("k")), 1);
    cr_assert_eq(count_listed(true, BYTES("other")), 0);
}

Test(leases, that_outlive_a_stale_entry_are_listed_too)
{
    struct engine_put with = { .stale_ms = 200 };
    struct engine_op op = op_for(ENGINE_PUT, NS, KEY);

    if (!can(ENGINE_CAN_LEASE | ENGINE_CAN_LIST))
        return;
    op.put = &with;
    op.ttl_ms = 200;
    expect_status(run_put(op, BYTES("x")), ENGINE_CREATED, "put");
    pass_ms(200 + MARGIN_MS);
    expect_lease(get_lease(NS, KEY, LONG_MS, 1), ENGINE_OK, ENGINE_LEASE_WON, "of the stale entry");
    pass_ms(200 + MARGIN_MS);
    cr_assert_eq(count_listed(false, BYTES_NONE), 0);
    cr_assert_eq(count_listed(true, BYTES_NONE), 1);
    expect_status(delete_if(NS, KEY, NULL), ENGINE_MISS, "delete");
    expect_status(fill(1, BYTES("older")), ENGINE_VOID, "fill");
}

Test(leases, keep_what_they_fill_like_any_write)
{
    struct engine_put with = { .lease = 1 };
    struct engine_op op;

    if (!can(ENGINE_CAN_LEASE))
        return;
    expect_lease(get_lease(NS, KEY, 500, 1), ENGINE_MISS, ENGINE_LEASE_WON, "win");
    op = op_for(ENGINE_PUT, NS, KEY);
    op.put = &with;
    op.ttl_ms = 60000;
    op = run_put(op, BYTES("filled"));
    expect_status(op, ENGINE_CREATED, "fill");
    cr_assert_eq(op.entry.ttl_ms, 60000);
    pass_ms(500 + MARGIN_MS);
    expect_value(NS, KEY, BYTES("filled"), "longer than the lease");
    op = get(NS, KEY);
    cr_assert(op.entry.ttl_ms > 50000 && op.entry.ttl_ms < 60000);
}

/* ---- Races ---- */

enum { ROUNDS = 30 };

static enum engine_lease got[RACERS_MAX][ROUNDS];

static void race_for_leases(struct racer *racer)
{
    char text[32];

    for (int round = 0; round < ROUNDS; round++) {
        struct engine_op op = op_for(ENGINE_GET, NS, numbered(text, "round-", round));
        op.lease_ms = LONG_MS;
        op.lease_token = 100 + racer->index;
        race_meet(racer);
        client_run(&racer->client, &op);
        got[racer->index][round] = op.lease;
        racer->failed += op.status != ENGINE_MISS || op.lease == ENGINE_LEASE_NONE;
    }
}

Test(leases, are_won_by_exactly_one_of_racing_readers)
{
    if (!can(ENGINE_CAN_LEASE))
        return;
    race(RACERS_MAX, race_for_leases);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned winners = 0;
        for (size_t i = 0; i < RACERS_MAX; i++)
            winners += got[i][round] == ENGINE_LEASE_WON;
        cr_assert_eq(winners, 1, "round %d: %u won", round, winners);
    }
}

Test(leases, in_one_batch_are_won_by_one)
{
    enum { COUNT = 50 };
    static struct engine_op ops[COUNT];
    unsigned winners = 0;

    if (!can(ENGINE_CAN_LEASE))
        return;
    for (int i = 0; i < COUNT; i++) {
        ops[i] = op_for(ENGINE_GET, NS, KEY);
        ops[i].lease_ms = LONG_MS;
        ops[i].lease_token = 100 + (uint64_t)i;
    }
    client_run_batch(&client, ops, COUNT);
    for (int i = 0; i < COUNT; i++) {
        expect_status(ops[i], ENGINE_MISS, "get");
        cr_assert_neq(ops[i].lease, ENGINE_LEASE_NONE);
        winners += ops[i].lease == ENGINE_LEASE_WON;
    }
    cr_assert_eq(winners, 1);
}
