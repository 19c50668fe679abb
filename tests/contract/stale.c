/* Serving what is stale while one caller refills it. */
#include <criterion/criterion.h>

#include "tests/contract/contract.h"

#define NS BYTES("stale")
#define KEY BYTES("key")
#define MARGIN_MS 60
#define LONG_MS 60000

TestSuite(stale, .init = contract_open_timed, .fini = contract_close, .timeout = 60);

static const struct engine_condition if_any = { .if_match = { .given = true, .any = true } };
static const struct engine_condition if_absent = { .if_none_match = { .given = true, .any = true } };

static struct engine_op put_stale(int64_t ttl_ms, int64_t stale_ms, const struct bytes *tag)
{
    struct engine_put with = { .stale_ms = stale_ms, .tags = tag, .tag_count = tag ? 1 : 0 };
    struct engine_op op = op_for(ENGINE_PUT, NS, KEY);

    op.put = &with;
    op.ttl_ms = ttl_ms;
    op = run_put(op, BYTES("old"));
    cr_assert_eq(op.entry.ttl_ms, ttl_ms);
    return op;
}

/* Stale for a long time. */
static void store_stale(const struct bytes *tag)
{
    put_stale(50, LONG_MS, tag);
    pass_ms(50 + MARGIN_MS);
}

static void expect_stale(struct engine_op op, enum engine_lease lease, const char *what)
{
    expect_status(op, ENGINE_OK, what);
    cr_assert(op.entry.stale, "%s: not stale", what);
    cr_assert_eq(op.entry.ttl_ms, 0, "%s", what);
    cr_assert_eq(op.lease, lease, "%s: lease %d, not %d", what, (int)op.lease, (int)lease);
}

static void expect_fresh(struct engine_op op, const char *what)
{
    expect_status(op, ENGINE_OK, what);
    cr_assert(!op.entry.stale, "%s: stale", what);
    cr_assert_neq(op.entry.ttl_ms, 0, "%s", what);
}

static struct engine_op fill(uint64_t token, struct bytes data)
{
    struct engine_put with = { .lease = token };

    return put_with(NS, KEY, data, &with);
}

static void win(uint64_t token)
{
    expect_stale(get_lease(NS, KEY, LONG_MS, token), ENGINE_LEASE_WON, "win");
}

Test(stale, entries_are_served_after_their_ttl_and_gone_after_their_window)
{
    engine_version version;

    if (!can(ENGINE_CAN_LEASE))
        return;
    version = put_stale(400, 500, NULL).entry.version;
    expect_fresh(get(NS, KEY), "at first");
    pass_ms(400 + MARGIN_MS);
    expect_stale(get(NS, KEY), ENGINE_LEASE_NONE, "in its window");
    cr_assert_eq(get(NS, KEY).entry.version, version);
    expect_value(NS, KEY, BYTES("old"), "in its window");
    pass_ms(500);
    expect_status(get(NS, KEY), ENGINE_MISS, "gone");
    expect_status(put(NS, KEY, BYTES("new")), ENGINE_CREATED, "put, gone");
}

Test(stale, entries_stand_for_conditions)
{
    if (!can(ENGINE_CAN_LEASE | ENGINE_CAN_CONDITIONS))
        return;
    store_stale(NULL);
    expect_status(put_if(NS, KEY, BYTES("x"), &if_absent), ENGINE_MISMATCH, "create");
    expect_status(put_if(NS, KEY, BYTES("new"), &if_any), ENGINE_OK, "replace");
    expect_fresh(get(NS, KEY), "replaced");
    store_stale(NULL);
    expect_status(delete_if(NS, KEY, &if_any), ENGINE_OK, "delete");
    expect_status(get(NS, KEY), ENGINE_MISS, "deleted");
}

Test(stale, entries_are_fresh_again_by_a_touch_and_keep_their_window)
{
    struct engine_op op;

    if (!can(ENGINE_CAN_LEASE))
        return;
    put_stale(100, 900, NULL);
    pass_ms(100 + MARGIN_MS);
    expect_stale(get(NS, KEY), ENGINE_LEASE_NONE, "before");
    op = touch_for(NS, KEY, 500, NULL);
    expect_fresh(op, "touch");
    cr_assert(op.entry.ttl_ms > 400 && op.entry.ttl_ms <= 500);
    expect_fresh(get(NS, KEY), "after");
    pass_ms(500 + MARGIN_MS);
    expect_stale(get(NS, KEY), ENGINE_LEASE_NONE, "stale again");
    pass_ms(400);
    expect_stale(get(NS, KEY), ENGINE_LEASE_NONE, "its window is as long as before");
    pass_ms(500);
    expect_status(get(NS, KEY), ENGINE_MISS, "gone");
}

Test(stale, entries_without_a_window_are_not_served)
{
    if (!can(ENGINE_CAN_LEASE))
        return;
    store_stale(NULL);
    expect_status(put_for(NS, KEY, 100, ENGINE_NO_IDLE), ENGINE_OK, "put without one");
    pass_ms(100 + MARGIN_MS);
    expect_status(get(NS, KEY), ENGINE_MISS, "gone at its ttl");
}

/* ---- Leases ---- */

Test(stale, the_first_who_asks_refills_and_the_others_are_served)
{
    struct engine_op op;

    if (!can(ENGINE_CAN_LEASE))
        return;
    put_stale(300, LONG_MS, NULL);
    expect_fresh(get_lease(NS, KEY, LONG_MS, 9), "fresh");
    cr_assert_eq(get_lease(NS, KEY, LONG_MS, 9).lease, ENGINE_LEASE_NONE, "fresh");
    pass_ms(300 + MARGIN_MS);
    win(1);
    op = get_lease(NS, KEY, LONG_MS, 2);
    expect_stale(op, ENGINE_LEASE_HELD, "second");
    cr_assert(op.lease_left_ms > LONG_MS - 10000 && op.lease_left_ms <= LONG_MS);
    expect_stale(get(NS, KEY), ENGINE_LEASE_NONE, "who does not ask");
    expect_value(NS, KEY, BYTES("old"), "is served");
    expect_status(fill(2, BYTES("x")), ENGINE_VOID, "another token");
    expect_status(fill(1, BYTES("new")), ENGINE_OK, "fill");
    expect_fresh(get_lease(NS, KEY, LONG_MS, 3), "filled");
    expect_value(NS, KEY, BYTES("new"), "filled");
    expect_status(fill(1, BYTES("again")), ENGINE_VOID, "fill again");
}

Test(stale, the_winner_of_a_lease_gets_the_value_too)
{
    struct engine_op op;

    if (!can(ENGINE_CAN_LEASE))
        return;
    store_stale(NULL);
    for (uint64_t token = 1; token <= 2; token++) {
        op = op_for(ENGINE_GET, NS, KEY);
        op.lease_ms = LONG_MS;
        op.lease_token = token;
        op = run(op);
        expect_stale(op, token == 1 ? ENGINE_LEASE_WON : ENGINE_LEASE_HELD, "get");
        cr_assert_not_null(op.entry.value);
        cr_assert(bytes_equal(value_bytes(op.entry.value), BYTES("old")));
        value_unref(op.entry.value);
    }
}

Test(stale, a_lease_that_nobody_used_ends_and_the_next_wins)
{
    if (!can(ENGINE_CAN_LEASE))
        return;
    store_stale(NULL);
    expect_stale(get_lease(NS, KEY, 200, 1), ENGINE_LEASE_WON, "first");
    expect_stale(get_lease(NS, KEY, LONG_MS, 2), ENGINE_LEASE_HELD, "held");
    pass_ms(200 + MARGIN_MS);
    expect_status(fill(1, BYTES("late")), ENGINE_VOID, "late");
    win(2);
    expect_status(fill(2, BYTES("new")), ENGINE_OK, "fill");
}

Test(stale, a_write_or_delete_voids_the_lease)
{
    if (!can(ENGINE_CAN_LEASE))
        return;
    store_stale(NULL);
    win(1);
    expect_status(put(NS, KEY, BYTES("newer")), ENGINE_OK, "put");
    expect_status(fill(1, BYTES("older")), ENGINE_VOID, "fill");
    expect_value(NS, KEY, BYTES("newer"), "the write stands");
    store_stale(NULL);
    win(2);
    expect_status(delete_if(NS, KEY, NULL), ENGINE_OK, "delete");
    expect_status(fill(2, BYTES("older")), ENGINE_VOID, "fill");
    expect_status(get(NS, KEY), ENGINE_MISS, "nothing stands");
}

Test(stale, a_flush_voids_the_lease)
{
    static const struct bytes tag = { "team", 4 };

    if (!can(ENGINE_CAN_LEASE | ENGINE_CAN_FLUSH))
        return;
    for (int way = 0; way < 3; way++) {
        if (way == 2 && !can(ENGINE_CAN_TAG))
            return;
        store_stale(way == 2 ? &tag : NULL);
        win(1);
        expect_status(way == 2 ? flush_tag(NS, tag) : flush(way ? NS : BYTES_NONE), ENGINE_OK, "flush");
        expect_status(fill(1, BYTES("older")), ENGINE_VOID, "fill");
        expect_status(get(NS, KEY), ENGINE_MISS, "nothing stands");
    }
}

Test(stale, a_write_that_fails_voids_nothing)
{
    if (!can(ENGINE_CAN_LEASE | ENGINE_CAN_CONDITIONS))
        return;
    store_stale(NULL);
    win(1);
    expect_status(put_if(NS, KEY, BYTES("x"), &if_absent), ENGINE_MISMATCH, "put");
    expect_status(fill(2, BYTES("x")), ENGINE_VOID, "another token");
    expect_stale(get_lease(NS, KEY, LONG_MS, 3), ENGINE_LEASE_HELD, "still out");
    expect_status(fill(1, BYTES("new")), ENGINE_OK, "fill");
}

/* ---- Races ---- */

static enum engine_lease got[RACERS_MAX];

static void race_to_refill(struct racer *racer)
{
    struct engine_op op = op_for(ENGINE_GET, NS, KEY);

    op.without_value = true;
    op.lease_ms = LONG_MS;
    op.lease_token = 100 + racer->index;
    client_run(&racer->client, &op);
    got[racer->index] = op.lease;
    racer->failed += op.status != ENGINE_OK || !op.entry.stale || op.lease == ENGINE_LEASE_NONE;
}

Test(stale, of_racing_readers_exactly_one_refills)
{
    if (!can(ENGINE_CAN_LEASE))
        return;
    for (int round = 0; round < 4; round++) {
        unsigned winners = 0;
        store_stale(NULL);
        race(RACERS_MAX, race_to_refill);
        for (size_t i = 0; i < RACERS_MAX; i++)
            winners += got[i] == ENGINE_LEASE_WON;
        cr_assert_eq(winners, 1, "%u won", winners);
    }
}
