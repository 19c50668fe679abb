#include "routes/primitives/limit_fields.h"

#include "tests/support/exact.h"

Test(limit_fields, rounds_waits_up_to_whole_seconds)
{
    static const struct {
        int64_t ms, seconds, retry;
    } cases[] = {
        { -5, 0, 1 },       { 0, 0, 1 },       { 1, 1, 1 },       { 999, 1, 1 },
        { 1000, 1, 1 },     { 1001, 2, 2 },    { 59999, 60, 60 }, { 60000, 60, 60 },
        { 60001, 61, 61 },  { INT64_MAX, INT64_MAX / 1000 + 1, INT64_MAX / 1000 + 1 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        cr_expect_eq(limit_seconds_up(cases[i].ms), cases[i].seconds, "%zu", i);
        cr_expect_eq(limit_retry_seconds(cases[i].ms), cases[i].retry, "%zu", i);
    }
}

Test(limit_fields, shows_the_policy_as_a_structured_field)
{
    static const struct {
        uint64_t limit;
        int64_t window_ms;
        const char *text;
    } cases[] = {
        { 100, 60000, "\"default\";q=100;w=60" },
        { 1, 1, "\"default\";q=1;w=1" },
        { 5, 1500, "\"default\";q=5;w=2" },
        { 1000000000, INT64_C(2592000000), "\"default\";q=1000000000;w=2592000" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct engine_rate rate = { .limit = cases[i].limit, .window_ms = cases[i].window_ms };
        char text[LIMIT_FIELD_SIZE];
        limit_format_policy(&rate, text);
        cr_expect_str_eq(text, cases[i].text);
    }
}

Test(limit_fields, tells_what_is_left_and_for_how_long_no_more_is)
{
    static const struct {
        struct engine_rate rate;
        const char *text;
    } cases[] = {
        { { .allowed = true, .remaining = 99, .reset_ms = 49001 }, "\"default\";r=99;t=50" },
        { { .allowed = true, .remaining = 100 }, "\"default\";r=100;t=0" },
        { { .remaining = 0, .reset_ms = 60000, .retry_ms = 600 }, "\"default\";r=0;t=1" },
        { { .remaining = 3, .reset_ms = 60000, .retry_ms = 12001 }, "\"default\";r=3;t=13" },
        { { .allowed = true, .remaining = 1000000000, .reset_ms = INT64_C(2592000000) },
          "\"default\";r=1000000000;t=2592000" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[LIMIT_FIELD_SIZE];
        limit_format_state(&cases[i].rate, text);
        cr_expect_str_eq(text, cases[i].text);
    }
}
