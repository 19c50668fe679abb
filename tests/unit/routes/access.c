#include "routes/access.h"

#include "tests/support/exact.h"

static void expect_read(struct bytes field, enum access_scheme scheme, const char *secret)
{
    struct bytes exact = exact_copy(field), found;
    char decoded[ACCESS_SECRET_MAX];

    cr_expect_eq(access_read(exact, decoded, &found), scheme, "%.*s", (int)field.len, field.ptr);
    if (scheme != ACCESS_SCHEME_NONE)
        cr_expect(bytes_equal(found, bytes_str(secret)), "%.*s", (int)found.len, found.ptr);
    exact_free(exact);
}

Test(access, reads_bearer_tokens)
{
    expect_read(BYTES("Bearer abc"), ACCESS_SCHEME_BEARER, "abc");
    expect_read(BYTES("bEARER  abc"), ACCESS_SCHEME_BEARER, "abc");
    expect_read(BYTES("Bearer a b"), ACCESS_SCHEME_BEARER, "a b"); /* no token's hash is that */
    expect_read(BYTES("Bearer"), ACCESS_SCHEME_NONE, NULL);
    expect_read(BYTES("Bearer "), ACCESS_SCHEME_NONE, NULL);
    expect_read(BYTES("Bearerabc"), ACCESS_SCHEME_NONE, NULL);
    expect_read(BYTES("abc"), ACCESS_SCHEME_NONE, NULL);
    expect_read(BYTES(""), ACCESS_SCHEME_NONE, NULL);
}

Test(access, reads_the_password_of_basic)
{
    expect_read(BYTES("Basic dTphYmM="), ACCESS_SCHEME_BASIC, "abc");       /* u:abc */
    expect_read(BYTES("basic OmFiYw=="), ACCESS_SCHEME_BASIC, "abc");       /* :abc */
    expect_read(BYTES("Basic dTphOmJj"), ACCESS_SCHEME_BASIC, "a:bc");      /* u:a:bc */
    expect_read(BYTES("Basic dTo="), ACCESS_SCHEME_NONE, NULL);             /* u: */
    expect_read(BYTES("Basic dWFiYw=="), ACCESS_SCHEME_NONE, NULL);         /* uabc */
    expect_read(BYTES("Basic dTphYmM"), ACCESS_SCHEME_NONE, NULL);          /* no padding */
    expect_read(BYTES("Basic dTphYmM=="), ACCESS_SCHEME_NONE, NULL);
    expect_read(BYTES("Basic dTph YmM="), ACCESS_SCHEME_NONE, NULL);
    expect_read(BYTES("Basic !"), ACCESS_SCHEME_NONE, NULL);
    expect_read(BYTES("Basic"), ACCESS_SCHEME_NONE, NULL);
}

Test(access, takes_nothing_without_the_field)
{
    struct bytes secret;
    char decoded[ACCESS_SECRET_MAX];

    cr_expect_eq(access_read(BYTES_NONE, decoded, &secret), ACCESS_SCHEME_NONE);
}

Test(access, looks_at_no_token_beyond_its_bound)
{
    static char field[7 + ACCESS_SECRET_MAX + 1] = "Bearer ";
    static char basic[6 + 4096] = "Basic ";
    char decoded[ACCESS_SECRET_MAX];
    struct bytes secret;

    memset(field + 7, 'a', ACCESS_SECRET_MAX + 1);
    cr_expect_eq(access_read(bytes_of(field, sizeof field - 1), decoded, &secret), ACCESS_SCHEME_BEARER);
    cr_expect_eq(access_read(bytes_of(field, sizeof field), decoded, &secret), ACCESS_SCHEME_NONE);
    memset(basic + 6, 'O', 4096);
    cr_expect_eq(access_read(bytes_of(basic, sizeof basic), decoded, &secret), ACCESS_SCHEME_NONE);
}

static void expect_needs(enum route_access access, enum http_method method, unsigned scopes, bool expected_all)
{
    bool all;

    cr_expect_eq(access_needs(access, method, &all), scopes, "%d %d", access, method);
    cr_expect_eq(all, expected_all);
}

Test(access, needs_follow_the_method)
{
    for (int method = 0; method < HTTP_METHODS; method++) {
        unsigned data = method == HTTP_GET || method == HTTP_HEAD ? TOKEN_READ : TOKEN_WRITE;

        expect_needs(ROUTE_ACCESS_DATA, (enum http_method)method, data, true);
        expect_needs(ROUTE_ACCESS_BATCH, (enum http_method)method,
                     method == HTTP_POST ? TOKEN_READ | TOKEN_WRITE : data, true);
        expect_needs(ROUTE_ACCESS_FLUSH, (enum http_method)method, TOKEN_WRITE | TOKEN_ADMIN, false);
        expect_needs(ROUTE_ACCESS_ADMIN, (enum http_method)method, TOKEN_ADMIN, true);
        expect_needs(ROUTE_ACCESS_ANY, (enum http_method)method, 0, true);
    }
}

Test(access, a_row_that_says_nothing_needs_admin)
{
    static const struct route row = { .name = "/new" };

    cr_expect_eq(row.access, ROUTE_ACCESS_ADMIN);
}

Test(access, knows_requests_of_another_sites_page)
{
    const struct bytes host = BYTES("127.0.0.1:8080");

    cr_expect_not(access_is_foreign(BYTES_NONE, BYTES_NONE, host), "a program");
    cr_expect_not(access_is_foreign(BYTES("same-origin"), BYTES_NONE, host));
    cr_expect_not(access_is_foreign(BYTES("none"), BYTES_NONE, host), "typed into the address bar");
    cr_expect(access_is_foreign(BYTES("cross-site"), BYTES_NONE, host));
    cr_expect(access_is_foreign(BYTES("same-site"), BYTES("http://127.0.0.1:8080"), host), "another port");
    cr_expect(access_is_foreign(BYTES("anything"), BYTES_NONE, host));
    cr_expect_not(access_is_foreign(BYTES_NONE, BYTES("http://127.0.0.1:8080"), host), "an older browser");
    cr_expect_not(access_is_foreign(BYTES_NONE, BYTES("https://CACHE.example"), BYTES("cache.Example")));
    cr_expect(access_is_foreign(BYTES_NONE, BYTES("http://127.0.0.1:8081"), host));
    cr_expect(access_is_foreign(BYTES_NONE, BYTES("null"), host));
    cr_expect(access_is_foreign(BYTES_NONE, BYTES("http://"), host));
    cr_expect(access_is_foreign(BYTES_NONE, BYTES(""), host));
    cr_expect(access_is_foreign(BYTES_NONE, BYTES("http://a"), BYTES_NONE));
}
