#include "engines/redis/record.h"

#include <criterion/criterion.h>

static const struct redis_record sample = {
    .version = UINT64_C(0x0102030405060708),
    .generations = "nnnnnnnnaaaaaaa",
    .flags = RECORD_INDEXED,
    .end_ms = UINT64_C(1700000000000),
    .idle_ms = 600000,
    .fence = 7,
    .stale_ms = 300000,
    .content_type = { "text/plain", 10 },
};

static size_t store(char *out, struct bytes data)
{
    size_t head = redis_record_write_head(&sample, out);

    memcpy(out + head, data.ptr, data.len);
    return head + data.len;
}

Test(redis_record, what_was_written_is_read)
{
    char bytes[RECORD_HEAD_MAX + 16];
    struct redis_record record;
    size_t len = store(bytes, BYTES("va\0lue"));

    cr_assert_eq(redis_record_parse(bytes_of(bytes, len), &record), RECORD_OURS);
    cr_assert_eq(record.version, sample.version);
    cr_assert_arr_eq(record.generations, sample.generations, RECORD_GENERATIONS_BYTES);
    cr_assert_eq(record.flags, RECORD_INDEXED);
    cr_assert_eq(record.end_ms, sample.end_ms);
    cr_assert_eq(record.stale_ms, sample.stale_ms);
    cr_assert_eq(record.tags.len, 0);
    cr_assert_eq(record.idle_ms, sample.idle_ms);
    cr_assert_eq(record.fence, sample.fence);
    cr_assert(bytes_equal(record.content_type, sample.content_type));
    cr_assert(bytes_equal(record.data, BYTES("va\0lue")));
}

Test(redis_record, tags_stand_between_type_and_value)
{
    const struct bytes tags[] = { BYTES("a"), BYTES("b\0:") };
    char bytes[RECORD_HEAD_MAX + 16], section[RECORD_TAGS_MAX];
    struct redis_record tagged = sample, record;
    size_t len;

    tagged.tags = bytes_of(section, redis_record_write_tags(tags, 2, section));
    cr_assert(bytes_equal(tagged.tags, BYTES("\1a\0\0\0\0\0\0\0\0" "\3b\0:\0\0\0\0\0\0\0\0")));
    len = redis_record_write_head(&tagged, bytes);
    memcpy(bytes + len, "value", 5);
    cr_assert_eq(redis_record_parse(bytes_of(bytes, len + 5), &record), RECORD_OURS);
    cr_assert_eq(record.flags, RECORD_TAGGED | RECORD_INDEXED);
    cr_assert(bytes_equal(record.tags, tagged.tags));
    cr_assert(bytes_equal(record.content_type, sample.content_type));
    cr_assert(bytes_equal(record.data, BYTES("value")));
    cr_assert_eq(redis_record_parse(bytes_of(bytes, len - 1), &record), RECORD_BROKEN, "tags cut off");
}

Test(redis_record, the_longest_tags_fit)
{
    static const char text[ENGINE_TAG_BYTES_MAX] = "t";
    char bytes[RECORD_HEAD_MAX], section[RECORD_TAGS_MAX];
    struct bytes tags[ENGINE_TAGS_MAX];
    struct redis_record tagged = sample, record;
    size_t len;

    for (int i = 0; i < ENGINE_TAGS_MAX; i++)
        tags[i] = bytes_of(text, sizeof text);
    len = redis_record_write_tags(tags, ENGINE_TAGS_MAX, section);
    cr_assert_eq(len, RECORD_TAGS_MAX);
    tagged.tags = bytes_of(section, len);
    len = redis_record_write_head(&tagged, bytes);
    cr_assert_eq(redis_record_parse(bytes_of(bytes, len), &record), RECORD_OURS);
    cr_assert_eq(record.tags.len, RECORD_TAGS_MAX);
    cr_assert_eq(record.data.len, 0);
}

Test(redis_record, a_marker_and_what_has_ended_are_no_entries)
{
    struct redis_record record = { .version = 1 };

    cr_assert(redis_record_is_entry(&record, 5000), "never ends");
    record.stale_ms = 100;
    cr_assert(redis_record_is_entry(&record, 5000), "never ends, whatever its window");
    record.end_ms = 5000;
    cr_assert(redis_record_is_entry(&record, 4999));
    cr_assert_not(redis_record_is_entry(&record, 5000), "only a lease keeps it");
    record.end_ms = record.stale_ms = 0;
    record.flags = RECORD_ABSENT;
    cr_assert_not(redis_record_is_entry(&record, 1), "a marker");
}

/* The scripts patch these places; see script_lib.h. */
Test(redis_record, the_layout_is_the_documented_one)
{
    char bytes[RECORD_HEAD_MAX + 16];

    store(bytes, BYTES(""));
    cr_assert_arr_eq(bytes, "\x9d" "Cb\x02", 4);
    cr_assert_eq(bytes[4], RECORD_INDEXED);
    cr_assert_eq(bytes[5], 10);
    cr_assert_arr_eq(bytes + 8, "\1\2\3\4\5\6\7\10", 8);
    cr_assert_arr_eq(bytes + 16, "nnnnnnnnaaaaaaa", 16);
    cr_assert_eq(redis_record_get_u64(bytes + 32), sample.end_ms);
    cr_assert_eq(redis_record_get_u64(bytes + 40), sample.idle_ms);
    cr_assert_eq(redis_record_get_u64(bytes + 48), sample.fence);
    cr_assert_eq(redis_record_get_u64(bytes + 56), sample.stale_ms);
    cr_assert_eq(redis_record_get_u64(bytes + 64), 0, "no lease");
    cr_assert_eq(redis_record_get_u64(bytes + 72), 0);
    cr_assert_arr_eq(bytes + 80, "text/plain", 10);
}

Test(redis_record, anything_else_is_another_clients_value)
{
    char bytes[RECORD_HEAD_MAX + 16];
    struct redis_record record;

    store(bytes, BYTES("x"));
    cr_assert_eq(redis_record_parse(BYTES(""), &record), RECORD_FOREIGN);
    cr_assert_eq(record.data.len, 0);
    cr_assert_eq(redis_record_parse(BYTES("plain"), &record), RECORD_FOREIGN);
    cr_assert(bytes_equal(record.data, BYTES("plain")));
    cr_assert_eq(redis_record_parse(bytes_of(bytes, RECORD_HEADER_BYTES - 1), &record), RECORD_FOREIGN);
}

Test(redis_record, a_header_that_does_not_hold_together_is_broken)
{
    char bytes[RECORD_HEAD_MAX + 16];
    struct redis_record record;
    size_t len = store(bytes, BYTES(""));

    cr_assert_eq(redis_record_parse(bytes_of(bytes, len - 1), &record), RECORD_BROKEN, "content type cut off");
    memset(bytes + 8, 0, 8);
    cr_assert_eq(redis_record_parse(bytes_of(bytes, len), &record), RECORD_BROKEN, "no version");
}
