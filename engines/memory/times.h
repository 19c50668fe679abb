/* times.h - points in the store's time: monotonic nanoseconds, or NEVER.
 *
 * Pure functions. */
#pragma once

#include <stdint.h>

#include "engines/engine.h"
#include "service/base/clock.h"

#define NEVER UINT64_MAX

/* The end of a TTL that starts at `from`; far TTLs end at NEVER's eve. */
static inline uint64_t time_after(uint64_t from, int64_t ttl_ms)
{
    uint64_t ms = (uint64_t)ttl_ms;

    if (ttl_ms == ENGINE_NO_EXPIRY || from == NEVER)
        return NEVER;
    if (ttl_ms <= 0)
        return from;
    return ms > (NEVER - 1 - from) / NS_PER_MS ? NEVER - 1 : from + ms * NS_PER_MS;
}

/* When an entry used at `now` goes, if nobody uses it any more. */
static inline uint64_t time_due(uint64_t expires_ns, int64_t idle_ms, uint64_t now)
{
    uint64_t idle = idle_ms == ENGINE_NO_IDLE ? NEVER : time_after(now, idle_ms);

    return idle < expires_ns ? idle : expires_ns;
}

/* Milliseconds, rounded up: what stands has time left. */
static inline int64_t time_left_ms(uint64_t due_ns, uint64_t now)
{
    if (due_ns == NEVER)
        return ENGINE_NO_EXPIRY;
    return due_ns > now ? (int64_t)((due_ns - now - 1) / NS_PER_MS + 1) : 0;
}
