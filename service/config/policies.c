#include "service/config/policies.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "service/config/policies_private.h"

static int compare_names(struct bytes a, struct bytes b)
{
    size_t least = a.len < b.len ? a.len : b.len;
    int order = least > 0 ? memcmp(a.ptr, b.ptr, least) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static struct bytes name_of(const struct policy *policy)
{
    return bytes_of(policy->name, policy->name_len);
}

static int compare_policies(const void *one, const void *other)
{
    const struct policy *a = one, *b = other;

    if (a->is_prefix != b->is_prefix)
        return a->is_prefix ? 1 : -1;
    return compare_names(name_of(a), name_of(b));
}

void policies_settle(struct policies *policies)
{
    qsort(policies->items, policies->count, sizeof policies->items[0], compare_policies);
    policies->exact = 0;
    for (size_t i = 0; i < policies->count; i++) {
        const struct policy *policy = &policies->items[i];

        if (policy->is_prefix)
            policies->prefix_lengths[policy->name_len / 64] |= UINT64_C(1) << (policy->name_len % 64);
        else
            policies->exact++;
    }
}

/* The item of that name among items[from, to). */
static const struct policy *search(const struct policies *policies, size_t from, size_t to, struct bytes name)
{
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = compare_names(name, name_of(&policies->items[middle]));

        if (order == 0)
            return &policies->items[middle];
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

const struct policy *policies_find(const struct policies *policies, struct bytes ns)
{
    const struct policy *found;

    if (!policies)
        return NULL;
    found = search(policies, 0, policies->exact, ns);
    for (size_t len = ns.len < POLICY_NAME_MAX ? ns.len + 1 : POLICY_NAME_MAX + 1; !found && len-- > 0;)
        if (policies->prefix_lengths[len / 64] >> (len % 64) & 1)
            found = search(policies, policies->exact, policies->count, bytes_of(ns.ptr, len));
    return found;
}

size_t policies_count(const struct policies *policies)
{
    return policies ? policies->count : 0;
}

const struct policy *policies_at(const struct policies *policies, size_t index)
{
    return &policies->items[index];
}

size_t policies_after(const struct policies *policies, struct bytes name)
{
    size_t index = 0;

    while (policies && index < policies->exact && compare_names(name_of(&policies->items[index]), name) <= 0)
        index++;
    return index;
}

const struct file_stamp *policies_stamp(const struct policies *policies)
{
    return &policies->stamp;
}

struct policies *policies_ref(struct policies *policies)
{
    atomic_fetch_add_explicit(&policies->refs, 1, memory_order_relaxed);
    return policies;
}

void policies_unref(struct policies *policies)
{
    if (policies && atomic_fetch_sub_explicit(&policies->refs, 1, memory_order_acq_rel) == 1)
        free(policies);
}

const char *policy_tier_name(enum policy_tier tier)
{
    static const char *const names[POLICY_TIERS] = { "none", "ephemeral", "session" };

    return names[tier];
}

void policies_check(const struct policies *policies, const struct policies_abilities *abilities,
                    struct settings_report *report)
{
    for (size_t i = 0; i < policies_count(policies); i++) {
        const struct policy *policy = &policies->items[i];
        const char *member = policy->max_entries > 0 ? "max_entries" : "max_bytes";

        if ((policy->max_entries > 0 || policy->max_bytes > 0) && !abilities->quota)
            settings_report_fault(report,
                                  "CACHE_NAMESPACES_FILE: \"%s\": %s%s: the engine, %s, cannot bound a namespace; "
                                  "leave it out or set it to null",
                                  policy->name, member,
                                  policy->tier == POLICY_TIER_SESSION ? " (tier session has 1000)" : "",
                                  abilities->engine);
        if (policy->idle_ms > 0 && !abilities->slide)
            settings_report_fault(report, "CACHE_NAMESPACES_FILE: \"%s\": tier session: the engine, %s, has no "
                                          "sliding TTL",
                                  policy->name, abilities->engine);
    }
}
