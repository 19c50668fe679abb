/* Tests of service/base/buffer.h. */
#include "service/base/buffer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static void expect(const struct buffer *buffer, const char *text)
{
    cr_expect(bytes_equal(buffer_bytes(buffer), bytes_str(text)), "%.*s is not %s", (int)buffer->len, buffer->ptr,
              text);
}

Test(buffer, gathers_what_is_added)
{
    struct buffer buffer;

    buffer_init(&buffer, 1000);
    buffer_add(&buffer, BYTES("a"));
    buffer_add(&buffer, BYTES_NONE);
    buffer_add_string(&buffer, "bc");
    buffer_add_char(&buffer, '-');
    buffer_add_u64(&buffer, UINT64_MAX);
    buffer_add_char(&buffer, ' ');
    buffer_add_i64(&buffer, INT64_MIN);
    buffer_add_format(&buffer, " %s %d", "x", 5);
    cr_assert_not(buffer.failed);
    expect(&buffer, "abc-18446744073709551615 -9223372036854775808 x 5");
    buffer_release(&buffer);
}

Test(buffer, holds_its_maximum_and_not_a_byte_more)
{
    struct buffer buffer;

    buffer_init(&buffer, 1000);
    for (int i = 0; i < 1000; i++)
        buffer_add_char(&buffer, 'x');
    cr_assert_not(buffer.failed);
    cr_assert_eq(buffer.len, 1000);
    cr_assert_leq(buffer.capacity, 1000);
    buffer_add_char(&buffer, 'y');
    cr_assert(buffer.failed);
    cr_assert_eq(buffer.len, 1000);
    buffer_release(&buffer);
}

Test(buffer, failure_sticks_until_it_is_undone)
{
    struct buffer buffer;

    buffer_init(&buffer, 4);
    buffer_add_string(&buffer, "abc");
    buffer_add_string(&buffer, "de");
    buffer_add_string(&buffer, "f");
    cr_expect(buffer.failed);
    expect(&buffer, "abc");
    cr_expect_null(buffer_extend(&buffer, 1));
    cr_expect_null(buffer_take_string(&buffer));
    buffer_rewind(&buffer, 2);
    buffer_add_string(&buffer, "fg");
    cr_expect_not(buffer.failed);
    expect(&buffer, "abfg");
    buffer_clear(&buffer);
    expect(&buffer, "");
    buffer_release(&buffer);
}

Test(buffer, sizes_that_would_wrap_around_fail)
{
    struct buffer buffer;

    buffer_init(&buffer, 1000);
    buffer_add_char(&buffer, 'x');
    cr_expect_null(buffer_extend(&buffer, SIZE_MAX));
    buffer_release(&buffer);
}

Test(buffer, lent_memory_is_neither_grown_nor_taken)
{
    char memory[4];
    struct buffer buffer;

    buffer_init_fixed(&buffer, memory, sizeof memory);
    buffer_add_string(&buffer, "abcd");
    cr_expect_not(buffer.failed);
    cr_expect_eq(buffer.ptr, memory);
    cr_expect_null(buffer_take_string(&buffer));
    buffer_add_char(&buffer, 'e');
    cr_expect(buffer.failed);
    buffer_release(&buffer);
}

Test(buffer, taken_string_is_terminated_and_the_buffer_empty)
{
    struct buffer buffer;
    char *string;

    buffer_init(&buffer, 3);
    buffer_add_string(&buffer, "abc");
    string = buffer_take_string(&buffer);
    cr_expect_str_eq(string, "abc");
    free(string);
    cr_expect_eq(buffer.len, 0);
    buffer_add_string(&buffer, "d");
    expect(&buffer, "d");
    buffer_release(&buffer);
}

Test(buffer, long_formats_are_whole)
{
    struct buffer buffer;

    buffer_init(&buffer, 10000);
    buffer_add_format(&buffer, "%0255d", 1);
    buffer_add_format(&buffer, "%0256d", 1);
    buffer_add_format(&buffer, "%05000d", 1);
    cr_expect_eq(buffer.len, 255 + 256 + 5000);
    cr_expect_eq(buffer.ptr[buffer.len - 1], '1');
    cr_expect_eq(buffer.ptr[254], '1');
    cr_expect_eq(buffer.ptr[510], '1');
    buffer_release(&buffer);
}

Test(format, decimals_are_those_of_printf)
{
    static const uint64_t numbers[] = { 0, 1, 9, 10, 42, 99, 100, 101, 999, 1000, 12345, UINT32_MAX, UINT64_MAX };
    char ours[FORMAT_U64_MAX], theirs[32];

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int len = snprintf(theirs, sizeof theirs, "%llu", (unsigned long long)numbers[i]);

        cr_expect_eq(format_u64(ours, numbers[i]), (size_t)len);
        cr_expect_eq(memcmp(ours, theirs, (size_t)len), 0, "%s", theirs);
    }
}

Test(format, hexadecimals_have_sixteen_digits)
{
    char hex[FORMAT_HEX64_LEN];

    format_hex64(hex, UINT64_C(0x0123456789abcdef));
    cr_expect_eq(memcmp(hex, "0123456789abcdef", 16), 0);
    format_hex64(hex, 0);
    cr_expect_eq(memcmp(hex, "0000000000000000", 16), 0);
}

static void expect_escaped(struct bytes text, const char *escaped)
{
    struct buffer buffer;

    buffer_init(&buffer, 1000);
    buffer_add_json_escaped(&buffer, text);
    expect(&buffer, escaped);
    buffer_release(&buffer);
}

Test(json, plain_text_and_utf8_stay)
{
    expect_escaped(BYTES("abc /<>&'"), "abc /<>&'");
    expect_escaped(BYTES("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xbb"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xbb");
    expect_escaped(BYTES("\xf4\x8f\xbf\xbf\xed\x9f\xbf"), "\xf4\x8f\xbf\xbf\xed\x9f\xbf");
    expect_escaped(BYTES_NONE, "");
}

Test(json, quotes_backslash_and_controls_are_escaped)
{
    expect_escaped(BYTES("\"\\\b\f\n\r\t"), "\\\"\\\\\\b\\f\\n\\r\\t");
    expect_escaped(BYTES("a\0\x01\x1f\x7f"), "a\\u0000\\u0001\\u001f\\u007f");
    expect_escaped(BYTES("\xc2\x9b\xc2\xa0"), "\\u009b\xc2\xa0");
}

#define BAD "\xef\xbf\xbd"

Test(json, what_is_not_utf8_is_replaced)
{
    expect_escaped(BYTES("\x80"), BAD);
    expect_escaped(BYTES("a\xff\xfe"
                         "b"),
                   "a" BAD BAD "b");
    expect_escaped(BYTES("\xc0\xaf"), BAD BAD);
    expect_escaped(BYTES("\xe0\x80\x80"), BAD BAD BAD);
    expect_escaped(BYTES("\xed\xa0\x80"), BAD BAD BAD);
    expect_escaped(BYTES("\xf4\x90\x80\x80"), BAD BAD BAD BAD);
    expect_escaped(BYTES("\xe2\x82"), BAD);
    expect_escaped(BYTES("\xe2\x82"
                         "A"),
                   BAD "A");
    expect_escaped(BYTES("\xf0\x9f\x90"), BAD);
    expect_escaped(BYTES("\xf0\x9f\x90\""), BAD "\\\"");
    expect_escaped(BYTES("\xc3"), BAD);
}

Test(json, string_is_in_quotes)
{
    struct buffer buffer;

    buffer_init(&buffer, 100);
    buffer_add_json_string(&buffer, BYTES("a\"b"));
    expect(&buffer, "\"a\\\"b\"");
    buffer_release(&buffer);
}
