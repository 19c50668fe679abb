#include "routes/text/text.h"

#include "tests/support/exact.h"

Test(text, names_a_member_by_what_its_bytes_are)
{
    static const struct {
        struct bytes value, written;
    } cases[] = {
        { B(""), B("\"key\":\"\",\"key\":\"\"") },
        { B("a/b"), B("\"key\":\"a/b\",\"key\":\"a/b\"") },
        { B("\"\n"), B("\"key\":\"\\\"\\n\",\"key\":\"\\\"\\n\"") },
        { B("\xff\x01"), B("\"key_base64\":\"/wE=\",\"key_base64\":\"/wE=\"") },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char memory[64];
        struct buffer text;

        buffer_init_fixed(&text, memory, sizeof memory);
        text_add_first(&text, "key", cases[i].value);
        text_add_member(&text, "key", cases[i].value);
        cr_expect(bytes_equal(buffer_bytes(&text), cases[i].written), "%zu: %.*s", i, SHOW(buffer_bytes(&text)));
    }
}

Test(text, adds_base64_as_far_as_there_is_room)
{
    char memory[8];
    struct buffer text;

    buffer_init_fixed(&text, memory, sizeof memory);
    text_add_base64(&text, BYTES("abc"));
    cr_expect(bytes_equal(buffer_bytes(&text), BYTES("YWJj")));
    cr_expect_not(text.failed);
    text_add_base64(&text, BYTES("defghi"));
    cr_expect(text.failed);
}
