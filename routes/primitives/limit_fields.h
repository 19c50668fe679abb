/* limit_fields.h - the response fields of rate limits, and waits in whole seconds.
 *
 * draft-ietf-httpapi-ratelimit-headers-11, sections 3 and 4: structured fields
 * (RFC 9651) that are a list of one item, the policy "default", with integer
 * parameters. Threading: pure. */
#pragma once

#include <stdint.h>

#include "engines/engine.h"

#define LIMIT_FIELD_SIZE 80

/* Milliseconds as seconds, rounded up: who waits for that long has waited long
 * enough. 0 and below: 0. */
static inline int64_t limit_seconds_up(int64_t ms)
{
    return ms <= 0 ? 0 : (ms - 1) / 1000 + 1;
}

/* For Retry-After (RFC 9110 section 10.2.3): as above, but at least 1. */
static inline int64_t limit_retry_seconds(int64_t ms)
{
    return ms <= 1000 ? 1 : limit_seconds_up(ms);
}

/* RateLimit-Policy, `"default";q=100;w=60`: the window in whole seconds,
 * rounded up, as the field has no finer ones. */
void limit_format_policy(const struct engine_rate *rate, char out[LIMIT_FIELD_SIZE]);

/* RateLimit, `"default";r=99;t=50`. `t` is for how long no more than `r` can
 * be had: until the whole limit is there again, or, for a cost that was not
 * granted, until it would be: Retry-After must not be earlier (section 6). */
void limit_format_state(const struct engine_rate *rate, char out[LIMIT_FIELD_SIZE]);
