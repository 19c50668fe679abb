#include "routes/policy.h"

#include "tests/support/exact.h"

#define SECOND INT64_C(1000)

/* Policies as the file gives them, so that presets and texts are the real ones. */
static const char file[] = "{\"plain\":{},\"bounded\":{\"max_ttl\":100,\"max_value_bytes\":10},"
                           "\"strict\":{\"require_ttl\":true},\"defaulted\":{\"default_ttl\":\"2m\"},"
                           "\"endless\":{\"default_ttl\":null},\"short\":{\"tier\":\"ephemeral\"},"
                           "\"session\":{\"tier\":\"session\"},\"capped\":{\"tier\":\"session\",\"max_ttl\":7200},"
                           "\"full\":{\"max_entries\":5,\"max_bytes\":6}}";

static struct settings settings = { .cache_default_ttl_ms = 3600 * SECOND, .cache_max_value_bytes = 1000 };
static struct engine engine;

static void read_file(void)
{
    struct settings_report report;

    settings_report_init(&report);
    settings.policies = policies_parse(bytes_str(file), "file", &report);
    cr_assert_not_null(settings.policies);
    settings_report_release(&report);
}

static void drop_file(void)
{
    policies_unref((struct policies *)(uintptr_t)settings.policies);
}

TestSuite(policy, .init = read_file, .fini = drop_file);

static const struct policy *policy(const char *name)
{
    return policy_of(&settings, bytes_str(name));
}

#define OPEN INT64_MIN /* not given */

/* Settles the times of a PUT; `fault` is a part of what is said, or NULL. */
static struct policy_write settle(const char *ns, int64_t ttl_ms, int64_t idle_ms, const char *fault)
{
    struct policy_write write = { ttl_ms != OPEN, idle_ms != OPEN, ttl_ms, idle_ms };
    const char *said = policy_settle_times(policy(ns), &settings, &write);

    cr_expect_eq(said == NULL, fault == NULL, "%s: %s", ns, said ? said : "no fault");
    if (said && fault)
        cr_expect(strstr(said, fault), "%s: %s", ns, said);
    return write;
}

static void expect_times(const char *ns, int64_t ttl_ms, int64_t idle_ms, int64_t ttl, int64_t idle)
{
    struct policy_write write = settle(ns, ttl_ms, idle_ms, NULL);

    cr_expect_eq(write.ttl_ms, ttl, "%s: ttl %lld", ns, (long long)write.ttl_ms);
    cr_expect_eq(write.idle_ms, idle, "%s: idle %lld", ns, (long long)write.idle_ms);
}

Test(policy, a_namespace_without_one_has_the_settings)
{
    cr_expect_null(policy("nobody"));
    expect_times("nobody", OPEN, OPEN, 3600 * SECOND, 0);
    expect_times("nobody", TTL_NONE, OPEN, TTL_NONE, 0);
    expect_times("nobody", 5, 7, 5, 7);
    expect_times("plain", OPEN, OPEN, 3600 * SECOND, 0);
    cr_expect_eq(policy_value_max(policy("nobody"), &settings, &engine), 1000);
}

Test(policy, max_ttl_bounds_what_is_given_and_what_is_not)
{
    expect_times("bounded", OPEN, OPEN, 100 * SECOND, 0);
    expect_times("bounded", 100 * SECOND, OPEN, 100 * SECOND, 0);
    settle("bounded", 100 * SECOND + 1, OPEN, "max_ttl of this namespace, 100.0 s");
    settle("bounded", TTL_NONE, OPEN, "max_ttl");
    cr_expect_not_null(policy_check_ttl(policy("bounded"), TTL_NONE));
    cr_expect_null(policy_check_ttl(policy("bounded"), 100 * SECOND));
}

Test(policy, a_default_is_that_of_the_policy)
{
    expect_times("defaulted", OPEN, OPEN, 120 * SECOND, 0);
    expect_times("defaulted", OPEN, 5, 120 * SECOND, 5);
    expect_times("endless", OPEN, OPEN, TTL_NONE, 0);
}

Test(policy, a_required_ttl_must_be_given)
{
    settle("strict", OPEN, OPEN, "requires");
    settle("strict", OPEN, 5, "requires");
    expect_times("strict", TTL_NONE, OPEN, TTL_NONE, 0);
}

Test(policy, tier_ephemeral_has_both_bounds)
{
    expect_times("short", OPEN, OPEN, 60 * SECOND, 0);
    expect_times("short", 5 * SECOND, OPEN, 5 * SECOND, 0);
    settle("short", 5 * SECOND - 1, OPEN, "5.0 s");
    settle("short", 3600 * SECOND + 1, OPEN, "3600.0 s");
    settle("short", TTL_NONE, OPEN, "3600.0 s");
}

Test(policy, tier_session_slides)
{
    expect_times("session", OPEN, OPEN, TTL_NONE, 1800 * SECOND);
    expect_times("session", OPEN, 60, TTL_NONE, 60);
    expect_times("session", 99, OPEN, 99, 1800 * SECOND);
    expect_times("session", OPEN, ENGINE_NO_IDLE, 1800 * SECOND, 0);
    expect_times("capped", OPEN, OPEN, 7200 * SECOND, 1800 * SECOND);
    settle("capped", TTL_NONE, OPEN, "max_ttl");
}

Test(policy, counters_have_the_rules_of_ttls_alone)
{
    int64_t ttl_ms = 7;

    cr_expect_null(policy_settle_ttl(policy("session"), false, TTL_NONE, &ttl_ms));
    cr_expect_eq(ttl_ms, 1800 * SECOND);
    cr_expect_null(policy_settle_ttl(policy("nobody"), false, TTL_NONE, &ttl_ms));
    cr_expect_eq(ttl_ms, TTL_NONE);
    cr_expect_not_null(policy_settle_ttl(policy("strict"), false, TTL_NONE, &ttl_ms));
    ttl_ms = 200 * SECOND;
    cr_expect_not_null(policy_settle_ttl(policy("bounded"), true, TTL_NONE, &ttl_ms));
}

Test(policy, the_least_of_the_value_limits_holds)
{
    engine.max_value_bytes = 20;
    cr_expect_eq(policy_value_max(policy("bounded"), &settings, &engine), 10);
    cr_expect_eq(policy_value_max(policy("plain"), &settings, &engine), 20);
    engine.max_value_bytes = 0;
    cr_expect_eq(policy_value_max(policy("plain"), &settings, &engine), 1000);
}

Test(policy, a_whole_put_is_settled_at_once)
{
    struct policy_write write = { .ttl_ms = 0 };
    struct engine_put put = { .fence = 3 };
    enum problem problem = PROBLEM_INTERNAL;

    cr_expect_null(policy_settle(&settings, &engine, BYTES("full"), 5, &write, &put, &problem));
    cr_expect(put.max_entries == 5 && put.max_bytes == 6 && put.fence == 3);
    cr_expect_eq(write.ttl_ms, 3600 * SECOND);
    cr_expect_not_null(policy_settle(&settings, &engine, BYTES("bounded"), 11, &write, &put, &problem));
    cr_expect_eq(problem, PROBLEM_CONTENT_TOO_LARGE);
    cr_expect(put.max_entries == 0 && put.max_bytes == 0);
    write = (struct policy_write){ .ttl_given = true, .ttl_ms = TTL_NONE };
    cr_expect_not_null(policy_settle(&settings, &engine, BYTES("bounded"), 10, &write, &put, &problem));
    cr_expect_eq(problem, PROBLEM_BAD_REQUEST);
}
