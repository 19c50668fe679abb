/* The store's budget and what gives way to what. */
#include <criterion/criterion.h>

#include "tests/unit/engines/memory/store_fixture.h"

#define MIB ((size_t)1 << 20)
#define NS BYTES("ns")

static void check_and_close(void)
{
    const char *fault = store_check(store);

    cr_expect_null(fault, "%s", fault);
    close_store();
}

TestSuite(room, .fini = check_and_close);

/* Writes numbered entries until the first eviction; returns the next number. */
static unsigned long fill(size_t len)
{
    unsigned long next = 0;

    while (stats().evictions == 0)
        cr_assert_eq(put(NS, numbered(next++), len).status, ENGINE_CREATED);
    return next;
}

Test(room, the_least_recently_used_goes_first)
{
    unsigned long next;

    open_store(1 * MIB, 1);
    for (next = 0; next < 60; next++)
        put(NS, numbered(next), 10000);
    cr_assert_eq(stats().evictions, 0);
    cr_assert_eq(get(NS, numbered(0)).status, ENGINE_OK);
    cr_assert_eq(put(NS, numbered(2), 9000).status, ENGINE_OK);
    while (stats().evictions < 3)
        put(NS, numbered(next++), 10000);
    cr_assert_eq(get(NS, numbered(1)).status, ENGINE_MISS);
    cr_assert_eq(get(NS, numbered(3)).status, ENGINE_MISS);
    cr_assert_eq(get(NS, numbered(4)).status, ENGINE_MISS);
    cr_assert_eq(get(NS, numbered(0)).status, ENGINE_OK);
    cr_assert_eq(get(NS, numbered(2)).status, ENGINE_OK);
    cr_assert_eq(get(NS, numbered(5)).status, ENGINE_OK);
}

Test(room, among_few_entries_the_order_holds_across_all_shards)
{
    open_store(1 * MIB, 64);
    for (unsigned long i = 0; i < 200; i++) {
        cr_assert_eq(put(NS, numbered(i), 200 * 1024).status, ENGINE_CREATED);
        for (unsigned long j = i > 2 ? i - 2 : 0; j <= i; j++)
            cr_assert_eq(get(NS, numbered(j)).status, ENGINE_OK, "%lu after %lu", j, i);
    }
}

Test(room, a_write_is_there_right_after_it_whatever_its_size)
{
    static const size_t sizes[] = { 10, 100000, 3000000, 8 << 20, 1, 5000, 6000000 };

    open_store(16 * MIB, 64);
    for (unsigned long i = 0; i < 300; i++) {
        size_t len = sizes[i % 7];
        cr_assert_eq(put(NS, numbered(i), len).status, ENGINE_CREATED);
        cr_assert_eq(get(NS, numbered(i)).entry.bytes, len);
        cr_assert_leq(stats().bytes, 16 * MIB);
    }
    cr_assert_gt(stats().evictions, 0);
}

Test(room, eight_mebibytes_fit_into_sixteen_that_are_full_of_small_entries)
{
    open_store(16 * MIB, 64);
    fill(100);
    cr_assert_eq(put(NS, BYTES("large"), 8 * MIB).status, ENGINE_CREATED);
    cr_assert_eq(get(NS, BYTES("large")).entry.bytes, 8 * MIB);
    cr_assert_gt(stats().entries, 1000);
}

Test(room, the_budget_is_used_to_the_brim_and_never_passed)
{
    open_store(4 * MIB, 64);
    for (unsigned long i = 0; i < 60000; i++) {
        cr_assert_eq(put(NS, numbered(i), i % 300).status, ENGINE_CREATED);
        cr_assert_leq(stats().bytes, 4 * MIB);
    }
    cr_assert_geq(stats().bytes, 4 * MIB - 8192);
    cr_assert_null(store_check(store));
}

Test(room, what_can_never_fit_is_refused_and_costs_nobody_anything)
{
    engine_version before;
    uint64_t entries;

    open_store(1 * MIB, 16);
    fill(1000);
    before = put(NS, BYTES("key"), 100).entry.version;
    entries = stats().entries;
    cr_assert_eq(put(NS, BYTES("key"), 1 * MIB).status, ENGINE_FULL);
    cr_assert_eq(put(NS, BYTES("new"), 1 * MIB).status, ENGINE_FULL);
    cr_assert_eq(put(NS, BYTES("new"), 100 * MIB).status, ENGINE_FULL);
    cr_assert_eq(stats().entries, entries);
    cr_assert_eq(get(NS, BYTES("key")).entry.version, before);
    cr_assert_eq(get(NS, BYTES("key")).entry.bytes, 100);
    cr_assert_eq(get(NS, BYTES("new")).status, ENGINE_MISS);
}

Test(room, a_full_answer_names_no_version)
{
    struct engine_op op;

    open_store(1 * MIB, 16);
    op = put(NS, BYTES("key"), 2 * MIB);
    cr_assert_eq(op.status, ENGINE_FULL);
    cr_assert_eq(op.entry.version, 0);
    cr_assert_not_null(op.detail);
}

Test(room, too_little_for_its_own_bookkeeping_refuses_every_write)
{
    open_store(1, 64);
    cr_assert_eq(put(NS, BYTES("key"), 1).status, ENGINE_FULL);
    cr_assert_eq(get(NS, BYTES("key")).status, ENGINE_MISS);
    flush(NS);
    close_store();
    open_store(64 * 1024, 1);
}

Test(room, the_entry_that_is_replaced_is_not_evicted_for_its_successor)
{
    struct engine_condition condition_on_it = { .if_match = { .given = true, .count = 1 } };
    engine_version version;
    unsigned long next;

    open_store(1 * MIB, 8);
    version = put(NS, BYTES("key"), 1000).entry.version;
    next = 0;
    while (stats().bytes < 1 * MIB - 4096)
        put(NS, numbered(next++), 1000);
    cr_assert_eq(stats().evictions, 0);
    /* Now the least recently used entry of all grows in place. */
    condition_on_it.if_match.versions = &version;
    condition = &condition_on_it;
    cr_assert_eq(put(NS, BYTES("key"), 500000).status, ENGINE_OK);
    condition = NULL;
    cr_assert_gt(stats().evictions, 300);
    cr_assert_eq(get(NS, BYTES("key")).entry.bytes, 500000);
}

Test(room, one_entry_can_be_replaced_in_a_cache_that_holds_only_one)
{
    open_store(1 * MIB, 64);
    cr_assert_eq(put(NS, BYTES("key"), 700 * 1024).status, ENGINE_CREATED);
    for (size_t i = 0; i < 50; i++)
        cr_assert_eq(put(NS, BYTES("key"), 700 * 1024 + i).status, ENGINE_OK);
    cr_assert_eq(stats().evictions, 0);
}

Test(room, what_has_expired_or_was_flushed_gives_way_before_what_stands)
{
    open_store(2 * MIB, 1);
    ttl = 1000;
    for (unsigned long i = 0; i < 500; i++)
        put(BYTES("expires"), numbered(i), 1000);
    ttl = ENGINE_NO_EXPIRY;
    for (unsigned long i = 0; i < 500; i++)
        put(BYTES("flushed"), numbered(i), 1000);
    put(NS, BYTES("stands"), 1000);
    flush(BYTES("flushed"));
    now += 1000 * NS_PER_MS;
    for (unsigned long i = 0; i < 1400; i++)
        cr_assert_eq(put(NS, numbered(i), 1000).status, ENGINE_CREATED);
    cr_assert_eq(stats().evictions, 0);
    cr_assert_eq(get(NS, BYTES("stands")).status, ENGINE_OK);
    cr_assert_gt(stats().expirations, 0);
}

Test(room, what_was_flushed_gives_way_first_in_whichever_shard_it_is)
{
    open_store(1 * MIB, 8);
    for (unsigned long i = 0; i < 300; i++)
        put(NS, numbered(i), 1000);
    for (unsigned long i = 0; i < 300; i++)
        put(BYTES("flushed"), numbered(i), 1000);
    flush(BYTES("flushed"));
    for (unsigned long i = 300; i < 600; i++)
        cr_assert_eq(put(NS, numbered(i), 1000).status, ENGINE_CREATED);
    cr_assert_eq(stats().evictions, 0);
    cr_assert_lt(stats().flushed, 300);
    cr_assert_eq(stats().entries, 600);
}

Test(room, a_replacement_that_can_never_fit_costs_nobody_anything)
{
    open_store(1 * MIB, 8);
    cr_assert_eq(put(NS, BYTES("key"), 600 * 1024).status, ENGINE_CREATED);
    for (unsigned long i = 0; i < 200; i++)
        put(NS, numbered(i), 1000);
    cr_assert_eq(put(NS, BYTES("key"), 1100 * 1024).status, ENGINE_FULL);
    cr_assert_eq(stats().evictions, 0);
    cr_assert_eq(get(NS, BYTES("key")).entry.bytes, 600 * 1024);
}

Test(room, small_entries_after_large_ones_still_get_a_table_that_fits)
{
    open_store(8 * MIB, 4);
    for (unsigned long i = 0; i < 20; i++)
        put(NS, numbered(i), 1 * MIB);
    for (unsigned long i = 0; i < 60000; i++)
        cr_assert_eq(put(BYTES("small"), numbered(i), 1).status, ENGINE_CREATED);
    cr_assert_gt(stats().entries, 20000);
    cr_assert_null(store_check(store));
}

Test(room, a_value_in_use_outlives_its_entry)
{
    struct engine_op op;

    open_store(1 * MIB, 4);
    put(NS, BYTES("key"), 500);
    op = op_for(ENGINE_GET, NS, BYTES("key"));
    store_get(store, &op);
    cr_assert_not_null(op.entry.value);
    flush(NS);
    sweep_all();
    cr_assert_eq(op.entry.value->len, 500);
    cr_assert_eq(op.entry.value->data[499], 'v');
    value_unref(op.entry.value);
}

Test(room, random_sizes_under_pressure_keep_every_structure_in_agreement)
{
    open_store(600 * 1024, 7);
    srandom(4);
    for (int step = 0; step < 30000; step++) {
        struct bytes ns = numbered((unsigned long)random() % 40);
        struct bytes key = numbered((unsigned long)random() % 3000);
        size_t len = random() % 50 ? (size_t)random() % 300 : (size_t)random() % 300000;
        ttl = random() % 2 ? 1 + random() % 4000 : ENGINE_NO_EXPIRY;
        now += (uint64_t)random() % NS_PER_MS;
        if (random() % 400 == 0)
            flush(ns);
        if (random() % 3)
            put(ns, key, len);
        else
            get(ns, key);
        if (step % 500 == 0)
            cr_assert_null(store_check(store));
    }
    cr_assert_gt(stats().evictions, 1000);
}
