#include "routes/text/path.h"

#include <stdio.h>

#include "tests/support/exact.h"

static enum path_outcome parse(struct bytes rest, struct path_scratch *scratch, struct path_entry *entry)
{
    memset(scratch, 0xAA, sizeof *scratch);
    return path_parse_entry(rest, scratch, entry);
}

Test(path, splits_and_decodes_once)
{
    static const struct {
        struct bytes rest, ns, key;
    } cases[] = {
        { B("users/42"), B("users"), B("42") },
        { B("u/a/b"), B("u"), B("a/b") },
        { B("u/a%2Fb"), B("u"), B("a/b") },
        { B("u/a%2fb"), B("u"), B("a/b") },
        { B("u/a%252Fb"), B("u"), B("a%2Fb") },
        { B("u/a+b"), B("u"), B("a+b") },
        { B("u/%2B"), B("u"), B("+") },
        { B("u//"), B("u"), B("/") },
        { B("u//a//b/"), B("u"), B("/a//b/") },
        { B("u/."), B("u"), B(".") },
        { B("u/.."), B("u"), B("..") },
        { B("u/../x"), B("u"), B("../x") },
        { B("u/./%2e"), B("u"), B("./.") },
        { B("u/%00"), B("u"), B("\0") },
        { B("u/a%00b%0D%0A%20"), B("u"), B("a\0b\r\n ") },
        { B("u/%c3%A9\xC3\xA9"), B("u"), B("\xC3\xA9\xC3\xA9") },
        { B("u/%FF\xFF"), B("u"), B("\xFF\xFF") },
        { B("u/a?b"), B("u"), B("a?b") },
        { B("%75sers/k"), B("users"), B("k") },
        { B("a%2Eb/k"), B("a.b"), B("k") },
        { B("A-z_0.9/k"), B("A-z_0.9"), B("k") },
        { B("-/k"), B("-"), B("k") },
        { B("a../k"), B("a.."), B("k") },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes rest = exact_copy(cases[i].rest);
        struct path_scratch scratch;
        struct path_entry entry;

        cr_expect_eq(parse(rest, &scratch, &entry), PATH_OK, "%.*s", SHOW(rest));
        cr_expect(bytes_equal(entry.ns, cases[i].ns), "namespace of %.*s", SHOW(rest));
        cr_expect(bytes_equal(entry.key, cases[i].key), "key of %.*s", SHOW(rest));
        exact_free(rest);
    }
}

Test(path, tells_each_fault_apart)
{
    static const struct {
        struct bytes rest;
        enum path_outcome outcome;
        bool ns_known;
    } cases[] = {
        { B(""), PATH_BAD_NAMESPACE, false },
        { B("/"), PATH_BAD_NAMESPACE, false },
        { B("/k"), PATH_BAD_NAMESPACE, false },
        { B(".a/k"), PATH_BAD_NAMESPACE, false },
        { B("../k"), PATH_BAD_NAMESPACE, false },
        { B("%2Ea/k"), PATH_BAD_NAMESPACE, false },
        { B("a%2Fb"), PATH_BAD_NAMESPACE, false },
        { B("a%2Fb/k"), PATH_BAD_NAMESPACE, false },
        { B("a%00/k"), PATH_BAD_NAMESPACE, false },
        { B("a%2575/k"), PATH_BAD_NAMESPACE, false },
        { B("a b/k"), PATH_BAD_NAMESPACE, false },
        { B("a+b/k"), PATH_BAD_NAMESPACE, false },
        { B("\xC3\xA9/k"), PATH_BAD_NAMESPACE, false },
        { B("a%zz/k"), PATH_BAD_ESCAPE, false },
        { B("a%4/k"), PATH_BAD_ESCAPE, false },
        { B("a%/41"), PATH_BAD_ESCAPE, false },
        { B("a%"), PATH_BAD_ESCAPE, false },
        { B("a"), PATH_NO_KEY, true },
        { B("a/"), PATH_EMPTY_KEY, true },
        { B("a/%"), PATH_BAD_ESCAPE, true },
        { B("a/%4"), PATH_BAD_ESCAPE, true },
        { B("a/k%4"), PATH_BAD_ESCAPE, true },
        { B("a/%zz"), PATH_BAD_ESCAPE, true },
        { B("a/%4g"), PATH_BAD_ESCAPE, true },
        { B("a/%g4"), PATH_BAD_ESCAPE, true },
        { B("a/%%41"), PATH_BAD_ESCAPE, true },
        { B("a/% 41"), PATH_BAD_ESCAPE, true },
        { B("a/%+41"), PATH_BAD_ESCAPE, true },
        { B("a/%u0041"), PATH_BAD_ESCAPE, true },
        { B("a/%4\0"), PATH_BAD_ESCAPE, true },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes rest = exact_copy(cases[i].rest);
        struct path_scratch scratch;
        struct path_entry entry;

        cr_expect_eq(parse(rest, &scratch, &entry), cases[i].outcome, "%.*s", SHOW(rest));
        cr_expect_eq(entry.ns.ptr != NULL, cases[i].ns_known, "namespace of %.*s", SHOW(rest));
        cr_expect_null(entry.key.ptr, "key of %.*s", SHOW(rest));
        exact_free(rest);
    }
}

/* `escaped` bytes as %41 and `plain` as they are, after "ns/". */
static enum path_outcome parse_key_of(size_t escaped, size_t plain, size_t *key_len)
{
    static char text[3 + 3 * 2000 + 2000];
    struct path_scratch scratch;
    struct path_entry entry;
    struct bytes rest;
    enum path_outcome outcome;
    size_t len = 3;

    memcpy(text, "ns/", 3);
    for (size_t i = 0; i < escaped; i++, len += 3)
        memcpy(text + len, "%41", 3);
    memset(text + len, 'A', plain);
    rest = exact_copy(bytes_of(text, len + plain));
    outcome = parse(rest, &scratch, &entry);
    *key_len = entry.key.len;
    for (size_t i = 0; i < entry.key.len; i++)
        cr_assert_eq(entry.key.ptr[i], 'A');
    exact_free(rest);
    return outcome;
}

Test(path, a_key_has_at_most_1024_decoded_bytes)
{
    size_t len;

    cr_expect_eq(parse_key_of(0, 1024, &len), PATH_OK);
    cr_expect_eq(len, 1024);
    cr_expect_eq(parse_key_of(1024, 0, &len), PATH_OK);
    cr_expect_eq(len, 1024);
    cr_expect_eq(parse_key_of(1, 1023, &len), PATH_OK);
    cr_expect_eq(len, 1024);
    cr_expect_eq(parse_key_of(0, 1025, &len), PATH_KEY_TOO_LONG);
    cr_expect_eq(parse_key_of(1025, 0, &len), PATH_KEY_TOO_LONG);
    cr_expect_eq(parse_key_of(1, 1024, &len), PATH_KEY_TOO_LONG);
    cr_expect_eq(parse_key_of(1024, 1, &len), PATH_KEY_TOO_LONG);
    cr_expect_eq(parse_key_of(2000, 2000, &len), PATH_KEY_TOO_LONG);
}

Test(path, decodes_every_byte_in_either_case)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        for (int upper = 0; upper < 2; upper++) {
            char text[16];
            struct path_scratch scratch;
            struct path_entry entry;
            int len =
                upper ? snprintf(text, sizeof text, "n/%%%02X", byte) : snprintf(text, sizeof text, "n/%%%02x", byte);

            cr_assert_eq(parse(bytes_of(text, (size_t)len), &scratch, &entry), PATH_OK);
            cr_assert_eq(entry.key.len, 1);
            cr_assert_eq((unsigned char)entry.key.ptr[0], byte);
        }
    }
}

Test(path, passes_every_raw_byte_but_percent)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[3] = { 'n', '/', (char)byte };
        struct path_scratch scratch;
        struct path_entry entry;
        enum path_outcome outcome = parse(bytes_of(text, 3), &scratch, &entry);

        cr_assert_eq(outcome, byte == '%' ? PATH_BAD_ESCAPE : PATH_OK);
        if (outcome == PATH_OK)
            cr_assert_eq((unsigned char)entry.key.ptr[0], byte);
    }
}

Test(path, a_namespace_has_1_to_64_of_its_characters)
{
    const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    char text[65];

    memset(text, 'n', sizeof text);
    for (size_t len = 0; len <= sizeof text; len++)
        cr_expect_eq(path_namespace_valid(bytes_of(text, len)), len >= 1 && len <= 64, "%zu", len);
    for (unsigned byte = 0; byte < 256; byte++) {
        bool in = byte != 0 && strchr(allowed, (int)byte) != NULL;

        text[0] = (char)byte;
        cr_expect_eq(path_namespace_valid(bytes_of(text, 2)), in && byte != '.', "0x%02x in front", byte);
        text[0] = 'n';
        text[1] = (char)byte;
        cr_expect_eq(path_namespace_valid(bytes_of(text, 2)), in, "0x%02x", byte);
        text[1] = 'n';
    }
}

Test(path, an_escaped_namespace_over_64_bytes_is_a_bad_namespace)
{
    char text[65 * 3];
    struct path_scratch scratch;
    struct bytes ns;

    for (size_t i = 0; i < 65; i++)
        memcpy(text + 3 * i, "%6E", 3);
    cr_expect_eq(path_parse_namespace(bytes_of(text, 64 * 3), &scratch, &ns), PATH_OK);
    cr_expect_eq(ns.len, 64);
    cr_expect_eq(path_parse_namespace(bytes_of(text, 65 * 3), &scratch, &ns), PATH_BAD_NAMESPACE);
    cr_expect_null(ns.ptr);
}

Test(path, borrows_what_needs_no_decoding)
{
    struct bytes rest = BYTES("users/plain");
    struct path_scratch scratch;
    struct path_entry entry;

    cr_assert_eq(parse(rest, &scratch, &entry), PATH_OK);
    cr_expect_eq(entry.ns.ptr, rest.ptr);
    cr_expect_eq(entry.key.ptr, rest.ptr + 6);
}

Test(path, finds_what_follows_a_prefix)
{
    struct bytes rest = BYTES_NONE;

    cr_expect(path_under(BYTES("/cache/a/b"), BYTES("/cache/"), &rest));
    cr_expect(bytes_equal(rest, BYTES("a/b")));
    cr_expect(path_under(BYTES("/cache/"), BYTES("/cache/"), &rest));
    cr_expect_eq(rest.len, 0);
    cr_expect_not(path_under(BYTES("/cache"), BYTES("/cache/"), &rest));
    cr_expect_not(path_under(BYTES("/caches/a"), BYTES("/cache/"), &rest));
    cr_expect_not(path_under(BYTES("/Cache/a"), BYTES("/cache/"), &rest));
}

Test(path, has_a_text_for_each_fault)
{
    cr_expect_null(path_outcome_detail(PATH_OK));
    for (int outcome = PATH_OK + 1; outcome < PATH_OUTCOMES; outcome++)
        cr_expect_not_null(path_outcome_detail((enum path_outcome)outcome), "%d", outcome);
}
