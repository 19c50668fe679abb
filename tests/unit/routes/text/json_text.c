#include "routes/text/json_text.h"

#include <stdint.h>

#include "tests/support/exact.h"

static bool valid(struct bytes text, struct json_text_fault *fault)
{
    struct bytes copy = exact_copy(text);
    bool result = json_text_valid(copy, fault);

    exact_free(copy);
    return result;
}

Test(json_text, takes_all_that_the_grammar_allows)
{
    static const struct bytes good[] = {
        B("0"),
        B("-0"),
        B("1"),
        B("-1"),
        B("10"),
        B("1.0"),
        B("0.0"),
        B("1e5"),
        B("1E+5"),
        B("1e-05"),
        B("0e0"),
        B("-0.0E-0"),
        B("1e400"),
        B("-1e99999999999999999999"),
        B("123456789012345678901234567890"),
        B("0.0000000000000000000000000000000000000000000001"),
        B("true"),
        B("false"),
        B("null"),
        B("\"\""),
        B("[]"),
        B("{}"),
        B("[[]]"),
        B("[{}]"),
        B("{\"\":{}}"),
        B("[1,2,3]"),
        B("[1,[2,[3,{\"a\":[4]}]],5]"),
        B(" \t\r\n1 \t\r\n"),
        B("[ ]"),
        B("{ }"),
        B(" [ 1 , 2 ] "),
        B(" { \"a\" : 1 , \"b\" : [ ] } "),
        B("{\"a\":1,\"a\":2}"),
        B("\"\\u0000\""),
        B("\"\\ud800\""),
        B("\"\\udc00\\ud800\""),
        B("\"\\uD83D\\uDE00\""),
        B("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\uAbCd\""),
        B("\"\x7F\""),
        B("\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""),
        B("\"\xEF\xBF\xBE\xE2\x80\xA8\xEF\xBB\xBF\""),
        B("{\"\\u0000\":null}"),
        B("\"/\""),
        B("\"'\""),
        B("[null,true,false,\"x\",-1.5e3]"),
        B("[\"a long string that spans several words\",\"\\\\ and so on\"]"),
    };

    for (size_t i = 0; i < COUNT(good); i++) {
        struct json_text_fault fault = { 0, NULL };

        cr_expect(valid(good[i], &fault), "%.*s: %s at %zu", SHOW(good[i]), fault.reason, fault.offset);
        cr_expect_null(fault.reason);
    }
}

Test(json_text, says_where_it_goes_wrong)
{
    static const struct {
        struct bytes text;
        size_t offset;
        const char *words;
    } bad[] = {
        { B(""), 0, "ends" },
        { B("  "), 2, "ends" },
        { B("\xEF\xBB\xBF{}"), 0, "byte order mark" },
        { B("\xEF\xBB\xBF"), 0, "byte order mark" },
        { B("\xFF\xFE{\0}\0"), 0, "not a JSON value" },
        { B("[,]"), 1, "not a JSON value" },
        { B("[1,]"), 3, "not a JSON value" },
        { B("[1,,2]"), 3, "not a JSON value" },
        { B("[1"), 2, "comma or ]" },
        { B("[1 2]"), 3, "comma or ]" },
        { B("[1}"), 2, "comma or ]" },
        { B("["), 1, "ends" },
        { B("[1,"), 3, "ends" },
        { B("]"), 0, "not a JSON value" },
        { B("}"), 0, "not a JSON value" },
        { B("[]]"), 2, "follows" },
        { B("{}}"), 2, "follows" },
        { B("{"), 1, "name" },
        { B("{,}"), 1, "name" },
        { B("{1:2}"), 1, "name" },
        { B("{a:2}"), 1, "name" },
        { B("{'a':2}"), 1, "name" },
        { B("{null:2}"), 1, "name" },
        { B("{]"), 1, "name" },
        { B("{\"a\""), 4, "colon" },
        { B("{\"a\"}"), 4, "colon" },
        { B("{\"a\" 1}"), 5, "colon" },
        { B("{\"a\",1}"), 4, "colon" },
        { B("{\"a\":}"), 5, "not a JSON value" },
        { B("{\"a\":"), 5, "ends" },
        { B("{\"a\":1"), 6, "comma or }" },
        { B("{\"a\":1]"), 6, "comma or }" },
        { B("{\"a\":1,}"), 7, "name" },
        { B("{\"a\":1 \"b\":2}"), 7, "comma or }" },
        { B("{\"a\":1:2}"), 6, "comma or }" },
        { B("1 2"), 2, "follows" },
        { B("1,"), 1, "follows" },
        { B("1\0"), 1, "follows" },
        { B("\0"), 0, "not a JSON value" },
        { B("{}\0"), 2, "follows" },
        { B("01"), 1, "follows" },
        { B("-01"), 2, "follows" },
        { B("1a"), 1, "follows" },
        { B("0x10"), 1, "follows" },
        { B("-"), 1, "digits" },
        { B("-a"), 1, "digits" },
        { B("--1"), 1, "digits" },
        { B("+1"), 0, "not a JSON value" },
        { B(".5"), 0, "not a JSON value" },
        { B("-.5"), 1, "digits" },
        { B("1."), 2, "point" },
        { B("1.e5"), 2, "point" },
        { B("[1.]"), 3, "point" },
        { B("1e"), 2, "exponent" },
        { B("1e+"), 3, "exponent" },
        { B("1e5.5"), 3, "follows" },
        { B("1E++1"), 3, "exponent" },
        { B("NaN"), 0, "not a JSON value" },
        { B("-Infinity"), 1, "digits" },
        { B("undefined"), 0, "not a JSON value" },
        { B("True"), 0, "not a JSON value" },
        { B("tru"), 3, "not a JSON value" },
        { B("trux"), 3, "not a JSON value" },
        { B("truee"), 4, "follows" },
        { B("nul"), 3, "not a JSON value" },
        { B("fals"), 4, "not a JSON value" },
        { B("'a'"), 0, "not a JSON value" },
        { B("\""), 1, "closing quote" },
        { B("\"abc"), 4, "closing quote" },
        { B("\"abc\\\""), 6, "closing quote" },
        { B("\"\\"), 2, "escape" },
        { B("\"\\x41\""), 2, "escape" },
        { B("\"\\'\""), 2, "escape" },
        { B("\"\\0\""), 2, "escape" },
        { B("\"\\U0041\""), 2, "escape" },
        { B("\"\\u\""), 3, "escape" },
        { B("\"\\u123\""), 6, "escape" },
        { B("\"\\u12"), 5, "escape" },
        { B("\"\\u12g4\""), 5, "escape" },
        { B("\"\n\""), 1, "control" },
        { B("\"a\tb\""), 2, "control" },
        { B("\"a\0b\""), 2, "control" },
        { B("\"\x1F\""), 1, "control" },
        { B("\"\xFF\""), 1, "UTF-8" },
        { B("\"\xC3\""), 1, "UTF-8" },
        { B("\"\xC0\x80\""), 1, "UTF-8" },
        { B("\"\xED\xA0\x80\""), 1, "UTF-8" },
        { B("\"\xF4\x90\x80\x80\""), 1, "UTF-8" },
        { B("\"abcdefghijk\x80\""), 12, "UTF-8" },
        { B("\xC3\xA9"), 0, "not a JSON value" },
        { B("\xC2\xA0"
            "1"),
          0, "not a JSON value" },
        { B("1\f"), 1, "follows" },
        { B("\v1"), 0, "not a JSON value" },
        { B("[1]//x"), 3, "follows" },
        { B("/**/1"), 0, "not a JSON value" },
        { B("#1"), 0, "not a JSON value" },
    };

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct json_text_fault fault = { 999, NULL };

        cr_expect_not(valid(bad[i].text, &fault), "%.*s", SHOW(bad[i].text));
        cr_expect_not_null(fault.reason, "%.*s", SHOW(bad[i].text));
        if (!fault.reason)
            continue;
        cr_expect_eq(fault.offset, bad[i].offset, "%.*s: at %zu", SHOW(bad[i].text), fault.offset);
        cr_expect_not_null(strstr(fault.reason, bad[i].words), "%.*s: %s", SHOW(bad[i].text), fault.reason);
    }
    cr_expect_not(json_text_valid(BYTES("["), NULL));
    cr_expect_not(json_text_valid(BYTES_NONE, NULL));
}

/* Which brackets are objects: without a period, so that no word of bits and no
 * neighbour looks like another. */
static bool is_object(size_t level, unsigned pattern)
{
    return (level * UINT32_C(2654435761) + pattern * UINT32_C(40503)) >> 13 & 1;
}

/* `depth` brackets of turning kinds, closed again. */
static struct bytes nest(size_t depth, unsigned pattern, char *out)
{
    static const char value[] = "{\"a\":";
    size_t len = 0;

    for (size_t i = 0; i < depth; i++) {
        bool object = is_object(i, pattern);
        size_t part = object && i + 1 < depth ? sizeof value - 1 : 1;

        memcpy(out + len, object ? value : "[", part);
        len += part;
    }
    for (size_t i = depth; i-- > 0;)
        out[len++] = is_object(i, pattern) ? '}' : ']';
    return bytes_of(out, len);
}

Test(json_text, nests_1024_deep_and_remembers_each_kind)
{
    static char text[6 * (JSON_TEXT_DEPTH_MAX + 1)];
    struct json_text_fault fault;

    for (unsigned pattern = 0; pattern < 16; pattern++) {
        struct bytes deep = nest(JSON_TEXT_DEPTH_MAX, pattern, text);

        cr_assert(valid(deep, NULL), "pattern %02x", pattern);
        for (size_t i = deep.len - JSON_TEXT_DEPTH_MAX; i < deep.len; i++) {
            text[i] ^= ']' ^ '}';
            cr_assert_not(json_text_valid(deep, &fault), "pattern %02x", pattern);
            cr_assert_eq(fault.offset, i, "pattern %02x", pattern);
            text[i] ^= ']' ^ '}';
        }
    }
    cr_assert_not(valid(nest(JSON_TEXT_DEPTH_MAX + 1, 0x55, text), &fault));
    cr_expect_not_null(strstr(fault.reason, "1024"));
}

Test(json_text, depth_is_of_what_is_open)
{
    static char text[4 * 5000];
    size_t len = 0;

    text[len++] = '[';
    for (size_t i = 0; i < 5000; i++) {
        memcpy(text + len, "[],", 3);
        len += 3;
    }
    text[len - 1] = ']';
    cr_expect(json_text_valid(bytes_of(text, len), NULL));
}

Test(json_text, no_prefix_of_a_bracketed_text_is_a_text)
{
    struct bytes text = BYTES("{\"name\":[1.5e+3,true,null,\"\\u00e9\\n long enough for words \xE2\x82\xAC\"],"
                              "\"x\":{\"\":-0}}");

    cr_assert(valid(text, NULL));
    for (size_t len = 0; len < text.len; len++)
        cr_expect_not(valid(bytes_of(text.ptr, len), NULL), "%zu bytes", len);
}

/* Each byte at each offset of a string, across words and their remainders. */
Test(json_text, looks_at_every_byte_of_a_string)
{
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t len = 1; len < 20; len++)
            for (size_t at = 0; at < len; at++) {
                char text[24];
                struct json_text_fault fault;
                bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
                bool escape = byte == '\\' && at + 1 < len; /* then \n */

                memset(text, 'n', sizeof text);
                text[0] = '"';
                text[at + 1] = (char)byte;
                text[len + 1] = '"';
                cr_assert_eq(json_text_valid(bytes_of(text, len + 2), &fault), plain || escape,
                             "0x%02x at %zu of %zu", byte, at, len);
                if (byte < 0x20)
                    cr_assert_eq(fault.offset, at + 1);
            }
}

Test(json_text, only_the_four_blanks_are_blank)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[] = { (char)byte, '[', (char)byte, ']', (char)byte };
        bool blank = byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';

        cr_expect_eq(json_text_valid(bytes_of(text, sizeof text), NULL), blank, "0x%02x", byte);
    }
}
