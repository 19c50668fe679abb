#include "routes/text/decode.h"

#include <stdlib.h>

#include "routes/text/encode.h"
#include "tests/support/exact.h"

static bool decode(struct bytes text, char *out, size_t *len)
{
    struct bytes copy = exact_copy(text);
    bool good = decode_base64(copy, out, len);

    exact_free(copy);
    return good;
}

Test(decode, takes_what_encode_gives_with_and_without_padding)
{
    char bytes[64], text[128], out[128];
    size_t len;

    for (size_t n = 0; n < sizeof bytes; n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(i * 37 + n);
        size_t size = (size_t)(encode_base64(bytes_of(bytes, n), text) - text);
        cr_assert(decode(bytes_of(text, size), out, &len));
        cr_expect(bytes_equal(bytes_of(out, len), bytes_of(bytes, n)));
        while (size > 0 && text[size - 1] == '=')
            size--;
        cr_assert(decode(bytes_of(text, size), out, &len));
        cr_expect(bytes_equal(bytes_of(out, len), bytes_of(bytes, n)));
        /* In place. */
        cr_assert(decode_base64(bytes_of(text, size), text, &len));
        cr_expect(bytes_equal(bytes_of(text, len), bytes_of(bytes, n)));
    }
}

Test(decode, refuses_what_no_encoder_gives)
{
    static const struct bytes bad[] = { B("A"),    B("AAAAA"), B("AA=A"), B("A==="), B("===="), B("AB"),  B("AAB"),
                                        B("AA-A"), B("AA_A"),  B("AAA\n"), B("AA="),  B("AAAA="), B("A A="), B("AAA=AAAA") };
    char out[32];
    size_t len;

    for (size_t i = 0; i < COUNT(bad); i++)
        cr_expect_not(decode(bad[i], out, &len), "%.*s", SHOW(bad[i]));
}
