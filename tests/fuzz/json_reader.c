/* Fuzzes routes/text/json_reader.h against json_text.h and jansson: the reader takes
 * a text to its end exactly when the whole of it is well-formed and its top is
 * an object or array; its spans are well-formed and in order; its strings
 * decode to what jansson makes of them. */
#include "routes/text/json_reader.h"

#include <jansson.h>

#include "tests/fuzz/fuzz.h"

static void check_string(struct bytes span)
{
    char *out = malloc(span.len), *copy = malloc(span.len);
    struct json_item item = { .span = { copy, span.len }, .kind = JSON_KIND_STRING };
    struct bytes inside = BYTES_NONE;
    size_t len = 0;
    json_t *theirs = json_loadb(span.ptr, span.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool good;

    REQUIRE(out != NULL && copy != NULL);
    memcpy(copy, span.ptr, span.len);
    good = json_string_decode(span, out, &len);
    REQUIRE(good == (theirs != NULL));
    if (good)
        REQUIRE(len == json_string_length(theirs) && memcmp(out, json_string_value(theirs), len) == 0);
    REQUIRE(good == !json_item_text(&item, &inside));
    if (good)
        REQUIRE(bytes_equal(inside, bytes_of(out, len)));
    json_decref(theirs);
    free(copy);
    free(out);
}

static void check_number(struct bytes span)
{
    json_t *theirs = json_loadb(span.ptr, span.len, JSON_DECODE_ANY, NULL);
    int64_t whole;
    double real;

    if (json_number_i64(span, &whole))
        REQUIRE(json_is_integer(theirs) && json_integer_value(theirs) == whole);
    else
        REQUIRE(!json_is_integer(theirs));
    if (json_number_double(span, &real) && theirs)
        REQUIRE(real == json_number_value(theirs));
    json_decref(theirs);
}

static void check_item(const struct json_item *item)
{
    REQUIRE(json_text_valid(item->span, NULL));
    if (item->kind == JSON_KIND_STRING)
        check_string(item->span);
    if (item->kind == JSON_KIND_NUMBER)
        check_number(item->span);
}

static char first_byte(struct bytes text)
{
    while (text.len > 0 && memchr(" \t\r\n", text.ptr[0], 4))
        text = bytes_of(text.ptr + 1, text.len - 1);
    return text.len > 0 ? text.ptr[0] : ' ';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = fuzz_bytes(data, size);
    struct json_reader reader;
    struct json_item item;
    enum json_step step = JSON_FAULT;
    const char *before = text.ptr;
    bool whole = false;

    if (json_reader_open(&reader, text)) {
        while ((step = json_reader_next(&reader, &item)) == JSON_ITEM) {
            REQUIRE(item.span.ptr > before && item.span.ptr + item.span.len <= text.ptr + size);
            before = item.span.ptr;
            check_item(&item);
        }
        whole = step == JSON_END && json_reader_close(&reader);
        if (!whole)
            REQUIRE(reader.fault.reason && reader.fault.offset <= size);
    }
    /* One level deeper than the text as a whole may go: that alone is the reader's to take. */
    if (json_text_valid(text, NULL))
        REQUIRE(whole == (first_byte(text) == '{' || first_byte(text) == '['));
    else if (whole)
        REQUIRE(size > 2 * JSON_TEXT_DEPTH_MAX);
    return 0;
}
