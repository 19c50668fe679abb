/* The header of stored entries: what is written is read, damage is noticed,
 * and the times mean what the contract says. */
#include "engines/memcached/item.h"

#include <criterion/criterion.h>

#include <string.h>

#define NOW UINT64_C(1700000000000)
#define DAY_MS (INT64_C(24) * 3600 * 1000)

static const struct item_stamp current = { .ns = 11, .all = 12 };

static struct item example(void)
{
    return (struct item){
        .stamp = current,
        .version = UINT64_C(0xfedcba9876543210),
        .expires_ms = NOW + 5000,
        .due_ms = NOW + 1000,
        .idle_ms = 1000,
        .ns = BYTES("users"),
        .key = BYTES("a\0b"),
        .content_type = BYTES("text/plain"),
        .data = BYTES("val\0ue"),
    };
}

/* Head and value in one piece; the length. */
static size_t lay_out(const struct item *item, char out[ITEM_HEAD_MAX + 64])
{
    size_t len = item_write_head(item, out);

    if (item->data.len > 0)
        memcpy(out + len, item->data.ptr, item->data.len);
    return len + item->data.len;
}

Test(item, what_is_written_is_read)
{
    char stored[ITEM_HEAD_MAX + 64];
    struct item in = example(), out;
    size_t len = lay_out(&in, stored);

    cr_assert(item_parse(bytes_of(stored, len), &out));
    cr_assert_eq(out.version, in.version);
    cr_assert_eq(out.stamp.ns, in.stamp.ns);
    cr_assert_eq(out.stamp.all, in.stamp.all);
    cr_assert_eq(out.expires_ms, in.expires_ms);
    cr_assert_eq(out.due_ms, in.due_ms);
    cr_assert_eq(out.idle_ms, in.idle_ms);
    cr_assert(bytes_equal(out.ns, in.ns));
    cr_assert(bytes_equal(out.key, in.key));
    cr_assert(bytes_equal(out.content_type, in.content_type));
    cr_assert(bytes_equal(out.data, in.data));
}

Test(item, the_longest_names_fit)
{
    static char key[ITEM_KEY_MAX], ns[ITEM_NAMESPACE_MAX], type[VALUE_CONTENT_TYPE_MAX];
    static char stored[ITEM_HEAD_MAX + 64];
    struct item in = example(), out;

    memset(key, 0xff, sizeof key);
    memset(ns, 'n', sizeof ns);
    memset(type, 't', sizeof type);
    in.key = bytes_of(key, sizeof key);
    in.ns = bytes_of(ns, sizeof ns);
    in.content_type = bytes_of(type, sizeof type);
    in.data = BYTES_NONE;
    cr_assert_eq(lay_out(&in, stored), ITEM_HEAD_MAX);
    cr_assert(item_parse(bytes_of(stored, ITEM_HEAD_MAX), &out));
    cr_assert(bytes_equal(out.key, in.key));
    cr_assert_eq(out.data.len, 0);
}

Test(item, every_cut_is_noticed)
{
    char stored[ITEM_HEAD_MAX + 64];
    struct item in = example(), out;
    size_t len = lay_out(&in, stored);

    for (size_t cut = 0; cut < len; cut++)
        cr_assert_not(item_parse(bytes_of(stored, cut), &out), "cut to %zu bytes", cut);
    stored[len] = 'x';
    cr_assert_not(item_parse(bytes_of(stored, len + 1), &out), "one byte more");
}

Test(item, lengths_that_lie_are_refused)
{
    char stored[ITEM_HEAD_MAX + 64];
    struct item in = example(), out;
    size_t len = lay_out(&in, stored);

    for (size_t at = 0; at < 16; at++) {
        char was = stored[at];
        stored[at] = (char)(was ^ 0x80);
        cr_assert_not(item_parse(bytes_of(stored, len), &out), "byte %zu of the header", at);
        stored[at] = was;
    }
    memset(stored + 16, 0, 8);
    cr_assert_not(item_parse(bytes_of(stored, len), &out), "version 0");
}

Test(item, an_entry_stands_until_it_is_due_and_while_both_generations_hold)
{
    struct item item = example();
    struct item_stamp other = current;

    cr_assert(item_stands(&item, &current, NOW + 999));
    cr_assert_not(item_stands(&item, &current, NOW + 1000));
    other.ns = 99;
    cr_assert_not(item_stands(&item, &other, NOW));
    other = (struct item_stamp){ .ns = current.ns, .all = 99 };
    cr_assert_not(item_stands(&item, &other, NOW));
    item.stamp = other = (struct item_stamp){ .ns = 0, .all = 0 };
    cr_assert_not(item_stands(&item, &other, NOW), "a generation that is missing holds nothing");
}

Test(item, sliding_extends_and_stops_at_the_expiry)
{
    struct item item = example();

    item_set_time(&item, 2500, 1000, NOW);
    cr_assert_eq(item.due_ms, NOW + 1000);
    cr_assert_eq(item_slide(&item, NOW + 400), NOW + 1400);
    cr_assert_eq(item_slide(&item, NOW + 2000), NOW + 2500);
    cr_assert_eq(item_slide(&item, NOW - 500), NOW + 1000, "never back");
    item_set_time(&item, -1, 1000, NOW);
    cr_assert_eq(item.expires_ms, 0);
    cr_assert_eq(item_slide(&item, NOW + 400), NOW + 1400);
}

Test(item, remaining_time)
{
    struct item item = example();

    item_set_time(&item, 1500, 0, NOW);
    cr_assert_eq(item_remaining_ms(&item, NOW + 1), 1499);
    cr_assert_eq(item_remaining_ms(&item, NOW + 9999), 0);
    item_set_time(&item, -1, 0, NOW);
    cr_assert_eq(item_remaining_ms(&item, NOW), -1);
}

Test(item, the_server_is_told_a_later_time)
{
    struct item item = example();

    item_set_time(&item, -1, 0, NOW);
    cr_assert_eq(item_server_expiry(&item, NOW), 0);
    item_set_time(&item, 1, 0, NOW);
    cr_assert_eq(item_server_expiry(&item, NOW), 3);
    item_set_time(&item, 5001, 0, NOW);
    cr_assert_eq(item_server_expiry(&item, NOW), 8);
}

Test(item, beyond_thirty_days_the_server_is_told_a_date)
{
    struct item item = example();
    int64_t limit = 30 * DAY_MS / 1000;

    item_set_time(&item, 30 * DAY_MS - 2000, 0, NOW);
    cr_assert_eq(item_server_expiry(&item, NOW), limit);
    item_set_time(&item, 30 * DAY_MS - 1999, 0, NOW);
    cr_assert_geq(item_server_expiry(&item, NOW), (int64_t)(NOW / 1000) + limit);
    item_set_time(&item, 3650 * DAY_MS, 0, NOW);
    cr_assert_geq(item_server_expiry(&item, NOW), (int64_t)(NOW / 1000) + 3650 * DAY_MS / 1000);
    cr_assert_leq(item_server_expiry(&item, NOW), INT64_C(0xffffffff), "the field has 32 bits");
    cr_assert_gt(ITEM_EXPIRED_ALREADY, limit);
}
