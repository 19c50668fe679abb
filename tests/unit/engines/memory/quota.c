/* The store: a namespace's most entries and bytes. */
#include <criterion/criterion.h>

#include "tests/unit/engines/memory/store_fixture.h"

#define NS BYTES("ns")

static void open_roomy(void)
{
    open_store(64 << 20, 64);
}

static void check_and_close(void)
{
    const char *fault = store_check(store);

    cr_expect_null(fault, "%s", fault);
    close_store();
}

TestSuite(quota, .init = open_roomy, .fini = check_and_close);

Test(quota, a_namespace_never_holds_more_entries_than_its_bound)
{
    static const struct engine_put extras = { .max_entries = 1000 };

    for (unsigned long i = 0; i < 5000; i++) {
        cr_assert_eq(put_with(NS, numbered(i), 1, &extras).status, ENGINE_CREATED);
        cr_assert_leq(census(NS).entries, 1000);
        cr_assert_eq(get(NS, numbered(i)).status, ENGINE_OK);
    }
    cr_assert_eq(census(NS).entries, 1000);
    cr_assert_eq(stats().evictions, 4000);
}

Test(quota, old_entries_go_long_before_new_ones)
{
    static const struct engine_put extras = { .max_entries = 1000 };
    unsigned kept = 0;

    for (unsigned long i = 0; i < 5000; i++)
        put_with(NS, numbered(i), 1, &extras);
    for (unsigned long i = 4700; i < 5000; i++)
        kept += get(NS, numbered(i)).status == ENGINE_OK;
    cr_assert_geq(kept, 290);
}

Test(quota, in_a_small_namespace_exactly_the_least_recently_used_goes)
{
    static const struct engine_put extras = { .max_entries = 10 };

    for (unsigned long i = 0; i < 10; i++)
        put_with(NS, numbered(i), 1, &extras);
    for (unsigned long i = 10; i < 200; i++) {
        get(NS, numbered(0));
        put_with(NS, numbered(i), 1, &extras);
        cr_assert_eq(get(NS, numbered(0)).status, ENGINE_OK);
    }
    for (unsigned long i = 1; i < 200; i++)
        cr_assert_eq(get(NS, numbered(i)).status == ENGINE_OK, i > 190);
}

Test(quota, a_namespace_never_holds_more_bytes_than_its_bound)
{
    static const struct engine_put extras = { .max_bytes = 10000 };
    struct engine_op op;

    srandom(8);
    for (unsigned long i = 0; i < 3000; i++) {
        size_t len = random() % 40 ? (size_t)random() % 300 : (size_t)random() % 10001;
        cr_assert_leq(put_with(NS, numbered(i % 500), len, &extras).status, ENGINE_CREATED);
        cr_assert_leq(census(NS).bytes, 10000);
        cr_assert_eq(get(NS, numbered(i % 500)).entry.bytes, len);
    }
    op = put_with(NS, numbered(1), 10001, &extras);
    cr_assert_eq(op.status, ENGINE_TOO_LARGE);
    cr_assert_eq(op.limit, 10000);
}

Test(quota, other_namespaces_lose_nothing)
{
    static const struct engine_put extras = { .max_entries = 1, .max_bytes = 50 };

    for (unsigned long i = 0; i < 100; i++)
        put(BYTES("other"), numbered(i), 1);
    for (unsigned long i = 0; i < 100; i++)
        put_with(NS, numbered(i), 1, &extras);
    cr_assert_eq(census(NS).entries, 1);
    cr_assert_eq(census(BYTES("other")).entries, 100);
}

Test(quota, a_bound_that_was_lowered_holds_after_the_next_write)
{
    static const struct engine_put extras = { .max_entries = 5 };

    for (unsigned long i = 0; i < 3000; i++)
        put(NS, numbered(i), 1);
    put_with(NS, numbered(7), 2, &extras);
    cr_assert_eq(census(NS).entries, 5);
    cr_assert_eq(get(NS, numbered(7)).entry.bytes, 2);
}

Test(quota, one_write_pushes_out_a_bounded_number)
{
    static const struct engine_put extras = { .max_entries = 5 };

    for (unsigned long i = 0; i < 20000; i++)
        put(NS, numbered(i), 1);
    put_with(NS, numbered(7), 2, &extras);
    cr_assert_gt(census(NS).entries, 10000, "a single write holds its thread up");
    for (unsigned long i = 0; i < 10; i++)
        put_with(NS, numbered(i), 2, &extras);
    cr_assert_eq(census(NS).entries, 5);
}

Test(quota, a_large_value_makes_room_however_many_must_go)
{
    static const struct engine_put extras = { .max_bytes = 30000 };

    for (unsigned long i = 0; i < 30000; i++)
        put_with(NS, numbered(i), 1, &extras);
    cr_assert_eq(census(NS).bytes, 30000);
    put_with(NS, BYTES("large"), 25000, &extras);
    cr_assert_leq(census(NS).bytes, 30000);
    cr_assert_eq(get(NS, BYTES("large")).status, ENGINE_OK);
}

Test(quota, markers_count_for_nothing_and_stay)
{
    static const struct engine_put extras = { .max_entries = 2 };

    for (unsigned long i = 100; i < 1100; i++)
        get_leased(NS, numbered(i), 1, 1000000);
    for (unsigned long i = 0; i < 20; i++)
        put_with(NS, numbered(i), 1, &extras);
    cr_assert_eq(census(NS).entries, 2);
    cr_assert_eq(stats().markers, 1000);
}

Test(quota, what_has_expired_goes_first)
{
    static const struct engine_put extras = { .max_entries = 4 };

    ttl = 10;
    put_with(NS, numbered(1), 1, &extras);
    ttl = ENGINE_NO_EXPIRY;
    for (unsigned long i = 2; i < 5; i++)
        put_with(NS, numbered(i), 1, &extras);
    get(NS, numbered(1));
    now += 10 * NS_PER_MS;
    put_with(NS, numbered(5), 1, &extras);
    for (unsigned long i = 2; i < 6; i++)
        cr_assert_eq(get(NS, numbered(i)).status, ENGINE_OK);
    cr_assert_eq(stats().evictions, 0);
}
