/* The store: pages of keys and of namespaces. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "tests/unit/engines/memory/store_fixture.h"

#define NS BYTES("ns")
#define KEYS 3000

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

TestSuite(listing, .init = open_roomy, .fini = check_and_close);

static char cursor_text[ENGINE_CURSOR_MAX];
static struct engine_listing listing;

static void begin(size_t limit)
{
    listing = (struct engine_listing){ .limit = limit };
}

/* The next page, or NULL at the end. */
static struct engine_page *next_page(enum engine_verb verb, struct bytes ns)
{
    struct engine_page *page;

    if (listing.page && listing.cursor.len == 0)
        return NULL;
    cr_assert_eq(list_page(verb, ns, &listing), ENGINE_OK);
    page = listing.page;
    cr_assert_leq(page->count, listing.limit);
    cr_assert_leq(page->cursor.len, ENGINE_CURSOR_MAX);
    if (page->cursor.len > 0)
        memcpy(cursor_text, page->cursor.ptr, page->cursor.len);
    listing.cursor = bytes_of(cursor_text, page->cursor.len);
    return page;
}

static unsigned long number_of(struct bytes key)
{
    unsigned long number = 0;

    for (size_t i = key.len; i > 0; i--)
        number = number * 10 + (unsigned long)(key.ptr[i - 1] - '0');
    return number;
}

Test(listing, every_key_appears_once_with_its_size_and_time)
{
    static unsigned seen[KEYS];
    struct engine_page *page;

    ttl = 5000;
    for (unsigned long i = 0; i < KEYS; i++)
        put(NS, numbered(i), i % 7);
    put(BYTES("other"), BYTES("x"), 1);
    begin(100);
    while ((page = next_page(ENGINE_LIST, NS)) != NULL) {
        for (size_t i = 0; i < page->count; i++) {
            unsigned long number = number_of(page->items[i].key);
            seen[number]++;
            cr_assert_eq(page->items[i].bytes, number % 7);
            cr_assert_eq(page->items[i].ttl_ms, 5000);
        }
        free(page);
    }
    for (unsigned long i = 0; i < KEYS; i++)
        cr_assert_eq(seen[i], 1);
}

Test(listing, only_keys_with_the_prefix_and_none_that_has_expired_or_was_flushed)
{
    static const struct bytes tag = { "t", 1 };
    static const struct engine_put tagged = { .tags = &tag, .tag_count = 1 };
    struct engine_page *page;

    put(NS, BYTES("a/1"), 1);
    put(NS, BYTES("a/2"), 1);
    put(NS, BYTES("b/1"), 1);
    put_with(NS, BYTES("a/3"), 1, &tagged);
    ttl = 10;
    put(NS, BYTES("a/4"), 1);
    now += 10 * NS_PER_MS;
    flush_tag(NS, tag);
    begin(1000);
    listing.prefix = BYTES("a/");
    page = next_page(ENGINE_LIST, NS);
    cr_assert_eq(page->count, 2);
    cr_assert_eq(page->cursor.len, 0);
    free(page);
    flush(NS);
    begin(1000);
    page = next_page(ENGINE_LIST, NS);
    cr_assert_eq(page->count, 0);
    free(page);
}

Test(listing, a_key_that_stands_all_the_while_appears_whatever_comes_and_goes)
{
    static unsigned seen[KEYS];

    srandom(7);
    for (int round = 0; round < 20; round++) {
        struct engine_page *page;
        memset(seen, 0, sizeof seen);
        for (unsigned long i = 0; i < KEYS; i++)
            put(NS, numbered(i), 1);
        begin(1 + (size_t)random() % 90);
        while ((page = next_page(ENGINE_LIST, NS)) != NULL) {
            for (size_t i = 0; i < page->count; i++)
                if (number_of(page->items[i].key) < KEYS)
                    seen[number_of(page->items[i].key)]++;
            free(page);
            /* The multiples of ten stay; the others go and come, and strangers too. */
            for (int i = 0; i < 150; i++) {
                unsigned long number = (unsigned long)random() % (2 * KEYS);
                if (number % 10 == 0)
                    put(NS, numbered(number), 2);
                else if (random() % 3)
                    delete_key(NS, numbered(number));
                else
                    put(NS, numbered(number), 1);
            }
        }
        for (unsigned long i = 0; i < KEYS; i += 10)
            cr_assert_geq(seen[i], 1, "%lu in round %d", i, round);
        cr_assert_null(store_check(store));
    }
}

Test(listing, one_page_looks_at_a_bounded_number_of_entries)
{
    struct engine_page *page;
    unsigned pages = 0;
    size_t found = 0;

    for (unsigned long i = 0; i < 60000; i++)
        put(NS, numbered(i), 0);
    put(NS, BYTES("needle"), 0);
    begin(1000);
    listing.prefix = BYTES("needle");
    while ((page = next_page(ENGINE_LIST, NS)) != NULL) {
        found += page->count;
        pages++;
        free(page);
    }
    cr_assert_eq(found, 1);
    cr_assert_geq(pages, 6);
    cr_assert_leq(pages, 8);
}

Test(listing, after_a_flush_a_cursor_goes_on_among_what_is_new)
{
    struct engine_page *page;
    size_t old = 0;

    for (unsigned long i = 0; i < 1000; i++)
        put(NS, numbered(i), 1);
    begin(10);
    free(next_page(ENGINE_LIST, NS));
    flush(NS);
    for (unsigned long i = 5000; i < 5100; i++)
        put(NS, numbered(i), 1);
    while ((page = next_page(ENGINE_LIST, NS)) != NULL) {
        for (size_t i = 0; i < page->count; i++)
            old += number_of(page->items[i].key) < 5000;
        free(page);
    }
    cr_assert_eq(old, 0);
}

Test(listing, a_cursor_that_cannot_be_one_is_refused)
{
    static const char text[ENGINE_CURSOR_MAX + 1] = "k\377\377\377\377";

    for (size_t len = 1; len <= sizeof text; len++) {
        begin(10);
        listing.cursor = bytes_of(text, len);
        cr_assert_eq(list_page(ENGINE_LIST, NS, &listing), ENGINE_MISMATCH, "%zu bytes", len);
        cr_assert_eq(list_page(ENGINE_NAMESPACES, BYTES_NONE, &listing), ENGINE_MISMATCH);
    }
}

Test(listing, namespaces_come_in_order_with_their_counts_over_all_shards)
{
    struct engine_page *page;
    unsigned long next = 100;
    char name[16];

    for (unsigned long i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "%lu", 100 + (i * 7) % 300);
        for (unsigned long key = 0; key <= i % 5; key++)
            put(bytes_str(name), numbered(key), 3);
    }
    begin(17);
    while ((page = next_page(ENGINE_NAMESPACES, BYTES_NONE)) != NULL) {
        for (size_t i = 0; i < page->count; i++) {
            snprintf(name, sizeof name, "%lu", next++);
            cr_assert(bytes_equal(page->items[i].key, bytes_str(name)));
            cr_assert_eq(page->items[i].bytes, 3 * page->items[i].entries);
            cr_assert_leq(page->items[i].entries, 5);
        }
        free(page);
    }
    cr_assert_eq(next, 400);
}

Test(listing, counts_follow_writes_removals_and_flushes)
{
    put(NS, BYTES("a"), 10);
    put(NS, BYTES("b"), 20);
    cr_assert_eq(census(NS).entries, 2);
    cr_assert_eq(census(NS).bytes, 30);
    put(NS, BYTES("a"), 1);
    cr_assert_eq(census(NS).bytes, 21);
    delete_key(NS, BYTES("b"));
    cr_assert_eq(census(NS).entries, 1);
    cr_assert_eq(census(NS).bytes, 1);
    flush(NS);
    cr_assert_eq(census(NS).entries, 0);
    put(NS, BYTES("c"), 5);
    flush(BYTES_NONE);
    cr_assert_eq(census(NS).entries, 0);
    put(NS, BYTES("c"), 6);
    sweep_all();
    cr_assert_eq(census(NS).bytes, 6);
    cr_assert_eq(census(BYTES("nothing")).entries, 0);
}
