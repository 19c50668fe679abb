#include "routes/policy.h"

const char *policy_check_ttl(const struct policy *policy, int64_t ttl_ms)
{
    if (!policy)
        return NULL;
    if (policy->max_ttl_ms > 0 && (ttl_ms == TTL_NONE || ttl_ms > policy->max_ttl_ms))
        return policy->above_max;
    return ttl_ms != TTL_NONE && ttl_ms < policy->min_ttl_ms ? policy->below_min : NULL;
}

/* What nobody asked for is no fault of the client's: it gives way. */
static int64_t keep_within(const struct policy *policy, int64_t ttl_ms)
{
    if (policy->max_ttl_ms > 0 && (ttl_ms == TTL_NONE || ttl_ms > policy->max_ttl_ms))
        return policy->max_ttl_ms;
    return ttl_ms != TTL_NONE && ttl_ms < policy->min_ttl_ms ? policy->min_ttl_ms : ttl_ms;
}

int64_t policy_default_ttl(const struct policy *policy, int64_t otherwise_ms)
{
    if (!policy)
        return otherwise_ms;
    return keep_within(policy, policy->default_ttl_ms == POLICY_TTL_OPEN ? otherwise_ms : policy->default_ttl_ms);
}

const char *policy_settle_ttl(const struct policy *policy, bool given, int64_t otherwise_ms, int64_t *ttl_ms)
{
    if (given)
        return policy_check_ttl(policy, *ttl_ms);
    if (policy && policy->require_ttl)
        return "the namespace's policy requires one";
    *ttl_ms = policy_default_ttl(policy, otherwise_ms);
    return NULL;
}

/* A session lives from one use to the next: nothing but max_ttl ends one that
 * is used. */
static bool slides_by_policy(const struct policy *policy, const struct policy_write *write)
{
    return policy && policy->idle_ms > 0 && !policy->require_ttl && !write->ttl_given &&
           write->idle_ms != ENGINE_NO_IDLE;
}

const char *policy_settle_times(const struct policy *policy, const struct settings *settings,
                                struct policy_write *write)
{
    if (!write->idle_given)
        write->idle_ms = policy && policy->idle_ms > 0 ? policy->idle_ms : ENGINE_NO_IDLE;
    if (slides_by_policy(policy, write)) {
        write->ttl_ms = keep_within(policy, TTL_NONE);
        return NULL;
    }
    return policy_settle_ttl(policy, write->ttl_given, settings->cache_default_ttl_ms, &write->ttl_ms);
}

size_t policy_value_max(const struct policy *policy, const struct settings *settings, const struct engine *engine)
{
    size_t max = settings->cache_max_value_bytes;

    if (engine->max_value_bytes > 0 && engine->max_value_bytes < max)
        max = engine->max_value_bytes;
    return policy && policy->max_value_bytes > 0 && policy->max_value_bytes < max ? policy->max_value_bytes : max;
}

bool policy_bounds(const struct policy *policy, struct engine_put *put)
{
    put->max_entries = policy ? policy->max_entries : 0;
    put->max_bytes = policy ? policy->max_bytes : 0;
    return put->max_entries > 0 || put->max_bytes > 0;
}

const char *policy_settle(const struct settings *settings, const struct engine *engine, struct bytes ns, size_t bytes,
                          struct policy_write *write, struct engine_put *put, enum problem *problem)
{
    const struct policy *policy = policy_of(settings, ns);

    (void)policy_bounds(policy, put);
    *problem = PROBLEM_CONTENT_TOO_LARGE;
    if (bytes > policy_value_max(policy, settings, engine))
        return "the value is larger than this namespace, this engine or CACHE_MAX_VALUE_BYTES allows";
    *problem = PROBLEM_BAD_REQUEST;
    return policy_settle_times(policy, settings, write);
}
