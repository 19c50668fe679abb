/* policies_read.c - CACHE_NAMESPACES_FILE into struct policies.
 * Threading: the thread that makes the settings. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "service/config/policies_private.h"

/* One policy as it is read: what was said of it, so that the tier's presets
 * fill the rest in. */
struct reading {
    struct settings_report *report;
    const char *path;
    struct policy *policy;
    bool default_said, max_said, entries_said;
};

static void fault(const struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fault(const struct reading *reading, const char *format, ...)
{
    char what[192];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    settings_report_fault(reading->report, "CACHE_NAMESPACES_FILE: %s: \"%s\": %s", reading->path,
                          reading->policy->name, what);
}

/* Text of the file for a fault, cut and made printable. */
#define SHOWN_MAX 72
static const char *show(char out[SHOWN_MAX], const char *text)
{
    size_t len = 0;

    for (; text[len] && len < SHOWN_MAX - 1; len++)
        out[len] = text[len] >= ' ' && text[len] <= '~' ? text[len] : '?';
    out[len] = '\0';
    return out;
}

/* ---- Names ---- */

static bool is_name_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

static bool take_name(struct policy *policy, const char *text)
{
    size_t len = strlen(text);

    policy->is_prefix = len > 0 && text[len - 1] == '*';
    policy->name_len = policy->is_prefix ? len - 1 : len;
    if (policy->name_len > POLICY_NAME_MAX || len == 0 || text[0] == '.')
        return false;
    for (size_t i = 0; i < policy->name_len; i++)
        if (!is_name_byte(text[i]))
            return false;
    memcpy(policy->name, text, len + 1);
    return true;
}

/* ---- Members ---- */

static bool read_ttl(const struct reading *reading, const char *name, json_t *member, int64_t *ttl_ms)
{
    const char *why = NULL;

    if (json_is_null(member))
        *ttl_ms = TTL_NONE;
    else if (json_is_number(member))
        why = ttl_from_seconds(json_number_value(member), ttl_ms);
    else if (json_is_string(member))
        why = ttl_parse(bytes_of(json_string_value(member), json_string_length(member)), ttl_ms);
    else
        why = "neither a number of seconds, a text like \"90s\", nor null";
    if (why)
        fault(reading, "%s: %s", name, why);
    return why == NULL;
}

static void read_default_ttl(struct reading *reading, const char *name, json_t *member)
{
    reading->default_said = read_ttl(reading, name, member, &reading->policy->default_ttl_ms);
}

static void read_max_ttl(struct reading *reading, const char *name, json_t *member)
{
    int64_t ttl_ms = 0;

    reading->max_said = read_ttl(reading, name, member, &ttl_ms);
    reading->policy->max_ttl_ms = ttl_ms == TTL_NONE ? 0 : ttl_ms;
}

static void read_require_ttl(struct reading *reading, const char *name, json_t *member)
{
    if (!json_is_boolean(member))
        fault(reading, "%s: neither true nor false", name);
    reading->policy->require_ttl = json_is_true(member);
}

static bool read_count(const struct reading *reading, const char *name, json_t *member, uint64_t *count)
{
    json_int_t number = json_integer_value(member);

    if (!json_is_null(member) && (!json_is_integer(member) || number < 1 || number > POLICY_NUMBER_MAX)) {
        fault(reading, "%s: neither a whole number from 1 to 2^53 nor null", name);
        return false;
    }
    *count = (uint64_t)number;
    return true;
}

static void read_max_value_bytes(struct reading *reading, const char *name, json_t *member)
{
    (void)read_count(reading, name, member, &reading->policy->max_value_bytes);
}

static void read_max_entries(struct reading *reading, const char *name, json_t *member)
{
    reading->entries_said = read_count(reading, name, member, &reading->policy->max_entries);
}

static void read_max_bytes(struct reading *reading, const char *name, json_t *member)
{
    (void)read_count(reading, name, member, &reading->policy->max_bytes);
}

static void read_tier(struct reading *reading, const char *name, json_t *member)
{
    for (int tier = POLICY_TIER_NONE + 1; json_is_string(member) && tier < POLICY_TIERS; tier++)
        if (strcmp(json_string_value(member), policy_tier_name((enum policy_tier)tier)) == 0) {
            reading->policy->tier = (enum policy_tier)tier;
            return;
        }
    fault(reading, "%s: neither \"ephemeral\" nor \"session\"", name);
}

static const struct member {
    const char *name;
    void (*read)(struct reading *reading, const char *name, json_t *member);
} members[] = {
    { "default_ttl", read_default_ttl },
    { "max_ttl", read_max_ttl },
    { "require_ttl", read_require_ttl },
    { "max_value_bytes", read_max_value_bytes },
    { "max_entries", read_max_entries },
    { "max_bytes", read_max_bytes },
    { "tier", read_tier },
};

static void read_member(struct reading *reading, const char *name, json_t *member)
{
    char shown[SHOWN_MAX];

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (strcmp(name, members[i].name) == 0) {
            members[i].read(reading, name, member);
            return;
        }
    fault(reading, "\"%s\": unknown member", show(shown, name));
}

/* ---- What follows from the members together ---- */

static void apply_tier(struct reading *reading)
{
    static const struct {
        int64_t default_ms, min_ms, max_ms;
        uint64_t entries;
    } presets[POLICY_TIERS] = {
        [POLICY_TIER_EPHEMERAL] = { 60 * 1000, 5 * 1000, 3600 * 1000, 0 },
        [POLICY_TIER_SESSION] = { 30 * 60 * 1000, 0, 0, 1000 },
    };
    struct policy *policy = reading->policy;

    policy->min_ttl_ms = presets[policy->tier].min_ms;
    if (!reading->max_said)
        policy->max_ttl_ms = presets[policy->tier].max_ms;
    if (!reading->entries_said)
        policy->max_entries = presets[policy->tier].entries;
    if (!reading->default_said) {
        policy->default_ttl_ms = presets[policy->tier].default_ms;
        if (policy->max_ttl_ms > 0 && policy->default_ttl_ms > policy->max_ttl_ms)
            policy->default_ttl_ms = policy->max_ttl_ms;
    }
    if (policy->tier == POLICY_TIER_SESSION)
        policy->idle_ms = policy->default_ttl_ms == TTL_NONE ? presets[policy->tier].default_ms
                                                             : policy->default_ttl_ms;
}

/* "above max_ttl of this namespace, 3600.0 s" */
static void word_bound(char *out, size_t size, const char *relation, const char *name, int64_t ttl_ms)
{
    char ttl[TTL_TEXT_SIZE];

    ttl_format_json(ttl_ms, ttl);
    snprintf(out, size, "%s %s of this namespace, %s s", relation, name, ttl);
}

static void settle(struct reading *reading)
{
    struct policy *policy = reading->policy;

    apply_tier(reading);
    if (policy->max_ttl_ms > 0)
        word_bound(policy->above_max, sizeof policy->above_max, "above", "max_ttl", policy->max_ttl_ms);
    if (policy->min_ttl_ms > 0)
        word_bound(policy->below_min, sizeof policy->below_min, "below", "the least TTL", policy->min_ttl_ms);
    if (policy->max_ttl_ms > 0 && policy->max_ttl_ms < policy->min_ttl_ms)
        fault(reading, "max_ttl: below the tier's least, 5 s");
    else if (reading->default_said && policy->max_ttl_ms > 0 &&
             (policy->default_ttl_ms == TTL_NONE || policy->default_ttl_ms > policy->max_ttl_ms))
        fault(reading, "default_ttl: above max_ttl");
    else if (reading->default_said && policy->default_ttl_ms != TTL_NONE &&
             policy->default_ttl_ms < policy->min_ttl_ms)
        fault(reading, "default_ttl: below the tier's least, 5 s");
}

/* ---- The file ---- */

static void read_policy(struct reading *reading, json_t *object)
{
    const char *name;
    json_t *member;

    if (!json_is_object(object)) {
        fault(reading, "not an object");
        return;
    }
    json_object_foreach (object, name, member)
        read_member(reading, name, member);
    settle(reading);
}

static void read_all(struct policies *policies, json_t *document, const char *path, struct settings_report *report)
{
    const char *name;
    json_t *object;
    char shown[SHOWN_MAX];

    json_object_foreach (document, name, object) {
        struct reading reading = { .report = report, .path = path, .policy = &policies->items[policies->count] };

        if (take_name(reading.policy, name)) {
            read_policy(&reading, object);
            policies->count++;
        } else {
            settings_report_fault(report,
                                  "CACHE_NAMESPACES_FILE: %s: \"%s\": neither a namespace (1 to 64 of A-Z a-z 0-9 . "
                                  "_ -, no dot in front) nor the beginning of one with a * behind it",
                                  path, show(shown, name));
        }
    }
}

static json_t *parse(struct bytes text, const char *path, struct settings_report *report)
{
    json_error_t error;
    char shown[SHOWN_MAX];
    json_t *document = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);

    if (!document)
        settings_report_fault(report, "CACHE_NAMESPACES_FILE: %s: not well-formed JSON: %s (line %d, column %d)", path,
                              show(shown, error.text), error.line, error.column);
    else if (!json_is_object(document))
        settings_report_fault(report, "CACHE_NAMESPACES_FILE: %s: not a JSON object", path);
    else if (json_object_size(document) > POLICIES_MAX)
        settings_report_fault(report, "CACHE_NAMESPACES_FILE: %s: more than %d names", path, POLICIES_MAX);
    else
        return document;
    json_decref(document);
    return NULL;
}

static size_t faults_of(const struct settings_report *report)
{
    return report->faults.count + report->faults.dropped;
}

struct policies *policies_parse(struct bytes text, const char *path, struct settings_report *report)
{
    size_t before = faults_of(report);
    json_t *document = parse(text, path, report);
    struct policies *policies = NULL;

    if (!document)
        return NULL;
    policies = calloc(1, sizeof *policies + json_object_size(document) * sizeof policies->items[0]);
    if (policies) {
        atomic_init(&policies->refs, 1);
        read_all(policies, document, path, report);
        policies_settle(policies);
    } else {
        settings_report_fault(report, "CACHE_NAMESPACES_FILE: %s: no memory", path);
    }
    json_decref(document);
    if (faults_of(report) == before)
        return policies;
    policies_unref(policies);
    return NULL;
}

struct policies *policies_read(const char *path, struct settings_report *report)
{
    struct file_stamp stamp;
    const char *why = "";
    char *text = text_file_read_most(path, POLICIES_FILE_MAX, &stamp, &why);
    struct policies *policies = NULL;

    if (text)
        policies = policies_parse(bytes_str(text), path, report);
    else
        settings_report_fault(report, "CACHE_NAMESPACES_FILE: %s: %s", path, why);
    if (policies)
        policies->stamp = stamp;
    free(text);
    return policies;
}
