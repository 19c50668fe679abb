#include "routes/text/encode.h"

#include <sodium.h>
#include <stdlib.h>

#include "service/base/buffer.h"
#include "tests/support/exact.h"

Test(encode, base64_is_that_of_libsodium_for_every_length)
{
    char in[200], out[300], expected[300];

    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (char)(i * 37 + 11);
    for (size_t len = 0; len <= sizeof in; len++) {
        char *end = encode_base64(bytes_of(in, len), out);
        sodium_bin2base64(expected, sizeof expected, (const unsigned char *)in, len, sodium_base64_VARIANT_ORIGINAL);
        cr_expect_eq((size_t)(end - out), encode_base64_length(len));
        cr_expect(bytes_equal(bytes_of(out, (size_t)(end - out)), bytes_str(expected)), "%zu bytes", len);
    }
}

Test(encode, json_text_is_that_of_the_buffer_for_every_ascii_byte)
{
    for (int c = 0; c < 128; c++) {
        char text[3] = { 'a', (char)c, 'b' }, out[16];
        struct buffer expected;
        char *end = encode_json_text(bytes_of(text, 3), out);

        buffer_init(&expected, 64);
        buffer_add_json_escaped(&expected, bytes_of(text, 3));
        cr_expect_eq((size_t)(end - out), encode_json_text_length(bytes_of(text, 3)));
        cr_expect(bytes_equal(bytes_of(out, (size_t)(end - out)), buffer_bytes(&expected)), "byte %d", c);
        buffer_release(&expected);
    }
}

Test(encode, json_text_leaves_utf8_alone)
{
    struct bytes text = BYTES("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    char out[64];
    char *end = encode_json_text(text, out);

    cr_expect(bytes_equal(bytes_of(out, (size_t)(end - out)), text));
}
