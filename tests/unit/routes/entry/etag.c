#include "routes/entry/etag.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/support/exact.h"

#define A "\"000000000000000a\""
#define C "\"00000000000000c0\""

static const engine_version samples[] = {
    1, 0x4d2, UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210), UINT64_C(0x8000000000000000), UINT64_MAX,
};

Test(etag, is_sixteen_digits_in_quotes)
{
    for (size_t i = 0; i < COUNT(samples); i++) {
        char text[ETAG_TEXT_SIZE], expected[32];

        etag_format(samples[i], text);
        snprintf(expected, sizeof expected, "\"%016" PRIx64 "\"", samples[i]);
        cr_expect_str_eq(text, expected);
        cr_expect_eq(etag_parse(bytes_of(text, ETAG_LEN)), samples[i]);
    }
}

Test(etag, reads_only_strong_tags_of_its_own_form)
{
    static const struct bytes foreign[] = {
        B(""),
        B("\"\""),
        B("000000000000000a"),
        B("W/\"000000000000000a\""),
        B("\"000000000000000A\""),
        B("\"0000000000000000\""),
        B("\"00000000000000a\""),
        B("\"0000000000000000a\""),
        B("\"000000000000000g\""),
        B("\"00000000000000 a\""),
        B("\"000000000000000a"),
        B("000000000000000a\""),
        B("'000000000000000a'"),
        B("\"000000000000000a\" "),
        B(" \"00000000000000a\""),
        B("W/\"00000000000000\""),
    };

    for (size_t i = 0; i < COUNT(foreign); i++) {
        struct bytes text = exact_copy(foreign[i]);

        cr_expect_eq(etag_parse(text), 0, "%.*s", SHOW(text));
        exact_free(text);
    }
}

Test(etag, reads_lists)
{
    static const struct {
        struct bytes field;
        size_t strong, weak; /* how many versions each comparison sees */
    } cases[] = {
        { B(A), 1, 1 },
        { B(" " A "\t"), 1, 1 },
        { B(A "," C), 2, 2 },
        { B(A ", " C), 2, 2 },
        { B(A " ,\t" C), 2, 2 },
        { B(", ," A ",,  ," C ",, "), 2, 2 },
        { B("W/" A), 0, 1 },
        { B("W/" A ", " C), 1, 2 },
        { B("\"other\""), 0, 0 },
        { B("\"\""), 0, 0 },
        { B("\"!\", \"#\", \"~\""), 0, 0 },
        { B("\"a,b\", " A), 1, 1 },
        { B("\",\"," A), 1, 1 },
        { B("\"*\""), 0, 0 },
        { B("\"\\\"," A), 1, 1 },
        { B("\"\x80\xFF\""), 0, 0 },
        { B("\"0000000000000000\""), 0, 0 },
        { B("\"000000000000000A\""), 0, 0 },
        { B("\"00000000000000000a\""), 0, 0 },
        { B(A "," A), 2, 2 },
        { B(""), 0, 0 },
        { B(" , ,"), 0, 0 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes field = exact_copy(cases[i].field);
        engine_version versions[ETAG_LIST_MAX];
        struct engine_tags tags;

        cr_expect_null(etag_parse_list(field, ETAG_STRONG, versions, &tags), "%.*s", SHOW(field));
        cr_expect(tags.given && !tags.any, "%.*s", SHOW(field));
        cr_expect_eq(tags.count, cases[i].strong, "%.*s: %zu", SHOW(field), tags.count);
        cr_expect_eq(tags.versions, versions);
        cr_expect_null(etag_parse_list(field, ETAG_WEAK, versions, &tags));
        cr_expect_eq(tags.count, cases[i].weak, "%.*s: %zu", SHOW(field), tags.count);
        exact_free(field);
    }
}

Test(etag, keeps_the_versions_in_order)
{
    engine_version versions[ETAG_LIST_MAX];
    struct engine_tags tags;

    cr_assert_null(etag_parse_list(BYTES("W/\"x\", " C ",\"y\", W/" A), ETAG_WEAK, versions, &tags));
    cr_assert_eq(tags.count, 2);
    cr_expect_eq(tags.versions[0], 0xc0);
    cr_expect_eq(tags.versions[1], 0xa);
}

Test(etag, an_absent_field_is_no_condition)
{
    engine_version versions[ETAG_LIST_MAX];
    struct engine_tags tags = { .given = true, .any = true };

    cr_expect_null(etag_parse_list(BYTES_NONE, ETAG_STRONG, versions, &tags));
    cr_expect_not(tags.given);
    cr_expect_not(tags.any);
}

Test(etag, a_star_stands_alone)
{
    static const struct bytes good[] = { B("*"), B(" *\t") };
    static const struct bytes bad[] = { B("*,*"), B("*, " A), B(A ", *"), B("**"), B("*,"), B(",*"), B("W/*") };
    engine_version versions[ETAG_LIST_MAX];
    struct engine_tags tags;

    for (size_t i = 0; i < COUNT(good); i++) {
        cr_expect_null(etag_parse_list(good[i], ETAG_WEAK, versions, &tags));
        cr_expect(tags.given && tags.any && tags.count == 0);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        cr_expect_not_null(etag_parse_list(bad[i], ETAG_WEAK, versions, &tags), "%.*s", SHOW(bad[i]));
        cr_expect_not(tags.given);
    }
}

Test(etag, refuses_malformed_lists)
{
    static const struct bytes bad[] = {
        B("abc"),     B("\""),         B("\"abc"),     B("abc\""),    B("W/"),    B("W/abc"), B("w/" A),
        B("W /" A),   B("W/ " A),      B(A C),         B(A " " C),    B(A ";" C), B(A ", x"), B("x, " A),
        B("\"a b\""), B("\"a\tb\""),   B("\"a\x7F\""), B("\"a\0b\""), B("'a'"),   B(A ",\""), B("000a"),
        B(A "\0"),    B("\xC2\xA0" A), B("\"a\nb\""),  B("\"," A),
    };

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bytes field = exact_copy(bad[i]);
        engine_version versions[ETAG_LIST_MAX];
        struct engine_tags tags = { .given = true };

        cr_expect_not_null(etag_parse_list(field, ETAG_STRONG, versions, &tags), "%.*s", SHOW(field));
        cr_expect_not(tags.given);
        exact_free(field);
    }
}

Test(etag, a_list_has_at_most_64_members)
{
    char field[65 * 20 + 200];
    engine_version versions[ETAG_LIST_MAX];
    struct engine_tags tags;
    size_t len = 0;

    for (unsigned i = 1; i <= 64; i++)
        len += (size_t)snprintf(field + len, sizeof field - len, ",,\"%016x\"", i);
    cr_assert_null(etag_parse_list(bytes_of(field, len), ETAG_STRONG, versions, &tags));
    cr_assert_eq(tags.count, 64);
    for (unsigned i = 0; i < 64; i++)
        cr_expect_eq(tags.versions[i], i + 1);
    memcpy(field + len, ",W/\"x\"", 6);
    cr_expect_not_null(etag_parse_list(bytes_of(field, len + 6), ETAG_STRONG, versions, &tags));
    cr_expect_not(tags.given);
}

Test(etag, if_range_wants_one_strong_tag)
{
    cr_expect(etag_if_range_holds(BYTES_NONE, 10));
    cr_expect(etag_if_range_holds(BYTES(A), 10));
    cr_expect_not(etag_if_range_holds(BYTES(A), 11));
    cr_expect_not(etag_if_range_holds(BYTES("W/" A), 10));
    cr_expect_not(etag_if_range_holds(BYTES(A ", " C), 10));
    cr_expect_not(etag_if_range_holds(BYTES("Sat, 29 Oct 1994 19:43:31 GMT"), 10));
    cr_expect_not(etag_if_range_holds(BYTES(""), 10));
    cr_expect_not(etag_if_range_holds(BYTES("\"0000000000000000\""), 0));
}

Test(etag, is_a_member_of_json_answers)
{
    char memory[64];
    struct buffer text;

    buffer_init_fixed(&text, memory, sizeof memory);
    etag_add_member(&text, 10);
    cr_expect(bytes_equal(buffer_bytes(&text), BYTES(",\"etag\":\"\\\"000000000000000a\\\"\"")));
}

Test(etag, the_conditions_of_a_read_are_200_304_or_412)
{
    static const engine_version ten[] = { 10 };
    static const struct engine_tags absent = { .given = false }, any = { .given = true, .any = true },
                                    this = { .given = true, .count = 1, .versions = ten }, none = { .given = true };
    static const struct {
        const struct engine_tags *if_match, *if_none_match;
        unsigned status;
    } cases[] = {
        { &absent, &absent, 200 }, { &this, &absent, 200 }, { &any, &absent, 200 }, { &none, &absent, 412 },
        { &absent, &this, 304 },   { &absent, &any, 304 },  { &absent, &none, 200 }, { &this, &this, 304 },
        { &none, &this, 412 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct engine_condition condition = { *cases[i].if_match, *cases[i].if_none_match };

        cr_expect_eq(etag_judge_read(&condition, 10), cases[i].status, "%zu", i);
    }
}
