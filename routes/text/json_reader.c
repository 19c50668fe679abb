#include "routes/text/json_reader.h"

#include <stdlib.h>

#include "routes/text/hex.h"
#include "service/base/ttl.h"

static void skip_blanks(struct json_reader *reader)
{
    const char *at = reader->at;

    while (at < reader->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    reader->at = at;
}

static bool fail(struct json_reader *reader, const char *reason)
{
    reader->fault = (struct json_text_fault){ (size_t)(reader->at - reader->start), reason };
    return false;
}

/* Takes `c` off the front, blanks before it too. */
static bool take(struct json_reader *reader, char c)
{
    skip_blanks(reader);
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

bool json_reader_open(struct json_reader *reader, struct bytes text)
{
    reader->start = reader->at = text.len > 0 ? text.ptr : "";
    reader->end = reader->start + text.len;
    reader->first = true;
    reader->is_object = take(reader, '{');
    return reader->is_object || take(reader, '[') || fail(reader, "neither an object nor an array");
}

static enum json_kind kind_of(char c)
{
    switch (c) {
    case '"':
        return JSON_KIND_STRING;
    case '{':
        return JSON_KIND_OBJECT;
    case '[':
        return JSON_KIND_ARRAY;
    case 't':
    case 'f':
        return JSON_KIND_BOOL;
    case 'n':
        return JSON_KIND_NULL;
    default:
        return JSON_KIND_NUMBER;
    }
}

static bool is_plain(struct bytes span)
{
    return !memchr(span.ptr, '\\', span.len);
}

/* Without the quotes; what is meant, where there are no escapes. */
static struct bytes inside(struct bytes span)
{
    return bytes_of(span.ptr + 1, span.len - 2);
}

/* Takes the value that comes next. */
static bool take_value(struct json_reader *reader, struct bytes *span)
{
    struct json_text_fault fault;
    size_t len = 0;

    skip_blanks(reader);
    if (!json_text_value(bytes_of(reader->at, (size_t)(reader->end - reader->at)), &len, &fault)) {
        reader->at += fault.offset;
        return fail(reader, fault.reason);
    }
    *span = bytes_of(reader->at, len);
    reader->at += len;
    return true;
}

static bool take_name(struct json_reader *reader, struct bytes *name)
{
    struct bytes span;
    size_t len;

    skip_blanks(reader);
    if (reader->at == reader->end || *reader->at != '"')
        return fail(reader, "a name in double quotes must follow");
    if (!take_value(reader, &span))
        return false;
    *name = inside(span);
    /* Six characters decode to at least one byte. */
    if (is_plain(span) || name->len > (size_t)6 * JSON_NAME_MAX)
        return true;
    char decoded[6 * JSON_NAME_MAX + 2];
    if (json_string_decode(span, decoded, &len) && len <= sizeof reader->name) {
        memcpy(reader->name, decoded, len);
        *name = bytes_of(reader->name, len);
    }
    return true;
}

enum json_step json_reader_next(struct json_reader *reader, struct json_item *item)
{
    bool first = reader->first;

    reader->first = false;
    if (take(reader, reader->is_object ? '}' : ']'))
        return JSON_END;
    if (!first && !take(reader, ',')) {
        (void)fail(reader, reader->is_object ? "a comma or } must follow" : "a comma or ] must follow");
        return JSON_FAULT;
    }
    item->name = BYTES_NONE;
    if (reader->is_object) {
        if (!take_name(reader, &item->name))
            return JSON_FAULT;
        if (!take(reader, ':')) {
            (void)fail(reader, "a colon must follow a name");
            return JSON_FAULT;
        }
    }
    if (!take_value(reader, &item->span))
        return JSON_FAULT;
    item->kind = kind_of(item->span.ptr[0]);
    return JSON_ITEM;
}

bool json_reader_close(struct json_reader *reader)
{
    skip_blanks(reader);
    return reader->at == reader->end || fail(reader, "something follows the value");
}

enum json_pick json_reader_pick(struct json_reader *reader, struct bytes text, const struct bytes *names,
                                size_t count, struct json_item *items, struct bytes *culprit)
{
    struct json_item item;
    enum json_step step;

    for (size_t i = 0; i < count; i++)
        items[i].span = BYTES_NONE;
    if (!json_reader_open(reader, text))
        return JSON_PICK_FAULT;
    if (!reader->is_object)
        return JSON_PICK_NO_OBJECT;
    while ((step = json_reader_next(reader, &item)) == JSON_ITEM) {
        size_t i = 0;

        while (i < count && !bytes_equal(names[i], item.name))
            i++;
        *culprit = item.name;
        if (i == count)
            return JSON_PICK_UNKNOWN;
        if (items[i].span.ptr)
            return JSON_PICK_DUPLICATE;
        items[i] = item;
    }
    return step == JSON_END && json_reader_close(reader) ? JSON_PICK_OK : JSON_PICK_FAULT;
}

/* ---- Strings ---- */

static unsigned read_hex4(const char *p)
{
    return (unsigned)hex_digit(p[0]) << 12 | (unsigned)hex_digit(p[1]) << 8 | (unsigned)hex_digit(p[2]) << 4 |
           (unsigned)hex_digit(p[3]);
}

/* RFC 3629 section 3. */
static char *put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xC0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *out++ = (char)(0xE0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    } else {
        *out++ = (char)(0xF0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3F));
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    }
    return out;
}

/* After `\u`; takes the second half of a pair too. NULL for a lone surrogate. */
static const char *take_unicode(const char *p, const char *end, unsigned *code)
{
    unsigned low;

    *code = read_hex4(p);
    p += 4;
    if (*code < 0xD800 || *code > 0xDFFF)
        return p;
    if (*code > 0xDBFF || end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return NULL;
    low = read_hex4(p + 2);
    if (low < 0xDC00 || low > 0xDFFF)
        return NULL;
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return p + 6;
}

static char unescape(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

bool json_string_decode(struct bytes span, char *out, size_t *len)
{
    const char *p = span.ptr + 1, *end = span.ptr + span.len - 1;
    char *start = out;

    while (p < end) {
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        size_t run = (size_t)((escape ? escape : end) - p);
        unsigned code;

        memmove(out, p, run);
        out += run;
        p += run;
        if (!escape)
            break;
        p += 2;
        if (p[-1] != 'u') {
            *out++ = unescape(p[-1]);
            continue;
        }
        p = take_unicode(p, end, &code);
        if (!p)
            return false;
        out = put_utf8(out, code);
    }
    *len = (size_t)(out - start);
    return true;
}

const char *json_item_text(const struct json_item *item, struct bytes *text)
{
    if (item->kind != JSON_KIND_STRING)
        return "not a string";
    *text = inside(item->span);
    return is_plain(item->span) || json_string_decode(item->span, (char *)(uintptr_t)text->ptr, &text->len)
               ? NULL
               : "a lone surrogate stands for no character";
}

/* ---- Numbers ---- */

bool json_number_i64(struct bytes span, int64_t *number)
{
    bool negative = span.len > 0 && span.ptr[0] == '-';
    struct bytes digits = negative ? bytes_of(span.ptr + 1, span.len - 1) : span;
    unsigned long long magnitude;

    if (!bytes_to_u64(digits, negative ? (unsigned long long)INT64_MAX + 1 : INT64_MAX, &magnitude))
        return false;
    *number = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

#define NUMBER_TEXT_MAX 128

bool json_number_double(struct bytes span, double *number)
{
    char text[NUMBER_TEXT_MAX + 1];

    if (span.len > NUMBER_TEXT_MAX)
        return false;
    memcpy(text, span.ptr, span.len);
    text[span.len] = '\0';
    *number = strtod(text, NULL);
    return true;
}

const char *json_item_ttl(const struct json_item *item, int64_t *ttl_ms)
{
    struct bytes text = BYTES_NONE;
    const char *fault;
    double seconds;

    switch (item->kind) {
    case JSON_KIND_NULL:
        *ttl_ms = TTL_NONE;
        return NULL;
    case JSON_KIND_NUMBER:
        return json_number_double(item->span, &seconds) ? ttl_from_seconds(seconds, ttl_ms) : "too long for a number";
    case JSON_KIND_STRING:
        fault = json_item_text(item, &text);
        return fault ? fault : ttl_parse(text, ttl_ms);
    default:
        return "neither a number of seconds, nor a text like \"90s\", nor null";
    }
}
