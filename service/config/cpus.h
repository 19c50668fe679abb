/* cpus.h - how many CPUs this process may use.
 * Threading: pure, but for reading the system's files. */
#pragma once

/* The least of the CPUs in the process's affinity mask and the CPU quotas of
 * its control groups, rounded up, at least 1.
 *
 * Control groups are found through <root>/proc/self/cgroup and read below
 * <root>/sys/fs/cgroup: version 2 `cpu.max`, version 1 `cpu.cfs_quota_us` and
 * `cpu.cfs_period_us`, from the process's own group up to the root, the
 * smallest wins (Documentation/admin-guide/cgroup-v2.rst, "cpu.max", and
 * Documentation/scheduler/sched-bwc.rst of Linux). `root` is "" outside of
 * tests; what cannot be read sets no limit. */
unsigned cpus_available(const char *root);

/* The quota part alone, in CPUs rounded up; 0: no quota. */
unsigned cpus_quota(const char *root);
