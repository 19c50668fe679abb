/* Where a listing goes on: encoding, repeated steps, patterns. */
#include "engines/redis/list_cursor.h"

#include <criterion/criterion.h>
#include <fnmatch.h>
#include <stdlib.h>

#define NS BYTES("users")
#define PREFIX BYTES("a/")

static struct redis_list_cursor some_cursor(void)
{
    struct redis_list_cursor cursor = {
        .server = UINT64_C(0x0123456789abcdef),
        .scan = UINT64_C(0xfedcba9876543210),
        .count = 400,
        .ties = 3,
        .end = 77,
        .threshold = UINT64_MAX,
    };

    redis_list_bit_set(cursor.done, 0);
    redis_list_bit_set(cursor.done, 1);
    redis_list_bit_set(cursor.done, 255);
    redis_list_bit_set(cursor.here, 2);
    return cursor;
}

static void expect_same(const struct redis_list_cursor *a, const struct redis_list_cursor *b)
{
    cr_assert_eq(a->server, b->server);
    cr_assert_eq(a->scan, b->scan);
    cr_assert_eq(a->count, b->count);
    cr_assert_eq(a->ties, b->ties);
    cr_assert_eq(a->end, b->end);
    cr_assert_eq(a->threshold, b->threshold);
}

Test(list_cursor, is_read_as_it_was_written)
{
    struct redis_list_cursor cursor = some_cursor(), back;
    char text[ENGINE_CURSOR_MAX];
    size_t len = redis_list_cursor_write(&cursor, true, NS, PREFIX, text);

    cr_assert_leq(len, sizeof text);
    cr_assert(redis_list_cursor_read(&back, bytes_of(text, len), true, NS, PREFIX));
    expect_same(&cursor, &back);
    cr_assert_eq(memcmp(cursor.done, back.done, sizeof cursor.done), 0);
    cr_assert_eq(memcmp(cursor.here, back.here, sizeof cursor.here), 0);
}

Test(list_cursor, of_one_server_needs_no_buckets)
{
    struct redis_list_cursor cursor = some_cursor(), back;
    char text[ENGINE_CURSOR_MAX];
    size_t len = redis_list_cursor_write(&cursor, false, NS, PREFIX, text);

    cr_assert_leq(len, 64);
    cr_assert(redis_list_cursor_read(&back, bytes_of(text, len), false, NS, PREFIX));
    expect_same(&cursor, &back);
    cr_assert_eq(redis_list_cursor_bucket(&back, 1), 0, "what began is not done");
    cr_assert(redis_list_bit(back.here, 0));
}

Test(list_cursor, empty_is_the_beginning)
{
    struct redis_list_cursor cursor;

    cr_assert(redis_list_cursor_read(&cursor, BYTES_NONE, true, NS, PREFIX));
    cr_assert_eq(cursor.server, 0);
    cr_assert_eq(cursor.count, 0);
    cr_assert_eq(redis_list_cursor_bucket(&cursor, KEYS_BUCKETS), 0);
}

/* Each byte changed, each length, and another listing's. */
Test(list_cursor, that_was_changed_is_refused)
{
    struct redis_list_cursor cursor = some_cursor(), back;
    char text[ENGINE_CURSOR_MAX + 1] = { 0 };
    size_t len = redis_list_cursor_write(&cursor, true, NS, PREFIX, text);

    for (size_t i = 0; i < len; i++) {
        text[i] ^= 1;
        cr_assert_not(redis_list_cursor_read(&back, bytes_of(text, len), true, NS, PREFIX), "byte %zu", i);
        text[i] ^= 1;
    }
    for (size_t cut = 1; cut <= sizeof text; cut++)
        cr_assert_eq(redis_list_cursor_read(&back, bytes_of(text, cut), true, NS, PREFIX), cut == len, "%zu", cut);
    cr_assert_not(redis_list_cursor_read(&back, bytes_of(text, len), false, NS, PREFIX));
    cr_assert_not(redis_list_cursor_read(&back, bytes_of(text, len), true, BYTES("user"), BYTES("s:a/")));
    cr_assert_not(redis_list_cursor_read(&back, bytes_of(text, len), true, NS, BYTES("a")));
}

Test(list_cursor, asks_redis_for_no_more_than_a_step)
{
    struct redis_list_cursor cursor = some_cursor(), back;
    char text[ENGINE_CURSOR_MAX];
    size_t len;

    cursor.count = REDIS_LIST_COUNT_MAX + 1;
    len = redis_list_cursor_write(&cursor, true, NS, PREFIX, text);
    cr_assert_not(redis_list_cursor_read(&back, bytes_of(text, len), true, NS, PREFIX));
}

Test(list_cursor, goes_on_at_the_first_bucket_that_is_not_done)
{
    struct redis_list_cursor cursor = { .server = 0 };

    cr_assert_eq(redis_list_cursor_bucket(&cursor, KEYS_BUCKETS), 0);
    for (unsigned bucket = 0; bucket < KEYS_BUCKETS; bucket++) {
        redis_list_bit_set(cursor.done, bucket);
        cr_assert_eq(redis_list_cursor_bucket(&cursor, KEYS_BUCKETS), bucket + 1);
    }
    memset(cursor.done, 0xff, sizeof cursor.done);
    cursor.done[17] = 0xf7;
    cr_assert_eq(redis_list_cursor_bucket(&cursor, KEYS_BUCKETS), 17 * 8 + 3);
}

/* ---- Repeating a step ---- */

/* Walks one step's keys, some of equal hash, in pages of `limit`, as list.c
 * does; returns how often the most and the least frequent one was delivered. */
static void walk(const uint64_t *hashes, size_t count, size_t limit, unsigned *most, unsigned *least)
{
    struct redis_list_cursor cursor = { .count = 0 };
    unsigned *times = calloc(count, sizeof *times);
    bool more = true;

    cr_assert_not_null(times);
    for (int pages = 0; more; pages++) {
        struct redis_list_cut cut;
        size_t room = limit;
        cr_assert_lt(pages, 1000);
        redis_list_cut_init(&cut, &cursor, 99);
        more = false;
        for (size_t i = 0; i < count && !more; i++) {
            if (redis_list_cut_skips(&cut, hashes[i]))
                continue;
            if (room-- == 0) {
                more = true;
                break;
            }
            times[i]++;
            cursor.threshold = cut.hash;
            cursor.ties = cut.ties;
        }
        cursor.count = 10;
        cursor.end = 99;
    }
    *most = 0;
    *least = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        *most = times[i] > *most ? times[i] : *most;
        *least = times[i] < *least ? times[i] : *least;
    }
    free(times);
}

Test(list_cut, delivers_each_key_of_a_step_once)
{
    static const uint64_t hashes[] = { 1, 1, 1, 4, 5, 5, 6, 9, 9, 9, 9, UINT64_MAX, UINT64_MAX };
    unsigned most, least;

    for (size_t limit = 1; limit <= 14; limit++) {
        walk(hashes, sizeof hashes / sizeof hashes[0], limit, &most, &least);
        cr_assert_eq(most, 1, "limit %zu", limit);
        cr_assert_eq(least, 1, "limit %zu", limit);
    }
}

Test(list_cut, leaves_nothing_out_where_the_step_covers_something_else)
{
    struct redis_list_cursor cursor = { .count = 10, .end = 99, .threshold = 50, .ties = 1 };
    struct redis_list_cut cut;

    redis_list_cut_init(&cut, &cursor, 99);
    cr_assert(redis_list_cut_skips(&cut, 50));
    cr_assert_not(redis_list_cut_skips(&cut, 50), "the second of that hash was not delivered");
    redis_list_cut_init(&cut, &cursor, 98);
    cr_assert_not(redis_list_cut_skips(&cut, 10));
    cursor.count = 0;
    redis_list_cut_init(&cut, &cursor, 99);
    cr_assert_not(redis_list_cut_skips(&cut, 10), "there is nothing to repeat");
}

/* ---- Patterns ---- */

static struct bytes pattern_of(bool clustered, struct bytes ns, struct bytes prefix)
{
    static char text[REDIS_LIST_PATTERN_MAX + 1];
    static struct redis_keys keys;
    size_t len;

    redis_keys_init(&keys, BYTES("cubby"), clustered);
    len = redis_list_pattern(&keys, ns, prefix, text);
    text[len] = 0;
    return bytes_of(text, len);
}

Test(list_pattern, names_the_keys_of_a_namespace)
{
    cr_assert(bytes_equal(pattern_of(false, NS, BYTES_NONE), BYTES("cubby:users:*")));
    cr_assert(bytes_equal(pattern_of(false, NS, PREFIX), BYTES("cubby:users:a/*")));
    cr_assert(bytes_equal(pattern_of(true, NS, PREFIX), BYTES("cubby:{*}:users:a/*")));
}

Test(list_pattern, means_globs_as_the_characters_they_are)
{
    struct bytes pattern = pattern_of(false, BYTES("u"), BYTES("[a]*?\\^-"));

    cr_assert(bytes_equal(pattern, BYTES("cubby:u:\\[a\\]\\*\\?\\\\^-*")));
    cr_assert_eq(fnmatch(pattern.ptr, "cubby:u:[a]*?\\^-rest", 0), 0);
    cr_assert_neq(fnmatch(pattern.ptr, "cubby:u:aXX\\^-rest", 0), 0);
}

Test(list_pattern, has_room_for_the_longest)
{
    char prefix[1025], ns[64];

    memset(prefix, '*', sizeof prefix);
    memset(ns, 'n', sizeof ns);
    cr_assert_eq(pattern_of(true, bytes_of(ns, 64), bytes_of(prefix, 1024)).len, 5 + 5 + 64 + 1 + 2 * 1024 + 1);
    cr_assert_eq(pattern_of(true, bytes_of(ns, 64), bytes_of(prefix, 1025)).len, 0);
}

Test(list_hash, is_never_nothing)
{
    cr_assert_neq(redis_list_hash(BYTES_NONE), 0);
    cr_assert_neq(redis_list_hash(BYTES("a")), redis_list_hash(BYTES("b")));
}
