/* Counters: one atomic step each, exact in 64 bits. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "tests/contract/contract.h"

#define NS BYTES("counters")
#define KEY BYTES("key")
#define MARGIN_MS 60

TestSuite(counters, .init = contract_open_timed, .fini = contract_close, .timeout = 60);

static const struct engine_counter plain = {
    .by = 1, .min = INT64_MIN, .max = INT64_MAX, .ttl_ms = ENGINE_NO_EXPIRY
};

/* Results come back in what is returned. */
static struct engine_counter count(enum engine_verb verb, struct bytes key, struct engine_counter counter,
                                   enum engine_status expected, const char *what)
{
    struct engine_op op = op_for(verb, NS, key);

    op.counter = &counter;
    expect_status(run(op), expected, what);
    return counter;
}

static struct engine_counter add(int64_t by, enum engine_status expected, const char *what)
{
    struct engine_counter counter = plain;

    counter.by = by;
    return count(ENGINE_COUNTER_ADD, KEY, counter, expected, what);
}

static struct engine_counter set(int64_t value, int64_t ttl_ms)
{
    struct engine_counter counter = { .value = value, .ttl_ms = ttl_ms };

    return count(ENGINE_COUNTER_SET, KEY, counter, ENGINE_OK, "set");
}

static void expect_value_of(int64_t value, const char *what)
{
    int64_t found = count(ENGINE_COUNTER_GET, KEY, plain, ENGINE_OK, what).value;

    cr_assert_eq(found, value, "%s: %lld", what, (long long)found);
}

Test(counters, are_created_and_added_to)
{
    struct engine_counter counter = plain;

    if (!can(ENGINE_CAN_COUNT))
        return;
    counter.initial = 10;
    counter.by = 5;
    counter = count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_OK, "first");
    cr_assert_eq(counter.value, 15);
    cr_assert(counter.created);
    cr_assert_eq(counter.ttl_ms, ENGINE_NO_EXPIRY);
    counter = add(-20, ENGINE_OK, "second");
    cr_assert_eq(counter.value, -5);
    cr_assert(!counter.created);
    cr_assert_eq(counter.ttl_ms, ENGINE_NO_EXPIRY);
    expect_value_of(-5, "read");
    cr_assert_eq(add(0, ENGINE_OK, "zero").value, -5);
}

Test(counters, that_do_not_stand_are_missed)
{
    if (!can(ENGINE_CAN_COUNT))
        return;
    count(ENGINE_COUNTER_GET, KEY, plain, ENGINE_MISS, "get");
    count(ENGINE_COUNTER_DELETE, KEY, plain, ENGINE_MISS, "delete");
    add(1, ENGINE_OK, "add");
    count(ENGINE_COUNTER_DELETE, KEY, plain, ENGINE_OK, "delete");
    count(ENGINE_COUNTER_GET, KEY, plain, ENGINE_MISS, "get, deleted");
    cr_assert(add(1, ENGINE_OK, "add anew").created);
    expect_value_of(1, "anew");
}

Test(counters, stay_within_bounds)
{
    struct engine_counter counter = { .by = 6, .initial = 1, .min = 0, .max = 10, .ttl_ms = ENGINE_NO_EXPIRY };

    if (!can(ENGINE_CAN_COUNT))
        return;
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_OK, "within").value, 7);
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_BOUND, "above").value, 7);
    counter.by = 3;
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_OK, "up to it").value, 10);
    counter.by = -11;
    counter = count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_BOUND, "below");
    cr_assert_eq(counter.value, 10);
    cr_assert(!counter.created);
    counter.by = -10;
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_OK, "down to it").value, 0);
    expect_value_of(0, "read");
}

Test(counters, outside_their_bounds_can_only_be_brought_back)
{
    struct engine_counter counter = { .by = -5, .min = 0, .max = 10, .ttl_ms = ENGINE_NO_EXPIRY };

    if (!can(ENGINE_CAN_COUNT))
        return;
    set(20, ENGINE_NO_EXPIRY);
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_BOUND, "not yet inside").value, 20);
    counter.by = -12;
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_OK, "inside").value, 8);
}

Test(counters, that_would_begin_out_of_bounds_are_not_created)
{
    struct engine_counter counter = { .by = 5, .initial = 8, .min = 0, .max = 10, .ttl_ms = 60000 };

    if (!can(ENGINE_CAN_COUNT))
        return;
    counter = count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_BOUND, "above");
    cr_assert_eq(counter.value, 8);
    cr_assert(!counter.created);
    cr_assert_eq(counter.ttl_ms, ENGINE_NO_EXPIRY);
    count(ENGINE_COUNTER_GET, KEY, plain, ENGINE_MISS, "nothing was created");
    counter = plain;
    counter.initial = INT64_MIN;
    counter.by = -1;
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_BOUND, "64 bits").value, INT64_MIN);
    count(ENGINE_COUNTER_GET, KEY, plain, ENGINE_MISS, "nothing was created");
}

Test(counters, stop_at_the_ends_of_64_bits)
{
    if (!can(ENGINE_CAN_COUNT))
        return;
    set(INT64_MAX - 1, ENGINE_NO_EXPIRY);
    cr_assert_eq(add(1, ENGINE_OK, "the last").value, INT64_MAX);
    cr_assert_eq(add(1, ENGINE_BOUND, "beyond").value, INT64_MAX);
    cr_assert_eq(add(INT64_MIN, ENGINE_OK, "far down").value, -1);
    cr_assert_eq(add(INT64_MIN, ENGINE_BOUND, "further").value, -1);
    set(INT64_MIN, ENGINE_NO_EXPIRY);
    cr_assert_eq(add(-1, ENGINE_BOUND, "below").value, INT64_MIN);
    cr_assert_eq(add(INT64_MAX, ENGINE_OK, "far up").value, -1);
    expect_value_of(-1, "read");
}

Test(counters, are_exact_where_a_double_is_not)
{
    static const int64_t odd = (INT64_C(1) << 53) + 1;
    struct engine_counter counter = { .by = 1, .min = odd - 1, .max = odd + 1, .ttl_ms = ENGINE_NO_EXPIRY };

    if (!can(ENGINE_CAN_COUNT))
        return;
    set(odd, ENGINE_NO_EXPIRY);
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_OK, "to its bound").value, odd + 1);
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_BOUND, "beyond").value, odd + 1);
    counter.by = -3;
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_BOUND, "below").value, odd + 1);
    counter = (struct engine_counter){ .by = 1, .min = INT64_MIN, .max = INT64_MAX - 1 };
    set(INT64_MAX - 2, ENGINE_NO_EXPIRY);
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_OK, "one below the end").value, INT64_MAX - 1);
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_BOUND, "the end").value, INT64_MAX - 1);
    counter = (struct engine_counter){ .by = -1, .min = -odd - 1, .max = -odd };
    set(-odd, ENGINE_NO_EXPIRY);
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_OK, "down to it").value, -odd - 1);
    cr_assert_eq(count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_BOUND, "further").value, -odd - 1);
}

Test(counters, keep_the_time_of_their_creation)
{
    struct engine_counter counter = plain;

    if (!can(ENGINE_CAN_COUNT))
        return;
    counter.ttl_ms = 800;
    counter = count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_OK, "created");
    cr_assert(counter.ttl_ms > 700 && counter.ttl_ms <= 800);
    pass_ms(200);
    counter.ttl_ms = 90000;
    counter = count(ENGINE_COUNTER_ADD, KEY, counter, ENGINE_OK, "again");
    cr_assert(counter.ttl_ms > 0 && counter.ttl_ms <= 600);
    counter = count(ENGINE_COUNTER_GET, KEY, plain, ENGINE_OK, "read");
    cr_assert_eq(counter.value, 2);
    cr_assert(counter.ttl_ms > 0 && counter.ttl_ms <= 600);
    pass_ms(600 + MARGIN_MS);
    count(ENGINE_COUNTER_GET, KEY, plain, ENGINE_MISS, "gone");
    count(ENGINE_COUNTER_DELETE, KEY, plain, ENGINE_MISS, "delete, gone");
    counter = add(1, ENGINE_OK, "anew");
    cr_assert(counter.created);
    cr_assert_eq(counter.value, 1);
    cr_assert_eq(counter.ttl_ms, ENGINE_NO_EXPIRY);
}

Test(counters, are_set_with_value_and_time)
{
    struct engine_counter counter;

    if (!can(ENGINE_CAN_COUNT))
        return;
    cr_assert(set(5, 60000).created);
    counter = count(ENGINE_COUNTER_GET, KEY, plain, ENGINE_OK, "get");
    cr_assert(counter.ttl_ms > 50000 && counter.ttl_ms <= 60000);
    cr_assert(!set(-7, ENGINE_NO_EXPIRY).created);
    counter = count(ENGINE_COUNTER_GET, KEY, plain, ENGINE_OK, "get");
    cr_assert_eq(counter.value, -7);
    cr_assert_eq(counter.ttl_ms, ENGINE_NO_EXPIRY);
    set(9, 200);
    pass_ms(200 + MARGIN_MS);
    count(ENGINE_COUNTER_GET, KEY, plain, ENGINE_MISS, "gone");
}

Test(counters, of_ten_years_work)
{
    static const int64_t years = INT64_C(3650) * 24 * 3600 * 1000;

    if (!can(ENGINE_CAN_COUNT))
        return;
    set(1, years);
    cr_assert_geq(count(ENGINE_COUNTER_GET, KEY, plain, ENGINE_OK, "get").ttl_ms, years - 10000);
    cr_assert_geq(add(1, ENGINE_OK, "add").ttl_ms, years - 10000);
}

Test(counters, have_names_of_any_bytes)
{
    char longest[1024] = "";
    const struct bytes keys[] = { BYTES("a b\r\n"),
                                  BYTES("\0"),
                                  BYTES("\0\0"),
                                  BYTES("\xff{x}"),
                                  BYTES("a/b"),
                                  bytes_of(longest, sizeof longest),
                                  bytes_of(longest, sizeof longest - 1) };

    if (!can(ENGINE_CAN_COUNT))
        return;
    memset(longest, 'k', sizeof longest);
    for (size_t round = 1; round <= 2; round++) {
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            struct engine_counter counter = plain;
            counter.by = (int64_t)i + 1;
            counter = count(ENGINE_COUNTER_ADD, keys[i], counter, ENGINE_OK, "add");
            cr_assert_eq(counter.value, (int64_t)(round * (i + 1)), "key %zu", i);
        }
    }
}

Test(counters, in_one_batch_count_every_addition_once)
{
    enum { COUNT = 200 };
    static struct engine_op ops[COUNT];
    static struct engine_counter counters[COUNT];
    bool seen[COUNT + 1] = { false };

    if (!can(ENGINE_CAN_COUNT))
        return;
    for (int i = 0; i < COUNT; i++) {
        ops[i] = op_for(ENGINE_COUNTER_ADD, NS, KEY);
        counters[i] = plain;
        ops[i].counter = &counters[i];
    }
    client_run_batch(&client, ops, COUNT);
    for (int i = 0; i < COUNT; i++) {
        expect_status(ops[i], ENGINE_OK, "add");
        cr_assert(counters[i].value >= 1 && counters[i].value <= COUNT);
        cr_assert(!seen[counters[i].value], "a value was given twice");
        seen[counters[i].value] = true;
        cr_assert_eq(counters[i].created, counters[i].value == 1);
    }
}

/* ---- Races ---- */

enum { RACERS = 4, ADDITIONS = 100 };

static void race_to_add(struct racer *racer)
{
    for (int i = 0; i < ADDITIONS; i++) {
        struct engine_op op = op_for(ENGINE_COUNTER_ADD, NS, KEY);
        struct engine_counter counter = plain;
        counter.by = i % 2 ? 3 : -1;
        op.counter = &counter;
        client_run(&racer->client, &op);
        racer->failed += op.status != ENGINE_OK;
    }
}

Test(counters, of_racing_clients_add_up_exactly)
{
    if (!can(ENGINE_CAN_COUNT))
        return;
    race(RACERS, race_to_add);
    expect_value_of(RACERS * ADDITIONS, "the sum");
}

static unsigned taken[RACERS_MAX];

static void race_for_places(struct racer *racer)
{
    for (int i = 0; i < 20; i++) {
        struct engine_op op = op_for(ENGINE_COUNTER_ADD, NS, KEY);
        struct engine_counter counter = { .by = 1, .min = 0, .max = 50, .ttl_ms = ENGINE_NO_EXPIRY };
        op.counter = &counter;
        client_run(&racer->client, &op);
        taken[racer->index] += op.status == ENGINE_OK;
        racer->failed += op.status != ENGINE_OK && op.status != ENGINE_BOUND;
    }
}

Test(counters, grant_racing_clients_no_more_than_their_bound)
{
    unsigned sum = 0;

    if (!can(ENGINE_CAN_COUNT))
        return;
    race(RACERS_MAX, race_for_places);
    for (size_t i = 0; i < RACERS_MAX; i++)
        sum += taken[i];
    cr_assert_eq(sum, 50);
    expect_value_of(50, "at its bound");
}
