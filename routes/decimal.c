#include "routes/decimal.h"

#include <string.h>

size_t decimal_format(uint64_t number, char *out)
{
    char digits[DECIMAL_DIGITS_MAX];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}
