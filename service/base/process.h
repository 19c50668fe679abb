/* process.h - what this process uses of the machine, for metrics.
 *
 * Threading: any thread; a handful of system calls, no state. */
#pragma once

#include <stdint.h>

/* What could not be found out is 0. */
struct process_usage {
    double cpu_seconds; /* user and system, all threads */
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    uint64_t open_fds;
    uint64_t max_fds;     /* UINT64_MAX: no limit */
    double start_seconds; /* since the epoch */
};

void process_usage(struct process_usage *usage);
