/* clock.h - the two clocks, in nanoseconds.
 *
 * Deadlines, TTLs and timers use the monotonic clock; wall time appears only
 * in log lines and in what is stored outside the process. Code that decides
 * by time takes `now` as an argument; these calls belong at the edges (the
 * event loop, main). Threading: safe anywhere. */
#pragma once

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_SECOND UINT64_C(1000000000)

/* CLOCK_MONOTONIC. */
uint64_t clock_monotonic_ns(void);

/* CLOCK_REALTIME, since the Unix epoch. */
uint64_t clock_realtime_ns(void);
