#include "routes/text/json_text.h"

#include <stdint.h>

#include "routes/text/hex.h"
#include "service/base/swar.h"
#include "service/base/utf8.h"

/* What may come next, blanks apart. */
enum expect {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_CLOSE, /* just after `[` */
    EXPECT_NAME,
    EXPECT_NAME_OR_CLOSE, /* just after `{` */
    EXPECT_SEPARATOR,     /* after a value: a comma, a closing bracket, the end */
    EXPECT_DONE,
    EXPECT_NOTHING, /* fault */
};

struct scanner {
    const char *at;
    const char *end;
    const char *reason;
    size_t depth;
    /* One bit for each open bracket: set for an object. */
    uint64_t objects[JSON_TEXT_DEPTH_MAX / 64];
};

static enum expect fail(struct scanner *s, const char *reason)
{
    s->reason = reason;
    return EXPECT_NOTHING;
}

/* The next byte, or -1 at the end. */
static int peek(const struct scanner *s)
{
    return s->at < s->end ? (unsigned char)*s->at : -1;
}

static bool in_object(const struct scanner *s)
{
    return s->objects[(s->depth - 1) / 64] >> (s->depth - 1) % 64 & 1;
}

static enum expect open_bracket(struct scanner *s, bool object)
{
    uint64_t bit = UINT64_C(1) << s->depth % 64;

    if (s->depth == JSON_TEXT_DEPTH_MAX)
        return fail(s, "nested deeper than 1024 levels");
    if (object)
        s->objects[s->depth / 64] |= bit;
    else
        s->objects[s->depth / 64] &= ~bit;
    s->depth++;
    s->at++;
    return object ? EXPECT_NAME_OR_CLOSE : EXPECT_VALUE_OR_CLOSE;
}

static enum expect close_bracket(struct scanner *s)
{
    s->depth--;
    s->at++;
    return EXPECT_SEPARATOR;
}

static void skip_blanks(struct scanner *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
        s->at++;
}

static bool skip_digits(struct scanner *s)
{
    const char *start = s->at;

    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > start;
}

/* RFC 8259 section 6; any magnitude. */
static enum expect scan_number(struct scanner *s)
{
    if (peek(s) == '-')
        s->at++;
    if (peek(s) == '0')
        s->at++;
    else if (!skip_digits(s))
        return fail(s, "a number without digits");
    if (peek(s) == '.') {
        s->at++;
        if (!skip_digits(s))
            return fail(s, "a number without digits after its point");
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-')
            s->at++;
        if (!skip_digits(s))
            return fail(s, "a number without digits in its exponent");
    }
    return EXPECT_SEPARATOR;
}

static enum expect scan_word(struct scanner *s, struct bytes word)
{
    for (size_t i = 0; i < word.len; i++, s->at++)
        if (s->at == s->end || *s->at != word.ptr[i])
            return fail(s, "not a JSON value");
    return EXPECT_SEPARATOR;
}

/* After a backslash. A lone surrogate is grammar; only its meaning is open. */
static bool scan_escape(struct scanner *s)
{
    switch (peek(s)) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        s->at++;
        return true;
    case 'u':
        s->at++;
        for (unsigned i = 0; i < 4; i++, s->at++)
            if (s->at == s->end || hex_digit(*s->at) < 0)
                return false;
        return true;
    default:
        return false;
    }
}

static const char *skip_plain(const char *p, const char *end)
{
    while ((size_t)(end - p) >= SWAR_BYTES) {
        uint64_t word = swar_load(p), found = swar_escapable(word) | swar_non_ascii(word);

        if (found != 0)
            return p + swar_index(found);
        p += SWAR_BYTES;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* A byte that is not plain: the start of a longer sequence, or one that cannot
 * stand in a string. */
static enum expect scan_sequence(struct scanner *s)
{
    size_t len = utf8_sequence(s->at, (size_t)(s->end - s->at));

    if (len == 0)
        return fail(s, (unsigned char)*s->at < 0x20 ? "a control character in a string" : "not UTF-8");
    s->at += len;
    return EXPECT_SEPARATOR;
}

/* Steps over a string, opening quote included. */
static enum expect scan_string(struct scanner *s)
{
    for (s->at++;;) {
        s->at = skip_plain(s->at, s->end);
        switch (peek(s)) {
        case -1:
            return fail(s, "a string without its closing quote");
        case '"':
            s->at++;
            return EXPECT_SEPARATOR;
        case '\\':
            s->at++;
            if (!scan_escape(s))
                return fail(s, "a bad escape in a string");
            break;
        default:
            if (scan_sequence(s) == EXPECT_NOTHING)
                return EXPECT_NOTHING;
        }
    }
}

static enum expect scan_value(struct scanner *s)
{
    int c = peek(s);

    switch (c) {
    case '"':
        return scan_string(s);
    case '{':
    case '[':
        return open_bracket(s, c == '{');
    case 't':
        return scan_word(s, BYTES("true"));
    case 'f':
        return scan_word(s, BYTES("false"));
    case 'n':
        return scan_word(s, BYTES("null"));
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return scan_number(s);
        return fail(s, c < 0 ? "the text ends where a value must follow" : "not a JSON value");
    }
}

static enum expect scan_name(struct scanner *s)
{
    if (peek(s) != '"')
        return fail(s, "a name in double quotes must follow");
    if (scan_string(s) == EXPECT_NOTHING)
        return EXPECT_NOTHING;
    skip_blanks(s);
    if (peek(s) != ':')
        return fail(s, "a colon must follow a name");
    s->at++;
    return EXPECT_VALUE;
}

static enum expect scan_separator(struct scanner *s)
{
    int c = peek(s);

    if (s->depth == 0)
        return c < 0 ? EXPECT_DONE : fail(s, "something follows the value");
    if (c == ',') {
        s->at++;
        return in_object(s) ? EXPECT_NAME : EXPECT_VALUE;
    }
    if (c == (in_object(s) ? '}' : ']'))
        return close_bracket(s);
    return fail(s, in_object(s) ? "a comma or } must follow" : "a comma or ] must follow");
}

static enum expect scan_next(struct scanner *s, enum expect expect)
{
    skip_blanks(s);
    switch (expect) {
    case EXPECT_VALUE_OR_CLOSE:
        return peek(s) == ']' ? close_bracket(s) : scan_value(s);
    case EXPECT_VALUE:
        return scan_value(s);
    case EXPECT_NAME_OR_CLOSE:
        return peek(s) == '}' ? close_bracket(s) : scan_name(s);
    case EXPECT_NAME:
        return scan_name(s);
    default:
        return scan_separator(s);
    }
}

static bool report(const struct scanner *s, struct bytes text, struct json_text_fault *fault)
{
    const char *start = text.len > 0 ? text.ptr : "";

    if (fault)
        *fault = (struct json_text_fault){ (size_t)(s->at - start), s->reason };
    return false;
}

static struct scanner scanner_of(struct bytes text)
{
    const char *start = text.len > 0 ? text.ptr : "";

    return (struct scanner){ .at = start, .end = start + text.len };
}

bool json_text_valid(struct bytes text, struct json_text_fault *fault)
{
    struct scanner s = scanner_of(text);
    enum expect expect = EXPECT_VALUE;

    if (bytes_starts_with(text, BYTES("\xEF\xBB\xBF")))
        expect = fail(&s, "a byte order mark in front");
    while (expect != EXPECT_DONE && expect != EXPECT_NOTHING)
        expect = scan_next(&s, expect);
    return expect == EXPECT_DONE || report(&s, text, fault);
}

bool json_text_value(struct bytes text, size_t *len, struct json_text_fault *fault)
{
    struct scanner s = scanner_of(text);
    enum expect expect = EXPECT_VALUE;

    do
        expect = scan_next(&s, expect);
    while (expect != EXPECT_NOTHING && !(expect == EXPECT_SEPARATOR && s.depth == 0));
    if (expect == EXPECT_NOTHING)
        return report(&s, text, fault);
    *len = text.len - (size_t)(s.end - s.at);
    return true;
}
