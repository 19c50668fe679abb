#include "engines/redis/record.h"

#include <criterion/criterion.h>

static const struct redis_record sample = {
    .version = UINT64_C(0x0102030405060708),
    .generations = "nnnnnnnnaaaaaaa",
    .expires_ms = UINT64_C(1700000000000),
    .idle_ms = 600000,
    .fence = 7,
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
    cr_assert_eq(record.expires_ms, sample.expires_ms);
    cr_assert_eq(record.idle_ms, sample.idle_ms);
    cr_assert_eq(record.fence, sample.fence);
    cr_assert(bytes_equal(record.content_type, sample.content_type));
    cr_assert(bytes_equal(record.data, BYTES("va\0lue")));
}

/* The scripts patch these places; see script.c. */
Test(redis_record, the_layout_is_the_documented_one)
{
    char bytes[RECORD_HEAD_MAX + 16];

    store(bytes, BYTES(""));
    cr_assert_arr_eq(bytes, "\x9d" "Cb\x01", 4);
    cr_assert_arr_eq(bytes + 8, "\1\2\3\4\5\6\7\10", 8);
    cr_assert_arr_eq(bytes + 16, "nnnnnnnnaaaaaaa", 16);
    cr_assert_eq(redis_record_get_u64(bytes + 32), sample.expires_ms);
    cr_assert_eq(redis_record_get_u64(bytes + 40), sample.idle_ms);
    cr_assert_eq(redis_record_get_u64(bytes + 48), sample.fence);
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
