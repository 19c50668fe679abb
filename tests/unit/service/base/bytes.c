/* Tests of service/base/bytes.h. */
#include "service/base/bytes.h"

#include <criterion/criterion.h>

Test(bytes, equality_counts_nul_and_length)
{
    cr_assert(bytes_equal(bytes_of("a\0b", 3), BYTES("a\0b")));
    cr_assert_not(bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0c", 3)));
    cr_assert_not(bytes_equal(BYTES("a"), BYTES("ab")));
    cr_assert(bytes_equal(BYTES_NONE, BYTES("")));
}

Test(bytes, equality_without_case_folds_only_ascii_letters)
{
    cr_assert(bytes_equal_nocase(BYTES("Cache-TTL"), BYTES("cACHE-ttl")));
    cr_assert_not(bytes_equal_nocase(BYTES("@["), BYTES("`{")));
    cr_assert_not(bytes_equal_nocase(BYTES("\xc3\x84"), BYTES("\xc3\xa4")));
    cr_assert_not(bytes_equal_nocase(BYTES("a"), BYTES("ab")));
}

Test(bytes, starts_with)
{
    cr_assert(bytes_starts_with(BYTES("abc"), BYTES("ab")));
    cr_assert(bytes_starts_with(BYTES("abc"), BYTES_NONE));
    cr_assert_not(bytes_starts_with(BYTES("ab"), BYTES("abc")));
    cr_assert_not(bytes_starts_with(BYTES("xbc"), BYTES("ab")));
}

Test(bytes, trim_takes_blanks_and_tabs_from_both_ends_only)
{
    cr_assert(bytes_equal(bytes_trim(BYTES(" \t a b\t ")), BYTES("a b")));
    cr_assert(bytes_equal(bytes_trim(BYTES("\na\n")), BYTES("\na\n")));
    cr_assert_eq(bytes_trim(BYTES(" \t ")).len, 0);
    cr_assert_eq(bytes_trim(BYTES_NONE).len, 0);
}

Test(bytes, cut_walks_the_parts_and_ends_with_a_null_rest)
{
    struct bytes rest = BYTES("a,,b");

    cr_assert(bytes_equal(bytes_cut(&rest, ','), BYTES("a")));
    cr_assert(bytes_equal(bytes_cut(&rest, ','), BYTES("")));
    cr_assert_not_null(rest.ptr);
    cr_assert(bytes_equal(bytes_cut(&rest, ','), BYTES("b")));
    cr_assert_null(rest.ptr);
}

Test(bytes, cut_leaves_an_empty_part_behind_a_last_separator)
{
    struct bytes rest = BYTES("a,");

    cr_assert(bytes_equal(bytes_cut(&rest, ','), BYTES("a")));
    cr_assert_not_null(rest.ptr);
    cr_assert_eq(bytes_cut(&rest, ',').len, 0);
    cr_assert_null(rest.ptr);
}

static bool reads(const char *text, unsigned long long max, unsigned long long *n)
{
    return bytes_to_u64(bytes_str(text), max, n);
}

Test(bytes, to_u64_reads_numbers_up_to_the_bound)
{
    unsigned long long n = 7;

    cr_assert(reads("0", 0, &n));
    cr_assert_eq(n, 0);
    cr_assert(reads("0042", 42, &n));
    cr_assert_eq(n, 42);
    cr_assert(reads("18446744073709551615", ~0ULL, &n));
    cr_assert_eq(n, ~0ULL);
}

Test(bytes, to_u64_refuses_everything_else_and_leaves_the_result_alone)
{
    static const char *const wrong[] = {
        "", "-1", "+1", " 1", "1 ", "0x1", "1.0", "18446744073709551616", "99999999999999999999999"
    };
    unsigned long long n = 7;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_expect_not(reads(wrong[i], ~0ULL, &n), "%s", wrong[i]);
    cr_expect_not(reads("43", 42, &n));
    cr_expect_not(reads("9", 3, &n));
    cr_expect_not(reads("10", 9, &n));
    cr_expect_eq(n, 7);
}
