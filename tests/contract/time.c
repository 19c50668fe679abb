/* TTL and sliding. Margins are those of the contract: gone within 50 ms. */
#include <criterion/criterion.h>

#include "tests/contract/contract.h"

#define NS BYTES("time")
#define KEY BYTES("key")
#define MARGIN_MS 60

TestSuite(time_to_live, .init = contract_open_timed, .fini = contract_close, .timeout = 60);

static void expect_ttl(struct engine_op op, int64_t least, int64_t most, const char *what)
{
    expect_status(op, ENGINE_OK, what);
    cr_assert(op.entry.ttl_ms >= least && op.entry.ttl_ms <= most, "%s: %lld ms, not %lld to %lld", what,
              (long long)op.entry.ttl_ms, (long long)least, (long long)most);
}

Test(time_to_live, an_entry_tells_its_remaining_time_and_is_gone_after_it)
{
    struct engine_op op = put_for(NS, KEY, 600, ENGINE_NO_IDLE);

    expect_status(op, ENGINE_CREATED, "put");
    cr_assert_eq(op.entry.ttl_ms, 600);
    expect_ttl(get(NS, KEY), 300, 600, "at once");
    pass_ms(200);
    expect_ttl(get(NS, KEY), 1, 400, "later");
    pass_ms(400 + MARGIN_MS);
    expect_status(get(NS, KEY), ENGINE_MISS, "get, gone");
    expect_status(touch_for(NS, KEY, 1000, NULL), ENGINE_MISS, "touch, gone");
    expect_status(delete_if(NS, KEY, NULL), ENGINE_MISS, "delete, gone");
    expect_status(put_for(NS, KEY, 600, ENGINE_NO_IDLE), ENGINE_CREATED, "put, gone");
}

Test(time_to_live, in_virtual_time_it_is_exact_to_the_millisecond)
{
    if (!engine_under_test.virtual_time)
        return;
    put_for(NS, KEY, 600000, ENGINE_NO_IDLE);
    pass_ms(599999);
    expect_ttl(get(NS, KEY), 1, 1, "the last millisecond");
    pass_ms(1);
    expect_status(get(NS, KEY), ENGINE_MISS, "gone");
}

Test(time_to_live, no_ttl_is_no_expiry)
{
    struct engine_op op = put(NS, KEY, BYTES("x"));

    cr_assert_eq(op.entry.ttl_ms, ENGINE_NO_EXPIRY);
    pass_ms(100);
    cr_assert_eq(get(NS, KEY).entry.ttl_ms, ENGINE_NO_EXPIRY);
}

Test(time_to_live, more_than_thirty_days_and_ten_years_work)
{
    static const int64_t day = INT64_C(24) * 3600 * 1000;

    put_for(NS, BYTES("30"), 31 * day, ENGINE_NO_IDLE);
    put_for(NS, BYTES("3650"), 3650 * day, ENGINE_NO_IDLE);
    expect_ttl(get(NS, BYTES("30")), 31 * day - 10000, 31 * day, "31 days");
    expect_ttl(get(NS, BYTES("3650")), 3650 * day - 10000, 3650 * day, "ten years");
}

Test(time_to_live, a_put_sets_it_anew)
{
    put_for(NS, KEY, 200, ENGINE_NO_IDLE);
    put_for(NS, KEY, 60000, ENGINE_NO_IDLE);
    pass_ms(200 + MARGIN_MS);
    expect_ttl(get(NS, KEY), 50000, 60000, "longer");
    put_for(NS, KEY, ENGINE_NO_EXPIRY, ENGINE_NO_IDLE);
    cr_assert_eq(get(NS, KEY).entry.ttl_ms, ENGINE_NO_EXPIRY);
    put_for(NS, KEY, 200, ENGINE_NO_IDLE);
    pass_ms(200 + MARGIN_MS);
    expect_status(get(NS, KEY), ENGINE_MISS, "shorter");
}

Test(time_to_live, a_failed_put_leaves_it_alone)
{
    static const struct engine_condition if_absent = { .if_none_match = { .given = true, .any = true } };
    struct engine_op op;

    if (!can(ENGINE_CAN_CONDITIONS))
        return;
    put_for(NS, KEY, 60000, ENGINE_NO_IDLE);
    op = put_if(NS, KEY, BYTES("y"), &if_absent);
    expect_status(op, ENGINE_MISMATCH, "put");
    expect_ttl(get(NS, KEY), 50000, 60000, "after");
}

Test(time_to_live, touch_sets_it_anew_and_keeps_value_and_version)
{
    engine_version version = put_for(NS, KEY, 300, ENGINE_NO_IDLE).entry.version;
    struct engine_op op = touch_for(NS, KEY, 60000, NULL);

    expect_ttl(op, 59000, 60000, "touch");
    cr_assert_eq(op.entry.version, version);
    pass_ms(300 + MARGIN_MS);
    expect_ttl(get(NS, KEY), 50000, 60000, "longer");
    expect_value(NS, KEY, BYTES("value"), "longer");
    cr_assert_eq(get(NS, KEY).entry.version, version);
    expect_ttl(touch_for(NS, KEY, 200, NULL), 100, 200, "shorter");
    pass_ms(200 + MARGIN_MS);
    expect_status(get(NS, KEY), ENGINE_MISS, "shorter");
}

Test(time_to_live, touch_to_none_and_back)
{
    put_for(NS, KEY, 300, ENGINE_NO_IDLE);
    expect_ttl(touch_for(NS, KEY, ENGINE_NO_EXPIRY, NULL), ENGINE_NO_EXPIRY, ENGINE_NO_EXPIRY, "to none");
    pass_ms(300 + MARGIN_MS);
    expect_ttl(get(NS, KEY), ENGINE_NO_EXPIRY, ENGINE_NO_EXPIRY, "none");
    expect_ttl(touch_for(NS, KEY, 200, NULL), 100, 200, "and back");
    pass_ms(200 + MARGIN_MS);
    expect_status(get(NS, KEY), ENGINE_MISS, "and back");
}

/* ---- Sliding ---- */

/* A time of these tests. Each read must come before the entry goes; where time
 * is real, also on a machine that is late by half a second. */
static int64_t span(int64_t ms)
{
    return engine_under_test.virtual_time ? ms : 3 * ms;
}

Test(time_to_live, reads_extend_a_sliding_entry)
{
    if (!can(ENGINE_CAN_SLIDE))
        return;
    cr_assert_eq(put_for(NS, KEY, 60000, span(500)).entry.ttl_ms, span(500));
    for (int i = 0; i < 4; i++) {
        pass_ms(span(250));
        expect_ttl(get(NS, KEY), span(300), span(500), "read");
    }
    cr_assert_eq(get(NS, KEY).entry.idle_ms, span(500));
    pass_ms(span(500) + MARGIN_MS);
    expect_status(get(NS, KEY), ENGINE_MISS, "left alone");
}

Test(time_to_live, a_sliding_entry_never_passes_its_ttl)
{
    if (!can(ENGINE_CAN_SLIDE))
        return;
    put_for(NS, KEY, span(600), span(400));
    pass_ms(span(200));
    expect_ttl(get(NS, KEY), span(200), span(400), "first read");
    pass_ms(span(200));
    expect_ttl(get(NS, KEY), 1, span(200), "second read");
    pass_ms(span(200) + MARGIN_MS);
    expect_status(get(NS, KEY), ENGINE_MISS, "at its ttl");
}

Test(time_to_live, an_idle_step_longer_than_the_ttl_changes_nothing)
{
    if (!can(ENGINE_CAN_SLIDE))
        return;
    cr_assert_eq(put_for(NS, KEY, span(300), 60000).entry.ttl_ms, span(300));
    pass_ms(span(100));
    expect_ttl(get(NS, KEY), 1, span(200), "read");
    pass_ms(span(200) + MARGIN_MS);
    expect_status(get(NS, KEY), ENGINE_MISS, "at its ttl");
}

Test(time_to_live, sliding_without_ttl_lives_by_its_reads)
{
    if (!can(ENGINE_CAN_SLIDE))
        return;
    cr_assert_eq(put_for(NS, KEY, ENGINE_NO_EXPIRY, span(400)).entry.ttl_ms, span(400));
    for (int i = 0; i < 3; i++) {
        pass_ms(span(200));
        expect_ttl(get(NS, KEY), span(250), span(400), "read");
    }
    pass_ms(span(400) + MARGIN_MS);
    expect_status(get(NS, KEY), ENGINE_MISS, "left alone");
}

Test(time_to_live, a_put_without_idle_ends_the_sliding)
{
    if (!can(ENGINE_CAN_SLIDE))
        return;
    put_for(NS, KEY, 60000, 200);
    put_for(NS, KEY, 60000, ENGINE_NO_IDLE);
    pass_ms(200 + MARGIN_MS);
    expect_ttl(get(NS, KEY), 50000, 60000, "after");
    cr_assert_eq(get(NS, KEY).entry.idle_ms, ENGINE_NO_IDLE);
}

Test(time_to_live, touch_moves_the_bound_of_a_sliding_entry)
{
    if (!can(ENGINE_CAN_SLIDE))
        return;
    put_for(NS, KEY, span(600), span(500));
    expect_ttl(touch_for(NS, KEY, 60000, NULL), span(300), span(500), "touch");
    for (int i = 0; i < 3; i++) {
        pass_ms(span(250));
        expect_ttl(get(NS, KEY), span(300), span(500), "past its first bound");
    }
    pass_ms(span(500) + MARGIN_MS);
    expect_status(get(NS, KEY), ENGINE_MISS, "still sliding");
}
