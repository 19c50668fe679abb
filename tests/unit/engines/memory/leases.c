/* The store: fences, leases, stale windows. */
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

TestSuite(leases, .init = open_roomy, .fini = check_and_close);

static enum engine_status put_fenced(uint64_t fence)
{
    struct engine_put extras = { .fence = fence };

    return put_with(NS, A, 1, &extras).status;
}

static enum engine_status put_leased(uint64_t token)
{
    struct engine_put extras = { .lease = token };

    return put_with(NS, A, 1, &extras).status;
}

static void put_stale(int64_t ttl_ms, int64_t stale_ms)
{
    struct engine_put extras = { .stale_ms = stale_ms };

    ttl = ttl_ms;
    cr_assert_leq(put_with(NS, A, 5, &extras).status, ENGINE_CREATED);
    ttl = ENGINE_NO_EXPIRY;
}

/* ---- Fences ---- */

Test(leases, an_entry_keeps_the_highest_fence_also_across_writes_without_one)
{
    cr_assert_eq(put_fenced(7), ENGINE_CREATED);
    cr_assert_eq(put_fenced(7), ENGINE_OK);
    cr_assert_eq(put_fenced(6), ENGINE_FENCED);
    cr_assert_eq(put(NS, A, 1).status, ENGINE_OK);
    cr_assert_eq(put_fenced(6), ENGINE_FENCED);
    cr_assert_eq(put_fenced(9), ENGINE_OK);
    cr_assert_eq(put_fenced(8), ENGINE_FENCED);
}

Test(leases, delete_expiry_and_flush_forget_the_fence)
{
    put_fenced(7);
    delete_key(NS, A);
    cr_assert_eq(put_fenced(1), ENGINE_CREATED);
    put_fenced(7);
    flush(NS);
    cr_assert_eq(put_fenced(1), ENGINE_CREATED);
    ttl = 100;
    put_fenced(7);
    now += 100 * NS_PER_MS;
    cr_assert_eq(put_fenced(1), ENGINE_CREATED);
}

Test(leases, a_fenced_write_changes_nothing_and_names_what_stands)
{
    struct engine_put extras = { .fence = 1 };
    engine_version version;

    put_fenced(2);
    version = get(NS, A).entry.version;
    cr_assert_eq(put_with(NS, A, 9, &extras).entry.version, version);
    cr_assert_eq(get(NS, A).entry.version, version);
}

/* ---- Leases on nothing ---- */

Test(leases, of_those_who_miss_one_wins_and_the_others_see_it_held)
{
    struct engine_op op = get_leased(NS, A, 11, 1000);

    cr_assert_eq(op.status, ENGINE_MISS);
    cr_assert_eq(op.lease, ENGINE_LEASE_WON);
    now += 400 * NS_PER_MS;
    op = get_leased(NS, A, 12, 1000);
    cr_assert_eq(op.status, ENGINE_MISS);
    cr_assert_eq(op.lease, ENGINE_LEASE_HELD);
    cr_assert_eq(op.lease_left_ms, 600);
    now += 600 * NS_PER_MS;
    cr_assert_eq(get_leased(NS, A, 13, 1000).lease, ENGINE_LEASE_WON);
    cr_assert_eq(put_leased(11), ENGINE_VOID);
    cr_assert_eq(put_leased(13), ENGINE_CREATED);
    cr_assert_eq(get_leased(NS, A, 14, 1000).lease, ENGINE_LEASE_NONE);
    cr_assert_eq(put_leased(13), ENGINE_VOID);
}

Test(leases, a_marker_is_nothing_to_every_reader_count_and_listing)
{
    static const struct engine_condition any = { .if_match = { .given = true, .any = true } };
    static const struct engine_condition absent = { .if_none_match = { .given = true, .any = true } };
    struct engine_listing listing = { .limit = 10 };

    get_leased(NS, A, 11, 1000);
    cr_assert_eq(get(NS, A).status, ENGINE_MISS);
    cr_assert_eq(touch(NS, A).status, ENGINE_MISS);
    cr_assert_eq(stats().entries, 0);
    cr_assert_eq(stats().markers, 1);
    cr_assert_eq(census(NS).entries, 0);
    cr_assert_eq(list_page(ENGINE_LIST, NS, &listing), ENGINE_OK);
    cr_assert_eq(listing.page->count, 0);
    free(listing.page);
    condition = &any;
    cr_assert_eq(put(NS, A, 1).status, ENGINE_MISMATCH);
    cr_assert_eq(delete_key(NS, A).status, ENGINE_MISMATCH);
    condition = &absent;
    cr_assert_eq(put_leased(11), ENGINE_CREATED);
    cr_assert_eq(stats().markers, 0);
}

Test(leases, a_write_a_delete_and_a_flush_in_between_void_the_lease)
{
    get_leased(NS, A, 11, 1000);
    put(NS, A, 1);
    cr_assert_eq(put_leased(11), ENGINE_VOID);
    delete_key(NS, A);
    get_leased(NS, A, 12, 1000);
    cr_assert_eq(delete_key(NS, A).status, ENGINE_MISS);
    cr_assert_eq(put_leased(12), ENGINE_VOID);
    get_leased(NS, A, 13, 1000);
    flush(NS);
    cr_assert_eq(put_leased(13), ENGINE_VOID);
    get_leased(NS, A, 14, 1000);
    flush(BYTES_NONE);
    cr_assert_eq(put_leased(14), ENGINE_VOID);
    cr_assert_eq(get(NS, A).status, ENGINE_MISS);
}

Test(leases, a_refused_write_voids_nothing)
{
    static const struct engine_condition any = { .if_match = { .given = true, .any = true } };

    get_leased(NS, A, 11, 1000);
    condition = &any;
    put(NS, A, 1);
    condition = NULL;
    cr_assert_eq(touch(NS, A).status, ENGINE_MISS);
    cr_assert_eq(put_leased(99), ENGINE_VOID);
    cr_assert_eq(put_leased(11), ENGINE_CREATED);
}

Test(leases, a_lease_is_void_at_its_time_and_its_marker_is_collected)
{
    uint64_t before = stats().bytes;

    for (unsigned long i = 0; i < 1000; i++)
        get_leased(NS, numbered(i), 11, 1000);
    cr_assert_gt(stats().bytes, before);
    now += 1000 * NS_PER_MS;
    cr_assert_eq(put_leased(11), ENGINE_VOID);
    sweep_all();
    cr_assert_eq(stats().markers, 0);
    cr_assert_eq(stats().namespaces, 0);
    cr_assert_eq(stats().expirations, 0);
}

Test(leases, markers_are_evicted_like_entries)
{
    close_store();
    open_store(1 << 20, 4);
    for (unsigned long i = 0; i < 30000; i++)
        cr_assert_eq(get_leased(NS, numbered(i), 11, 100000).lease, ENGINE_LEASE_WON);
    cr_assert_leq(stats().bytes, 1 << 20);
    cr_assert_eq(stats().evictions, 0);
}

Test(leases, without_room_for_a_marker_a_read_is_a_miss_and_nobody_wins)
{
    struct engine_op op;

    close_store();
    open_store(1, 4);
    op = get_leased(NS, A, 11, 1000);
    cr_assert_eq(op.status, ENGINE_MISS);
    cr_assert_eq(op.lease, ENGINE_LEASE_NONE);
    cr_assert_null(op.detail);
}

/* ---- Stale windows ---- */

Test(leases, after_its_ttl_an_entry_is_served_stale_until_the_window_ends)
{
    struct engine_op op;

    put_stale(1000, 3000);
    now += 1000 * NS_PER_MS - 1;
    op = get(NS, A);
    cr_assert_eq(op.entry.ttl_ms, 1);
    cr_assert_not(op.entry.stale);
    now += 1;
    op = get(NS, A);
    cr_assert_eq(op.status, ENGINE_OK);
    cr_assert_eq(op.entry.ttl_ms, 0);
    cr_assert(op.entry.stale);
    sweep_all();
    now += 3000 * NS_PER_MS - 1;
    cr_assert(get(NS, A).entry.stale);
    now += 1;
    cr_assert_eq(get(NS, A).status, ENGINE_MISS);
}

Test(leases, a_stale_entry_stands_for_conditions_and_keeps_its_fence)
{
    static const struct engine_condition absent = { .if_none_match = { .given = true, .any = true } };
    struct engine_put extras = { .stale_ms = 1000, .fence = 5 };

    ttl = 1000;
    put_with(NS, A, 1, &extras);
    now += 1500 * NS_PER_MS;
    condition = &absent;
    cr_assert_eq(put(NS, A, 1).status, ENGINE_MISMATCH);
    condition = NULL;
    cr_assert_eq(put_fenced(4), ENGINE_FENCED);
}

Test(leases, touch_makes_it_fresh_again_and_the_window_keeps_its_length)
{
    put_stale(1000, 3000);
    now += 2000 * NS_PER_MS;
    ttl = 500;
    cr_assert_eq(touch(NS, A).entry.ttl_ms, 500);
    cr_assert_not(get(NS, A).entry.stale);
    now += 3499 * NS_PER_MS;
    cr_assert(get(NS, A).entry.stale);
    now += 1 * NS_PER_MS;
    cr_assert_eq(get(NS, A).status, ENGINE_MISS);
}

Test(leases, the_first_reader_of_a_stale_entry_wins_and_all_are_served)
{
    struct engine_op op;

    put_stale(1000, 3000);
    cr_assert_eq(get_leased(NS, A, 11, 1000).lease, ENGINE_LEASE_NONE);
    now += 1000 * NS_PER_MS;
    op = get_leased(NS, A, 11, 1000);
    cr_assert_eq(op.status, ENGINE_OK);
    cr_assert_eq(op.lease, ENGINE_LEASE_WON);
    op = get_leased(NS, A, 12, 1000);
    cr_assert_eq(op.status, ENGINE_OK);
    cr_assert_eq(op.lease, ENGINE_LEASE_HELD);
    cr_assert_eq(put_leased(12), ENGINE_VOID);
    cr_assert_eq(put_leased(11), ENGINE_OK);
    cr_assert_eq(put_leased(11), ENGINE_VOID);
}

Test(leases, a_lease_outlives_the_entry_that_it_was_won_on)
{
    put_stale(1000, 1000);
    now += 1900 * NS_PER_MS;
    cr_assert_eq(get_leased(NS, A, 11, 1000).lease, ENGINE_LEASE_WON);
    now += 100 * NS_PER_MS;
    sweep_all();
    cr_assert_eq(stats().markers, 1);
    cr_assert_eq(stats().entries, 0);
    cr_assert_eq(census(NS).bytes, 0);
    cr_assert_eq(get(NS, A).status, ENGINE_MISS);
    cr_assert_eq(get_leased(NS, A, 12, 1000).lease, ENGINE_LEASE_HELD);
    cr_assert_null(store_check(store));
    cr_assert_eq(put_leased(11), ENGINE_CREATED);
}

Test(leases, random_steps_keep_every_structure_in_agreement)
{
    srandom(5);
    for (int step = 0; step < 20000; step++) {
        struct bytes key = numbered((unsigned long)random() % 60);
        struct engine_put extras = { .stale_ms = random() % 2 ? random() % 3000 : 0,
                                     .fence = (uint64_t)random() % 4,
                                     .lease = random() % 4 ? 0 : 1 + (uint64_t)random() % 3 };
        now += (uint64_t)random() % (50 * NS_PER_MS);
        ttl = 1 + random() % 3000;
        switch (random() % 8) {
        case 0:
            delete_key(NS, key);
            break;
        case 1:
            touch(NS, key);
            break;
        case 2:
            sweep_all();
            break;
        case 3:
        case 4:
        case 5:
            get_leased(NS, key, 1 + (uint64_t)random() % 3, 1 + random() % 4000);
            break;
        default:
            put_with(NS, key, (size_t)random() % 400, &extras);
        }
        if (step % 200 == 0)
            cr_assert_null(store_check(store));
    }
}
