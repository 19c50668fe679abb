#include "routes/namespaces/cursor.h"

#include "tests/support/exact.h"

static const struct bytes ns = B("users"), prefix = B("a/");

static size_t write_one(char out[CURSOR_TEXT_MAX], struct bytes inside)
{
    return cursor_write(out, 'k', ns, prefix, inside);
}

Test(cursor, is_read_as_it_was_written)
{
    char text[CURSOR_TEXT_MAX], inside[ENGINE_CURSOR_MAX], read[ENGINE_CURSOR_MAX];
    size_t read_len = 0;

    for (size_t i = 0; i < sizeof inside; i++)
        inside[i] = (char)(i * 7);
    for (size_t len = 0; len <= sizeof inside; len++) {
        size_t text_len = write_one(text, bytes_of(inside, len));
        struct bytes copy = exact_copy(bytes_of(text, text_len));

        cr_assert_leq(text_len, CURSOR_TEXT_MAX);
        cr_assert(cursor_read(copy, 'k', ns, prefix, read, &read_len));
        cr_expect(bytes_equal(bytes_of(read, read_len), bytes_of(inside, len)));
        exact_free(copy);
    }
}

Test(cursor, has_letters_that_a_query_holds_as_they_are)
{
    char text[CURSOR_TEXT_MAX];
    size_t len = write_one(text, BYTES("\xff\xfe\xfd\xfc\xfb\xfa?>~"));

    for (size_t i = 0; i < len; i++)
        cr_expect((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z') ||
                  (text[i] >= 'a' && text[i] <= 'z') || text[i] == '-' || text[i] == '_');
}

Test(cursor, belongs_to_what_was_listed)
{
    char text[CURSOR_TEXT_MAX], read[ENGINE_CURSOR_MAX];
    size_t read_len = 0;
    struct bytes cursor = bytes_of(text, write_one(text, BYTES("x")));

    cr_expect(cursor_read(cursor, 'k', ns, prefix, read, &read_len));
    cr_expect_not(cursor_read(cursor, 'p', ns, prefix, read, &read_len));
    cr_expect_not(cursor_read(cursor, 'k', BYTES("user"), BYTES("sa/"), read, &read_len));
    cr_expect_not(cursor_read(cursor, 'k', ns, BYTES("a"), read, &read_len));
    cr_expect_not(cursor_read(cursor, 'k', ns, BYTES_NONE, read, &read_len));
}

Test(cursor, is_not_just_any_text)
{
    static const struct bytes cases[] = { B(""), B("A"), B("AAAA"), B("AAAAAAAAAAAA"), B("!!!!!!!!!!!!!!!!"),
                                          B("AAAAAAAAAAAAAAAA=="), B("\0\0\0\0") };
    char read[ENGINE_CURSOR_MAX], longer[512];
    size_t read_len = 0;

    for (size_t i = 0; i < COUNT(cases); i++)
        cr_expect_not(cursor_read(cases[i], 'k', ns, prefix, read, &read_len), "case %zu", i);
    memset(longer, 'A', sizeof longer);
    cr_expect_not(cursor_read(bytes_of(longer, sizeof longer), 'k', ns, prefix, read, &read_len));
}
