/* The store: counters, limits and locks as records of their own. What a step
 * computes is tested with engines/primitives. */
#include <criterion/criterion.h>

#include "tests/unit/engines/memory/store_fixture.h"

#define A BYTES("a")
#define NS BYTES("ns")

static void open_roomy(void)
{
    open_store(1 << 20, 8);
}

static void check_and_close(void)
{
    const char *fault = store_check(store);

    cr_expect_null(fault, "%s", fault);
    close_store();
}

TestSuite(cells, .init = open_roomy, .fini = check_and_close);

static enum engine_status count(enum engine_verb verb, struct bytes key, int64_t by, struct engine_counter *counter)
{
    struct engine_op op = op_for(verb, NS, key);

    *counter = (struct engine_counter){ .by = by, .min = INT64_MIN, .max = INT64_MAX, .value = by, .ttl_ms = ttl };
    op.counter = counter;
    store_do(store, &op);
    return op.status;
}

static int64_t add(struct bytes key, int64_t by)
{
    struct engine_counter counter;

    cr_assert_eq(count(ENGINE_COUNTER_ADD, key, by, &counter), ENGINE_OK);
    return counter.value;
}

static enum engine_status lock_step(enum engine_verb verb, struct bytes key, char token, struct engine_lock *lock)
{
    struct engine_op op = op_for(verb, NS, key);

    *lock = (struct engine_lock){ .ttl_ms = 10000 };
    memset(lock->token, token, sizeof lock->token);
    op.lock = lock;
    store_do(store, &op);
    return op.status;
}

static enum engine_status take(struct bytes key, uint64_t limit)
{
    struct engine_rate rate = { .algorithm = ENGINE_SLIDING_WINDOW, .limit = limit, .cost = 1, .window_ms = 1000 };
    struct engine_op op = op_for(ENGINE_LIMIT_TAKE, NS, key);

    op.rate = &rate;
    store_do(store, &op);
    return op.status;
}

Test(cells, a_counter_a_limit_a_lock_and_an_entry_of_one_name_never_meet)
{
    struct engine_counter counter;
    struct engine_lock lock;

    put(NS, A, 9);
    cr_assert_eq(add(A, 5), 5);
    cr_assert_eq(take(A, 1), ENGINE_OK);
    cr_assert_eq(take(A, 1), ENGINE_LIMITED);
    cr_assert_eq(lock_step(ENGINE_LOCK_ACQUIRE, A, 'x', &lock), ENGINE_OK);
    cr_assert_eq(lock_step(ENGINE_LOCK_ACQUIRE, A, 'y', &lock), ENGINE_HELD);
    cr_assert_eq(add(A, 5), 10);
    cr_assert_eq(get(NS, A).entry.bytes, 9);
    cr_assert_eq(count(ENGINE_COUNTER_DELETE, A, 0, &counter), ENGINE_OK);
    cr_assert_eq(count(ENGINE_COUNTER_GET, A, 0, &counter), ENGINE_MISS);
    cr_assert_eq(lock_step(ENGINE_LOCK_GET, A, 'x', &lock), ENGINE_OK);
    cr_assert_eq(get(NS, A).status, ENGINE_OK);
    cr_assert_eq(stats().cells, 2);
}

Test(cells, no_flush_reaches_them_and_no_count_or_listing_shows_them)
{
    struct engine_listing listing = { .limit = 10 };
    struct engine_lock lock;

    add(A, 5);
    cr_assert_eq(lock_step(ENGINE_LOCK_ACQUIRE, A, 'x', &lock), ENGINE_OK);
    flush(NS);
    flush_tag(NS, A);
    flush(BYTES_NONE);
    sweep_all();
    cr_assert_eq(add(A, 1), 6);
    cr_assert_eq(lock_step(ENGINE_LOCK_ACQUIRE, A, 'y', &lock), ENGINE_HELD);
    cr_assert_eq(list_page(ENGINE_LIST, NS, &listing), ENGINE_OK);
    cr_assert_eq(listing.page->count, 0);
    free(listing.page);
    cr_assert_eq(census(NS).entries, 0);
    cr_assert_eq(stats().entries, 0);
}

Test(cells, eviction_passes_them_over)
{
    for (unsigned long i = 0; i < 1000; i++)
        add(numbered(i), (int64_t)i);
    for (unsigned long i = 0; i < 20000; i++)
        cr_assert_eq(put(NS, numbered(i), 500).status, ENGINE_CREATED);
    cr_assert_gt(stats().evictions, 1000);
    for (unsigned long i = 0; i < 1000; i++)
        cr_assert_eq(add(numbered(i), 1), (int64_t)i + 1);
}

Test(cells, entries_give_way_to_them_and_then_they_are_refused_and_keep_what_they_have)
{
    struct engine_counter counter;
    enum engine_status status;
    unsigned long next = 0;

    for (unsigned long i = 0; i < 1000; i++)
        put(NS, numbered(i), 500);
    ttl = 3600000;
    do
        status = count(ENGINE_COUNTER_ADD, numbered(next++), 1, &counter);
    while (status == ENGINE_OK);
    cr_assert_eq(status, ENGINE_FULL);
    cr_assert_eq(counter.ttl_ms, 3600000);
    cr_assert_eq(stats().entries, 0);
    cr_assert_eq(stats().cells, next - 1);
    for (unsigned long i = 0; i < next - 1; i++)
        cr_assert_eq(add(numbered(i), 1), 2);
    cr_assert_eq(put(NS, A, 100000).status, ENGINE_FULL);
    cr_assert_null(store_check(store));
}

Test(cells, they_end_by_their_time_and_are_collected)
{
    struct engine_counter counter;
    uint64_t before = stats().bytes;

    ttl = 1000;
    for (unsigned long i = 0; i < 500; i++)
        add(numbered(i), 1);
    now += 900 * NS_PER_MS;
    sweep_all();
    cr_assert_eq(stats().cells, 500);
    cr_assert_eq(count(ENGINE_COUNTER_GET, numbered(3), 0, &counter), ENGINE_OK);
    cr_assert_leq(counter.ttl_ms, 100);
    now += 101 * NS_PER_MS;
    cr_assert_eq(count(ENGINE_COUNTER_GET, numbered(3), 0, &counter), ENGINE_MISS);
    sweep_all();
    cr_assert_eq(stats().cells, 0);
    cr_assert_lt(stats().bytes, before + 8 * 8192);
}

Test(cells, a_record_that_grows_keeps_what_it_knows)
{
    for (int i = 0; i < 40; i++) {
        cr_assert_eq(take(A, 40), ENGINE_OK);
        now += 20 * NS_PER_MS;
        cr_assert_null(store_check(store));
    }
    cr_assert_eq(take(A, 40), ENGINE_LIMITED);
    cr_assert_eq(stats().cells, 1);
}

Test(cells, a_name_beyond_its_limits_is_refused)
{
    static char text[8192];
    struct engine_counter counter;

    cr_assert_eq(count(ENGINE_COUNTER_ADD, bytes_of(text, 4096), 1, &counter), ENGINE_OK);
    cr_assert_eq(count(ENGINE_COUNTER_ADD, bytes_of(text, 4097), 1, &counter), ENGINE_FAILED);
}
