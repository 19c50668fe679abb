/* The store: names, time, conditions, flush. Room has a file of its own. */
#include <criterion/criterion.h>

#include "tests/unit/engines/memory/store_fixture.h"

#define A BYTES("a")
#define NS BYTES("ns")

static void open_roomy(void)
{
    open_store(64 << 20, 8);
}

static void check_and_close(void)
{
    const char *fault = store_check(store);

    cr_expect_null(fault, "%s", fault);
    close_store();
}

TestSuite(store, .init = open_roomy, .fini = check_and_close);

/* ---- Names ---- */

Test(store, pairs_that_a_plain_concatenation_would_mix_up_are_different_entries)
{
    static const struct {
        struct bytes ns, key;
    } pairs[] = {
        { { "a", 1 }, { "bc", 2 } },  { { "ab", 2 }, { "c", 1 } },   { { "a", 1 }, { "/bc", 3 } },
        { { "a", 1 }, { "b/c", 3 } }, { { "a/b", 3 }, { "c", 1 } },  { { "", 0 }, { "abc", 3 } },
        { { "abc", 3 }, { "", 0 } },  { { "a", 1 }, { "b\0c", 3 } }, { { "a", 1 }, { "b\0d", 3 } },
        { { "a", 1 }, { "b", 1 } },   { { "\1a", 2 }, { "b", 1 } },
    };
    enum { COUNT = sizeof pairs / sizeof *pairs };

    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(put(pairs[i].ns, pairs[i].key, i).status, ENGINE_CREATED, "pair %zu", i);
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(get(pairs[i].ns, pairs[i].key).entry.bytes, i, "pair %zu", i);
}

Test(store, a_name_beyond_its_limits_is_refused_and_nothing_is_stored)
{
    static char text[8192];

    cr_assert_eq(put(NS, bytes_of(text, 4096), 1).status, ENGINE_CREATED);
    cr_assert_eq(put(NS, bytes_of(text, 4097), 1).status, ENGINE_FAILED);
    cr_assert_eq(put(bytes_of(text, 255), A, 1).status, ENGINE_CREATED);
    cr_assert_eq(put(bytes_of(text, 256), A, 1).status, ENGINE_FAILED);
    cr_assert_eq(get(bytes_of(text, 256), A).status, ENGINE_FAILED);
    cr_assert_eq(stats().entries, 2);
}

/* ---- Versions ---- */

Test(store, versions_grow_strictly_and_start_anywhere)
{
    struct memory_options options = { .max_bytes = 1 << 20 };
    struct store *other = store_create(&options);
    struct store *first = store;
    engine_version last = 0, others;

    for (int i = 0; i < 100; i++) {
        engine_version version = put(NS, numbered((unsigned long)i % 7), 1).entry.version;
        cr_assert_gt(version, last);
        last = version;
    }
    store = other;
    others = put(NS, A, 1).entry.version;
    cr_assert(others > last + 1000000 || others + 1000000 < last);
    store = first;
    store_destroy(other);
}

/* ---- Time ---- */

Test(store, an_entry_stands_up_to_its_time_and_not_beyond)
{
    ttl = 1500;
    put(NS, A, 1);
    cr_assert_eq(get(NS, A).entry.ttl_ms, 1500);
    now += 1500 * NS_PER_MS - 1;
    cr_assert_eq(get(NS, A).status, ENGINE_OK);
    cr_assert_eq(get(NS, A).entry.ttl_ms, 1);
    now += 1;
    cr_assert_eq(get(NS, A).status, ENGINE_MISS);
    cr_assert_eq(stats().entries, 0);
    cr_assert_eq(stats().expirations, 1);
}

Test(store, an_expired_entry_is_absent_for_every_verb)
{
    static const struct engine_condition any = { .if_match = { .given = true, .any = true } };

    ttl = 1000;
    for (unsigned long i = 0; i < 4; i++)
        put(NS, numbered(i), 1);
    now += 1000 * NS_PER_MS;
    cr_assert_eq(delete_key(NS, numbered(0)).status, ENGINE_MISS);
    cr_assert_eq(touch(NS, numbered(1)).status, ENGINE_MISS);
    cr_assert_eq(put(NS, numbered(2), 1).status, ENGINE_CREATED);
    condition = &any;
    cr_assert_eq(put(NS, numbered(3), 1).status, ENGINE_MISMATCH);
}

Test(store, ten_years_and_the_longest_number_do_not_overflow)
{
    ttl = INT64_C(10) * 365 * 24 * 3600 * 1000;
    put(NS, A, 1);
    cr_assert_eq(get(NS, A).entry.ttl_ms, ttl);
    now += (uint64_t)ttl * NS_PER_MS - 1;
    cr_assert_eq(get(NS, A).status, ENGINE_OK);
    now += 1;
    cr_assert_eq(get(NS, A).status, ENGINE_MISS);
    ttl = INT64_MAX;
    put(NS, A, 1);
    now += UINT64_C(100) * 365 * 24 * 3600 * NS_PER_SECOND;
    cr_assert_eq(get(NS, A).status, ENGINE_OK);
    cr_assert_gt(get(NS, A).entry.ttl_ms, 0);
    now = UINT64_MAX - 5;
    put(NS, A, 1);
    cr_assert_eq(get(NS, A).status, ENGINE_OK);
}

Test(store, a_put_sets_the_ttl_anew_longer_shorter_or_none)
{
    ttl = 1000;
    put(NS, A, 1);
    ttl = 5000;
    put(NS, A, 1);
    now += 4000 * NS_PER_MS;
    cr_assert_eq(get(NS, A).entry.ttl_ms, 1000);
    ttl = 200;
    put(NS, A, 1);
    cr_assert_eq(get(NS, A).entry.ttl_ms, 200);
    ttl = ENGINE_NO_EXPIRY;
    put(NS, A, 1);
    now += UINT64_C(1000000) * NS_PER_SECOND;
    sweep_all();
    cr_assert_eq(get(NS, A).entry.ttl_ms, ENGINE_NO_EXPIRY);
}

Test(store, a_sliding_entry_lives_by_its_reads_but_never_past_its_ttl)
{
    ttl = 10000;
    idle = 3000;
    cr_assert_eq(put(NS, A, 1).entry.ttl_ms, 3000);
    for (int i = 0; i < 3; i++) {
        now += 2500 * NS_PER_MS;
        sweep_all();
        cr_assert_eq(get(NS, A).entry.ttl_ms, i < 2 ? 3000 : 2500);
    }
    now += 2500 * NS_PER_MS - 1;
    cr_assert_eq(get(NS, A).entry.ttl_ms, 1);
    now += 1;
    cr_assert_eq(get(NS, A).status, ENGINE_MISS);
}

Test(store, a_sliding_entry_that_nobody_reads_is_gone_and_collected)
{
    ttl = ENGINE_NO_EXPIRY;
    idle = 3000;
    put(NS, A, 1);
    now += 3000 * NS_PER_MS;
    sweep_all();
    cr_assert_eq(stats().entries, 0);
    cr_assert_eq(get(NS, A).status, ENGINE_MISS);
}

Test(store, touch_sets_the_bound_anew_and_the_entry_goes_on_sliding)
{
    engine_version version;

    ttl = 4000;
    idle = 3000;
    version = put(NS, A, 1).entry.version;
    now += 2000 * NS_PER_MS;
    ttl = 20000;
    cr_assert_eq(touch(NS, A).entry.ttl_ms, 3000);
    cr_assert_eq(touch(NS, A).entry.version, version);
    cr_assert_eq(touch(NS, A).entry.idle_ms, 3000);
    now += 2999 * NS_PER_MS;
    cr_assert_eq(get(NS, A).status, ENGINE_OK);
    ttl = 500;
    cr_assert_eq(touch(NS, A).entry.ttl_ms, 500);
    now += 500 * NS_PER_MS;
    cr_assert_eq(get(NS, A).status, ENGINE_MISS);
}

Test(store, touch_to_none_takes_the_entry_out_of_the_heap)
{
    ttl = 1000;
    put(NS, A, 1);
    ttl = ENGINE_NO_EXPIRY;
    cr_assert_eq(touch(NS, A).entry.ttl_ms, ENGINE_NO_EXPIRY);
    now += UINT64_C(1000000) * NS_PER_SECOND;
    sweep_all();
    cr_assert_eq(get(NS, A).status, ENGINE_OK);
}

Test(store, a_sweep_collects_what_has_expired_in_bounded_steps)
{
    unsigned sweeps;

    ttl = 1000;
    for (unsigned long i = 0; i < 20000; i++)
        put(NS, numbered(i), 10);
    ttl = 2000;
    put(NS, A, 1);
    now += 1000 * NS_PER_MS;
    sweeps = sweep_all();
    cr_assert_geq(sweeps, 10);
    cr_assert_leq(sweeps, 30);
    cr_assert_eq(stats().entries, 1);
    cr_assert_eq(stats().expirations, 20000);
    cr_assert_eq(get(NS, A).status, ENGINE_OK);
}

/* ---- Flush ---- */

Test(store, a_flush_takes_one_namespace_at_once_and_no_other)
{
    for (unsigned long i = 0; i < 1000; i++) {
        put(NS, numbered(i), 1);
        put(BYTES("other"), numbered(i), 1);
    }
    flush(NS);
    cr_assert_eq(stats().entries, 1000);
    cr_assert_eq(stats().flushed, 1000);
    for (unsigned long i = 0; i < 1000; i++) {
        cr_assert_eq(get(BYTES("other"), numbered(i)).status, ENGINE_OK);
        if (i % 2)
            cr_assert_eq(get(NS, numbered(i)).status, ENGINE_MISS);
    }
    cr_assert_null(store_check(store));
}

Test(store, what_was_flushed_is_collected_and_the_records_go_with_it)
{
    uint64_t empty = stats().bytes;

    for (unsigned long i = 0; i < 5000; i++)
        put(numbered(i % 50), numbered(i), 10);
    cr_assert_gt(stats().namespaces, 0);
    for (unsigned long i = 0; i < 50; i++)
        flush(numbered(i));
    cr_assert_eq(stats().entries, 0);
    cr_assert_gt(sweep_all(), 1);
    cr_assert_eq(stats().flushed, 0);
    cr_assert_eq(stats().namespaces, 0);
    /* A segment of each table and two of each heap may stay. */
    cr_assert_lt(stats().bytes, empty + 8 * 4096);
}

Test(store, a_key_that_was_flushed_is_created_anew)
{
    static const struct engine_condition absent = { .if_none_match = { .given = true, .any = true } };
    engine_version before = put(NS, A, 1).entry.version;

    flush(NS);
    condition = &absent;
    cr_assert_eq(put(NS, A, 2).status, ENGINE_CREATED);
    cr_assert_gt(get(NS, A).entry.version, before);
    cr_assert_eq(get(NS, A).entry.bytes, 2);
    sweep_all();
    cr_assert_eq(get(NS, A).entry.bytes, 2);
}

Test(store, flushing_everything_takes_every_namespace_and_later_writes_stand)
{
    for (unsigned long i = 0; i < 500; i++)
        put(numbered(i % 20), numbered(i), 1);
    flush(BYTES_NONE);
    cr_assert_eq(stats().entries, 0);
    for (unsigned long i = 0; i < 500; i++)
        cr_assert_eq(put(numbered(i % 20), numbered(i + 100), 1).status, ENGINE_CREATED);
    cr_assert_null(store_check(store));
    sweep_all();
    cr_assert_eq(stats().entries, 500);
    cr_assert_eq(stats().flushed, 0);
}

Test(store, flushes_in_a_row_leave_nothing_behind)
{
    for (unsigned long i = 0; i < 2000; i++) {
        put(NS, numbered(i), 1);
        flush(i % 3 ? NS : BYTES_NONE);
    }
    cr_assert_null(store_check(store));
    cr_assert_eq(stats().entries, 0);
    sweep_all();
    cr_assert_eq(stats().namespaces, 0);
    cr_assert_eq(stats().flushed, 0);
}

/* ---- Growth ---- */

Test(store, grows_and_shrinks_with_its_entries)
{
    enum { COUNT = 60000 };
    uint64_t empty = stats().bytes;

    ttl = 100000;
    for (unsigned long i = 0; i < COUNT; i++)
        cr_assert_eq(put(NS, numbered(i), 8).status, ENGINE_CREATED);
    cr_assert_null(store_check(store));
    for (unsigned long i = 0; i < COUNT; i++)
        cr_assert_eq(get(NS, numbered(i)).status, ENGINE_OK);
    for (unsigned long i = 0; i < COUNT; i++)
        cr_assert_eq(delete_key(NS, numbered(i)).status, ENGINE_OK);
    cr_assert_eq(stats().entries, 0);
    cr_assert_lt(stats().bytes, empty + 8 * 8192);
}

Test(store, random_steps_keep_every_structure_in_agreement)
{
    srandom(3);
    for (int step = 0; step < 40000; step++) {
        struct bytes ns = numbered((unsigned long)random() % 5);
        struct bytes key = numbered((unsigned long)random() % 800);
        now += (uint64_t)random() % (2 * NS_PER_MS);
        ttl = random() % 3 ? 1 + random() % 3000 : ENGINE_NO_EXPIRY;
        idle = random() % 3 ? ENGINE_NO_IDLE : 1 + random() % 1000;
        switch (random() % 12) {
        case 0:
            delete_key(ns, key);
            break;
        case 1:
            touch(ns, key);
            break;
        case 2:
            if (store_sweep(store, 1, now))
                sweep_all();
            break;
        case 3:
            if (random() % 50 == 0)
                flush(random() % 4 ? ns : BYTES_NONE);
            break;
        case 4:
        case 5:
        case 6:
            get(ns, key);
            break;
        default:
            put(ns, key, (size_t)random() % 400);
        }
        if (step % 1000 == 0)
            cr_assert_null(store_check(store));
    }
}
