/* Counters: bounds, ends of 64 bits, time to live. */
#include "engines/primitives/counter.h"

#include "tests/unit/engines/primitives/steps.h"

static void start(void)
{
    cell = (struct cell){ .len = 0 };
}

TestSuite(counter, .init = start);

static struct engine_counter step(enum engine_verb verb, struct engine_counter counter, uint64_t now_us,
                                  enum engine_status expected)
{
    struct engine_op op = { .verb = verb, .counter = &counter };
    enum cell_change change = apply(&op, now_us);

    cr_assert_eq(op.status, expected, "%s: %s, not %s", engine_verb_name(verb), engine_status_name(op.status),
                 engine_status_name(expected));
    if (expected == ENGINE_OK && (verb == ENGINE_COUNTER_ADD || verb == ENGINE_COUNTER_SET))
        cr_assert_eq(change, CELL_STORE);
    else if (expected != ENGINE_OK || verb == ENGINE_COUNTER_GET)
        cr_assert_eq(change, CELL_KEEP);
    return counter;
}

static struct engine_counter add(int64_t by, enum engine_status expected)
{
    return step(ENGINE_COUNTER_ADD,
                (struct engine_counter){ .by = by, .min = INT64_MIN, .max = INT64_MAX, .ttl_ms = ENGINE_NO_EXPIRY },
                START_US, expected);
}

static struct engine_counter set(int64_t value)
{
    return step(ENGINE_COUNTER_SET, (struct engine_counter){ .value = value, .ttl_ms = ENGINE_NO_EXPIRY }, START_US,
                ENGINE_OK);
}

static struct engine_counter look(uint64_t now_us, enum engine_status expected)
{
    return step(ENGINE_COUNTER_GET, (struct engine_counter){ .created = true }, now_us, expected);
}

Test(counter, begins_at_initial_and_adds)
{
    struct engine_counter counter = {
        .by = 5, .initial = 10, .min = INT64_MIN, .max = INT64_MAX, .ttl_ms = ENGINE_NO_EXPIRY
    };
    struct engine_counter first = step(ENGINE_COUNTER_ADD, counter, START_US, ENGINE_OK);
    struct engine_counter second = step(ENGINE_COUNTER_ADD, counter, START_US, ENGINE_OK);

    cr_assert_eq(first.value, 15);
    cr_assert(first.created);
    cr_assert_eq(second.value, 20);
    cr_assert(!second.created);
    cr_assert_eq(second.ttl_ms, ENGINE_NO_EXPIRY);
    cr_assert_eq(add(-30, ENGINE_OK).value, -10);
    cr_assert_eq(look(START_US, ENGINE_OK).value, -10);
}

Test(counter, its_record_is_what_the_header_says)
{
    static const unsigned char record[] = { 'C', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe };

    set(-2);
    cr_assert_eq(cell.len, COUNTER_BYTES);
    cr_assert_eq(memcmp(cell.bytes, record, sizeof record), 0);
    cr_assert_eq(cell.expires_ms, 0);
}

Test(counter, stays_within_its_bounds)
{
    struct engine_counter up = { .by = 4, .min = 0, .max = 10, .ttl_ms = ENGINE_NO_EXPIRY }, down = up, bound;

    down.by = -4;
    cr_assert_eq(step(ENGINE_COUNTER_ADD, up, START_US, ENGINE_OK).value, 4);
    cr_assert_eq(step(ENGINE_COUNTER_ADD, up, START_US, ENGINE_OK).value, 8);
    bound = step(ENGINE_COUNTER_ADD, up, START_US, ENGINE_BOUND);
    cr_assert_eq(bound.value, 8);
    cr_assert(!bound.created);
    up.by = 2;
    cr_assert_eq(step(ENGINE_COUNTER_ADD, up, START_US, ENGINE_OK).value, 10, "a bound belongs to the range");
    for (int i = 0; i < 2; i++)
        step(ENGINE_COUNTER_ADD, down, START_US, ENGINE_OK);
    cr_assert_eq(step(ENGINE_COUNTER_ADD, down, START_US, ENGINE_BOUND).value, 2);
}

Test(counter, outside_its_bounds_it_can_only_be_brought_back)
{
    struct engine_counter counter = { .by = -5, .min = 0, .max = 10 };

    set(20);
    cr_assert_eq(step(ENGINE_COUNTER_ADD, counter, START_US, ENGINE_BOUND).value, 20);
    counter.by = -10;
    cr_assert_eq(step(ENGINE_COUNTER_ADD, counter, START_US, ENGINE_OK).value, 10);
}

Test(counter, a_bound_at_its_creation_creates_nothing)
{
    struct engine_counter counter = { .by = 5, .initial = 8, .min = 0, .max = 10, .ttl_ms = 60000 };
    struct engine_counter bound = step(ENGINE_COUNTER_ADD, counter, START_US, ENGINE_BOUND);

    cr_assert_eq(bound.value, 8);
    cr_assert_eq(bound.ttl_ms, ENGINE_NO_EXPIRY);
    cr_assert(!bound.created);
    look(START_US, ENGINE_MISS);
    counter = (struct engine_counter){ .by = 1, .initial = INT64_MAX, .min = INT64_MIN, .max = INT64_MAX };
    cr_assert_eq(step(ENGINE_COUNTER_ADD, counter, START_US, ENGINE_BOUND).value, INT64_MAX);
    look(START_US, ENGINE_MISS);
}

Test(counter, stops_at_both_ends_of_64_bits)
{
    set(INT64_MAX - 1);
    cr_assert_eq(add(1, ENGINE_OK).value, INT64_MAX);
    cr_assert_eq(add(1, ENGINE_BOUND).value, INT64_MAX);
    cr_assert_eq(add(INT64_MAX, ENGINE_BOUND).value, INT64_MAX);
    cr_assert_eq(add(INT64_MIN, ENGINE_OK).value, -1);
    cr_assert_eq(add(INT64_MIN, ENGINE_BOUND).value, -1);
    set(INT64_MIN);
    cr_assert_eq(add(-1, ENGINE_BOUND).value, INT64_MIN);
    cr_assert_eq(look(START_US, ENGINE_OK).value, INT64_MIN);
    cr_assert_eq(add(0, ENGINE_OK).value, INT64_MIN);
}

Test(counter, its_ttl_is_that_of_its_creation)
{
    struct engine_counter counter = { .by = 1, .min = INT64_MIN, .max = INT64_MAX, .ttl_ms = 1000 };

    cr_assert_eq(step(ENGINE_COUNTER_ADD, counter, START_US, ENGINE_OK).ttl_ms, 1000);
    counter.ttl_ms = 90000;
    cr_assert_eq(step(ENGINE_COUNTER_ADD, counter, START_US + 400000, ENGINE_OK).ttl_ms, 600);
    cr_assert_eq(look(START_US + 999999, ENGINE_OK).ttl_ms, 1);
    look(START_US + 1000000, ENGINE_MISS);
    counter = step(ENGINE_COUNTER_ADD, counter, START_US + 1000000, ENGINE_OK);
    cr_assert(counter.created);
    cr_assert_eq(counter.value, 1);
    cr_assert_eq(counter.ttl_ms, 90000);
}

Test(counter, set_replaces_value_and_ttl)
{
    struct engine_counter counter = { .value = 7, .ttl_ms = 500 };

    counter = step(ENGINE_COUNTER_SET, counter, START_US, ENGINE_OK);
    cr_assert(counter.created);
    cr_assert_eq(look(START_US, ENGINE_OK).ttl_ms, 500);
    cr_assert(!set(9).created);
    cr_assert_eq(look(START_US, ENGINE_OK).ttl_ms, ENGINE_NO_EXPIRY);
    cr_assert_eq(look(START_US, ENGINE_OK).value, 9);
    cr_assert(!look(START_US, ENGINE_OK).created);
    counter.ttl_ms = 100;
    step(ENGINE_COUNTER_SET, counter, START_US, ENGINE_OK);
    cr_assert(step(ENGINE_COUNTER_SET, counter, START_US + 100000, ENGINE_OK).created, "the one before was over");
}

Test(counter, delete_removes_what_stands)
{
    step(ENGINE_COUNTER_DELETE, (struct engine_counter){ 0 }, START_US, ENGINE_MISS);
    set(3);
    step(ENGINE_COUNTER_DELETE, (struct engine_counter){ 0 }, START_US, ENGINE_OK);
    look(START_US, ENGINE_MISS);
    step(ENGINE_COUNTER_SET, (struct engine_counter){ .ttl_ms = 10 }, START_US, ENGINE_OK);
    step(ENGINE_COUNTER_DELETE, (struct engine_counter){ 0 }, START_US + 10000, ENGINE_MISS);
}

Test(counter, a_damaged_record_is_a_failure)
{
    static const enum engine_verb verbs[] = { ENGINE_COUNTER_ADD, ENGINE_COUNTER_GET, ENGINE_COUNTER_SET,
                                              ENGINE_COUNTER_DELETE };

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        struct engine_counter counter = { .max = 100 };
        set(1);
        cell.len = COUNTER_BYTES - 1;
        step(verbs[i], counter, START_US, ENGINE_FAILED);
        cell.len = COUNTER_BYTES + 1;
        step(verbs[i], counter, START_US, ENGINE_FAILED);
        cell.len = COUNTER_BYTES;
        cell.bytes[0] = 'K';
        step(verbs[i], counter, START_US, ENGINE_FAILED);
        start();
    }
}
