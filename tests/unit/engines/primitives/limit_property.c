/* Rate limits at random against plain models: a history of every grant, a count, exact
 * fractions. Never more than each algorithm's own definition allows, and not much less. */
#include "engines/primitives/limit.h"

#include <stdlib.h>

#include "tests/unit/engines/primitives/steps.h"

#define TAKES 4000

typedef unsigned __int128 wide;

static struct engine_rate rate;
static uint64_t now;

static struct grant {
    uint64_t at, cost;
} history[TAKES];
static size_t granted;

TestSuite(limit_property, .timeout = 60);

static uint64_t below(uint64_t bound)
{
    return ((uint64_t)random() << 31 | (uint64_t)random()) % bound;
}

static enum engine_status take_at(uint64_t at)
{
    struct engine_op op = { .verb = ENGINE_LIMIT_TAKE, .rate = &rate };

    apply(&op, at);
    return op.status;
}

static void begin(enum engine_rate_algorithm algorithm, unsigned seed)
{
    static const int64_t windows[] = { 1, 2, 7, 15, 1000, 60000, 3600000, LIMIT_WINDOW_MS_MAX };
    static const uint64_t limits[] = { 1, 2, 5, 16, 100, 12345, LIMIT_MAX };

    srandom(seed);
    cell = (struct cell){ .len = 0 };
    granted = 0;
    now = START_US + below(1000000);
    rate = (struct engine_rate){
        .algorithm = algorithm,
        .window_ms = windows[below(sizeof windows / sizeof windows[0])],
        .limit = limits[below(sizeof limits / sizeof limits[0])],
    };
}

/* From bursts to pauses of more than a window. */
static void step_on(void)
{
    uint64_t window_us = (uint64_t)rate.window_ms * 1000;

    switch (below(8)) {
    case 0:
        break;
    case 1:
        now += below(3);
        break;
    case 2:
        now += window_us / 15 + below(3) - (window_us > 30 ? 1 : 0);
        break;
    case 3:
        now += below(window_us * 2);
        break;
    default:
        now += below(window_us / 8 + 1);
    }
    rate.cost = 1 + below(below(4) ? rate.limit / 8 + 1 : rate.limit);
}

static uint64_t granted_since(uint64_t from)
{
    uint64_t sum = 0;

    for (size_t i = granted; i > 0 && history[i - 1].at >= from; i--)
        sum += history[i - 1].cost;
    return sum;
}

/* What was told holds: not before retry_ms (rounded up), and certainly then; so for reset_ms. */
static void expect_told(void)
{
    struct cell kept = cell;
    struct engine_rate told = rate;

    if (!told.allowed) {
        cr_assert_gt(told.retry_ms, 0);
        cr_assert_eq(take_at(now + (uint64_t)(told.retry_ms - 1) * 1000), ENGINE_LIMITED);
        cell = kept;
        cr_assert_eq(take_at(now + (uint64_t)told.retry_ms * 1000), ENGINE_OK);
        cell = kept;
    }
    rate.cost = 0;
    take_at(now);
    cr_assert_eq(rate.remaining, told.remaining, "a look sees the same");
    take_at(now + (uint64_t)told.reset_ms * 1000);
    cr_assert_eq(rate.remaining, rate.limit);
    if (told.reset_ms > 0) {
        take_at(now + (uint64_t)(told.reset_ms - 1) * 1000);
        cr_assert_lt(rate.remaining, rate.limit);
    }
    rate = told;
}

static void run_sliding(unsigned seed)
{
    uint64_t window_us;

    begin(ENGINE_SLIDING_WINDOW, seed);
    window_us = (uint64_t)rate.window_ms * 1000;
    for (int i = 0; i < TAKES; i++) {
        enum engine_status status;
        uint64_t exact, most;
        step_on();
        if (below(50) == 0) /* a limit that changes */
            rate.limit = 1 + below(rate.limit * 2 < LIMIT_MAX ? rate.limit * 2 : LIMIT_MAX);
        if (rate.cost > rate.limit)
            rate.cost = rate.limit;
        exact = granted_since(now - window_us + 1);
        /* A group may keep what is older by less than its own length. */
        most = granted_since(now - window_us - window_us / 15);
        status = take_at(now);
        if (status == ENGINE_OK) {
            cr_assert_leq(exact + rate.cost, rate.limit, "more than the limit within a window (seed %u)", seed);
            history[granted++] = (struct grant){ now, rate.cost };
            cr_assert_leq(rate.remaining, rate.limit - exact - rate.cost);
        } else {
            cr_assert_eq(status, ENGINE_LIMITED);
            cr_assert_gt(most + rate.cost, rate.limit, "refused without need (seed %u)", seed);
        }
        if (i % 16 == 0)
            expect_told();
    }
}

Test(limit_property, a_sliding_window_never_grants_more_than_the_limit_in_any_window)
{
    for (unsigned seed = 1; seed <= 60; seed++)
        run_sliding(seed);
}

static void run_fixed(unsigned seed)
{
    uint64_t began = 0, count = 0, window_us;

    begin(ENGINE_FIXED_WINDOW, seed);
    window_us = (uint64_t)rate.window_ms * 1000;
    for (int i = 0; i < TAKES; i++) {
        enum engine_status status;
        step_on();
        if (began == 0 || now - began >= window_us) {
            began = now;
            count = 0;
        }
        status = take_at(now);
        cr_assert_eq(status, count + rate.cost <= rate.limit ? ENGINE_OK : ENGINE_LIMITED, "seed %u", seed);
        if (status == ENGINE_OK)
            count += rate.cost;
        cr_assert_eq(rate.remaining, rate.limit - count);
        if (i % 16 == 0)
            expect_told();
    }
}

Test(limit_property, a_fixed_window_is_a_count_and_a_beginning)
{
    for (unsigned seed = 1; seed <= 60; seed++)
        run_fixed(seed);
}

/* The debt in exact fractions: one of the limit is window_us, a microsecond refills limit. */
static void run_bucket(unsigned seed)
{
    uint64_t window_us, last = 0;
    wide debt = 0, slack = 0;

    begin(ENGINE_TOKEN_BUCKET, seed);
    window_us = (uint64_t)rate.window_ms * 1000;
    for (int i = 0; i < TAKES; i++) {
        enum engine_status status;
        wide refill, full = (wide)rate.limit * window_us;
        step_on();
        refill = last ? (wide)(now - last) * rate.limit : 0;
        debt = debt > refill ? debt - refill : 0;
        /* Each elapsed time may refill less by 1/2^21 of itself. */
        slack += (refill >> 21) + 1;
        last = now;
        status = take_at(now);
        if (status == ENGINE_OK) {
            debt += (wide)rate.cost * window_us;
            cr_assert(debt <= full, "more than the bucket held (seed %u)", seed);
        } else {
            cr_assert_eq(status, ENGINE_LIMITED);
            cr_assert(debt + (wide)rate.cost * window_us + slack > full, "refused without need (seed %u)", seed);
        }
        cr_assert(rate.remaining <= (uint64_t)((full - debt) / window_us), "seed %u", seed);
        if (i % 16 == 0)
            expect_told();
    }
}

Test(limit_property, a_bucket_never_grants_more_than_it_held)
{
    for (unsigned seed = 1; seed <= 60; seed++)
        run_bucket(seed);
}

/* Whatever comes in whatever order, with any parameters: bounded, and never a failure. */
Test(limit_property, any_sequence_of_any_parameters_stays_sound)
{
    for (unsigned seed = 1; seed <= 40; seed++) {
        begin(ENGINE_FIXED_WINDOW, seed);
        for (int i = 0; i < TAKES; i++) {
            uint64_t back = below(40) ? 0 : below((uint64_t)rate.window_ms * 3000);
            if (below(30) == 0)
                rate.algorithm = (enum engine_rate_algorithm)below(3);
            if (below(60) == 0)
                rate.window_ms = 1 + (int64_t)below(10000);
            if (below(20) == 0)
                rate.limit = 1 + below(below(2) ? 20 : LIMIT_MAX);
            step_on();
            now -= back;
            rate.cost %= rate.limit + 1;
            cr_assert_neq(take_at(now), ENGINE_FAILED, "seed %u, step %d", seed, i);
            cr_assert_leq(rate.remaining, rate.limit);
            cr_assert(rate.retry_ms >= 0 && rate.retry_ms <= rate.window_ms + rate.window_ms / 1000 + 1);
            cr_assert(rate.reset_ms >= 0 && rate.reset_ms <= rate.window_ms + rate.window_ms / 1000 + 1);
        }
    }
}
