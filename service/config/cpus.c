#include "service/config/cpus.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest affinity mask asked for. */
#define CPUS_MAX 8192

static unsigned affinity(void)
{
    cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
    size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
    unsigned count = 0;

    if (set && sched_getaffinity(0, size, set) == 0)
        count = (unsigned)CPU_COUNT_S(size, set);
    CPU_FREE(set);
    return count;
}

/* The first line of a file, without its newline. */
static bool read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    bool read = file && fgets(line, size, file);

    if (file)
        fclose(file);
    if (read)
        line[strcspn(line, "\n")] = '\0';
    return read;
}

/* CPUs of a quota, rounded up; 0: none. */
static unsigned cpus_of(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return 0;
    return quota / period >= CPUS_MAX ? CPUS_MAX : (unsigned)((quota + period - 1) / period);
}

static unsigned lower(unsigned a, unsigned b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* "max 100000" or "150000 100000". */
static unsigned quota_v2(const char *group)
{
    char path[PATH_MAX], line[64];
    long long quota, period;

    if (snprintf(path, sizeof path, "%s/cpu.max", group) >= (int)sizeof path || !read_line(path, line, sizeof line))
        return 0;
    return sscanf(line, "%lld %lld", &quota, &period) == 2 ? cpus_of(quota, period) : 0;
}

static long long number_in(const char *group, const char *file)
{
    char path[PATH_MAX], line[64];

    if (snprintf(path, sizeof path, "%s/%s", group, file) >= (int)sizeof path || !read_line(path, line, sizeof line))
        return 0;
    return strtoll(line, NULL, 10);
}

static unsigned quota_v1(const char *group)
{
    return cpus_of(number_in(group, "cpu.cfs_quota_us"), number_in(group, "cpu.cfs_period_us"));
}

/* The least quota from the group `path` of the hierarchy mounted at `mount` up
 * to its root. In a container the path may be one of the host's, which is not
 * there: then only the groups that are count. */
static unsigned walk(const char *mount, const char *path, unsigned (*quota)(const char *group))
{
    char group[PATH_MAX];
    size_t mount_len = strlen(mount);
    unsigned least = 0;

    if (strstr(path, "/..") || snprintf(group, sizeof group, "%s%s", mount, path) >= (int)sizeof group)
        return quota(mount);
    for (;;) {
        char *slash;

        least = lower(least, quota(group));
        slash = strrchr(group, '/');
        if (!slash || (size_t)(slash - group) < mount_len)
            return least;
        *slash = '\0';
    }
}

/* Whether the list "cpu,cpuacct" has cpu. */
static bool has_cpu(const char *controllers)
{
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == '\0'))
            return true;
    }
    return false;
}

/* One line of /proc/self/cgroup: "0::/path" or "4:cpu,cpuacct:/path". */
static unsigned quota_of_line(const char *root, char *line)
{
    static const char *const v1_mounts[] = { "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct" };
    static const char *const v2_mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    char mount[PATH_MAX];
    unsigned least = 0;
    bool v2;

    if (!path)
        return 0;
    *path++ = '\0';
    controllers++;
    v2 = *controllers == '\0';
    if (!v2 && !has_cpu(controllers))
        return 0;
    for (int i = 0; i < 2; i++)
        if (snprintf(mount, sizeof mount, "%s%s", root, (v2 ? v2_mounts : v1_mounts)[i]) < (int)sizeof mount)
            least = lower(least, walk(mount, path, v2 ? quota_v2 : quota_v1));
    return least;
}

unsigned cpus_quota(const char *root)
{
    char line[PATH_MAX];
    unsigned least = 0;
    FILE *file;

    if (snprintf(line, sizeof line, "%s/proc/self/cgroup", root) >= (int)sizeof line)
        return 0;
    file = fopen(line, "re");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        least = lower(least, quota_of_line(root, line));
    }
    if (file)
        fclose(file);
    return least;
}

unsigned cpus_available(const char *root)
{
    unsigned cpus = lower(affinity(), cpus_quota(root));

    return cpus > 0 ? cpus : 1;
}
