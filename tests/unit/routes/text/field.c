#include "routes/text/field.h"

#include "tests/support/exact.h"

Test(field, a_token_has_the_characters_of_rfc_9110)
{
    const char *marks = "!#$%&'*+-.^_`|~";

    for (unsigned byte = 0; byte < 256; byte++) {
        char text[1] = { (char)byte };
        struct bytes rest = bytes_of(text, 1);
        bool alphanumeric =
            (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
        bool in = alphanumeric || (byte != 0 && strchr(marks, (int)byte) != NULL);

        cr_expect_eq(field_take_token(&rest).len, in ? 1 : 0, "0x%02x", byte);
        cr_expect_eq(rest.len, in ? 0 : 1, "0x%02x", byte);
    }
}

Test(field, takes_quoted_strings)
{
    static const struct {
        struct bytes text, inside;
        size_t left;
    } good[] = {
        { B("\"\""), B(""), 0 },
        { B("\"a b\"c"), B("a b"), 1 },
        { B("\"\t !#[]~\x80\xFF\""), B("\t !#[]~\x80\xFF"), 0 },
        { B("\"a\\\"b\\\\\""), B("a\\\"b\\\\"), 0 },
        { B("\"\\\t\\ \\x\\\xFF\""), B("\\\t\\ \\x\\\xFF"), 0 },
        { B("\",;=\" "), B(",;="), 1 },
    };
    static const struct bytes bad[] = {
        B(""),         B("a"),         B("\""),       B("\"a"),        B("\"\\\""), B("\"\\"),     B("\"a\0b\""),
        B("\"a\nb\""), B("\"a\x7F\""), B("\"\\\n\""), B("\"\\\x7F\""), B("a\"b\""), B("\"\x1F\""), B("\"\\\0\""),
    };

    for (size_t i = 0; i < COUNT(good); i++) {
        struct bytes rest = exact_copy(good[i].text), owned = rest, inside = BYTES_NONE;

        cr_expect(field_take_quoted(&rest, &inside), "%zu", i);
        cr_expect(bytes_equal(inside, good[i].inside), "%zu", i);
        cr_expect_eq(rest.len, good[i].left, "%zu", i);
        exact_free(owned);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bytes rest = exact_copy(bad[i]), owned = rest, inside = BYTES_NONE;

        cr_expect_not(field_take_quoted(&rest, &inside), "%zu", i);
        cr_expect_eq(rest.len, owned.len, "%zu", i);
        exact_free(owned);
    }
}

Test(field, takes_parameters_one_by_one)
{
    struct bytes rest = BYTES(" ; a=1;b=\"x;y\"\t;; ;c='d', next");
    struct field_parameter parameter;

    cr_assert_eq(field_take_parameter(&rest, &parameter), FIELD_PARAMETER);
    cr_expect(bytes_equal(parameter.name, BYTES("a")) && bytes_equal(parameter.value, BYTES("1")));
    cr_assert_eq(field_take_parameter(&rest, &parameter), FIELD_PARAMETER);
    cr_expect(bytes_equal(parameter.name, BYTES("b")) && bytes_equal(parameter.value, BYTES("x;y")));
    cr_assert_eq(field_take_parameter(&rest, &parameter), FIELD_PARAMETER);
    cr_expect(bytes_equal(parameter.name, BYTES("c")) && bytes_equal(parameter.value, BYTES("'d'")));
    cr_assert_eq(field_take_parameter(&rest, &parameter), FIELD_END);
    cr_expect(bytes_equal(rest, BYTES(", next")));
}

Test(field, tells_malformed_parameters)
{
    static const struct bytes bad[] = {
        B(";a"), B(";a="), B(";a =b"), B(";a= b"), B(";a=\"b"), B(";a=,"), B(";a=="), B(";a;b=c"),
    };

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bytes rest = exact_copy(bad[i]), owned = rest;
        struct field_parameter parameter;

        cr_expect_eq(field_take_parameter(&rest, &parameter), FIELD_MALFORMED, "%.*s", SHOW(bad[i]));
        exact_free(owned);
    }
}

Test(field, takes_media_types)
{
    struct bytes rest = BYTES("text/html;q=1");
    struct field_media_type media;

    cr_assert(field_take_media_type(&rest, &media));
    cr_expect(bytes_equal(media.type, BYTES("text")) && bytes_equal(media.subtype, BYTES("html")));
    cr_expect(bytes_equal(rest, BYTES(";q=1")));
    rest = BYTES("text");
    cr_expect_not(field_take_media_type(&rest, &media));
    rest = BYTES("/html");
    cr_expect_not(field_take_media_type(&rest, &media));
    rest = BYTES("text/;");
    cr_expect_not(field_take_media_type(&rest, &media));
    rest = BYTES_NONE;
    cr_expect_not(field_take_media_type(&rest, &media));
}
