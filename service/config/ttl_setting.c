#include "service/config/ttl_setting.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Milliseconds of a unit; nothing is seconds. 0: no such unit. */
static uint64_t unit_ms(struct bytes unit)
{
    if (unit.len == 0 || bytes_equal(unit, BYTES("s")))
        return 1000;
    if (bytes_equal(unit, BYTES("ms")))
        return 1;
    if (bytes_equal(unit, BYTES("m")))
        return 60 * 1000;
    if (bytes_equal(unit, BYTES("h")))
        return 3600 * 1000;
    if (bytes_equal(unit, BYTES("d")))
        return 24 * 3600 * 1000;
    return 0;
}

/* Milliseconds of the decimals `digits` of a unit of `scale` ms, rounded up.
 * Nine digits fit the arithmetic; those that follow are there or not there. */
static uint64_t fraction_ms(struct bytes digits, uint64_t scale)
{
    uint64_t numerator = 0, denominator = 1;
    bool more = false;

    for (size_t i = 0; i < digits.len; i++) {
        if (i < 9) {
            numerator = numerator * 10 + (uint64_t)(digits.ptr[i] - '0');
            denominator *= 10;
        } else if (digits.ptr[i] != '0') {
            more = true;
        }
    }
    numerator = numerator * scale + (more ? 1 : 0);
    return (numerator + denominator - 1) / denominator;
}

/* Cuts the leading digits off `rest`. */
static struct bytes cut_digits(struct bytes *rest)
{
    struct bytes digits = { rest->ptr, 0 };

    while (digits.len < rest->len && is_digit(rest->ptr[digits.len]))
        digits.len++;
    *rest = bytes_of(rest->ptr + digits.len, rest->len - digits.len);
    return digits;
}

bool ttl_setting_parse(struct bytes text, int64_t *ttl_ms)
{
    struct bytes rest = text, whole, fraction = BYTES_NONE;
    unsigned long long units;
    uint64_t scale, ms;

    if (bytes_equal(text, BYTES("none"))) {
        *ttl_ms = SETTINGS_TTL_NONE;
        return true;
    }
    if (text.len == 0)
        return false;
    whole = cut_digits(&rest);
    if (rest.len > 0 && rest.ptr[0] == '.') {
        rest = bytes_of(rest.ptr + 1, rest.len - 1);
        fraction = cut_digits(&rest);
        if (fraction.len == 0)
            return false;
    }
    scale = unit_ms(rest);
    if (scale == 0 || !bytes_to_u64(whole, SETTINGS_TTL_MAX_MS / scale, &units))
        return false;
    ms = units * scale + fraction_ms(fraction, scale);
    if (ms == 0 || ms > (uint64_t)SETTINGS_TTL_MAX_MS)
        return false;
    *ttl_ms = (int64_t)ms;
    return true;
}
