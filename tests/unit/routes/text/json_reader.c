#include "routes/text/json_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/exact.h"

/* All items of `text` as "name=span;" each; then what ended them. */
static void render(struct bytes text, char *out, size_t size)
{
    struct bytes copy = exact_copy(text);
    struct json_reader reader;
    struct json_item item;
    enum json_step step = JSON_FAULT;
    size_t len = 0;

    if (json_reader_open(&reader, copy))
        while ((step = json_reader_next(&reader, &item)) == JSON_ITEM)
            len += (size_t)snprintf(out + len, size - len, "%.*s=%d%.*s;", SHOW(item.name), (int)item.kind,
                                    SHOW(item.span));
    if (step == JSON_END)
        snprintf(out + len, size - len, "%s", json_reader_close(&reader) ? "end" : "more");
    else
        snprintf(out + len, size - len, "%zu:%s", reader.fault.offset, reader.fault.reason);
    exact_free(copy);
}

Test(json_reader, gives_members_and_elements_with_their_bytes_as_they_came)
{
    static const struct {
        struct bytes text;
        const char *items;
    } cases[] = {
        { B("{}"), "end" },
        { B(" [ ] "), "end" },
        { B("{\"a\":1}"), "a=21;end" },
        { B("{ \"a\" : 1e400 , \"b\" : { \"c\" : [ 1 , 2 ] } }"), "a=21e400;b=5{ \"c\" : [ 1 , 2 ] };end" },
        { B("[null,true,false,-0.0,\"x\\u0041\",[],{}]"),
          "=0null;=1true;=1false;=2-0.0;=3\"x\\u0041\";=4[];=5{};end" },
        { B("{\"\\u006bey\":1,\"\":2}"), "key=21;=22;end" },
        { B("{\"a\":1} x"), "a=21;more" },
        { B("{\"a\":1,}"), "a=21;7:a name in double quotes must follow" },
        { B("{\"a\" 1}"), "5:a colon must follow a name" },
        { B("{\"a\":1 \"b\":2}"), "a=21;7:a comma or } must follow" },
        { B("[1 2]"), "=21;3:a comma or ] must follow" },
        { B("[1,]"), "=21;3:not a JSON value" },
        { B("[1}"), "=21;2:a comma or ] must follow" },
        { B("{\"a\":[1}}"), "7:a comma or ] must follow" },
        { B("[\"\\ud80\"]"), "7:a bad escape in a string" },
        { B("{,}"), "1:a name in double quotes must follow" },
        { B("1"), "0:neither an object nor an array" },
        { B(""), "0:neither an object nor an array" },
        { B("{"), "1:a name in double quotes must follow" },
        { B("["), "1:the text ends where a value must follow" },
    };
    char items[512];

    for (size_t i = 0; i < COUNT(cases); i++) {
        render(cases[i].text, items, sizeof items);
        cr_expect_str_eq(items, cases[i].items, "%.*s", SHOW(cases[i].text));
    }
}

Test(json_reader, counts_nesting_for_each_value_by_itself)
{
    char *text = malloc(2 * JSON_TEXT_DEPTH_MAX + 16);
    struct json_reader reader;
    struct json_item item;
    size_t len = 0;

    cr_assert_not_null(text);
    text[len++] = '[';
    for (int i = 0; i < JSON_TEXT_DEPTH_MAX; i++)
        text[len++] = '[';
    for (int i = 0; i < JSON_TEXT_DEPTH_MAX; i++)
        text[len++] = ']';
    text[len++] = ']';
    cr_assert(json_reader_open(&reader, bytes_of(text, len)));
    cr_expect_eq(json_reader_next(&reader, &item), JSON_ITEM);
    cr_expect_eq(item.span.len, 2 * JSON_TEXT_DEPTH_MAX);
    cr_expect_eq(json_reader_next(&reader, &item), JSON_END);
    free(text);
}

Test(json_reader, picks_known_members_once_each)
{
    static const struct bytes names[] = { { "key", 3 }, { "value", 5 } };
    static const struct {
        struct bytes text;
        enum json_pick pick;
        const char *culprit;
    } cases[] = {
        { B("{\"value\":2,\"key\":1}"), JSON_PICK_OK, "key" },
        { B("{}"), JSON_PICK_OK, "" },
        { B("{\"key\":1,\"k\\u0065y\":2}"), JSON_PICK_DUPLICATE, "key" },
        { B("{\"key\":1,\"Key\":2}"), JSON_PICK_UNKNOWN, "Key" },
        { B("{\"key\":1,\"a\\nb\":2}"), JSON_PICK_UNKNOWN, "a\nb" },
        { B("{\"key\":1"), JSON_PICK_FAULT, "key" },
        { B("{\"key\":1} x"), JSON_PICK_FAULT, "key" },
        { B("1"), JSON_PICK_FAULT, "" },
        { B(""), JSON_PICK_FAULT, "" },
        { B(" [\"key\"]"), JSON_PICK_NO_OBJECT, "" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes copy = exact_copy(cases[i].text), culprit = BYTES("");
        struct json_reader reader;
        struct json_item items[2];

        cr_expect_eq(json_reader_pick(&reader, copy, names, 2, items, &culprit), cases[i].pick, "%.*s",
                     SHOW(cases[i].text));
        cr_expect(bytes_equal(culprit, bytes_str(cases[i].culprit)) || cases[i].pick == JSON_PICK_OK);
        exact_free(copy);
    }
}

Test(json_reader, tells_a_name_that_nobody_can_know_as_it_was_written)
{
    char text[1024] = "{\"\\u0041";
    struct json_reader reader;
    struct json_item item;

    memset(text + 8, 'a', JSON_NAME_MAX);
    strcpy(text + 8 + JSON_NAME_MAX, "\":1}");
    cr_assert(json_reader_open(&reader, bytes_str(text)));
    cr_assert_eq(json_reader_next(&reader, &item), JSON_ITEM);
    cr_expect_eq(item.name.len, 6 + JSON_NAME_MAX);
    cr_expect(bytes_starts_with(item.name, BYTES("\\u0041a")));
}

Test(json_reader, decodes_strings_where_they_lie)
{
    static const struct {
        struct bytes span, decoded;
    } good[] = {
        { B("\"\""), B("") },
        { B("\"plain\""), B("plain") },
        { B("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), B("\"\\/\b\f\n\r\t") },
        { B("\"a\\u0000b\""), B("a\0b") },
        { B("\"\\u007f\\u0080\\u07ff\\u0800\\uFFFF\""), B("\x7f\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF") },
        { B("\"x\\uD83D\\uDE00y\""), B("x\xF0\x9F\x98\x80y") },
        { B("\"\\uDBFF\\uDFFF\""), B("\xF4\x8F\xBF\xBF") },
    };
    static const struct bytes bad[] = {
        B("\"\\uD800\""), B("\"\\uDC00\""), B("\"\\uD800x\""), B("\"\\uD800\\n12345\""), B("\"\\uD800\\uD800\""),
        B("\"\\uD800\\u0041\""),
    };
    size_t len;

    for (size_t i = 0; i < COUNT(good); i++) {
        struct bytes copy = exact_copy(good[i].span);
        char *text = malloc(copy.len);

        cr_assert_not_null(text);
        memcpy(text, copy.ptr, copy.len);
        cr_expect(json_string_decode(bytes_of(text, copy.len), text + 1, &len), "%.*s", SHOW(good[i].span));
        cr_expect(bytes_equal(bytes_of(text + 1, len), good[i].decoded), "%.*s", SHOW(good[i].span));
        free(text);
        exact_free(copy);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        char out[64];

        cr_expect_not(json_string_decode(bad[i], out, &len), "%.*s", SHOW(bad[i]));
    }
}

Test(json_reader, reads_numbers)
{
    static const struct {
        struct bytes span;
        int64_t number;
    } good[] = {
        { B("0"), 0 },
        { B("-1"), -1 },
        { B("9223372036854775807"), INT64_MAX },
        { B("-9223372036854775808"), INT64_MIN },
    };
    static const struct bytes bad[] = { B("1.0"),  B("1e3"), B("9223372036854775808"), B("-9223372036854775809"),
                                        B("\"1\"") };
    int64_t number;
    double real;
    char digits[200];

    for (size_t i = 0; i < COUNT(good); i++) {
        cr_expect(json_number_i64(good[i].span, &number));
        cr_expect_eq(number, good[i].number);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        cr_expect_not(json_number_i64(bad[i], &number), "%.*s", SHOW(bad[i]));
    cr_expect(json_number_double(BYTES("-1.5e3"), &real) && real == -1500.0);
    cr_expect(json_number_double(BYTES("1e400"), &real) && isinf(real));
    memset(digits, '1', sizeof digits);
    cr_expect_not(json_number_double(bytes_of(digits, sizeof digits), &real));
}

Test(json_reader, decodes_texts_where_they_lie)
{
    static const struct {
        struct bytes text;
        struct bytes decoded; /* BYTES_NONE: it is no string, or a bad one */
    } cases[] = {
        { B("[\"\"]"), B("") },         { B("[\"plain\"]"), B("plain") }, { B("[\"a\\u0000\\n\"]"), B("a\0\n") },
        { B("[\"\\ud800\"]"), { NULL, 0 } }, { B("[5]"), { NULL, 0 } },       { B("[null]"), { NULL, 0 } },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes copy = exact_copy(cases[i].text), text = BYTES_NONE;
        struct json_reader reader;
        struct json_item item;
        const char *fault;

        cr_assert(json_reader_open(&reader, copy));
        cr_assert_eq(json_reader_next(&reader, &item), JSON_ITEM);
        fault = json_item_text(&item, &text);
        cr_expect_eq(fault == NULL, cases[i].decoded.ptr != NULL, "%.*s", SHOW(cases[i].text));
        cr_expect(fault || bytes_equal(text, cases[i].decoded), "%.*s", SHOW(cases[i].text));
        exact_free(copy);
    }
}
