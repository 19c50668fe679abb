#include "routes/text/range.h"

#include <stdint.h>
#include <stdio.h>

#include "tests/support/exact.h"

Test(range, names_a_part)
{
    static const struct {
        struct bytes field;
        size_t total, offset, len;
    } cases[] = {
        { B("bytes=0-0"), 10, 0, 1 },
        { B("bytes=0-9"), 10, 0, 10 },
        { B("bytes=2-4"), 10, 2, 3 },
        { B("bytes=9-9"), 10, 9, 1 },
        { B("bytes=5-"), 10, 5, 5 },
        { B("bytes=0-"), 10, 0, 10 },
        { B("bytes=0-"), 1, 0, 1 },
        { B("bytes=-1"), 10, 9, 1 },
        { B("bytes=-10"), 10, 0, 10 },
        { B("bytes=-11"), 10, 0, 10 },
        { B("bytes=2-100"), 10, 2, 8 },
        { B("bytes=2-18446744073709551615"), 10, 2, 8 },
        { B("bytes=2-99999999999999999999999999"), 10, 2, 8 },
        { B("bytes=-99999999999999999999999999"), 10, 0, 10 },
        { B("bytes=002-004"), 10, 2, 3 },
        { B("Bytes=2-4"), 10, 2, 3 },
        { B("BYTES=2-4"), 10, 2, 3 },
        { B("bytes= 2-4 "), 10, 2, 3 },
        { B("bytes=,2-4, ,"), 10, 2, 3 },
        { B("bytes=0-"), SIZE_MAX, 0, SIZE_MAX },
        { B("bytes=-1"), SIZE_MAX, SIZE_MAX - 1, 1 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes field = exact_copy(cases[i].field);
        struct range_span span = { 77, 77 };

        cr_expect_eq(range_resolve(field, cases[i].total, &span), RANGE_PART, "%.*s", SHOW(field));
        cr_expect_eq(span.offset, cases[i].offset, "%.*s: %zu", SHOW(field), span.offset);
        cr_expect_eq(span.len, cases[i].len, "%.*s: %zu", SHOW(field), span.len);
        exact_free(field);
    }
}

Test(range, may_be_beyond_the_end)
{
    static const struct {
        struct bytes field;
        size_t total;
    } cases[] = {
        { B("bytes=10-10"), 10 },
        { B("bytes=10-"), 10 },
        { B("bytes=11-20"), 10 },
        { B("bytes=99999999999999999999-"), 10 },
        { B("bytes=18446744073709551616-18446744073709551617"), 10 },
        { B("bytes=-0"), 10 },
        { B("bytes=-0"), 0 },
        { B("bytes=0-"), 0 },
        { B("bytes=0-0"), 0 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct range_span span = { 77, 77 };

        cr_expect_eq(range_resolve(cases[i].field, cases[i].total, &span), RANGE_UNSATISFIABLE, "%.*s",
                     SHOW(cases[i].field));
        cr_expect_eq(span.offset, 77);
    }
}

Test(range, what_is_overlooked_means_the_whole)
{
    static const struct bytes fields[] = {
        B(""),
        B("bytes"),
        B("bytes="),
        B("bytes=,"),
        B("bytes=-"),
        B("bytes=a-b"),
        B("bytes=1"),
        B("bytes=4-2"),
        B("bytes=0-4,6-8"),
        B("bytes=0-4, -1"),
        B("bytes=0-0,0-0"),
        B("bytes=0-4,x"),
        B("bytes=1-2-3"),
        B("bytes=--1"),
        B("bytes=+1-2"),
        B("bytes=1 -2"),
        B("bytes=1- 2"),
        B("bytes=0x1-2"),
        B("bytes=1-2\0"),
        B("bytes =1-2"),
        B("bytes: 1-2"),
        B("byte=1-2"),
        B("items=1-2"),
        B("=1-2"),
        B("bytes=1-2;"),
    };

    for (size_t i = 0; i < COUNT(fields); i++) {
        struct bytes field = exact_copy(fields[i]);
        struct range_span span = { 77, 77 };

        cr_expect_eq(range_resolve(field, 10, &span), RANGE_WHOLE, "%.*s", SHOW(field));
        cr_expect_eq(span.offset, 77);
        exact_free(field);
    }
    struct range_span span;

    cr_expect_eq(range_resolve(BYTES_NONE, 10, &span), RANGE_WHOLE);
    cr_expect_eq(range_resolve(BYTES("bytes=-5"), 0, &span), RANGE_WHOLE);
}

/* All ranges of small representations against the plain reading of the RFC. */
Test(range, agrees_with_counting)
{
    for (size_t total = 0; total < 6; total++)
        for (size_t first = 0; first < 8; first++)
            for (size_t last = 0; last < 8; last++) {
                char text[32];
                struct range_span span = { 0, 0 };
                int len = snprintf(text, sizeof text, "bytes=%zu-%zu", first, last);
                enum range_outcome outcome = range_resolve(bytes_of(text, (size_t)len), total, &span);
                size_t count = 0;

                for (size_t at = first; at <= last && at < total; at++)
                    count++;
                cr_assert_eq(outcome, last < first ? RANGE_WHOLE : count > 0 ? RANGE_PART : RANGE_UNSATISFIABLE);
                if (outcome == RANGE_PART)
                    cr_assert(span.offset == first && span.len == count);
            }
}

Test(range, writes_content_range)
{
    char text[RANGE_TEXT_SIZE];

    cr_expect_eq(range_format((struct range_span){ 0, 5 }, 10, text), 12);
    cr_expect_str_eq(text, "bytes 0-4/10");
    cr_expect_eq(range_format((struct range_span){ 9, 1 }, 10, text), 12);
    cr_expect_str_eq(text, "bytes 9-9/10");
    cr_expect_eq(range_format((struct range_span){ SIZE_MAX - 1, 1 }, SIZE_MAX, text), strlen(text));
    cr_expect_str_eq(text, "bytes 18446744073709551614-18446744073709551614/18446744073709551615");
    cr_expect_eq(range_format_unsatisfied(0, text), 9);
    cr_expect_str_eq(text, "bytes */0");
    cr_expect_eq(range_format_unsatisfied(SIZE_MAX, text), strlen(text));
    cr_expect_str_eq(text, "bytes */18446744073709551615");
}
