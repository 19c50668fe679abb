/* Rate limits by example: what each algorithm grants, tells and keeps. */
#include "engines/primitives/limit.h"

#include "engines/primitives/plain.h"
#include "tests/unit/engines/primitives/steps.h"

#define SECOND UINT64_C(1000000)

static struct engine_rate rate; /* of the test's takes; its results are the last take's */

static void start(void)
{
    cell = (struct cell){ .len = 0 };
    rate = (struct engine_rate){ .limit = 10, .window_ms = 60000 };
}

TestSuite(limit, .init = start);

static enum engine_status take(uint64_t cost, uint64_t now_us)
{
    struct engine_op op = { .verb = ENGINE_LIMIT_TAKE, .rate = &rate };

    rate.cost = cost;
    apply(&op, now_us);
    return op.status;
}

static void expect(enum engine_status status, enum engine_status expected, uint64_t remaining, int64_t reset_ms,
                   int64_t retry_ms, const char *what)
{
    cr_assert_eq(status, expected, "%s: %s", what, engine_status_name(status));
    cr_assert_eq(rate.allowed, expected == ENGINE_OK, "%s", what);
    cr_assert_eq(rate.remaining, remaining, "%s: %llu remain", what, (unsigned long long)rate.remaining);
    cr_assert_eq(rate.reset_ms, reset_ms, "%s: reset in %lld ms", what, (long long)rate.reset_ms);
    cr_assert_eq(rate.retry_ms, retry_ms, "%s: retry in %lld ms", what, (long long)rate.retry_ms);
}

/* ---- What the three have in common ---- */

Test(limit, a_look_takes_nothing_and_begins_nothing)
{
    for (int algorithm = ENGINE_FIXED_WINDOW; algorithm <= ENGINE_TOKEN_BUCKET; algorithm++) {
        start();
        rate.algorithm = (enum engine_rate_algorithm)algorithm;
        expect(take(0, START_US), ENGINE_OK, 10, 0, 0, "nothing stands");
        cr_assert_eq(cell.len, 0);
        take(10, START_US);
        expect(take(0, START_US), ENGINE_OK, 0, 60000, 0, "all is taken");
        expect(take(0, START_US + 60 * SECOND), ENGINE_OK, 10, 0, 0, "over");
    }
}

Test(limit, a_shadow_takes_what_there_is_and_never_refuses)
{
    for (int algorithm = ENGINE_FIXED_WINDOW; algorithm <= ENGINE_TOKEN_BUCKET; algorithm++) {
        start();
        rate.algorithm = (enum engine_rate_algorithm)algorithm;
        rate.shadow = true;
        expect(take(8, START_US), ENGINE_OK, 2, rate.algorithm == ENGINE_TOKEN_BUCKET ? 48000 : 60000, 0, "within");
        cr_assert_eq(take(3, START_US), ENGINE_OK);
        cr_assert(!rate.allowed);
        cr_assert_eq(rate.remaining, 2, "nothing is taken");
        cr_assert_gt(rate.retry_ms, 0);
        expect(take(2, START_US), ENGINE_OK, 0, 60000, 0, "what is left");
    }
}

Test(limit, another_algorithm_or_window_starts_anew)
{
    for (int algorithm = ENGINE_FIXED_WINDOW; algorithm <= ENGINE_TOKEN_BUCKET; algorithm++) {
        start();
        rate.algorithm = (enum engine_rate_algorithm)algorithm;
        take(10, START_US);
        rate.window_ms = 59999;
        cr_assert_eq(take(1, START_US), ENGINE_OK);
        cr_assert_eq(rate.remaining, 9);
        rate.algorithm = (enum engine_rate_algorithm)((algorithm + 1) % 3);
        cr_assert_eq(take(2, START_US), ENGINE_OK);
        cr_assert_eq(rate.remaining, 8);
    }
}

Test(limit, another_limit_keeps_what_is_used)
{
    for (int algorithm = ENGINE_FIXED_WINDOW; algorithm <= ENGINE_TOKEN_BUCKET; algorithm++) {
        start();
        rate.algorithm = (enum engine_rate_algorithm)algorithm;
        take(6, START_US);
        rate.limit = 20;
        cr_assert_eq(take(4, START_US), ENGINE_OK);
        cr_assert_eq(rate.remaining, 10);
        rate.limit = 5;
        cr_assert_eq(take(1, START_US), ENGINE_LIMITED);
        cr_assert_eq(rate.remaining, 0);
        cr_assert_eq(take(0, START_US), ENGINE_OK, "a look is always granted");
        cr_assert_eq(rate.remaining, 0);
    }
}

Test(limit, waiting_as_told_is_enough_and_not_a_millisecond_too_much)
{
    for (int algorithm = ENGINE_FIXED_WINDOW; algorithm <= ENGINE_TOKEN_BUCKET; algorithm++) {
        struct cell before;
        uint64_t told;
        start();
        rate.algorithm = (enum engine_rate_algorithm)algorithm;
        rate.limit = 7;
        take(4, START_US);
        take(3, START_US + 1234567);
        cr_assert_eq(take(2, START_US + 2345678), ENGINE_LIMITED);
        told = (uint64_t)rate.retry_ms;
        before = cell;
        cr_assert_eq(take(2, START_US + 2345678 + (told - 1) * 1000), ENGINE_LIMITED);
        cell = before;
        cr_assert_eq(take(2, START_US + 2345678 + told * 1000), ENGINE_OK);
    }
}

Test(limit, a_clock_set_back_neither_grants_more_nor_blocks_for_long)
{
    for (int algorithm = ENGINE_FIXED_WINDOW; algorithm <= ENGINE_TOKEN_BUCKET; algorithm++) {
        start();
        rate.algorithm = (enum engine_rate_algorithm)algorithm;
        take(10, START_US);
        cr_assert_eq(take(1, START_US - 30 * SECOND), ENGINE_LIMITED, "as if no time had passed");
        cr_assert_leq(rate.retry_ms, 60000);
        cr_assert_eq(take(1, START_US - 60 * SECOND), ENGINE_LIMITED);
        cr_assert_eq(take(1, START_US - 60 * SECOND - 1), ENGINE_OK, "more than a window: begun anew");
        cr_assert_eq(rate.remaining, 9);
    }
}

Test(limit, parameters_out_of_bounds_are_a_failure)
{
    static const struct engine_rate wrong[] = {
        { .limit = 0, .window_ms = 1000 },
        { .limit = LIMIT_MAX + 1, .window_ms = 1000 },
        { .limit = 5, .cost = 6, .window_ms = 1000 },
        { .limit = 5, .cost = 1, .window_ms = 0 },
        { .limit = 5, .cost = 1, .window_ms = LIMIT_WINDOW_MS_MAX + 1 },
        { .limit = 5, .cost = 1, .window_ms = 1000, .algorithm = (enum engine_rate_algorithm)3 },
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        rate = wrong[i];
        cr_assert_eq(take(rate.cost, START_US), ENGINE_FAILED, "%zu", i);
    }
}

Test(limit, the_largest_parameters_are_exact)
{
    for (int algorithm = ENGINE_FIXED_WINDOW; algorithm <= ENGINE_TOKEN_BUCKET; algorithm++) {
        start();
        rate.algorithm = (enum engine_rate_algorithm)algorithm;
        rate.limit = LIMIT_MAX;
        rate.window_ms = LIMIT_WINDOW_MS_MAX;
        cr_assert_eq(take(LIMIT_MAX - 1, START_US), ENGINE_OK);
        cr_assert_eq(rate.remaining, 1);
        cr_assert_eq(take(1, START_US), ENGINE_OK);
        cr_assert_eq(take(1, START_US), ENGINE_LIMITED);
        rate.window_ms = 1;
        cr_assert_eq(take(LIMIT_MAX, START_US), ENGINE_OK);
        cr_assert_eq(take(1, START_US), ENGINE_LIMITED);
        cr_assert_eq(take(LIMIT_MAX, START_US + 1001), ENGINE_OK);
    }
}

/* ---- Fixed window ---- */

Test(limit, a_fixed_window_begins_with_its_first_take)
{
    static const unsigned char head[] = { 'R', 0, 0, 0, 0xea, 0x60 };

    expect(take(3, START_US), ENGINE_OK, 7, 60000, 0, "first");
    cr_assert_eq(cell.len, 18);
    cr_assert_eq(memcmp(cell.bytes, head, sizeof head), 0);
    cr_assert_eq(plain_get(cell.bytes + 6, 8), START_US);
    cr_assert_eq(plain_get(cell.bytes + 14, 4), 3);
    cr_assert_eq(cell.expires_ms, START_US / 1000 + 60000);
    expect(take(7, START_US + 59 * SECOND), ENGINE_OK, 0, 1000, 0, "the rest");
    expect(take(1, START_US + 60 * SECOND - 1), ENGINE_LIMITED, 0, 1, 1, "its last microsecond");
    expect(take(1, START_US + 60 * SECOND), ENGINE_OK, 9, 60000, 0, "the next window");
}

/* ---- Sliding window ---- */

Test(limit, a_sliding_window_forgets_grants_one_by_one)
{
    rate.algorithm = ENGINE_SLIDING_WINDOW;
    expect(take(4, START_US), ENGINE_OK, 6, 60000, 0, "first");
    expect(take(6, START_US + 20 * SECOND), ENGINE_OK, 0, 60000, 0, "second");
    expect(take(1, START_US + 30 * SECOND), ENGINE_LIMITED, 0, 50000, 30000, "when the first leaves");
    expect(take(5, START_US + 30 * SECOND), ENGINE_LIMITED, 0, 50000, 50000, "when both have left");
    expect(take(1, START_US + 60 * SECOND - 1), ENGINE_LIMITED, 0, 20001, 1, "not yet");
    expect(take(4, START_US + 60 * SECOND), ENGINE_OK, 0, 60000, 0, "the first has left");
    expect(take(6, START_US + 80 * SECOND), ENGINE_OK, 0, 60000, 0, "the second has left");
}

Test(limit, grants_near_each_other_are_one_group_which_leaves_with_its_last)
{
    rate.algorithm = ENGINE_SLIDING_WINDOW;
    take(1, START_US);
    take(1, START_US + 4 * SECOND - 1);
    cr_assert_eq(cell.len, 15 + 12);
    cr_assert_eq(plain_get(cell.bytes + 7, 8), START_US);
    cr_assert_eq(plain_get(cell.bytes + 15, 8), START_US + 4 * SECOND - 1);
    cr_assert_eq(plain_get(cell.bytes + 23, 4), 2);
    take(1, START_US + 4 * SECOND);
    cr_assert_eq(cell.len, 15 + 2 * 12);
    cr_assert_eq(plain_get(cell.bytes + 7, 8), START_US + 4 * SECOND);
    take(0, START_US + 62 * SECOND);
    cr_assert_eq(rate.remaining, 7, "the group stays whole");
    take(0, START_US + 64 * SECOND - 1);
    cr_assert_eq(rate.remaining, 9);
}

Test(limit, a_sliding_window_needs_sixteen_groups_and_no_more)
{
    rate.algorithm = ENGINE_SLIDING_WINDOW;
    rate.limit = LIMIT_MAX;
    for (uint64_t i = 0; i < 100; i++) {
        /* The first of each group and one at its very end, which keeps it longest. */
        cr_assert_eq(take(1, START_US + i * 4 * SECOND), ENGINE_OK);
        cr_assert_eq(take(1, START_US + i * 4 * SECOND + 4 * SECOND - 1), ENGINE_OK);
        cr_assert_leq(cell.bytes[6], LIMIT_GROUPS_MAX);
    }
    cr_assert_eq(cell.bytes[6], 15);
    take(1, START_US + 400 * SECOND);
    cr_assert_eq(cell.bytes[6], 16);
}

/* ---- Token bucket ---- */

Test(limit, a_bucket_fills_evenly)
{
    rate.algorithm = ENGINE_TOKEN_BUCKET;
    expect(take(10, START_US), ENGINE_OK, 0, 60000, 0, "all at once");
    expect(take(1, START_US + 1 * SECOND), ENGINE_LIMITED, 0, 59000, 5000, "one in six seconds");
    expect(take(3, START_US + 1 * SECOND), ENGINE_LIMITED, 0, 59000, 17000, "three in eighteen");
    cr_assert_eq(take(1, START_US + 7 * SECOND), ENGINE_OK);
    cr_assert_eq(rate.remaining, 0);
    take(0, START_US + 31 * SECOND);
    cr_assert_eq(rate.remaining, 4);
    take(0, START_US + 600 * SECOND);
    cr_assert_eq(rate.remaining, 10, "never more than its capacity");
}

Test(limit, the_record_of_a_bucket_is_what_the_header_says)
{
    /* 60 s are 60,000,000 us < 2^26: S is 2^26, and T a tenth of the scaled window. */
    uint64_t one = (UINT64_C(60000000) << 26) / 10;

    rate.algorithm = ENGINE_TOKEN_BUCKET;
    take(4, START_US);
    cr_assert_eq(cell.len, 26);
    cr_assert_eq(cell.bytes[1], 2);
    cr_assert_eq(plain_get(cell.bytes + 6, 8), START_US);
    cr_assert_eq(plain_get(cell.bytes + 14, 8), 4 * one);
    cr_assert_eq(plain_get(cell.bytes + 22, 4), 10);
    cr_assert_eq(cell.expires_ms, START_US / 1000 + 24000);
}

Test(limit, a_refusal_under_a_changed_limit_is_remembered_as_such)
{
    rate.algorithm = ENGINE_TOKEN_BUCKET;
    rate.limit = 100;
    take(100, START_US);
    rate.limit = 10;
    expect(take(1, START_US), ENGINE_LIMITED, 0, 60000, 6000, "used up");
    cr_assert_eq(plain_get(cell.bytes + 22, 4), 10);
    cr_assert_eq(take(1, START_US + 6 * SECOND), ENGINE_OK, "as told");
}

/* ---- Damage ---- */

static void expect_damage(size_t offset, int value, const char *what)
{
    struct cell sound = cell;

    if (offset == SIZE_MAX)
        cell.len = (size_t)value;
    else
        cell.bytes[offset] = (unsigned char)value;
    cr_assert_eq(take(1, START_US), ENGINE_FAILED, "%s", what);
    cr_assert_eq(take(0, START_US), ENGINE_FAILED, "%s, a look", what);
    cell = sound;
    cr_assert_neq(take(0, START_US), ENGINE_FAILED);
}

Test(limit, a_damaged_record_is_a_failure)
{
    for (int algorithm = ENGINE_FIXED_WINDOW; algorithm <= ENGINE_TOKEN_BUCKET; algorithm++) {
        start();
        rate.algorithm = (enum engine_rate_algorithm)algorithm;
        take(1, START_US);
        expect_damage(0, 'K', "another kind");
        expect_damage(1, 3, "no such algorithm");
        expect_damage(SIZE_MAX, 1, "no window");
        expect_damage(SIZE_MAX, (int)cell.len - 1, "cut");
        expect_damage(SIZE_MAX, (int)cell.len + 1, "longer");
    }
}

Test(limit, damaged_numbers_are_a_failure)
{
    take(1, START_US);
    expect_damage(6, 0xff, "no such time");
    expect_damage(14, 0xff, "counted beyond every limit");
    start();
    rate.algorithm = ENGINE_TOKEN_BUCKET;
    take(1, START_US);
    expect_damage(6, 0xff, "no such time");
    expect_damage(14, 0xff, "no such debt");
    expect_damage(22, 0xff, "no such limit");
    expect_damage(25, 0, "a limit of nothing");
    start();
    rate.algorithm = ENGINE_SLIDING_WINDOW;
    take(1, START_US - 20 * SECOND);
    take(1, START_US - 10 * SECOND);
    expect_damage(6, 0, "no groups");
    expect_damage(6, 17, "too many groups");
    expect_damage(7, 0xff, "begun after its end");
    expect_damage(7 + 3, 0, "begun before the one before");
    expect_damage(15, 0xff, "not in order");
    expect_damage(27, 0xff, "no such time");
    expect_damage(26, 0, "a group of nothing");
    expect_damage(23, 0xff, "counted beyond every limit");
}

Test(limit, a_log_without_room_is_a_failure)
{
    rate.algorithm = ENGINE_SLIDING_WINDOW;
    take(1, START_US);
    /* Sixteen groups within a second, which the rules never make. */
    cell.bytes[6] = 16;
    cell.len = 15 + 16 * 12;
    for (uint64_t i = 0; i < 16; i++) {
        plain_put(cell.bytes + 15 + i * 12, START_US + i * 1000, 8);
        plain_put(cell.bytes + 23 + i * 12, 1, 4);
    }
    plain_put(cell.bytes + 7, START_US + 15 * 1000, 8);
    cell.expires_ms = START_US / 1000 + 60000;
    rate.limit = 100;
    cr_assert_eq(take(1, START_US + 30 * SECOND), ENGINE_FAILED);
}
