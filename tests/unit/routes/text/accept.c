#include "routes/text/accept.h"

#include "tests/support/exact.h"

#define FIREFOX "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
#define CHROME                                                                                                       \
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"              \
    "application/signed-exchange;v=b3;q=0.7"
#define JAVA "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"

struct negotiation {
    struct bytes accept, stored;
};

static void expect_all(const struct negotiation *cases, size_t count, enum view view)
{
    for (size_t i = 0; i < count; i++) {
        struct bytes accept = exact_copy(cases[i].accept), stored = exact_copy(cases[i].stored);

        cr_expect_eq(accept_view(accept, stored), view, "Accept: %.*s for %.*s", SHOW(accept), SHOW(stored));
        exact_free(accept);
        exact_free(stored);
    }
}

Test(accept, json_is_the_view_that_nobody_asked_against)
{
    static const struct negotiation cases[] = {
        { B(""), B("text/plain") },
        { B(" "), B("text/plain") },
        { B(","), B("text/plain") },
        { B("*/*"), B("text/plain") },
        { B("*/*"), B("application/json") },
        { B("*/*"), B("application/octet-stream") },
        { B("*/*;q=0.1"), B("text/plain") },
        { B("application/json"), B("text/plain") },
        { B("application/json"), B("application/json") },
        { B("application/json"), B("application/octet-stream") },
        { B("APPLICATION/Json"), B("text/plain") },
        { B("application/json, */*"), B("text/plain") },
        { B("*/*, application/json;q=1.0"), B("text/plain") },
        { B("application/*"), B("text/plain") },
        { B("application/*"), B("application/octet-stream") },
        { B(FIREFOX), B("text/plain") },
        { B(FIREFOX), B("application/json") },
        { B(FIREFOX), B("application/octet-stream") },
        { B(CHROME), B("image/png") },
        { B(JAVA), B("text/plain") },
    };

    expect_all(cases, COUNT(cases), VIEW_JSON);
    cr_expect_eq(accept_view(BYTES_NONE, BYTES("text/plain")), VIEW_JSON);
    cr_expect_eq(accept_view(BYTES("text/plain"), BYTES_NONE), VIEW_JSON);
}

Test(accept, bytes_are_for_those_who_prefer_them)
{
    static const struct negotiation cases[] = {
        { B("application/octet-stream"), B("text/plain") },
        { B("application/octet-stream"), B("application/json") },
        { B("Application/Octet-Stream"), B("") },
        { B("application/octet-stream;q=0.1"), B("text/plain") },
        { B("application/octet-stream, application/json;q=0.999"), B("text/plain") },
        { B("application/json;q=0.5, application/octet-stream;q=0.501"), B("text/plain") },
        { B("application/octet-stream, */*;q=0.1"), B("image/png") },
        { B("text/plain"), B("text/plain") },
        { B("TEXT/PLAIN"), B("text/plain; charset=utf-8") },
        { B("text/plain; charset=utf-8"), B("text/plain;charset=UTF-8") },
        { B("text/plain; charset=\"utf-8\""), B("text/plain;charset=UTF-8") },
        { B("text/*"), B("text/plain") },
        { B("text/*, application/json;q=0.3"), B("text/csv") },
        { B("image/png, image/*;q=0.8, application/json;q=0.5"), B("image/gif") },
        { B(FIREFOX), B("text/html") },
        { B(FIREFOX), B("image/webp") },
        { B("*/*, application/json;q=0.5"), B("text/plain") },
        { B("application/json;q=0, */*"), B("text/plain") },
        { B("application/vnd.api+json"), B("application/vnd.api+json") },
        { B("application/json;profile=x"), B("application/json; profile=x") },
        { B(" , text/plain ,, "), B("text/plain") },
        { B("text/plain;;q=1;"), B("text/plain") },
        { B("text/plain\t;\tq=0.2"), B("text/plain") },
        { B("text/plain;q=0.5;ext=\"a,b;c\""), B("text/plain") },
    };

    expect_all(cases, COUNT(cases), VIEW_RAW);
}

Test(accept, a_tie_is_json)
{
    static const struct negotiation cases[] = {
        { B("text/plain, application/json"), B("text/plain") },
        { B("application/json;q=0.5, text/plain;q=0.5"), B("text/plain") },
        { B("application/json;q=0.50, text/plain;q=0.500"), B("text/plain") },
        { B("application/octet-stream, */*"), B("text/plain") },
        { B("application/json;q=0, text/plain;q=0"), B("text/plain") },
        { B("text/plain;q=0"), B("text/plain") },
    };

    expect_all(cases, COUNT(cases), VIEW_JSON);
}

Test(accept, the_most_specific_range_decides)
{
    static const struct negotiation json[] = {
        { B("text/plain;q=0.2, text/*;q=0.9, application/json;q=0.5"), B("text/plain") },
        { B("text/*;q=0.9, application/json;q=0.5, text/plain;q=0.2"), B("text/plain") },
        { B("text/*;q=0.1, */*"), B("text/plain") },
        { B("application/json, application/*;q=0.1"), B("application/xml") },
        { B("text/plain;format=flowed"), B("text/plain") },
        { B("text/plain;format=flowed"), B("text/plain;format=fixed;delsp=flowed") },
        { B("text/plain;format=flowed;q=0.1, text/plain, application/json;q=0.5"), B("text/plain;format=flowed") },
        { B("application/json;charset=utf-8, text/plain"), B("text/plain") },
        { B("text/*;a=b;q=0.1, text/*, application/json;q=0.5"), B("text/plain;a=b") },
        { B("*/*;a=b;q=0.1, */*, application/json;q=0.5, application/*;q=0.2"), B("text/plain;a=b") },
    };
    static const struct negotiation raw[] = {
        { B("text/plain;q=0.6, text/*;q=0.1, application/json;q=0.5"), B("text/plain") },
        { B("application/json;q=0.2, application/*"), B("application/xml") },
        { B("text/plain;format=flowed, text/plain;q=0.1, application/json;q=0.5"), B("text/plain; format=Flowed") },
        { B("text/plain;q=0.1, text/plain;q=0.9, application/json;q=0.5"), B("text/plain") },
        { B("text/plain;q=0.9, text/plain;q=0.1, application/json;q=0.5"), B("text/plain") },
    };

    expect_all(json, COUNT(json), VIEW_JSON);
    expect_all(raw, COUNT(raw), VIEW_RAW);
}

Test(accept, what_cannot_be_served_or_understood_is_json)
{
    static const struct negotiation cases[] = {
        { B("image/png"), B("text/plain") },
        { B("text/plain"), B("garbage") },
        { B("application/octet-stream;q=1.1"), B("text/plain") },
        { B("application/octet-stream;q=1.001"), B("text/plain") },
        { B("application/octet-stream;q=2"), B("text/plain") },
        { B("application/octet-stream;q=-1"), B("text/plain") },
        { B("application/octet-stream;q=.5"), B("text/plain") },
        { B("application/octet-stream;q=0.5000"), B("text/plain") },
        { B("application/octet-stream;q=00.5"), B("text/plain") },
        { B("application/octet-stream;q=1,5"), B("text/plain") },
        { B("application/octet-stream;q=0.5x"), B("text/plain") },
        { B("application/octet-stream;q="), B("text/plain") },
        { B("application/octet-stream;q"), B("text/plain") },
        { B("application/octet-stream;q =1"), B("text/plain") },
        { B("application/octet-stream;q= 1"), B("text/plain") },
        { B("application/octet-stream;a=\"b"), B("text/plain") },
        { B("application/octet-stream text/plain"), B("text/plain") },
        { B("application/octet-stream, */plain"), B("text/plain") },
        { B("application/octet-stream, text"), B("text/plain") },
        { B("application/octet-stream, text/"), B("text/plain") },
        { B("application/octet-stream, /plain"), B("text/plain") },
        { B("application/octet-stream, *"), B("text/plain") },
        { B("application / octet-stream"), B("text/plain") },
        { B("application/octet-stream\0"), B("text/plain") },
        { B("application/octet-stream, \xFF"), B("text/plain") },
    };

    expect_all(cases, COUNT(cases), VIEW_JSON);
}
