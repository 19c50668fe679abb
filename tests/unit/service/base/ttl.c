#include "service/base/ttl.h"

#include <inttypes.h>
#include <math.h>

#include "tests/support/exact.h"

#define UNTOUCHED INT64_C(-77)

Test(ttl, reads_numbers_and_units)
{
    static const struct {
        struct bytes text;
        int64_t ms;
    } cases[] = {
        { B("none"), TTL_NONE },
        { B("1"), 1000 },
        { B("60"), 60000 },
        { B("0060"), 60000 },
        { B("60.0"), 60000 },
        { B("0.5"), 500 },
        { B("1.234"), 1234 },
        { B("60s"), 60000 },
        { B("1.5s"), 1500 },
        { B("250ms"), 250 },
        { B("1ms"), 1 },
        { B("15m"), 900000 },
        { B("0.5m"), 30000 },
        { B("2h"), 7200000 },
        { B("1.5h"), 5400000 },
        { B("7d"), INT64_C(604800000) },
        { B("31d"), INT64_C(2678400000) },
        { B("0.001"), 1 },
        { B("0.0001"), 1 },
        { B("0.00000000000000000000000000000001"), 1 },
        { B("0.1ms"), 1 },
        { B("1.1ms"), 2 },
        { B("1.0001"), 1001 },
        { B("0.1"), 100 },
        { B("0.3"), 300 },
        { B("0.30000000000000004"), 301 },
        { B("4.35"), 4350 },
        { B("0.99999999999"), 1000 },
        { B("0.00000001157407407d"), 1 },
        { B("0.50000000000000000000000000000000000000d"), 43200000 },
        { B("315360000"), TTL_MAX_MS },
        { B("315360000.000"), TTL_MAX_MS },
        { B("3650d"), TTL_MAX_MS },
        { B("87600h"), TTL_MAX_MS },
        { B("5256000m"), TTL_MAX_MS },
        { B("315360000000ms"), TTL_MAX_MS },
        { B("000000000000000000000000000000000000000000001"), 1000 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes text = exact_copy(cases[i].text);
        int64_t ms = UNTOUCHED;

        cr_expect_null(ttl_parse(text, &ms), "%.*s", SHOW(text));
        cr_expect_eq(ms, cases[i].ms, "%.*s: %" PRId64, SHOW(text), ms);
        exact_free(text);
    }
}

/* Every fault in `texts` is explained with a sentence that has `words` in it. */
static void expect_faults(const struct bytes *texts, size_t count, const char *words)
{
    for (size_t i = 0; i < count; i++) {
        struct bytes text = exact_copy(texts[i]);
        int64_t ms = UNTOUCHED;
        const char *fault = ttl_parse(text, &ms);

        cr_expect_not_null(fault, "%.*s: %" PRId64, SHOW(text), ms);
        if (fault)
            cr_expect_not_null(strstr(fault, words), "%.*s: %s", SHOW(text), fault);
        cr_expect_eq(ms, UNTOUCHED, "%.*s", SHOW(text));
        exact_free(text);
    }
}

Test(ttl, refuses_what_is_malformed)
{
    static const struct bytes texts[] = {
        B(""),      B(" "),     B("abc"),   B("s"),     B("ms"),   B("."),      B(".5"),    B("5."),
        B("5.s"),   B("+5"),    B("1e3"),   B("0x10"),  B("1,5"),  B("1.2.3"),  B("60 "),   B(" 60"),
        B("60 s"),  B("60S"),   B("60sec"), B("1h30m"), B("1w"),   B("1us"),    B("None"),  B("NONE"),
        B("none "), B("nones"), B("non"),   B("null"),  B("inf"),  B("nan"),    B("-"),     B("--5"),
        B("-none"), B("- 5"),   B("-abc"),  B("-5."),   B("60\0"), B("6\0000"), B("60mss"), B("\xEF\xBC\x95"),
        B("60;"),   B("1_000"), B("60,60"),
    };

    expect_faults(texts, COUNT(texts), "a number of seconds");
}

Test(ttl, refuses_zero)
{
    static const struct bytes texts[] = {
        B("0"), B("00"), B("0.0"), B("0.000000000000000000000000000000"), B("0s"), B("0ms"), B("0d"), B("0.0h"),
    };

    expect_faults(texts, COUNT(texts), "greater than zero");
}

Test(ttl, refuses_negative_numbers)
{
    static const struct bytes texts[] = { B("-1"), B("-0"), B("-0.5"), B("-5s"), B("-99999999999999999999999d") };

    expect_faults(texts, COUNT(texts), "negative");
}

Test(ttl, refuses_more_than_ten_years)
{
    static const struct bytes texts[] = {
        B("315360000.001"),
        B("315360000.0000000000001"),
        B("315360001"),
        B("315360000001ms"),
        B("3153600000000ms"),
        B("3153600000009ms"),
        B("3651d"),
        B("3650.00000001d"),
        B("87601h"),
        B("5256001m"),
        B("9223372036854775807"),
        B("9223372036854775808"),
        B("18446744073709551615"),
        B("18446744073709551616"),
        B("18446744073709551616000ms"),
        B("213503982334d"),
        B("213503982335d"),
        B("184467440737095516150d"),
        B("99999999999999999999999999999999999999999999999999999999999999999999.99999999999999999999999d"),
    };

    expect_faults(texts, COUNT(texts), "ten years");
}

Test(ttl, reads_every_millisecond_that_it_writes)
{
    static const int64_t far[] = { 59999, 60000, 86400000, INT64_C(2678400001), TTL_MAX_MS - 1, TTL_MAX_MS };
    char text[TTL_TEXT_SIZE];
    int64_t ms;

    for (int64_t i = 1; i < 20000; i++) {
        ms = UNTOUCHED;
        cr_assert_null(ttl_parse(bytes_of(text, ttl_format_field(i, text)), &ms));
        cr_assert_eq(ms, i, "%" PRId64 " came back as %" PRId64, i, ms);
    }
    for (size_t i = 0; i < COUNT(far); i++) {
        ms = UNTOUCHED;
        cr_assert_null(ttl_parse(bytes_of(text, ttl_format_field(far[i], text)), &ms));
        cr_assert_eq(ms, far[i]);
    }
}

Test(ttl, writes_seconds_with_one_to_three_decimals)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        { 0, "0.0" },
        { 1, "0.001" },
        { 10, "0.01" },
        { 100, "0.1" },
        { 120, "0.12" },
        { 123, "0.123" },
        { 101, "0.101" },
        { 1000, "1.0" },
        { 59999, "59.999" },
        { 60000, "60.0" },
        { 60500, "60.5" },
        { 60050, "60.05" },
        { -2, "0.0" },
        { INT64_MIN, "0.0" },
        { INT64_MAX, "9223372036854775.807" },
        { TTL_MAX_MS, "315360000.0" },
    };
    char text[TTL_TEXT_SIZE];

    for (size_t i = 0; i < COUNT(cases); i++) {
        cr_expect_eq(ttl_format_json(cases[i].ms, text), strlen(cases[i].text));
        cr_expect_str_eq(text, cases[i].text);
        cr_expect_eq(ttl_format_field(cases[i].ms, text), strlen(cases[i].text));
        cr_expect_str_eq(text, cases[i].text);
    }
    cr_expect_eq(ttl_format_json(TTL_NONE, text), 4);
    cr_expect_str_eq(text, "null");
    cr_expect_eq(ttl_format_field(TTL_NONE, text), 4);
    cr_expect_str_eq(text, "none");
}

Test(ttl, takes_json_numbers)
{
    static const struct {
        double seconds;
        int64_t ms;
    } cases[] = {
        { 60, 60000 }, { 60.0, 60000 }, { 0.5, 500 },    { 1e-9, 1 },
        { 5e-324, 1 }, { 4.1, 4100 },   { 1.001, 1001 }, { 315360000, TTL_MAX_MS },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ms = UNTOUCHED;

        cr_expect_null(ttl_from_seconds(cases[i].seconds, &ms), "%g", cases[i].seconds);
        cr_expect_eq(ms, cases[i].ms, "%g: %" PRId64, cases[i].seconds, ms);
    }
}

Test(ttl, refuses_json_numbers_out_of_bounds)
{
    static const struct {
        double seconds;
        const char *words;
    } cases[] = {
        { 0.0, "greater than zero" }, { -0.0, "greater than zero" },  { -1, "negative" },
        { -INFINITY, "negative" },    { NAN, "a number of seconds" }, { INFINITY, "ten years" },
        { 1e300, "ten years" },       { 315360000.5, "ten years" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ms = UNTOUCHED;
        const char *fault = ttl_from_seconds(cases[i].seconds, &ms);

        cr_expect_not_null(fault, "%g", cases[i].seconds);
        if (fault)
            cr_expect_not_null(strstr(fault, cases[i].words), "%g: %s", cases[i].seconds, fault);
        cr_expect_eq(ms, UNTOUCHED);
    }
}
