/* The store: entries that are dropped together by a tag. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "tests/unit/engines/memory/store_fixture.h"

#define A BYTES("a")
#define NS BYTES("ns")

static const struct bytes red[] = { { "red", 3 } };
static const struct bytes red_and_blue[] = { { "red", 3 }, { "blue", 4 } };

static const struct engine_put tagged_red = { .tags = red, .tag_count = 1 };
static const struct engine_put tagged_both = { .tags = red_and_blue, .tag_count = 2 };

static void open_roomy(void)
{
    open_store(256 << 20, 64);
}

static void check_and_close(void)
{
    const char *fault = store_check(store);

    cr_expect_null(fault, "%s", fault);
    close_store();
}

TestSuite(tags, .init = open_roomy, .fini = check_and_close);

Test(tags, a_flush_of_a_tag_drops_its_entries_and_no_others)
{
    for (unsigned long i = 0; i < 300; i++)
        put_with(NS, numbered(i), 1, i % 3 == 0 ? &tagged_red : i % 3 == 1 ? &tagged_both : NULL);
    put_with(BYTES("other"), A, 1, &tagged_red);
    flush_tag(NS, BYTES("blue"));
    for (unsigned long i = 0; i < 300; i++)
        cr_assert_eq(get(NS, numbered(i)).status, i % 3 == 1 ? ENGINE_MISS : ENGINE_OK);
    flush_tag(NS, BYTES("red"));
    for (unsigned long i = 0; i < 300; i++)
        cr_assert_eq(get(NS, numbered(i)).status, i % 3 == 2 ? ENGINE_OK : ENGINE_MISS);
    cr_assert_eq(get(BYTES("other"), A).status, ENGINE_OK);
}

Test(tags, a_flush_of_a_tag_removes_nothing_itself_however_many_entries_it_has)
{
    enum { COUNT = 100000 };
    struct engine_listing listing = { .limit = 1000 };
    uint64_t bytes;
    unsigned sweeps;

    for (unsigned long i = 0; i < COUNT; i++)
        cr_assert_eq(put_with(NS, numbered(i), 1, &tagged_red).status, ENGINE_CREATED);
    bytes = stats().bytes;
    flush_tag(NS, BYTES("red"));
    cr_assert_eq(stats().entries, COUNT);
    cr_assert_eq(stats().bytes, bytes);
    cr_assert_eq(list_page(ENGINE_LIST, NS, &listing), ENGINE_OK);
    cr_assert_eq(listing.page->count, 0);
    free(listing.page);
    cr_assert_eq(get(NS, numbered(77)).status, ENGINE_MISS);
    sweeps = sweep_all();
    cr_assert_geq(sweeps, COUNT / 1100);
    cr_assert_leq(sweeps, COUNT / 900);
    cr_assert_eq(stats().entries, 0);
    cr_assert_eq(stats().namespaces, 0);
    cr_assert_eq(stats().expirations, 0);
}

Test(tags, what_is_written_under_a_flushed_tag_stands)
{
    put_with(NS, A, 1, &tagged_red);
    flush_tag(NS, BYTES("red"));
    cr_assert_eq(put_with(NS, A, 2, &tagged_red).status, ENGINE_CREATED);
    cr_assert_eq(put_with(NS, BYTES("b"), 2, &tagged_both).status, ENGINE_CREATED);
    sweep_all();
    cr_assert_eq(get(NS, A).entry.bytes, 2);
    cr_assert_eq(get(NS, BYTES("b")).entry.bytes, 2);
}

Test(tags, a_write_replaces_the_tags)
{
    put_with(NS, A, 1, &tagged_both);
    put_with(NS, A, 1, &tagged_red);
    flush_tag(NS, BYTES("blue"));
    cr_assert_eq(get(NS, A).status, ENGINE_OK);
    put(NS, A, 1);
    flush_tag(NS, BYTES("red"));
    cr_assert_eq(get(NS, A).status, ENGINE_OK);
}

Test(tags, an_entry_may_have_thirty_two_and_any_of_them_drops_it)
{
    static char text[ENGINE_TAGS_MAX + 1][ENGINE_TAG_BYTES_MAX + 1];
    struct bytes names[ENGINE_TAGS_MAX + 1];
    struct engine_put extras = { .tags = names, .tag_count = ENGINE_TAGS_MAX };

    for (size_t i = 0; i <= ENGINE_TAGS_MAX; i++) {
        snprintf(text[i], sizeof text[i], "%064zu", i);
        names[i] = bytes_of(text[i], ENGINE_TAG_BYTES_MAX);
    }
    for (size_t i = 0; i < ENGINE_TAGS_MAX; i++) {
        cr_assert_eq(put_with(NS, A, 1, &extras).status, ENGINE_CREATED);
        flush_tag(NS, names[i]);
        cr_assert_eq(get(NS, A).status, ENGINE_MISS);
    }
    extras.tag_count++;
    cr_assert_eq(put_with(NS, A, 1, &extras).status, ENGINE_FAILED);
}

Test(tags, a_flush_of_a_tag_that_nothing_has_is_no_failure)
{
    put(NS, A, 1);
    flush_tag(NS, BYTES("none"));
    cr_assert_eq(get(NS, A).status, ENGINE_OK);
}

Test(tags, under_pressure_every_structure_stays_in_agreement)
{
    close_store();
    open_store(600 * 1024, 7);
    srandom(6);
    for (int step = 0; step < 20000; step++) {
        struct bytes pool[4] = { { "1", 1 }, { "2", 1 }, { "3", 1 }, { "4", 1 } };
        size_t first = (size_t)random() % 4;
        struct engine_put extras = { .tags = pool + first, .tag_count = (size_t)random() % (5 - first) };
        struct bytes ns = numbered((unsigned long)random() % 3), key = numbered((unsigned long)random() % 3000);
        now += (uint64_t)random() % NS_PER_MS;
        ttl = random() % 2 ? 1 + random() % 4000 : ENGINE_NO_EXPIRY;
        if (random() % 300 == 0)
            flush_tag(ns, pool[first]);
        if (random() % 600 == 0)
            flush(ns);
        if (random() % 50 == 0)
            sweep_all();
        if (random() % 10 == 0)
            delete_key(ns, key);
        else
            cr_assert_leq(put_with(ns, key, (size_t)random() % 300, &extras).status, ENGINE_CREATED);
        if (step % 200 == 0)
            cr_assert_null(store_check(store));
    }
    cr_assert_gt(stats().evictions, 1000);
}
