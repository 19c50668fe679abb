#include <criterion/criterion.h>
#include <stdio.h>

#include "service/http/fields.h"

/* Asks `is` about each of the texts, NULL at the end. */
static void each(bool (*is)(struct bytes), bool expected, const char *const *texts)
{
    for (; *texts; texts++)
        cr_expect_eq(is(bytes_str(*texts)), expected, "%s", *texts);
}

#define TEXTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

Test(token, is_one_or_more_tchar)
{
    each(http_is_token, true, TEXTS("GET", "x", "X-Request-Id", "!#$%&'*+-.^_`|~09azAZ"));
    cr_assert_not(http_is_token(BYTES("")));
    for (int c = 0; c < 256; c++) {
        char one = (char)c;
        bool tchar = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c != 0 && strchr("!#$%&'*+-.^_`|~", c));
        cr_assert_eq(http_is_token(bytes_of(&one, 1)), tchar, "byte %d", c);
    }
}

Test(field_value, has_no_control_byte_but_tab)
{
    for (int c = 0; c < 256; c++) {
        char three[3] = { 'a', (char)c, 'b' };
        bool good = c == '\t' || (c >= 0x20 && c != 0x7f);
        cr_assert_eq(http_is_field_value(bytes_of(three, 3)), good, "byte %d", c);
    }
    cr_assert(http_is_field_value(BYTES("")));
}

Test(target, has_no_blank_control_byte_or_fragment)
{
    for (int c = 0; c < 256; c++) {
        char three[3] = { '/', (char)c, 'b' };
        bool good = c > 0x20 && c != 0x7f && c != '#';
        cr_assert_eq(http_is_target(bytes_of(three, 3)), good, "byte %d", c);
    }
    cr_assert_not(http_is_target(BYTES("")));
}

Test(host, is_a_name_or_address_with_an_optional_port)
{
    each(http_is_host, true,
         TEXTS("", "localhost", "localhost:8080", "127.0.0.1:80", "[::1]", "[::1]:8080", "[fe80::1%25eth0]:1",
               "a.b-c_d~e", "xn--caf-dma.example", "host:", "host:65535", "10.0.0.1"));
}

Test(host, refuses_everything_else)
{
    each(http_is_host, false,
         TEXTS("a b", "a/b", "a:b", "a:99999", "a:80:80", "user@host", "[::1", "::1", "[]", "[::1]x", ":80", "a\\b",
               "a?b", "a#b", "<host>", "\"host\""));
}

Test(content_length, is_digits_only)
{
    uint64_t length = 7;

    cr_assert(http_parse_content_length(BYTES("0"), &length) && length == 0);
    cr_assert(http_parse_content_length(BYTES("00012"), &length) && length == 12);
    cr_assert(http_parse_content_length(BYTES("9223372036854775807"), &length));
    const char *const *bad = TEXTS("", "-1", "+1", "1 ", " 1", "1,1", "0x1", "1.0", "9223372036854775808", "1e3");
    for (; *bad; bad++)
        cr_expect_not(http_parse_content_length(bytes_str(*bad), &length), "%s", *bad);
}

Test(method, is_compared_by_exact_case)
{
    cr_assert_eq(http_method_of(BYTES("GET")), HTTP_GET);
    cr_assert_eq(http_method_of(BYTES("DELETE")), HTTP_DELETE);
    cr_assert_eq(http_method_of(BYTES("get")), HTTP_METHOD_OTHER);
    cr_assert_eq(http_method_of(BYTES("GETT")), HTTP_METHOD_OTHER);
    cr_assert_eq(http_method_of(BYTES("TRACE")), HTTP_METHOD_OTHER);
}

Test(field, is_found_in_any_case)
{
    cr_assert_eq(http_field_of(BYTES("Content-Length")), HTTP_FIELD_CONTENT_LENGTH);
    cr_assert_eq(http_field_of(BYTES("content-LENGTH")), HTTP_FIELD_CONTENT_LENGTH);
    cr_assert_eq(http_field_of(BYTES("If-None-Match")), HTTP_FIELD_IF_NONE_MATCH);
    cr_assert_eq(http_field_of(BYTES("If-None-Matc")), HTTP_FIELDS);
    cr_assert_eq(http_field_of(BYTES("X-Other")), HTTP_FIELDS);
}

Test(field, only_lists_may_be_joined)
{
    cr_assert(http_field_is_list(HTTP_FIELD_IF_MATCH));
    cr_assert(http_field_is_list(HTTP_FIELD_ACCEPT));
    cr_assert_not(http_field_is_list(HTTP_FIELD_HOST));
    cr_assert_not(http_field_is_list(HTTP_FIELD_CONTENT_LENGTH));
    cr_assert_not(http_field_is_list(HTTP_FIELD_CACHE_TTL));
}
