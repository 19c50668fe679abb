#include "service/base/utf8.h"

#include <stdint.h>

#include "tests/support/exact.h"

static enum utf8_text classify(const void *bytes, size_t len)
{
    return utf8_classify(bytes_of(bytes, len));
}

/* The code point of a sequence by its bits alone, or -1; the length it claims. */
static int32_t decode(const unsigned char *p, size_t len)
{
    static const unsigned char lead_bits[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    static const unsigned char lead_mark[] = { 0, 0x00, 0xC0, 0xE0, 0xF0 };
    int32_t code = p[0] & lead_bits[len];

    if ((p[0] & ~lead_bits[len] & 0xFF) != lead_mark[len])
        return -1;
    for (size_t i = 1; i < len; i++) {
        if (p[i] >> 6 != 2)
            return -1;
        code = code << 6 | (p[i] & 0x3F);
    }
    return code;
}

/* RFC 3629: the shortest form of a scalar value. */
static bool is_sequence(const unsigned char *p, size_t len)
{
    static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    int32_t code = decode(p, len);

    return code >= least[len] && code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);
}

static void check(const unsigned char *p, size_t len)
{
    bool valid = is_sequence(p, len);

    cr_assert_eq(utf8_sequence((const char *)p, len), valid ? len : 0, "%02x %02x", p[0], p[1]);
    cr_assert_eq(classify(p, len), valid ? UTF8_PLAIN : UTF8_INVALID, "%02x %02x", p[0], p[1]);
    for (size_t cut = 1; cut < len; cut++)
        cr_assert_not(valid && classify(p, cut) != UTF8_INVALID, "cut at %zu", cut);
}

Test(utf8, knows_all_sequences_of_two_and_three)
{
    unsigned char p[3];

    for (unsigned a = 0x80; a < 0x100; a++)
        for (unsigned b = 0; b < 0x100; b++) {
            p[0] = (unsigned char)a;
            p[1] = (unsigned char)b;
            if (a < 0xE0 && b >= 0x80)
                check(p, 2);
            for (unsigned c = 0x80; a >= 0xE0 && b >= 0x80 && c < 0xC1; c++) {
                p[2] = (unsigned char)c;
                if (a < 0xF0)
                    check(p, 3);
            }
        }
}

Test(utf8, knows_sequences_of_four)
{
    static const unsigned char tails[] = { 0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0xA0, 0xBF, 0xC0, 0xFF };
    unsigned char p[4];

    for (unsigned a = 0xF0; a < 0x100; a++)
        for (unsigned b = 0; b < 0x100; b++)
            for (size_t c = 0; c < COUNT(tails); c++)
                for (size_t d = 0; d < COUNT(tails); d++) {
                    p[0] = (unsigned char)a;
                    p[1] = (unsigned char)b;
                    p[2] = tails[c];
                    p[3] = tails[d];
                    cr_assert_eq(utf8_sequence((const char *)p, 4), is_sequence(p, 4) ? 4 : 0);
                }
}

Test(utf8, refuses_by_name)
{
    static const struct bytes bad[] = {
        B("\x80"),             /* a continuation alone */
        B("\xC0\x80"),         /* overlong NUL */
        B("\xC1\xBF"),         /* overlong DEL */
        B("\xE0\x9F\xBF"),     /* overlong U+07FF */
        B("\xF0\x8F\xBF\xBF"), /* overlong U+FFFF */
        B("\xED\xA0\x80"),     /* U+D800 */
        B("\xED\xBF\xBF"),     /* U+DFFF */
        B("\xF4\x90\x80\x80"), /* U+110000 */
        B("\xF5\x80\x80\x80"),
        B("\xF8\x88\x80\x80\x80"),
        B("\xFE"),
        B("\xFF"),
        B("\xC3"), /* cut off */
        B("\xE2\x82"),
        B("\xF0\x9F\x98"),
        B("\xC3\x28"),
        B("\xE2\x28\xA1"),
        B("\xE2\x82\x28"),
        B("\xC3\xA9\xA9"), /* one continuation too many */
    };

    for (size_t i = 0; i < COUNT(bad); i++)
        for (size_t before = 0; before < 20; before++) {
            char text[32];
            struct bytes copy;

            memset(text, 'a', sizeof text);
            memcpy(text + before, bad[i].ptr, bad[i].len);
            copy = exact_copy(bytes_of(text, before + bad[i].len));
            cr_expect_eq(utf8_classify(copy), UTF8_INVALID, "%zu after %zu", i, before);
            exact_free(copy);
            cr_expect_eq(classify(text, sizeof text), UTF8_INVALID, "%zu amid", i);
        }
}

/* Each byte at each offset of words and their remainders. */
Test(utf8, finds_a_byte_to_escape_wherever_it_stands)
{
    for (unsigned byte = 0; byte < 0x80; byte++)
        for (size_t len = 1; len < 36; len++)
            for (size_t at = 0; at < len; at++) {
                char text[36];
                bool escaped = byte < 0x20 || byte == '"' || byte == '\\';

                memset(text, '!', sizeof text);
                text[at] = (char)byte;
                cr_assert_eq(classify(text, len), escaped ? UTF8_ESCAPED : UTF8_PLAIN, "0x%02x at %zu of %zu", byte,
                             at, len);
            }
}

Test(utf8, classifies_texts)
{
    cr_expect_eq(utf8_classify(BYTES_NONE), UTF8_PLAIN);
    cr_expect_eq(utf8_classify(BYTES("")), UTF8_PLAIN);
    cr_expect_eq(utf8_classify(BYTES("\x7F")), UTF8_PLAIN);
    cr_expect_eq(utf8_classify(BYTES("\xEF\xBB\xBF")), UTF8_PLAIN);
    cr_expect_eq(utf8_classify(BYTES("gr\xC3\xBC\xC3\x9F dich \xF0\x9F\x98\x80 \xE2\x82\xAC \xEF\xBF\xBF")),
                 UTF8_PLAIN);
    cr_expect_eq(utf8_classify(BYTES("say \"hi\", gr\xC3\xBC\xC3\x9F dich again and again")), UTF8_ESCAPED);
    cr_expect_eq(utf8_classify(BYTES("a long line of text and then\n\xFF")), UTF8_INVALID);
    cr_expect_eq(utf8_classify(BYTES("nul\0inside")), UTF8_ESCAPED);
    cr_expect(utf8_valid(BYTES("\n")));
    cr_expect_not(utf8_valid(BYTES("\xFF")));
}

/* Table 3-7 of the Unicode standard as ranges: the second byte rules out overlong
 * forms, surrogates and what lies above U+10FFFF. */
static size_t longest_beginning(const unsigned char *p, size_t left)
{
    size_t whole = p[0] < 0xC2 || p[0] > 0xF4 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4, len = 1;
    unsigned least = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned most = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;

    if (whole == 0 || left < 2 || p[1] < least || p[1] > most)
        return 1;
    for (len = 2; len < whole && len < left && p[len] >= 0x80 && p[len] < 0xC0; len++)
        continue;
    return len;
}

Test(utf8, ill_formed_runs_are_as_long_as_the_beginning_of_a_sequence)
{
    static const unsigned char later[] = { 0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xF4, 0xFF };

    for (unsigned a = 0x80; a < 0x100; a++)
        for (unsigned b = 0; b < 0x100; b++)
            for (size_t i = 0; i < sizeof later * sizeof later; i++)
                for (size_t left = 1; left <= 4; left++) {
                    const unsigned char p[4] = { (unsigned char)a, (unsigned char)b, later[i % sizeof later],
                                                 later[i / sizeof later] };

                    if (utf8_sequence((const char *)p, left) == 0)
                        cr_assert_eq(utf8_ill_formed((const char *)p, left), longest_beginning(p, left),
                                     "%02x %02x %02x %02x, %zu", p[0], p[1], p[2], p[3], left);
                }
}
