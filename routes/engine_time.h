/* engine_time.h - what one request had the engine do, for the slow log. */
#pragma once

#include <stdint.h>

#include "engines/engine.h"

struct engine_time {
    uint64_t ns;         /* of each trip from its submission to its last result, added up */
    uint64_t operations; /* submitted */
};

/* The operations of one trip, as they end: all were submitted together, so the
 * one that took longest tells the trip's time. */
static inline void engine_time_see(uint64_t *longest_ns, const struct engine_op *op)
{
    if (op->took_ns > *longest_ns)
        *longest_ns = op->took_ns;
}

/* All of them have ended. `time` may be NULL. */
static inline void engine_time_add(struct engine_time *time, uint64_t *longest_ns)
{
    if (time)
        time->ns += *longest_ns;
    *longest_ns = 0;
}
