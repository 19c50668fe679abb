#include "service/config/policies.h"

#include "tests/unit/service/config/support.h"

/* The policies in `text`, or NULL with `faults` joined by "; ". */
static struct policies *parse(const char *text, char **faults)
{
    struct settings_report report;
    struct policies *policies;

    settings_report_init(&report);
    policies = policies_parse(bytes_str(text), "f", &report);
    cr_expect_eq(policies == NULL, settings_report_has_faults(&report));
    *faults = settings_texts_join(&report.faults, "; ");
    settings_report_release(&report);
    return policies;
}

static struct policies *parse_good(const char *text)
{
    char *faults;
    struct policies *policies = parse(text, &faults);

    cr_assert_not_null(policies, "%s", faults);
    free(faults);
    return policies;
}

static void expect_faults(const char *text, const char *expected)
{
    char *faults;
    struct policies *policies = parse(text, &faults);

    cr_expect_null(policies);
    cr_expect(faults && strcmp(faults, expected) == 0, "%s\n  instead of %s", faults ? faults : "(no fault)", expected);
    policies_unref(policies);
    free(faults);
}

static void expect_name(const struct policies *policies, const char *ns, const char *name)
{
    const struct policy *found = policies_find(policies, bytes_str(ns));

    cr_expect_str_eq(found ? found->name : "(none)", name ? name : "(none)", "of %s", ns);
}

Test(policies, the_longest_name_wins_and_an_exact_one_first)
{
    struct policies *policies = parse_good("{\"a\":{},\"ab*\":{},\"a*\":{},\"abc\":{},\"abcd*\":{}}");

    expect_name(policies, "a", "a");
    expect_name(policies, "aa", "a*");
    expect_name(policies, "ab", "ab*");
    expect_name(policies, "abc", "abc");
    expect_name(policies, "abcc", "ab*");
    expect_name(policies, "abcd", "abcd*");
    expect_name(policies, "abcde", "abcd*");
    expect_name(policies, "b", NULL);
    expect_name(NULL, "b", NULL);
    policies_unref(policies);
}

Test(policies, a_star_alone_is_everybody)
{
    char text[256], longest[65];
    struct policies *policies;

    memset(longest, 'x', 64);
    longest[64] = '\0';
    snprintf(text, sizeof text, "{\"*\":{},\"%s*\":{}}", longest);
    policies = parse_good(text);
    expect_name(policies, "b", "*");
    snprintf(text, sizeof text, "%s*", longest);
    expect_name(policies, longest, text);
    policies_unref(policies);
}

Test(policies, thousands_of_names_are_found)
{
    enum { MANY = POLICIES_MAX };
    char *text = malloc(MANY * 32), name[16];
    struct policies *policies;
    size_t len = 1;

    text[0] = '{';
    for (int i = 0; i < MANY; i++)
        len += (size_t)sprintf(text + len, "%s\"n%d%s\":{}", i > 0 ? "," : "", i, i % 2 ? "-*" : "");
    strcpy(text + len, "}");
    policies = parse_good(text);
    cr_expect_eq(policies_count(policies), MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "n%d%s", i, i % 2 ? "-*" : "");
        expect_name(policies, name, name);
    }
    policies_unref(policies);
    free(text);
}

Test(policies, exact_names_come_first_and_in_order)
{
    struct policies *policies = parse_good("{\"c\":{},\"a*\":{},\"b\":{},\"bb\":{}}");

    cr_expect_str_eq(policies_at(policies, 0)->name, "b");
    cr_expect_str_eq(policies_at(policies, 1)->name, "bb");
    cr_expect_str_eq(policies_at(policies, 2)->name, "c");
    cr_expect_str_eq(policies_at(policies, 3)->name, "a*");
    cr_expect_eq(policies_after(policies, BYTES("")), 0);
    cr_expect_eq(policies_after(policies, BYTES("b")), 1);
    cr_expect_eq(policies_after(policies, BYTES("ba")), 1);
    cr_expect_eq(policies_after(policies, BYTES("c")), 3);
    policies_unref(policies);
}

Test(policies, members_are_read)
{
    struct policies *policies = parse_good("{\"a\":{\"default_ttl\":1.5,\"max_ttl\":\"1d\",\"require_ttl\":true,"
                                           "\"max_value_bytes\":7,\"max_entries\":8,\"max_bytes\":9007199254740992}}");
    const struct policy *policy = policies_at(policies, 0);

    cr_expect_eq(policy->default_ttl_ms, 1500);
    cr_expect_eq(policy->max_ttl_ms, 86400000);
    cr_expect(policy->require_ttl);
    cr_expect_eq(policy->max_value_bytes, 7);
    cr_expect_eq(policy->max_entries, 8);
    cr_expect_eq(policy->max_bytes, POLICY_NUMBER_MAX);
    cr_expect_eq(policy->idle_ms, 0);
    policies_unref(policies);
}

Test(policies, what_is_not_said_is_open)
{
    struct policies *policies = parse_good("{\"a\":{},\"b\":{\"default_ttl\":null,\"max_ttl\":\"none\"}}");
    const struct policy *a = policies_at(policies, 0), *b = policies_at(policies, 1);

    cr_expect_eq(a->default_ttl_ms, POLICY_TTL_OPEN);
    cr_expect_eq(b->default_ttl_ms, TTL_NONE);
    cr_expect(a->max_ttl_ms == 0 && b->max_ttl_ms == 0 && !a->require_ttl);
    cr_expect(a->max_entries == 0 && a->max_bytes == 0 && a->max_value_bytes == 0);
    policies_unref(policies);
}

Test(policies, a_tier_is_overridden_by_single_members)
{
    struct policies *policies = parse_good("{\"a\":{\"tier\":\"session\"},"
                                           "\"b\":{\"max_entries\":null,\"tier\":\"session\",\"default_ttl\":60},"
                                           "\"c\":{\"max_ttl\":30,\"tier\":\"ephemeral\"},"
                                           "\"d\":{\"max_ttl\":null,\"tier\":\"ephemeral\"}}");
    const struct policy *a = policies_at(policies, 0), *b = policies_at(policies, 1), *c = policies_at(policies, 2);

    cr_expect(a->default_ttl_ms == 1800000 && a->idle_ms == 1800000 && a->max_entries == 1000 && a->max_ttl_ms == 0);
    cr_expect(b->default_ttl_ms == 60000 && b->idle_ms == 60000 && b->max_entries == 0);
    cr_expect(c->default_ttl_ms == 30000 && c->min_ttl_ms == 5000 && c->max_ttl_ms == 30000);
    cr_expect(policies_at(policies, 3)->max_ttl_ms == 0);
    policies_unref(policies);
}

Test(policies, each_fault_is_named)
{
    expect_faults("{\"a\":{\"x\":1,\"tier\":2,\"max_bytes\":0},\"b\":[]}",
                  "CACHE_NAMESPACES_FILE: f: \"a\": \"x\": unknown member; "
                  "CACHE_NAMESPACES_FILE: f: \"a\": tier: neither \"ephemeral\" nor \"session\"; "
                  "CACHE_NAMESPACES_FILE: f: \"a\": max_bytes: neither a whole number from 1 to 2^53 nor null; "
                  "CACHE_NAMESPACES_FILE: f: \"b\": not an object");
}

Test(policies, a_fault_shows_no_bytes_that_harm_a_log)
{
    char *faults;
    struct policies *policies = parse("{\"\\u001b[31m\\n\":{}}", &faults);

    cr_expect_null(policies);
    cr_expect(faults && strstr(faults, "\"?[31m?\"") && !strchr(faults, '\n') && !strchr(faults, '\x1b'));
    policies_unref(policies);
    free(faults);
}

Test(policies, too_many_names_are_a_fault)
{
    char *text = malloc((POLICIES_MAX + 2) * 16);
    size_t len = 1;

    text[0] = '{';
    for (int i = 0; i <= POLICIES_MAX; i++)
        len += (size_t)sprintf(text + len, "%s\"n%d\":{}", i > 0 ? "," : "", i);
    strcpy(text + len, "}");
    expect_faults(text, "CACHE_NAMESPACES_FILE: f: more than 4096 names");
    free(text);
}

static size_t count_unfit(const char *text, bool quota, bool slide)
{
    const struct policies_abilities abilities = { "memcached", quota, slide };
    struct policies *policies = parse_good(text);
    struct settings_report report;
    size_t count;

    settings_report_init(&report);
    policies_check(policies, &abilities, &report);
    count = report.faults.count;
    settings_report_release(&report);
    policies_unref(policies);
    return count;
}

Test(policies, what_an_engine_cannot_keep_is_a_fault)
{
    static const char text[] = "{\"a\":{\"max_entries\":1},\"b\":{\"max_bytes\":1},\"c\":{\"tier\":\"session\"},"
                               "\"d\":{\"tier\":\"session\",\"max_entries\":null},\"e\":{\"max_ttl\":1}}";

    cr_expect_eq(count_unfit(text, true, true), 0);
    cr_expect_eq(count_unfit(text, false, true), 3);
    cr_expect_eq(count_unfit(text, true, false), 2);
    cr_expect_eq(count_unfit(text, false, false), 5);
}

Test(policies, belong_to_the_settings_and_are_read_again)
{
    char path[] = "/tmp/policies-XXXXXX", variable[64];
    FILE *file = fdopen(mkstemp(path), "w");
    struct settings_report report;
    const struct settings *fresh;
    struct outcome outcome;

    fputs("{\"a\":{\"max_ttl\":5}}", file);
    fflush(file);
    snprintf(variable, sizeof variable, "CACHE_NAMESPACES_FILE=%s", path);
    outcome = load_good(VARIABLES(variable));
    cr_expect_eq(policies_find(outcome.settings->policies, BYTES("a"))->max_ttl_ms, 5000);

    rewind(file);
    fputs("{\"a\":{\"max_ttl\":6}}", file);
    fflush(file);
    settings_report_init(&report);
    fresh = settings_reload(outcome.settings, NULL, &report);
    cr_assert_not_null(fresh);
    cr_expect_eq(policies_find(fresh->policies, BYTES("a"))->max_ttl_ms, 6000);
    settings_unref(fresh);

    fputs("x", file);
    fflush(file);
    fresh = settings_reload(outcome.settings, NULL, &report);
    cr_assert_not_null(fresh);
    cr_expect_eq(fresh->policies, outcome.settings->policies, "the old ones stay");
    cr_expect_eq(report.faults.count, 1);
    settings_unref(fresh);
    settings_report_release(&report);
    fclose(file);
    remove(path);
    end(&outcome);
}
