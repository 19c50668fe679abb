/* policy.h - a namespace's policy (service/config/policies.h) applied to what a
 * request asks.
 *
 * Faults are texts for a 400 unless said otherwise; they live as long as the
 * settings that the policy is from, so they are for an answer in this turn.
 * A policy may be NULL everywhere: then only the settings count.
 * Threading: pure. */
#pragma once

#include "engines/engine.h"
#include "routes/problem.h"
#include "service/config/policies.h"
#include "service/config/settings.h"

static inline const struct policy *policy_of(const struct settings *settings, struct bytes ns)
{
    return settings->policies ? policies_find(settings->policies, ns) : NULL;
}

/* The TTL of something that is made: `*ttl_ms` as it was given, or settled here
 * where it was not: the policy's default, else `otherwise_ms`, kept within the
 * policy's bounds. A given one that is outside of them, or one that is not
 * given and required, is a fault. For counters; entries have policy_settle(). */
const char *policy_settle_ttl(const struct policy *policy, bool given, int64_t otherwise_ms,
                              int64_t *ttl_ms) MUST_CHECK;

/* What an entry gets for which no TTL is given, sliding apart. */
int64_t policy_default_ttl(const struct policy *policy, int64_t otherwise_ms);

/* Whether an entry may be given this TTL later (PATCH, touch). */
const char *policy_check_ttl(const struct policy *policy, int64_t ttl_ms) MUST_CHECK;

/* The largest value that may be put: the least of the settings', the engine's
 * and the policy's bound. */
size_t policy_value_max(const struct policy *policy, const struct settings *settings, const struct engine *engine);

/* What a PUT asks for, and what it gets. */
struct policy_write {
    bool ttl_given, idle_given;
    int64_t ttl_ms;  /* in where given; out: as in struct engine_op */
    int64_t idle_ms; /* the same; given as ENGINE_NO_IDLE: not to slide */
};

/* Settles both times of an entry that is written. */
const char *policy_settle_times(const struct policy *policy, const struct settings *settings,
                                struct policy_write *write) MUST_CHECK;

/* Sets put->max_entries and max_bytes; true when the policy has one of them, so
 * that the engine must be shown `put`. */
bool policy_bounds(const struct policy *policy, struct engine_put *put);

/* All of it for one PUT of `bytes` into `ns`, as batches need it. NULL, or a
 * fault, with `*problem` the kind of answer: 400, or 413 for the value. */
const char *policy_settle(const struct settings *settings, const struct engine *engine, struct bytes ns, size_t bytes,
                          struct policy_write *write, struct engine_put *put, enum problem *problem) MUST_CHECK;
