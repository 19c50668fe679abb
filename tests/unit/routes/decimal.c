#include "routes/decimal.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/unit/routes/exact.h"

static void expect_as_printf(uint64_t number)
{
    char text[DECIMAL_DIGITS_MAX], expected[DECIMAL_DIGITS_MAX + 1];
    size_t len = decimal_format(number, text);

    snprintf(expected, sizeof expected, "%" PRIu64, number);
    cr_expect(bytes_equal(bytes_of(text, len), bytes_str(expected)), "%s", expected);
}

Test(decimal, writes_what_printf_writes)
{
    for (uint64_t n = 0; n < 2000; n++)
        expect_as_printf(n);
    for (uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10) {
        expect_as_printf(power - 1);
        expect_as_printf(power);
        expect_as_printf(power + 1);
    }
    expect_as_printf(UINT64_MAX);
}
