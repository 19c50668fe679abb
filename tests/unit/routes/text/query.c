#include "routes/text/query.h"

#include "tests/support/exact.h"

enum { TTL, IDLE, RAW, NAMES };

static const struct bytes names[NAMES] = { B("ttl"), B("idle"), B("raw") };
static const struct query_table strict = { names, NAMES, false, 0 };
static const struct query_table lenient = { names, NAMES, true, 0 };

struct parsed {
    enum query_outcome outcome;
    struct bytes values[NAMES];
    struct bytes culprit;
    char scratch[64];
};

static void parse(struct parsed *parsed, struct bytes query, const struct query_table *table)
{
    struct query_scratch scratch = { parsed->scratch, sizeof parsed->scratch };

    parsed->culprit = BYTES_NONE;
    parsed->outcome = query_parse(query, table, scratch, parsed->values, &parsed->culprit);
}

Test(query, finds_known_parameters)
{
    static const struct {
        struct bytes query, values[NAMES];
    } cases[] = {
        { B(""), { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } } },
        { B("ttl=60"), { B("60"), { NULL, 0 }, { NULL, 0 } } },
        { B("raw=1&ttl=60&idle=5"), { B("60"), B("5"), B("1") } },
        { B("&&ttl=60&"), { B("60"), { NULL, 0 }, { NULL, 0 } } },
        { B("raw"), { { NULL, 0 }, { NULL, 0 }, B("") } },
        { B("raw="), { { NULL, 0 }, { NULL, 0 }, B("") } },
        { B("ttl=a=b=c"), { B("a=b=c"), { NULL, 0 }, { NULL, 0 } } },
        { B("ttl=a+b"), { B("a+b"), { NULL, 0 }, { NULL, 0 } } },
        { B("ttl=a;idle=3"), { B("a;idle=3"), { NULL, 0 }, { NULL, 0 } } },
        { B("ttl=%36%30&idle=%2526"), { B("60"), B("%26"), { NULL, 0 } } },
        { B("%74t%6C=60"), { B("60"), { NULL, 0 }, { NULL, 0 } } },
        { B("ttl=%26idle%3D5%00"), { B("&idle=5\0"), { NULL, 0 }, { NULL, 0 } } },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes query = exact_copy(cases[i].query);
        struct parsed p;

        parse(&p, query, &strict);
        cr_expect_eq(p.outcome, QUERY_OK, "%.*s", SHOW(query));
        for (size_t n = 0; n < NAMES; n++) {
            cr_expect_eq(p.values[n].ptr != NULL, cases[i].values[n].ptr != NULL, "%zu of %.*s", n, SHOW(query));
            cr_expect(bytes_equal(p.values[n], cases[i].values[n]), "%zu of %.*s", n, SHOW(query));
        }
        exact_free(query);
    }
}

Test(query, an_absent_query_has_no_parameters)
{
    struct parsed p;

    parse(&p, BYTES_NONE, &strict);
    cr_expect_eq(p.outcome, QUERY_OK);
    for (size_t n = 0; n < NAMES; n++)
        cr_expect_null(p.values[n].ptr);
}

Test(query, names_the_parameter_that_is_wrong)
{
    static const struct {
        struct bytes query;
        enum query_outcome strict, lenient;
        struct bytes culprit;
    } cases[] = {
        { B("ttl=1&tll=2"), QUERY_UNKNOWN, QUERY_OK, B("tll") },
        { B("TTL=1"), QUERY_UNKNOWN, QUERY_OK, B("TTL") },
        { B("ttl2=1"), QUERY_UNKNOWN, QUERY_OK, B("ttl2") },
        { B("tt=1"), QUERY_UNKNOWN, QUERY_OK, B("tt") },
        { B("=1"), QUERY_UNKNOWN, QUERY_OK, B("") },
        { B("="), QUERY_UNKNOWN, QUERY_OK, B("") },
        { B("ttl%00=1"), QUERY_UNKNOWN, QUERY_OK, B("ttl%00") },
        { B("%2574tl=1"), QUERY_UNKNOWN, QUERY_OK, B("%2574tl") },
        { B("x=%zz"), QUERY_UNKNOWN, QUERY_OK, B("x") },
        { B("%zz=1"), QUERY_BAD_ESCAPE, QUERY_OK, B("%zz") },
        { B("ttl%=1"), QUERY_BAD_ESCAPE, QUERY_OK, B("ttl%") },
        { B("idle=1&ttl=%zz"), QUERY_BAD_ESCAPE, QUERY_BAD_ESCAPE, B("ttl") },
        { B("ttl=%4&idle=1"), QUERY_BAD_ESCAPE, QUERY_BAD_ESCAPE, B("ttl") },
        { B("ttl=%"), QUERY_BAD_ESCAPE, QUERY_BAD_ESCAPE, B("ttl") },
        { B("ttl=1&ttl=1"), QUERY_DUPLICATE, QUERY_DUPLICATE, B("ttl") },
        { B("raw&raw"), QUERY_DUPLICATE, QUERY_DUPLICATE, B("raw") },
        { B("ttl=1&%74tl=2"), QUERY_DUPLICATE, QUERY_DUPLICATE, B("%74tl") },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes query = exact_copy(cases[i].query);
        struct parsed p;

        parse(&p, query, &strict);
        cr_expect_eq(p.outcome, cases[i].strict, "%.*s", SHOW(query));
        cr_expect(bytes_equal(p.culprit, cases[i].culprit), "%.*s: %.*s", SHOW(query), SHOW(p.culprit));
        parse(&p, query, &lenient);
        cr_expect_eq(p.outcome, cases[i].lenient, "%.*s", SHOW(query));
        if (p.outcome != QUERY_OK)
            cr_expect(bytes_equal(p.culprit, cases[i].culprit), "%.*s: %.*s", SHOW(query), SHOW(p.culprit));
        exact_free(query);
    }
}

Test(query, decoded_values_share_one_bounded_scratch)
{
    char query[3 * 65 + 64] = "ttl=";
    struct parsed p;
    size_t len = 4;

    for (size_t i = 0; i < 60; i++, len += 3)
        memcpy(query + len, "%41", 3);
    memcpy(query + len, "&idle=b%42bb", 12);
    parse(&p, bytes_of(query, len + 12), &strict);
    cr_expect_eq(p.outcome, QUERY_OK);
    cr_expect_eq(p.values[TTL].len, 60);
    cr_expect(bytes_equal(p.values[IDLE], BYTES("bBbb")));
    for (size_t i = 0; i < p.values[TTL].len; i++)
        cr_expect_eq(p.values[TTL].ptr[i], 'A');

    query[len + 12] = 'b';
    parse(&p, bytes_of(query, len + 13), &strict);
    cr_expect_eq(p.outcome, QUERY_TOO_LONG);
    cr_expect(bytes_equal(p.culprit, BYTES("idle")));
}

Test(query, no_scratch_is_needed_without_escapes)
{
    const struct query_scratch none = { NULL, 0 };
    struct bytes values[NAMES], culprit;

    cr_expect_eq(query_parse(BYTES("ttl=60"), &strict, none, values, &culprit), QUERY_OK);
    cr_expect(bytes_equal(values[TTL], BYTES("60")));
    cr_expect_eq(query_parse(BYTES("ttl=%360"), &strict, none, values, &culprit), QUERY_TOO_LONG);
}

Test(query, a_long_culprit_is_cut)
{
    char query[200];
    struct parsed p;

    memset(query, 'x', sizeof query);
    parse(&p, bytes_of(query, sizeof query), &strict);
    cr_expect_eq(p.outcome, QUERY_UNKNOWN);
    cr_expect_eq(p.culprit.len, QUERY_NAME_MAX);
    memcpy(query, "%78", 3);
    parse(&p, bytes_of(query, sizeof query), &strict);
    cr_expect_eq(p.outcome, QUERY_UNKNOWN);
    parse(&p, bytes_of(query, sizeof query), &lenient);
    cr_expect_eq(p.outcome, QUERY_OK);
}

Test(query, takes_128_parameters)
{
    char query[400];
    struct parsed p;

    memset(query, '&', sizeof query);
    for (size_t i = 0; i < 128; i++)
        query[2 * i] = 'x';
    parse(&p, bytes_of(query, sizeof query), &lenient);
    cr_expect_eq(p.outcome, QUERY_OK);
    query[2 * 128] = 'y';
    parse(&p, bytes_of(query, sizeof query), &lenient);
    cr_expect_eq(p.outcome, QUERY_TOO_MANY);
    cr_expect(bytes_equal(p.culprit, BYTES("y")));
}

Test(query, has_a_text_for_each_fault)
{
    cr_expect_null(query_outcome_detail(QUERY_OK));
    for (int outcome = QUERY_OK + 1; outcome < QUERY_OUTCOMES; outcome++)
        cr_expect_not_null(query_outcome_detail((enum query_outcome)outcome), "%d", outcome);
}
