/* Stopping the server processes behind an engine, and letting them go on. */
#include <criterion/criterion.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/contract/contract.h"

/* The state letter of proc(5) stat, behind the name in parentheses. */
static bool task_runs(const char *path)
{
    char text[512] = "";
    FILE *file = fopen(path, "r");
    const char *end;
    size_t len;

    if (!file)
        return false; /* it has ended */
    len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    end = strrchr(text, ')');
    return end && end[1] == ' ' && end[2] != 'T' && end[2] != 't';
}

static bool process_runs(unsigned long long pid)
{
    char path[300];
    struct dirent *task;
    bool runs = false;
    DIR *tasks;

    snprintf(path, sizeof path, "/proc/%llu/task", pid);
    tasks = opendir(path);
    while (tasks && !runs && (task = readdir(tasks))) {
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%llu/task/%.20s/stat", pid, task->d_name);
        runs = task_runs(path);
    }
    if (tasks)
        closedir(tasks);
    return runs;
}

void stall_processes(const char *pids, bool stalled)
{
    struct bytes rest = bytes_str(pids);
    unsigned long long pid;

    while (rest.ptr && bytes_to_u64(bytes_cut(&rest, ','), INT32_MAX, &pid)) {
        kill((pid_t)pid, stalled ? SIGSTOP : SIGCONT);
        /* The signal reaches the threads one after the other; until then they may answer. */
        while (stalled && process_runs(pid))
            usleep(200);
    }
}
