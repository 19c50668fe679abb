/* Pages of listings: one block, whatever was added. */
#include "engines/page.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Fails the nth allocation from now; -1: none. */
static int fail_at = -1;

void *__real_malloc(size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *block, size_t size);

static bool fails_now(void)
{
    return fail_at >= 0 && fail_at-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails_now() ? NULL : __real_realloc(block, size);
}

static struct page_builder builder;

TestSuite(page);

/* Keys of 0 to 2000 bytes, NUL included. */
static struct bytes key_of(size_t i, char *text)
{
    size_t len = i * 37 % 2001;

    for (size_t at = 0; at < len; at++)
        text[at] = (char)(i + at);
    return bytes_of(text, len);
}

static void add_many(size_t count)
{
    char text[2001];

    page_builder_init(&builder);
    for (size_t i = 0; i < count; i++) {
        struct engine_listed item = {
            .key = key_of(i, text), .bytes = i, .entries = i * 2, .ttl_ms = (int64_t)i - 1
        };
        page_builder_add(&builder, &item);
        memset(text, 'x', sizeof text); /* the builder has copied it */
    }
}

static void expect_many(const struct engine_page *page, size_t count)
{
    char text[2001];

    cr_assert_eq(page->count, count);
    for (size_t i = 0; i < count; i++) {
        cr_assert(bytes_equal(page->items[i].key, key_of(i, text)), "key %zu", i);
        cr_assert_eq(page->items[i].bytes, i);
        cr_assert_eq(page->items[i].entries, i * 2);
        cr_assert_eq(page->items[i].ttl_ms, (int64_t)i - 1);
    }
}

Test(page, holds_what_was_added_in_order)
{
    static const size_t counts[] = { 1, 63, 64, 65, 1000 };

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct engine_page *page;
        add_many(counts[i]);
        page = page_builder_finish(&builder, BYTES("go\0on"));
        cr_assert_not_null(page);
        expect_many(page, counts[i]);
        cr_assert(bytes_equal(page->cursor, BYTES("go\0on")));
        free(page);
    }
}

Test(page, may_be_empty)
{
    struct engine_page *page;

    page_builder_init(&builder);
    page = page_builder_finish(&builder, BYTES_NONE);
    cr_assert_not_null(page);
    cr_assert_eq(page->count, 0);
    cr_assert_eq(page->cursor.len, 0);
    free(page);
}

Test(page, empty_with_a_cursor_is_not_the_end)
{
    struct engine_page *page;

    page_builder_init(&builder);
    page = page_builder_finish(&builder, BYTES("17"));
    cr_assert_not_null(page);
    cr_assert_eq(page->count, 0);
    cr_assert(bytes_equal(page->cursor, BYTES("17")));
    free(page);
}

Test(page, a_builder_is_used_again_after_its_page)
{
    struct engine_page *first, *second;

    add_many(3);
    first = page_builder_finish(&builder, BYTES_NONE);
    page_builder_add(&builder, &(struct engine_listed){ .key = BYTES("again") });
    second = page_builder_finish(&builder, BYTES_NONE);
    cr_assert(first && second);
    expect_many(first, 3);
    cr_assert_eq(second->count, 1);
    cr_assert(bytes_equal(second->items[0].key, BYTES("again")));
    free(first);
    free(second);
}

Test(page, an_unfinished_one_is_released)
{
    add_many(200);
    page_builder_release(&builder);
    page_builder_release(&builder);
}

Test(page, without_memory_there_is_none_and_nothing_leaks)
{
    int failed = 0;

    for (int n = 0;; n++) {
        struct engine_page *page;
        fail_at = n;
        add_many(300);
        page = page_builder_finish(&builder, BYTES("on"));
        if (fail_at >= 0) { /* nothing failed any more */
            fail_at = -1;
            cr_assert_not_null(page);
            free(page);
            break;
        }
        cr_assert_null(page, "a page with holes, at allocation %d", n);
        failed++;
    }
    cr_assert_gt(failed, 4);
}
