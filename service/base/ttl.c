#include "service/base/ttl.h"

#include <math.h>
#include <stdbool.h>

#include "service/base/buffer.h"

#define MALFORMED                                                                                                    \
    "a TTL is a number of seconds, decimals allowed, or a number with one of the units ms, s, m, h, d, or none"
#define NEGATIVE "a TTL cannot be negative; none means that the entry never expires"
#define ZERO "a TTL must be greater than zero; none means that the entry never expires"
#define TOO_LONG "a TTL is at most ten years (315360000 seconds); none means that the entry never expires"

/* 86,400,000 ms times 10^11 still fits 64 bits. */
#define FRACTION_DIGITS 11

/* whole + part / scale, and a little more when `rest`. */
struct number {
    uint64_t whole; /* stops growing above TTL_MAX_MS */
    uint64_t part;
    uint64_t scale;
    bool rest;
};

static bool is_digit(struct bytes s)
{
    return s.len > 0 && s.ptr[0] >= '0' && s.ptr[0] <= '9';
}

static unsigned take_digit(struct bytes *s)
{
    unsigned digit = (unsigned)(s->ptr[0] - '0');

    *s = bytes_of(s->ptr + 1, s->len - 1);
    return digit;
}

/* Reads 1*DIGIT [ "." 1*DIGIT ] off the front of `*text`. */
static bool take_number(struct bytes *text, struct number *number)
{
    *number = (struct number){ .scale = 1 };
    if (!is_digit(*text))
        return false;
    while (is_digit(*text)) {
        unsigned digit = take_digit(text);

        if (number->whole <= (uint64_t)TTL_MAX_MS)
            number->whole = number->whole * 10 + digit;
    }
    if (text->len == 0 || text->ptr[0] != '.')
        return true;
    *text = bytes_of(text->ptr + 1, text->len - 1);
    if (!is_digit(*text))
        return false;
    for (unsigned i = 0; is_digit(*text); i++) {
        unsigned digit = take_digit(text);

        if (i < FRACTION_DIGITS) {
            number->part = number->part * 10 + digit;
            number->scale *= 10;
        } else if (digit > 0) {
            number->rest = true;
        }
    }
    return true;
}

/* Milliseconds of a unit; 0 when there is no such unit. */
static uint64_t unit_ms(struct bytes unit)
{
    static const struct {
        struct bytes name;
        uint64_t ms;
    } units[] = {
        { { "", 0 }, 1000 },   { { "s", 1 }, 1000 },        { { "ms", 2 }, 1 },
        { { "m", 1 }, 60000 }, { { "h", 1 }, 3600 * 1000 }, { { "d", 1 }, 24 * 3600 * 1000 },
    };

    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (bytes_equal(units[i].name, unit))
            return units[i].ms;
    return 0;
}

const char *ttl_parse(struct bytes text, int64_t *ttl_ms)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    struct number number;
    uint64_t unit, part, ms;

    if (bytes_equal(text, BYTES("none"))) {
        *ttl_ms = TTL_NONE;
        return NULL;
    }
    if (negative)
        text = bytes_of(text.ptr + 1, text.len - 1);
    if (!take_number(&text, &number) || (unit = unit_ms(text)) == 0)
        return MALFORMED;
    if (negative)
        return NEGATIVE;
    if (number.whole > (uint64_t)TTL_MAX_MS / unit)
        return TOO_LONG;
    part = number.part * unit;
    ms = number.whole * unit + part / number.scale + (part % number.scale != 0 || number.rest);
    if (ms == 0)
        return ZERO;
    if (ms > (uint64_t)TTL_MAX_MS)
        return TOO_LONG;
    *ttl_ms = (int64_t)ms;
    return NULL;
}

const char *ttl_from_seconds(double seconds, int64_t *ttl_ms)
{
    double ms;

    if (isnan(seconds))
        return MALFORMED;
    if (seconds < 0)
        return NEGATIVE;
    if (seconds == 0)
        return ZERO;
    if (seconds > (double)TTL_MAX_MS / 1000)
        return TOO_LONG;
    ms = seconds * 1000 + 0.5;
    *ttl_ms = ms < 1 ? 1 : (int64_t)ms;
    return NULL;
}

static size_t format_none(char out[TTL_TEXT_SIZE], const char *word)
{
    memcpy(out, word, 5);
    return 4;
}

static size_t format_seconds(int64_t ttl_ms, char out[TTL_TEXT_SIZE])
{
    uint64_t ms = ttl_ms > 0 ? (uint64_t)ttl_ms : 0;
    unsigned part = (unsigned)(ms % 1000);
    size_t len = format_u64(out, ms / 1000);

    out[len++] = '.';
    out[len++] = (char)('0' + part / 100);
    if (part % 100 != 0)
        out[len++] = (char)('0' + part / 10 % 10);
    if (part % 10 != 0)
        out[len++] = (char)('0' + part % 10);
    out[len] = '\0';
    return len;
}

size_t ttl_format_json(int64_t ttl_ms, char out[TTL_TEXT_SIZE])
{
    return ttl_ms == TTL_NONE ? format_none(out, "null") : format_seconds(ttl_ms, out);
}

size_t ttl_format_field(int64_t ttl_ms, char out[TTL_TEXT_SIZE])
{
    return ttl_ms == TTL_NONE ? format_none(out, "none") : format_seconds(ttl_ms, out);
}
