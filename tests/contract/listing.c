/* Listing keys and namespaces, page by page. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/contract.h"

#define NS BYTES("listed")
#define MARGIN_MS 60

TestSuite(listing, .init = contract_open_timed, .fini = contract_close, .timeout = 60);

/* ---- All pages of a listing as one ---- */

struct found {
    char name[1024];
    size_t len;
    struct engine_listed item; /* its key is not to be used */
};

static struct found *found;
static size_t found_count;

static void collect(const struct engine_page *page, size_t limit)
{
    cr_assert_not_null(page);
    cr_assert_leq(page->count, limit, "a page of more than was asked for");
    cr_assert_leq(page->cursor.len, ENGINE_CURSOR_MAX);
    found = realloc(found, (found_count + page->count + 1) * sizeof *found);
    cr_assert_not_null(found);
    for (size_t i = 0; i < page->count; i++) {
        struct found *next = &found[found_count++];
        next->item = page->items[i];
        next->len = page->items[i].key.len;
        cr_assert_leq(next->len, sizeof next->name);
        memcpy(next->name, page->items[i].key.ptr, next->len);
    }
}

/* Lists to the end; `between` runs after each page. Returns how many pages it took. */
static size_t list_all(enum engine_verb verb, struct bytes ns, struct bytes prefix, size_t limit,
                       void (*between)(void))
{
    char cursor[ENGINE_CURSOR_MAX];
    size_t cursor_len = 0, pages = 0;

    free(found);
    found = NULL;
    found_count = 0;
    do {
        struct engine_listing listing = { .prefix = prefix, .cursor = bytes_of(cursor, cursor_len), .limit = limit };
        struct engine_op op = op_for(verb, ns, BYTES_NONE);
        op.listing = &listing;
        expect_status(run(op), ENGINE_OK, "page");
        collect(listing.page, limit);
        cursor_len = listing.page->cursor.len;
        if (cursor_len > 0)
            memcpy(cursor, listing.page->cursor.ptr, cursor_len);
        free(listing.page);
        cr_assert_lt(++pages, 10000, "a listing without end");
        if (between)
            between();
    } while (cursor_len > 0);
    return pages;
}

static const struct found *find(struct bytes name)
{
    for (size_t i = 0; i < found_count; i++)
        if (bytes_equal(bytes_of(found[i].name, found[i].len), name))
            return &found[i];
    return NULL;
}

static bool is_again(size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (found[i].len == found[j].len && memcmp(found[i].name, found[j].name, found[i].len) == 0)
            return true;
    return false;
}

/* Exactly `prefix` + 0 to count - 1. A key may come again where the table that
 * is listed is being resized. */
static void expect_numbered(const char *prefix, int count, const char *what)
{
    size_t different = 0;
    char text[32];

    for (int i = 0; i < count; i++)
        cr_assert_not_null(find(numbered(text, prefix, i)), "%s: %s%d is missing", what, prefix, i);
    for (size_t i = 0; i < found_count; i++)
        different += !is_again(i);
    cr_assert_eq(different, count, "%s: %zu keys", what, different);
}

static void put_numbered(struct bytes ns, const char *prefix, int from, int to)
{
    enum { MOST = 500 };
    static struct engine_op ops[MOST];
    static char texts[MOST][32];
    struct value *value = value_for(BYTES("some value"), BYTES("text/plain"));

    cr_assert_leq(to - from, MOST);
    for (int i = from; i < to; i++) {
        ops[i - from] = op_for(ENGINE_PUT, ns, numbered(texts[i - from], prefix, i));
        ops[i - from].value = value;
        ops[i - from].ttl_ms = 60000;
    }
    client_run_batch(&client, ops, (size_t)(to - from));
    for (int i = from; i < to; i++)
        cr_assert_leq(ops[i - from].status, ENGINE_CREATED);
    value_unref(value);
}

/* ---- Keys ---- */

Test(listing, shows_every_key_whatever_the_size_of_its_pages)
{
    static const size_t limits[] = { 1, 7, 100, 1000 };

    if (!can(ENGINE_CAN_LIST))
        return;
    put_numbered(NS, "key-", 0, 150);
    put_numbered(BYTES("listed2"), "key-x", 0, 20);
    put_numbered(BYTES("list"), "ed-key-", 0, 20);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        list_all(ENGINE_LIST, NS, BYTES_NONE, limits[i], NULL);
        expect_numbered("key-", 150, "listing");
    }
}

Test(listing, of_nothing_is_empty)
{
    if (!can(ENGINE_CAN_LIST))
        return;
    list_all(ENGINE_LIST, NS, BYTES_NONE, 10, NULL);
    cr_assert_eq(found_count, 0);
    put_numbered(NS, "key-", 0, 20);
    list_all(ENGINE_LIST, NS, BYTES("nothing begins so"), 10, NULL);
    cr_assert_eq(found_count, 0);
}

Test(listing, tells_size_and_remaining_time)
{
    const struct found *key;

    if (!can(ENGINE_CAN_LIST))
        return;
    put_for(NS, BYTES("with"), 60000, ENGINE_NO_IDLE);
    put(NS, BYTES("without"), BYTES("twelve bytes"));
    put(NS, BYTES("empty"), BYTES(""));
    list_all(ENGINE_LIST, NS, BYTES_NONE, 10, NULL);
    cr_assert_eq(found_count, 3);
    key = find(BYTES("with"));
    cr_assert(key && key->item.ttl_ms > 50000 && key->item.ttl_ms <= 60000);
    cr_assert_eq(key->item.bytes, 5);
    key = find(BYTES("without"));
    cr_assert(key && key->item.ttl_ms == ENGINE_NO_EXPIRY);
    cr_assert_eq(key->item.bytes, 12);
    key = find(BYTES("empty"));
    cr_assert(key && key->item.bytes == 0);
}

Test(listing, narrows_to_a_prefix)
{
    if (!can(ENGINE_CAN_LIST))
        return;
    put_numbered(NS, "a/", 0, 30);
    put_numbered(NS, "a", 0, 30);
    put_numbered(NS, "b/a/", 0, 30);
    put_numbered(NS, "a*", 0, 10);
    put_numbered(NS, "a[b]?\\", 0, 10);
    list_all(ENGINE_LIST, NS, BYTES("a/"), 8, NULL);
    expect_numbered("a/", 30, "a/");
    list_all(ENGINE_LIST, NS, BYTES("a*"), 8, NULL);
    expect_numbered("a*", 10, "a*");
    list_all(ENGINE_LIST, NS, BYTES("a[b]?\\"), 8, NULL);
    expect_numbered("a[b]?\\", 10, "a[b]?\\");
}

Test(listing, shows_keys_of_any_bytes)
{
    char longest[1024] = "", other[1024] = "";
    const struct bytes keys[] = { BYTES("\0"),
                                  BYTES("\0\0"),
                                  BYTES("a\0b"),
                                  BYTES("\xff\xfe"),
                                  BYTES("\r\n"),
                                  BYTES(" "),
                                  BYTES("a:b"),
                                  BYTES("{x}"),
                                  BYTES("a/../b"),
                                  bytes_of(longest, sizeof longest),
                                  bytes_of(other, sizeof other) };
    enum { COUNT = sizeof keys / sizeof keys[0] };

    if (!can(ENGINE_CAN_LIST))
        return;
    memset(longest, 'k', sizeof longest);
    memset(other, 'k', sizeof other);
    other[sizeof other - 1] = '\0';
    for (size_t i = 0; i < COUNT; i++)
        put(NS, keys[i], BYTES("x"));
    list_all(ENGINE_LIST, NS, BYTES_NONE, 3, NULL);
    cr_assert_eq(found_count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_not_null(find(keys[i]), "key %zu", i);
    list_all(ENGINE_LIST, NS, BYTES("a\0"), 3, NULL);
    cr_assert_eq(found_count, 1);
    cr_assert_not_null(find(BYTES("a\0b")));
}

Test(listing, leaves_out_what_is_gone)
{
    const struct bytes red = BYTES("red");
    struct engine_put with = { .tags = &red, .tag_count = 1 };

    if (!can(ENGINE_CAN_LIST))
        return;
    put_numbered(NS, "stays-", 0, 5);
    put(NS, BYTES("deleted"), BYTES("x"));
    delete_if(NS, BYTES("deleted"), NULL);
    put_for(NS, BYTES("expired"), 100, ENGINE_NO_IDLE);
    pass_ms(100 + MARGIN_MS);
    if (engine->capabilities & ENGINE_CAN_TAG) {
        put_with(NS, BYTES("dropped"), BYTES("x"), &with);
        flush_tag(NS, red);
    }
    list_all(ENGINE_LIST, NS, BYTES_NONE, 10, NULL);
    expect_numbered("stays-", 5, "listing");
    if (!can(ENGINE_CAN_FLUSH))
        return;
    flush(NS);
    list_all(ENGINE_LIST, NS, BYTES_NONE, 10, NULL);
    cr_assert_eq(found_count, 0, "flushed");
    put_numbered(NS, "new-", 0, 5);
    list_all(ENGINE_LIST, NS, BYTES_NONE, 10, NULL);
    expect_numbered("new-", 5, "written after the flush");
}

Test(listing, shows_no_counters_limits_or_locks)
{
    struct engine_counter counter = { .by = 1, .min = INT64_MIN, .max = INT64_MAX, .ttl_ms = ENGINE_NO_EXPIRY };
    struct engine_op op = op_for(ENGINE_COUNTER_ADD, NS, BYTES("counter"));

    if (!can(ENGINE_CAN_LIST | ENGINE_CAN_COUNT))
        return;
    op.counter = &counter;
    expect_status(run(op), ENGINE_OK, "add");
    put(NS, BYTES("entry"), BYTES("x"));
    list_all(ENGINE_LIST, NS, BYTES_NONE, 10, NULL);
    cr_assert_eq(found_count, 1);
    cr_assert_not_null(find(BYTES("entry")));
}

Test(listing, refuses_a_cursor_that_cannot_be_one)
{
    char longest[ENGINE_CURSOR_MAX] = "";
    const struct bytes wrong[] = { BYTES("no cursor"), BYTES("\0"), BYTES("-1"), BYTES("99999999999999999999999"),
                                   bytes_of(longest, sizeof longest) };

    if (!can(ENGINE_CAN_LIST))
        return;
    memset(longest, '\xee', sizeof longest);
    put_numbered(NS, "key-", 0, 5);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct engine_listing listing = { .cursor = wrong[i], .limit = 10 };
        struct engine_op op = op_for(ENGINE_LIST, NS, BYTES_NONE);
        op.listing = &listing;
        expect_status(run(op), ENGINE_MISMATCH, "list");
        cr_assert_null(listing.page, "a page nobody frees");
    }
}

/* ---- Under change ---- */

enum { TURNS = 30 };
static int turn;

/* For so many pages only: a listing need not overtake what grows. */
static void churn(void)
{
    if (turn == TURNS)
        return;
    put_numbered(NS, "comes-", turn * 20, turn * 20 + 20);
    for (int i = 0; i < 10; i++) {
        char text[32];
        delete_if(NS, numbered(text, "goes-", turn * 10 + i), NULL);
    }
    put_numbered(NS, "stays-", 0, 20); /* rewritten, but there all the while */
    put_numbered(BYTES("elsewhere"), "other-", turn * 20, turn * 20 + 20);
    turn++;
}

Test(listing, under_change_shows_all_that_stood_throughout)
{
    char text[32];

    if (!can(ENGINE_CAN_LIST))
        return;
    put_numbered(NS, "stays-", 0, 200);
    put_numbered(NS, "goes-", 0, TURNS * 10);
    list_all(ENGINE_LIST, NS, BYTES_NONE, 40, churn);
    for (int i = 0; i < 200; i++)
        cr_assert_not_null(find(numbered(text, "stays-", i)), "%s is missing", text);
    for (size_t i = 0; i < found_count; i++)
        cr_assert(!bytes_starts_with(bytes_of(found[i].name, found[i].len), BYTES("other-")), "another namespace's");
    cr_assert_gt(turn, 2);
}

/* ---- Namespaces ---- */

static void expect_count(struct bytes ns, uint64_t entries, size_t bytes, const char *what)
{
    const struct found *item = find(ns);

    cr_assert_not_null(item, "%s: a namespace is missing", what);
    if (item->item.entries == ENGINE_UNKNOWN)
        return;
    cr_assert_eq(item->item.entries, entries, "%s: %llu entries", what, (unsigned long long)item->item.entries);
    cr_assert_eq(item->item.bytes, bytes, "%s: %zu bytes", what, item->item.bytes);
}

Test(listing, shows_every_namespace)
{
    static const size_t limits[] = { 1, 7, 1000 };
    char text[32];

    if (!can(ENGINE_CAN_LIST))
        return;
    for (int i = 0; i < 40; i++)
        put_numbered(numbered(text, "ns-", i), "k", 0, 1 + i % 3);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        list_all(ENGINE_NAMESPACES, BYTES_NONE, BYTES_NONE, limits[i], NULL);
        expect_numbered("ns-", 40, "namespaces");
        cr_assert_eq(found_count, 40, "a namespace twice");
    }
    for (int i = 0; i < 40; i++)
        expect_count(numbered(text, "ns-", i), 1 + (uint64_t)i % 3, 10 * (1 + (size_t)i % 3), "all");
}

Test(listing, counts_what_stands_in_a_namespace)
{
    if (!can(ENGINE_CAN_LIST))
        return;
    put_numbered(NS, "k", 0, 20);
    put_numbered(BYTES("other"), "k", 0, 3);
    put(NS, BYTES("k0"), BYTES("12345"));
    delete_if(NS, BYTES("k1"), NULL);
    put_for(NS, BYTES("expired"), 100, ENGINE_NO_IDLE);
    if (engine->capabilities & ENGINE_CAN_LEASE)
        cr_assert_eq(get_lease(NS, BYTES("nothing yet"), 60000, 1).lease, ENGINE_LEASE_WON);
    list_all(ENGINE_NAMESPACES, NS, BYTES_NONE, 10, NULL);
    cr_assert_eq(found_count, 1, "only the one asked for");
    if (find(NS) && find(NS)->item.entries == ENGINE_UNKNOWN)
        return;
    expect_count(NS, 20, 18 * 10 + 5 + 5, "before its time");
    if (!can(ENGINE_CAN_FLUSH))
        return;
    flush(NS);
    put_numbered(NS, "k", 0, 2);
    list_all(ENGINE_NAMESPACES, NS, BYTES_NONE, 10, NULL);
    expect_count(NS, 2, 20, "after a flush");
}
