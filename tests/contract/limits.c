/* Rate limits: what engines/primitives/limit.h says, on every engine. */
#include <criterion/criterion.h>

#include "service/base/clock.h"
#include "tests/contract/contract.h"

#define NS BYTES("limits")
#define KEY BYTES("key")
#define DAY_MS (INT64_C(24) * 3600 * 1000)

TestSuite(limits, .init = contract_open_timed, .fini = contract_close, .timeout = 60);

static const enum engine_rate_algorithm algorithms[] = { ENGINE_FIXED_WINDOW, ENGINE_SLIDING_WINDOW,
                                                         ENGINE_TOKEN_BUCKET };
static const char *const names[] = { "fixed", "sliding", "bucket" };

#define EACH_ALGORITHM(i)                                                                                            \
    size_t i = 0;                                                                                                    \
    i < sizeof algorithms / sizeof algorithms[0];                                                                    \
    i++

static struct bytes key_of(size_t i)
{
    return bytes_str(names[i]);
}

static struct engine_rate rate_of(size_t i, uint64_t limit, int64_t window_ms)
{
    return (struct engine_rate){ .algorithm = algorithms[i], .limit = limit, .window_ms = window_ms };
}

/* Results come back in `rate`. */
static void take(struct bytes key, struct engine_rate *rate, uint64_t cost, enum engine_status expected,
                 const char *what)
{
    struct engine_op op = op_for(ENGINE_LIMIT_TAKE, NS, key);

    rate->cost = cost;
    op.rate = rate;
    expect_status(run(op), expected, what);
    cr_assert(expected != ENGINE_LIMITED || !rate->allowed, "%s", what);
    cr_assert_eq(rate->allowed, rate->retry_ms == 0, "%s", what);
    cr_assert_leq(rate->retry_ms, rate->window_ms + 1, "%s", what);
    cr_assert_leq(rate->reset_ms, rate->window_ms + 1, "%s", what);
}

Test(limits, grant_what_there_is_and_no_more)
{
    if (!can(ENGINE_CAN_LIMIT))
        return;
    for (EACH_ALGORITHM(i)) {
        struct engine_rate rate = rate_of(i, 5, DAY_MS);
        for (uint64_t left = 5; left > 0; left--) {
            take(key_of(i), &rate, 1, ENGINE_OK, names[i]);
            cr_assert(rate.allowed);
            cr_assert_eq(rate.remaining, left - 1, "%s", names[i]);
            cr_assert_gt(rate.reset_ms, 0);
        }
        take(key_of(i), &rate, 1, ENGINE_LIMITED, names[i]);
        cr_assert_eq(rate.remaining, 0);
        cr_assert_gt(rate.retry_ms, algorithms[i] == ENGINE_TOKEN_BUCKET ? DAY_MS / 5 - 10000 : DAY_MS - 10000);
        cr_assert_gt(rate.reset_ms, DAY_MS - 10000);
    }
}

Test(limits, take_a_cost_as_a_whole_or_not_at_all)
{
    if (!can(ENGINE_CAN_LIMIT))
        return;
    for (EACH_ALGORITHM(i)) {
        struct engine_rate rate = rate_of(i, 10, DAY_MS);
        take(key_of(i), &rate, 7, ENGINE_OK, names[i]);
        cr_assert_eq(rate.remaining, 3);
        take(key_of(i), &rate, 4, ENGINE_LIMITED, names[i]);
        cr_assert_eq(rate.remaining, 3, "%s: nothing was taken", names[i]);
        take(key_of(i), &rate, 3, ENGINE_OK, names[i]);
        cr_assert_eq(rate.remaining, 0);
    }
}

Test(limits, are_looked_at_with_a_cost_of_nothing)
{
    if (!can(ENGINE_CAN_LIMIT))
        return;
    for (EACH_ALGORITHM(i)) {
        struct engine_rate rate = rate_of(i, 10, DAY_MS);
        take(key_of(i), &rate, 0, ENGINE_OK, names[i]);
        cr_assert_eq(rate.remaining, 10);
        cr_assert_eq(rate.reset_ms, 0, "%s: nothing has begun", names[i]);
        take(key_of(i), &rate, 10, ENGINE_OK, names[i]);
        take(key_of(i), &rate, 0, ENGINE_OK, names[i]);
        cr_assert(rate.allowed);
        cr_assert_eq(rate.remaining, 0);
        cr_assert_gt(rate.reset_ms, DAY_MS - 10000);
    }
}

Test(limits, in_shadow_never_refuse)
{
    if (!can(ENGINE_CAN_LIMIT))
        return;
    for (EACH_ALGORITHM(i)) {
        struct engine_rate rate = rate_of(i, 10, DAY_MS);
        rate.shadow = true;
        take(key_of(i), &rate, 8, ENGINE_OK, names[i]);
        cr_assert(rate.allowed);
        take(key_of(i), &rate, 3, ENGINE_OK, names[i]);
        cr_assert(!rate.allowed);
        cr_assert_eq(rate.remaining, 2, "%s: over the limit nothing is taken", names[i]);
        rate.shadow = false;
        take(key_of(i), &rate, 2, ENGINE_OK, names[i]);
        cr_assert_eq(rate.remaining, 0);
    }
}

Test(limits, of_different_names_are_different)
{
    struct engine_rate rate = rate_of(0, 1, DAY_MS);
    struct engine_op op = op_for(ENGINE_LIMIT_TAKE, BYTES("elsewhere"), KEY);

    if (!can(ENGINE_CAN_LIMIT))
        return;
    take(KEY, &rate, 1, ENGINE_OK, "one");
    take(BYTES("other"), &rate, 1, ENGINE_OK, "another key");
    op.rate = &rate;
    expect_status(run(op), ENGINE_OK, "another namespace");
    take(KEY, &rate, 1, ENGINE_LIMITED, "the first");
}

Test(limits, that_change_keep_what_is_used)
{
    if (!can(ENGINE_CAN_LIMIT))
        return;
    for (EACH_ALGORITHM(i)) {
        struct engine_rate rate = rate_of(i, 10, DAY_MS);
        take(key_of(i), &rate, 6, ENGINE_OK, names[i]);
        rate.limit = 20;
        take(key_of(i), &rate, 4, ENGINE_OK, names[i]);
        cr_assert_eq(rate.remaining, 10, "%s: %llu", names[i], (unsigned long long)rate.remaining);
        rate.limit = 5;
        take(key_of(i), &rate, 1, ENGINE_LIMITED, names[i]);
        cr_assert_eq(rate.remaining, 0);
    }
}

Test(limits, of_another_algorithm_or_window_start_anew)
{
    if (!can(ENGINE_CAN_LIMIT))
        return;
    for (EACH_ALGORITHM(i)) {
        struct engine_rate rate = rate_of(i, 10, DAY_MS);
        take(key_of(i), &rate, 10, ENGINE_OK, names[i]);
        rate.window_ms = DAY_MS / 2;
        take(key_of(i), &rate, 1, ENGINE_OK, names[i]);
        cr_assert_eq(rate.remaining, 9);
        rate.algorithm = algorithms[(i + 1) % 3];
        take(key_of(i), &rate, 2, ENGINE_OK, names[i]);
        cr_assert_eq(rate.remaining, 8);
    }
}

Test(limits, at_the_ends_of_their_parameters_are_exact)
{
    if (!can(ENGINE_CAN_LIMIT))
        return;
    for (EACH_ALGORITHM(i)) {
        struct engine_rate rate = rate_of(i, 1000000000, 30 * DAY_MS);
        take(key_of(i), &rate, 999999999, ENGINE_OK, names[i]);
        cr_assert_geq(rate.remaining, 1);
        take(key_of(i), &rate, 1000000000, ENGINE_LIMITED, names[i]);
        cr_assert_gt(rate.retry_ms, 30 * DAY_MS - 20000);
        rate = rate_of(i, 1, 1);
        take(key_of(i), &rate, 1, ENGINE_OK, names[i]);
        pass_ms(3);
        take(key_of(i), &rate, 1, ENGINE_OK, names[i]);
    }
}

Test(limits, grant_again_after_the_time_they_tell)
{
    if (!can(ENGINE_CAN_LIMIT))
        return;
    for (EACH_ALGORITHM(i)) {
        struct engine_rate rate = rate_of(i, 4, 800);
        take(key_of(i), &rate, 4, ENGINE_OK, names[i]);
        take(key_of(i), &rate, 2, ENGINE_LIMITED, names[i]);
        /* A clock that is corrected meanwhile may cost a millisecond or two. */
        pass_ms((uint64_t)rate.retry_ms + 5);
        take(key_of(i), &rate, 2, ENGINE_OK, names[i]);
        pass_ms((uint64_t)rate.reset_ms + 5);
        take(key_of(i), &rate, 0, ENGINE_OK, names[i]);
        cr_assert_eq(rate.remaining, 4);
        cr_assert_eq(rate.reset_ms, 0);
    }
}

Test(limits, that_slide_count_a_grant_for_a_whole_window)
{
    struct engine_rate rate = rate_of(1, 2, 900);

    if (!can(ENGINE_CAN_LIMIT))
        return;
    take(KEY, &rate, 1, ENGINE_OK, "first");
    pass_ms(450);
    take(KEY, &rate, 1, ENGINE_OK, "second");
    take(KEY, &rate, 1, ENGINE_LIMITED, "both count");
    pass_ms((uint64_t)rate.retry_ms + 5);
    take(KEY, &rate, 1, ENGINE_OK, "the first has left");
    take(KEY, &rate, 1, ENGINE_LIMITED, "the second has not");
}

/* ---- Races ---- */

static size_t raced;
static unsigned granted[RACERS_MAX];

static void race_to_take(struct racer *racer)
{
    for (int i = 0; i < 20; i++) {
        struct engine_op op = op_for(ENGINE_LIMIT_TAKE, NS, key_of(raced));
        struct engine_rate rate = rate_of(raced, 50, DAY_MS);
        rate.cost = 1;
        op.rate = &rate;
        client_run(&racer->client, &op);
        granted[racer->index] += op.status == ENGINE_OK;
        racer->failed += op.status != ENGINE_OK && op.status != ENGINE_LIMITED;
    }
}

Test(limits, grant_racing_clients_exactly_the_limit)
{
    if (!can(ENGINE_CAN_LIMIT))
        return;
    for (EACH_ALGORITHM(i)) {
        unsigned sum = 0;
        raced = i;
        memset(granted, 0, sizeof granted);
        race(RACERS_MAX, race_to_take);
        for (size_t j = 0; j < RACERS_MAX; j++)
            sum += granted[j];
        cr_assert_eq(sum, 50, "%s: %u were granted", names[i], sum);
    }
}

/* ---- In real time, under more demand than the limit ---- */

enum { WINDOW_MS = 300, LIMIT = 20, WINDOWS = 4, GRANTS_MAX = 400 };

TestSuite(limits_in_time, .init = contract_open, .fini = contract_close, .timeout = 60);

/* When each was asked for and answered: it was granted in between. */
static struct grant {
    uint64_t asked, answered;
} grants[GRANTS_MAX];
static size_t grant_count;
static pthread_mutex_t grants_lock = PTHREAD_MUTEX_INITIALIZER;

static void race_through_windows(struct racer *racer)
{
    uint64_t end = clock_monotonic_ns() + WINDOWS * WINDOW_MS * NS_PER_MS;

    for (;;) {
        struct engine_op op = op_for(ENGINE_LIMIT_TAKE, NS, key_of(raced));
        struct engine_rate rate = rate_of(raced, LIMIT, WINDOW_MS);
        rate.cost = 1;
        op.rate = &rate;
        if (op.now_ns >= end)
            return;
        client_run(&racer->client, &op);
        racer->failed += op.status != ENGINE_OK && op.status != ENGINE_LIMITED;
        if (op.status != ENGINE_OK)
            continue;
        pthread_mutex_lock(&grants_lock);
        if (grant_count < GRANTS_MAX)
            grants[grant_count++] = (struct grant){ op.now_ns, clock_monotonic_ns() };
        pthread_mutex_unlock(&grants_lock);
    }
}

/* The most that was certainly granted from the first of some grants on, within `ms`. */
static size_t most_within(uint64_t ms)
{
    size_t most = 0;

    for (size_t i = 0; i < grant_count; i++) {
        size_t within = 0;
        for (size_t j = 0; j < grant_count; j++)
            within += grants[j].asked >= grants[i].asked && grants[j].answered < grants[i].asked + ms * NS_PER_MS;
        if (within > most)
            most = within;
    }
    return most;
}

static void race_with(size_t algorithm)
{
    raced = algorithm;
    grant_count = 0;
    race(4, race_through_windows);
    cr_assert_lt(grant_count, GRANTS_MAX, "far too many were granted");
    cr_assert_geq(grant_count, 2 * LIMIT, "%zu were granted in %d windows", grant_count, (int)WINDOWS);
}

Test(limits_in_time, a_fixed_window_grants_the_limit_once_a_window)
{
    if (!can(ENGINE_CAN_LIMIT))
        return;
    race_with(0);
    cr_assert_leq(most_within(WINDOW_MS - 5), 2 * LIMIT);
    cr_assert_leq(grant_count, (WINDOWS + 1) * LIMIT);
}

Test(limits_in_time, a_sliding_window_grants_no_more_than_the_limit_in_any)
{
    if (!can(ENGINE_CAN_LIMIT))
        return;
    race_with(1);
    /* Where clocks of two kinds are corrected against each other, they may drift a little. */
    cr_assert_leq(most_within(WINDOW_MS - 5), LIMIT);
}

Test(limits_in_time, a_bucket_grants_its_capacity_and_what_refills_it)
{
    if (!can(ENGINE_CAN_LIMIT))
        return;
    race_with(2);
    for (uint64_t ms = 15; ms <= WINDOWS * WINDOW_MS; ms += 15)
        cr_assert_leq(most_within(ms), LIMIT + (ms + 5) * LIMIT / WINDOW_MS + 1, "within %llu ms",
                      (unsigned long long)ms);
}
