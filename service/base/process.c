#include "service/base/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FD_FOLDER "/proc/self/fd"

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double clock_seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Since Linux 6.2 the folder's size is the number of descriptors; before, it is
 * 0 and they have to be counted. */
static uint64_t count_fds(void)
{
    struct stat folder;
    uint64_t count = 0;
    DIR *list;

    if (stat(FD_FOLDER, &folder) == 0 && folder.st_size > 0)
        return (uint64_t)folder.st_size;
    list = opendir(FD_FOLDER);
    if (!list)
        return 0;
    for (struct dirent *entry = readdir(list); entry; entry = readdir(list))
        count += entry->d_name[0] != '.';
    closedir(list);
    return count - 1; /* the list itself */
}

static void read_memory(struct process_usage *usage)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long size, resident;

    if (!file)
        return;
    if (fscanf(file, "%lu %lu", &size, &resident) == 2) {
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        usage->virtual_bytes = size * page;
        usage->resident_bytes = resident * page;
    }
    fclose(file);
}

/* Field 22 of proc(5)'s stat: ticks since the machine started. The second field
 * is a name in parentheses that may hold anything. */
static void read_start(struct process_usage *usage)
{
    FILE *file = fopen("/proc/self/stat", "re");
    char line[1024];
    unsigned long long ticks;
    char *after;

    if (!file)
        return;
    line[fread(line, 1, sizeof line - 1, file)] = '\0';
    fclose(file);
    after = strrchr(line, ')');
    if (after && sscanf(after + 1, " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
                        &ticks) == 1)
        usage->start_seconds = clock_seconds(CLOCK_REALTIME) - clock_seconds(CLOCK_BOOTTIME) +
                               (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

void process_usage(struct process_usage *usage)
{
    struct rusage used;
    struct rlimit fds;

    *usage = (struct process_usage){ 0 };
    if (getrusage(RUSAGE_SELF, &used) == 0)
        usage->cpu_seconds = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0)
        usage->max_fds = fds.rlim_cur == RLIM_INFINITY ? UINT64_MAX : fds.rlim_cur;
    usage->open_fds = count_fds();
    read_memory(usage);
    read_start(usage);
}
