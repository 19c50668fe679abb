/* Entries, counters, limits and locks live in spaces of their own. */
#include <criterion/criterion.h>

#include "tests/contract/contract.h"

#define NS BYTES("spaces")
#define KEY BYTES("same")
#define DAY_MS (INT64_C(24) * 3600 * 1000)

TestSuite(spaces, .init = contract_open, .fini = contract_close, .timeout = 60);

static struct engine_counter add(enum engine_status expected, const char *what)
{
    struct engine_counter counter = { .by = 1, .min = INT64_MIN, .max = INT64_MAX, .ttl_ms = ENGINE_NO_EXPIRY };
    struct engine_op op = op_for(ENGINE_COUNTER_ADD, NS, KEY);

    op.counter = &counter;
    expect_status(run(op), expected, what);
    return counter;
}

static struct engine_rate take(uint64_t cost)
{
    struct engine_rate rate = { .limit = 10, .cost = cost, .window_ms = DAY_MS };
    struct engine_op op = op_for(ENGINE_LIMIT_TAKE, NS, KEY);

    op.rate = &rate;
    expect_status(run(op), ENGINE_OK, "take");
    return rate;
}

static void lock_as(enum engine_verb verb, enum engine_status expected, const char *what)
{
    struct engine_lock lock = { .ttl_ms = 60000, .token = "0123456789abcdef" };
    struct engine_op op = op_for(verb, NS, KEY);

    op.lock = &lock;
    expect_status(run(op), expected, what);
}

#define ALL (ENGINE_CAN_COUNT | ENGINE_CAN_LIMIT | ENGINE_CAN_LOCK)

static void fill(void)
{
    expect_status(put(NS, KEY, BYTES("entry")), ENGINE_CREATED, "entry");
    cr_assert(add(ENGINE_OK, "counter").created);
    cr_assert_eq(take(3).remaining, 7);
    lock_as(ENGINE_LOCK_ACQUIRE, ENGINE_OK, "lock");
}

static void expect_cells(const char *what)
{
    struct engine_counter counter = add(ENGINE_OK, what);

    cr_assert(!counter.created, "%s: the counter was gone", what);
    cr_assert_eq(take(0).remaining, 7, "%s: the limit was gone", what);
    lock_as(ENGINE_LOCK_GET, ENGINE_OK, what);
}

Test(spaces, the_engine_can_do_what_is_promised_of_it)
{
    unsigned missing = engine_under_test.promises() & ~engine->capabilities;

    cr_assert_eq(missing, 0, "capabilities %#x are missing", missing);
}

Test(spaces, the_same_name_in_each_is_another_thing)
{
    if (!can(ALL))
        return;
    fill();
    expect_value(NS, KEY, BYTES("entry"), "beside the others");
    expect_cells("beside each other");
    expect_status(delete_if(NS, KEY, NULL), ENGINE_OK, "delete");
    expect_cells("without the entry");
    expect_status(get(NS, KEY), ENGINE_MISS, "a counter is not an entry");
    expect_status(put(NS, KEY, BYTES("anew")), ENGINE_CREATED, "put");
    expect_cells("beside a new entry");
}

Test(spaces, removing_one_leaves_the_others)
{
    struct engine_counter counter = { .by = 0 };
    struct engine_op op;

    if (!can(ALL))
        return;
    fill();
    op = op_for(ENGINE_COUNTER_DELETE, NS, KEY);
    op.counter = &counter;
    expect_status(run(op), ENGINE_OK, "delete of the counter");
    lock_as(ENGINE_LOCK_RELEASE, ENGINE_OK, "release");
    expect_value(NS, KEY, BYTES("entry"), "the entry stands");
    cr_assert_eq(take(0).remaining, 7);
    cr_assert(add(ENGINE_OK, "counter").created);
    lock_as(ENGINE_LOCK_GET, ENGINE_MISS, "released");
}

Test(spaces, no_flush_reaches_what_is_not_an_entry)
{
    if (!can(ALL | ENGINE_CAN_FLUSH))
        return;
    fill();
    expect_status(flush(NS), ENGINE_OK, "flush");
    expect_status(get(NS, KEY), ENGINE_MISS, "the entry is gone");
    expect_cells("after a flush of the namespace");
    expect_status(flush(BYTES_NONE), ENGINE_OK, "flush");
    expect_cells("after a flush of all");
    if (engine->capabilities & ENGINE_CAN_TAG) {
        expect_status(flush_tag(NS, KEY), ENGINE_OK, "flush");
        expect_cells("after a flush of a tag");
    }
}

Test(spaces, namespaces_keep_them_apart)
{
    struct engine_counter counter = { .by = 1, .min = INT64_MIN, .max = INT64_MAX, .ttl_ms = ENGINE_NO_EXPIRY };
    struct engine_op op = op_for(ENGINE_COUNTER_ADD, BYTES("space"), BYTES("ssame"));

    if (!can(ENGINE_CAN_COUNT))
        return;
    add(ENGINE_OK, "one");
    op.counter = &counter;
    expect_status(run(op), ENGINE_OK, "names that are the same when joined");
    cr_assert(counter.created);
}

Test(spaces, one_batch_may_hold_all_verbs)
{
    struct engine_counter counter = { .by = 4, .min = INT64_MIN, .max = INT64_MAX, .ttl_ms = ENGINE_NO_EXPIRY };
    struct engine_rate rate = { .limit = 10, .cost = 4, .window_ms = DAY_MS };
    struct engine_lock lock = { .ttl_ms = 60000 };
    struct engine_op ops[5] = { op_for(ENGINE_PUT, NS, KEY), op_for(ENGINE_COUNTER_ADD, NS, KEY),
                                op_for(ENGINE_LIMIT_TAKE, NS, KEY), op_for(ENGINE_LOCK_ACQUIRE, NS, KEY),
                                op_for(ENGINE_GET, NS, BYTES("other")) };

    if (!can(ALL))
        return;
    ops[0].value = value_for(BYTES("x"), BYTES("text/plain"));
    ops[1].counter = &counter;
    ops[2].rate = &rate;
    ops[3].lock = &lock;
    client_run_batch(&client, ops, 5);
    value_unref(ops[0].value);
    expect_status(ops[0], ENGINE_CREATED, "put");
    expect_status(ops[1], ENGINE_OK, "counter");
    expect_status(ops[2], ENGINE_OK, "limit");
    expect_status(ops[3], ENGINE_OK, "lock");
    expect_status(ops[4], ENGINE_MISS, "get");
    cr_assert_eq(counter.value, 4);
    cr_assert_eq(rate.remaining, 6);
    cr_assert_gt(lock.fence, 0);
}
