#include "routes/primitives/lock_token.h"

#include "tests/support/exact.h"

static const unsigned char token[ENGINE_LOCK_TOKEN_BYTES] = { 0x00, 0x01, 0x0f, 0x10, 0x7f, 0x80, 0xff, 0xab,
                                                              0xcd, 0xef, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc };

Test(lock_token, is_shown_and_read_as_32_digits)
{
    static const struct bytes both[] = { B("00010f107f80ffabcdef123456789abc"), B("00010F107F80FFABCDEF123456789ABC") };
    char text[LOCK_TOKEN_TEXT_SIZE];

    lock_token_format(token, text);
    cr_expect_str_eq(text, "00010f107f80ffabcdef123456789abc");
    for (size_t i = 0; i < COUNT(both); i++) {
        struct bytes copy = exact_copy(both[i]);
        unsigned char read[ENGINE_LOCK_TOKEN_BYTES];
        cr_assert(lock_token_parse(copy, read));
        cr_expect_arr_eq(read, token, sizeof read);
        exact_free(copy);
    }
}

Test(lock_token, takes_nothing_else)
{
    static const struct bytes cases[] = {
        B(""),
        B("0"),
        B("00010f107f80ffabcdef123456789ab"),
        B("00010f107f80ffabcdef123456789abc0"),
        B("00010f107f80ffabcdef123456789abg"),
        B("g0010f107f80ffabcdef123456789abc"),
        B("0x010f107f80ffabcdef123456789abc"),
        B("00010f107f80ffab cdef123456789ab"),
        B("00010f107f80ffab\0def123456789abc"),
        B("\"0010f107f80ffabcdef123456789a\""),
    };
    unsigned char read[ENGINE_LOCK_TOKEN_BYTES];

    cr_expect_not(lock_token_parse(BYTES_NONE, read));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes copy = exact_copy(cases[i]);
        cr_expect_not(lock_token_parse(copy, read), "%zu", i);
        exact_free(copy);
    }
}
