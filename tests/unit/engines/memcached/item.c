/* The header of stored entries: what is written is read, damage is noticed,
 * and the times mean what the contract says. */
#include "engines/memcached/item.h"

#include <criterion/criterion.h>

#include <string.h>

#define NOW UINT64_C(1700000000000)
#define DAY_MS (INT64_C(24) * 3600 * 1000)

static const struct item_stamp current = { .ns = 11, .all = 12 };

/* Of the longest names, all different. */
static struct bytes tags_of(size_t count)
{
    static char stored[ITEM_TAGS_MAX + 100];
    char name[ENGINE_TAG_BYTES_MAX];
    size_t len = 0;

    memset(name, 0xff, sizeof name);
    for (size_t i = 0; i < count; i++) {
        name[7] = (char)i;
        len += item_write_tag(&(struct item_tag){ .name = bytes_of(name, sizeof name), .generation = 100 + i },
                              stored + len);
    }
    return bytes_of(stored, len);
}

static struct item example(void)
{
    return (struct item){
        .stamp = current,
        .version = UINT64_C(0xfedcba9876543210),
        .expires_ms = NOW + 5000,
        .due_ms = NOW + 1000,
        .idle_ms = 1000,
        .stale_ms = 400,
        .fence = UINT64_C(0x1122334455667788),
        .lease_token = UINT64_C(0x8877665544332211),
        .lease_until_ms = NOW + 700,
        .ns = BYTES("users"),
        .key = BYTES("a\0b"),
        .content_type = BYTES("text/plain"),
        .tags = tags_of(2),
        .data = BYTES("val\0ue"),
    };
}

/* Head and value in one piece; the length. */
static size_t lay_out(const struct item *item, char out[ITEM_HEAD_MAX + 164])
{
    size_t len = item_write_head(item, out);

    if (item->data.len > 0)
        memcpy(out + len, item->data.ptr, item->data.len);
    return len + item->data.len;
}

Test(item, what_is_written_is_read)
{
    char stored[ITEM_HEAD_MAX + 164];
    struct item in = example(), out;
    size_t len = lay_out(&in, stored);

    cr_assert(item_parse(bytes_of(stored, len), &out));
    cr_assert_eq(out.version, in.version);
    cr_assert_eq(out.stamp.ns, in.stamp.ns);
    cr_assert_eq(out.stamp.all, in.stamp.all);
    cr_assert_eq(out.expires_ms, in.expires_ms);
    cr_assert_eq(out.due_ms, in.due_ms);
    cr_assert_eq(out.idle_ms, in.idle_ms);
    cr_assert_eq(out.stale_ms, in.stale_ms);
    cr_assert_eq(out.fence, in.fence);
    cr_assert_eq(out.lease_token, in.lease_token);
    cr_assert_eq(out.lease_until_ms, in.lease_until_ms);
    cr_assert_not(out.absent);
    cr_assert(bytes_equal(out.tags, in.tags));
    cr_assert(bytes_equal(out.ns, in.ns));
    cr_assert(bytes_equal(out.key, in.key));
    cr_assert(bytes_equal(out.content_type, in.content_type));
    cr_assert(bytes_equal(out.data, in.data));
}

Test(item, the_longest_names_fit)
{
    static char key[ITEM_KEY_MAX], ns[ITEM_NAMESPACE_MAX], type[VALUE_CONTENT_TYPE_MAX];
    static char stored[ITEM_HEAD_MAX + 164];
    struct item in = example(), out;

    memset(key, 0xff, sizeof key);
    memset(ns, 'n', sizeof ns);
    memset(type, 't', sizeof type);
    in.key = bytes_of(key, sizeof key);
    in.ns = bytes_of(ns, sizeof ns);
    in.content_type = bytes_of(type, sizeof type);
    in.tags = tags_of(ENGINE_TAGS_MAX);
    in.data = BYTES_NONE;
    cr_assert_eq(lay_out(&in, stored), ITEM_HEAD_MAX);
    cr_assert(item_parse(bytes_of(stored, ITEM_HEAD_MAX), &out));
    cr_assert(bytes_equal(out.key, in.key));
    cr_assert_eq(out.data.len, 0);
}

Test(item, every_cut_is_noticed)
{
    char stored[ITEM_HEAD_MAX + 164];
    struct item in = example(), out;
    size_t len = lay_out(&in, stored);

    for (size_t cut = 0; cut < len; cut++)
        cr_assert_not(item_parse(bytes_of(stored, cut), &out), "cut to %zu bytes", cut);
    stored[len] = 'x';
    cr_assert_not(item_parse(bytes_of(stored, len + 1), &out), "one byte more");
}

Test(item, lengths_that_lie_are_refused)
{
    char stored[ITEM_HEAD_MAX + 164];
    struct item in = example(), out;
    size_t len = lay_out(&in, stored);

    for (size_t at = 0; at < 16; at++) {
        char was = stored[at];
        stored[at] = (char)(was ^ 0x80);
        cr_assert_not(item_parse(bytes_of(stored, len), &out), "byte %zu of the header", at);
        stored[at] = was;
    }
    for (size_t at = 96; at < ITEM_HEADER_BYTES; at++) {
        char was = stored[at];
        stored[at] = (char)(was ^ 0x40);
        cr_assert_not(item_parse(bytes_of(stored, len), &out), "byte %zu of the header", at);
        stored[at] = was;
    }
    memset(stored + 16, 0, 8);
    cr_assert_not(item_parse(bytes_of(stored, len), &out), "version 0");
}

Test(item, tags_come_back_one_by_one)
{
    struct bytes rest = tags_of(3);
    struct item_tag tag;

    for (size_t i = 0; i < 3; i++) {
        cr_assert(item_next_tag(&rest, &tag));
        cr_assert_eq(tag.name.len, ENGINE_TAG_BYTES_MAX);
        cr_assert_eq(tag.name.ptr[7], (char)i);
        cr_assert_eq(tag.generation, 100 + i);
    }
    cr_assert_not(item_next_tag(&rest, &tag));
    cr_assert_eq(rest.len, 0);
}

Test(item, damaged_tags_are_refused)
{
    char stored[ITEM_HEAD_MAX + 164];
    struct item in = example(), out;
    size_t len = lay_out(&in, stored), at = ITEM_HEADER_BYTES + in.ns.len + in.key.len;
    static const unsigned char lengths[] = { 0, 1, ENGINE_TAG_BYTES_MAX - 1, ENGINE_TAG_BYTES_MAX + 1, 255 };

    for (size_t i = 0; i < sizeof lengths; i++) {
        stored[at] = (char)lengths[i];
        cr_assert_not(item_parse(bytes_of(stored, len), &out), "a tag of %u bytes", lengths[i]);
    }
    stored[at] = ENGINE_TAG_BYTES_MAX;
    cr_assert(item_parse(bytes_of(stored, len), &out));
}

Test(item, an_item_has_at_most_32_tags)
{
    static char stored[ITEM_HEAD_MAX + 164], tags[ITEM_TAGS_MAX];
    struct item in = example(), out;
    size_t len = 0;

    for (unsigned i = 0; i < ENGINE_TAGS_MAX + 1; i++) {
        in.tags = bytes_of(tags, len);
        cr_assert(item_parse(bytes_of(stored, lay_out(&in, stored)), &out), "%u tags", i);
        len += item_write_tag(&(struct item_tag){ .name = BYTES("t"), .generation = 1 }, tags + len);
    }
    in.tags = bytes_of(tags, len);
    cr_assert_not(item_parse(bytes_of(stored, lay_out(&in, stored)), &out), "33 tags");
}

Test(item, a_marker_is_no_entry_and_holds_a_lease)
{
    char stored[ITEM_HEAD_MAX + 164];
    struct item in = { .absent = true, .version = 1, .stamp = current, .lease_token = 5 }, out;

    item_set_time(&in, 700, 0, 0, NOW);
    in.lease_until_ms = in.due_ms;
    cr_assert(item_parse(bytes_of(stored, lay_out(&in, stored)), &out));
    cr_assert(out.absent);
    cr_assert(item_holds(&out, &current));
    cr_assert_not(item_stands(&out, NOW));
    cr_assert_eq(item_lease_left_ms(&out, NOW + 699), 1);
    cr_assert_eq(item_lease_left_ms(&out, NOW + 700), 0);
    out.lease_token = 0;
    cr_assert_eq(item_lease_left_ms(&out, NOW), 0, "no token, no lease");
}

Test(item, a_stale_entry_stands_until_its_window_ends)
{
    struct item item = { .version = 1 };

    item_set_time(&item, 1000, 0, 500, NOW);
    cr_assert_not(item_is_stale(&item, NOW + 999));
    cr_assert_eq(item_remaining_ms(&item, NOW + 400), 600);
    cr_assert(item_is_stale(&item, NOW + 1000));
    cr_assert_eq(item_remaining_ms(&item, NOW + 1200), 0);
    cr_assert(item_stands(&item, NOW + 1499));
    cr_assert_not(item_stands(&item, NOW + 1500));
    item_set_time(&item, -1, 0, item.stale_ms, NOW);
    cr_assert_not(item_is_stale(&item, NOW + 999999), "what never expires is never stale");
    item_set_time(&item, 1000, 0, item.stale_ms, NOW);
    cr_assert(item_is_stale(&item, NOW + 1000), "the window is kept");
    item_set_time(&item, 1000, 0, 0, NOW);
    cr_assert_not(item_is_stale(&item, NOW + 1000), "without a window nothing is stale");
}

Test(item, an_entry_stands_until_it_is_due_and_while_both_generations_hold)
{
    struct item item = example();
    struct item_stamp other = current;

    cr_assert(item_stands(&item, NOW + 999));
    cr_assert_not(item_stands(&item, NOW + 1000));
    cr_assert(item_holds(&item, &current));
    other.ns = 99;
    cr_assert_not(item_holds(&item, &other));
    other = (struct item_stamp){ .ns = current.ns, .all = 99 };
    cr_assert_not(item_holds(&item, &other));
    item.stamp = other = (struct item_stamp){ .ns = 0, .all = 0 };
    cr_assert_not(item_holds(&item, &other), "a generation that is missing holds nothing");
}

Test(item, sliding_extends_and_stops_at_the_expiry)
{
    struct item item = { .version = 1 };

    item_set_time(&item, 2500, 1000, 0, NOW);
    cr_assert_eq(item.due_ms, NOW + 1000);
    cr_assert_eq(item_slide(&item, NOW + 400), NOW + 1400);
    cr_assert_eq(item_slide(&item, NOW + 2000), NOW + 2500);
    cr_assert_eq(item_slide(&item, NOW - 500), NOW + 1000, "never back");
    item_set_time(&item, -1, 1000, 0, NOW);
    cr_assert_eq(item.expires_ms, 0);
    cr_assert_eq(item_slide(&item, NOW + 400), NOW + 1400);
}

Test(item, remaining_time)
{
    struct item item = example();

    item_set_time(&item, 1500, 0, 0, NOW);
    cr_assert_eq(item_remaining_ms(&item, NOW + 1), 1499);
    cr_assert_eq(item_remaining_ms(&item, NOW + 9999), 0);
    item_set_time(&item, -1, 0, 0, NOW);
    cr_assert_eq(item_remaining_ms(&item, NOW), -1);
}

Test(item, the_server_is_told_a_later_time)
{
    struct item item = example();

    item.lease_until_ms = 0;
    item_set_time(&item, -1, 0, 0, NOW);
    cr_assert_eq(item_server_expiry(&item, NOW), 0);
    item_set_time(&item, 1, 0, 0, NOW);
    cr_assert_eq(item_server_expiry(&item, NOW), 3);
    item_set_time(&item, 5001, 0, 0, NOW);
    cr_assert_eq(item_server_expiry(&item, NOW), 8);
    item.lease_until_ms = NOW + 9000;
    cr_assert_eq(item_server_expiry(&item, NOW), 11, "a lease that outlives its entry keeps it");
}

Test(item, beyond_thirty_days_the_server_is_told_a_date)
{
    struct item item = { .version = 1 };
    int64_t limit = 30 * DAY_MS / 1000;

    item_set_time(&item, 30 * DAY_MS - 2000, 0, 0, NOW);
    cr_assert_eq(item_server_expiry(&item, NOW), limit);
    item_set_time(&item, 30 * DAY_MS - 1999, 0, 0, NOW);
    cr_assert_geq(item_server_expiry(&item, NOW), (int64_t)(NOW / 1000) + limit);
    item_set_time(&item, 3650 * DAY_MS, 0, 0, NOW);
    cr_assert_geq(item_server_expiry(&item, NOW), (int64_t)(NOW / 1000) + 3650 * DAY_MS / 1000);
    cr_assert_leq(item_server_expiry(&item, NOW), INT64_C(0xffffffff), "the field has 32 bits");
    cr_assert_gt(ITEM_EXPIRED_ALREADY, limit);
}
