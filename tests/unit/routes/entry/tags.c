#include "routes/entry/tags.h"

#include <stdio.h>

#include "tests/support/exact.h"

/* What reading gives, the tags joined by `|`. */
static const char *read_query(struct tag_list *list, struct bytes text)
{
    tag_list_init(list);
    return tag_list_read_query(list, text);
}

static const char *read_groups(struct tag_list *list, struct bytes text)
{
    tag_list_init(list);
    return tag_list_read_groups(list, text);
}

typedef const char *read_fn(struct tag_list *list, struct bytes text);

static void expect_tags(read_fn *read, struct bytes literal, struct bytes joined)
{
    struct bytes text = exact_copy(literal);
    struct tag_list list;
    const char *fault = read(&list, text);
    char all[4096];
    size_t len = 0;

    cr_expect_null(fault, "%.*s: %s", SHOW(text), fault);
    for (size_t i = 0; i < list.count; i++) {
        if (i > 0)
            all[len++] = '|';
        memcpy(all + len, list.items[i].ptr, list.items[i].len);
        len += list.items[i].len;
    }
    cr_expect(bytes_equal(bytes_of(all, len), joined), "%.*s gave %.*s", SHOW(text), (int)len, all);
    exact_free(text);
}

static void expect_fault(read_fn *read, struct bytes literal)
{
    struct bytes text = exact_copy(literal);
    struct tag_list list;

    cr_expect_not_null(read(&list, text), "%.*s", SHOW(text));
    exact_free(text);
}

#define A64 "0123456789012345678901234567890123456789012345678901234567890123"

Test(tags, of_a_query_are_decoded_before_they_are_split)
{
    static const struct {
        struct bytes text, joined;
    } cases[] = {
        { B("a"), B("a") },
        { B("a,b"), B("a|b") },
        { B("a,b,a"), B("a|b") },
        { B("a%2Cb,c%2cd"), B("a|b|c|d") },
        { B("a%252Cb"), B("a%2Cb") },
        { B("a%2Db,c%20"), B("a-b|c ") },
        { B("%61,a"), B("a") },
        { B("%FF%00"), B("\xff\0") },
        { B("a+b,;="), B("a+b|;=") },
        { B(A64), B(A64) },
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        expect_tags(read_query, cases[i].text, cases[i].joined);
}

Test(tags, of_a_query_have_their_bounds)
{
    static const struct bytes cases[] = { B(""), B(","), B("a,"), B(",a"), B("a,,b"), B("%"), B("%4"), B("a,%zz"), B("%2C"), B("a%2C"), B("%2ca"),
                                          B("a%2C,b"), B("a%2"), B("a%%2Cb"),
                                          B(A64 "x"), B(A64 "%41") };

    for (size_t i = 0; i < COUNT(cases); i++)
        expect_fault(read_query, cases[i]);
}

Test(tags, of_cache_groups_are_strings)
{
    static const struct {
        struct bytes text, joined;
    } cases[] = {
        { B(""), B("") },
        { B("  "), B("") },
        { B("\"a\""), B("a") },
        { B("\"a\",\"b\""), B("a|b") },
        { B("\"a\" \t,\t \"b\"  "), B("a|b") },
        { B("\"a\", \"b\", \"a\""), B("a|b") },
        { B("\"a,b\""), B("a,b") },
        { B("\"\\\"\\\\\""), B("\"\\") },
        { B("\"a\";x"), B("a") },
        { B("\"a\";x=1;  y=\"q,\\\"\";*z=?0, \"b\""), B("a|b") },
        { B("\"a\";b=:YQ==:;c=tok/en*:x;d=-1.5"), B("a") },
        { B("\" \""), B(" ") },
        { B("\"" A64 "\""), B(A64) },
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        expect_tags(read_groups, cases[i].text, cases[i].joined);
}

Test(tags, of_cache_groups_have_a_grammar)
{
    static const struct bytes cases[] = {
        B("a"),          B("\"a"),        B("\"a\\"),       B("\"a\\n\""), B("\"a\" \"b\""), B("\"a\","),
        B(",\"a\""),     B("\"a\",,\"b\""), B("\"\""),      B("\"\t\""),   B("\"\x7f\""),    B("\"\xc3\xa9\""),
        B("(\"a\")"),    B("\"a\";"),     B("\"a\";X=1"),   B("\"a\";x="), B("\"a\";x=\"b"), B("\"a\" ;x"),
        B("\"a\";x=1 2"), B("1"),         B("?1"),          B("\"" A64 "x\""),
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        expect_fault(read_groups, cases[i]);
}

/* 32 tags of 64 bytes, each escaped, and then some. */
static size_t write_many(char *out, unsigned count)
{
    size_t len = 0;

    for (unsigned i = 0; i < count; i++)
        len += (size_t)sprintf(out + len, "%s%%41%063u", i > 0 ? "," : "", i % 40);
    return len;
}

Test(tags, are_at_most_32)
{
    char text[41 * 70];
    struct tag_list list;

    cr_expect_null(read_query(&list, bytes_of(text, write_many(text, 32))));
    cr_expect_eq(list.count, ENGINE_TAGS_MAX);
    /* One that is there already needs no place. */
    cr_expect_null(tag_list_read_query(&list, bytes_of(text, write_many(text, 32))));
    cr_expect_eq(list.count, ENGINE_TAGS_MAX);
    cr_expect_not_null(read_query(&list, bytes_of(text, write_many(text, 33))));
}

Test(tags, are_compared_in_any_order)
{
    struct tag_list a, b;

    cr_assert_null(read_query(&a, BYTES("x,y,%7A")));
    cr_assert_null(read_groups(&b, BYTES("\"z\", \"x\", \"y\", \"x\"")));
    cr_expect(tag_list_equal(&a, &b));
    cr_assert_null(read_groups(&b, BYTES("\"z\", \"x\"")));
    cr_expect_not(tag_list_equal(&a, &b));
    cr_expect_not(tag_list_equal(&b, &a));
    cr_assert_null(read_groups(&b, BYTES("\"z\", \"x\", \"w\"")));
    cr_expect_not(tag_list_equal(&a, &b));
}
