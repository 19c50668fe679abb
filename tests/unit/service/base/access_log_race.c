/* access_log_race.c - service threads against the logger thread: every record
 * comes out whole, or is counted. A plain program, for ThreadSanitizer.
 *
 * Each thread writes records whose fields all tell its own number and waits
 * where its ring is full; then every line is looked at, and the number of
 * drops that was reported compared with what the threads saw. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/base/access_log.h"
#include "service/base/clock.h"

#define THREADS 3
/* Several rings full for each thread. */
#define RECORDS 5000

static struct access_log *access_log;
static unsigned long refused[THREADS];

static void *serve(void *context)
{
    unsigned lane_index = *(const unsigned *)context;
    struct access_lane *lane = access_log_lane(access_log, lane_index);
    char id[32];

    for (unsigned i = 0; i < RECORDS;) {
        struct access_record *record = NULL;

        if (access_lane_wants(lane, 200, clock_monotonic_ns()))
            record = access_lane_reserve(lane);
        if (!record) {
            refused[lane_index]++;
            usleep(1000); /* lets the logger thread come by */
            continue;
        }
        snprintf(id, sizeof id, "%u-%u", lane_index, i);
        record->ended_ns = clock_monotonic_ns();
        record->method = "GET";
        record->status = 200;
        record->request_bytes = lane_index;
        record->response_bytes = i;
        access_record_set_id(record, bytes_str(id));
        access_lane_commit(lane);
        i++;
    }
    return NULL;
}

static unsigned long number_behind(const char *line, const char *name)
{
    const char *at = strstr(line, name);

    if (!at) {
        fprintf(stderr, "no %s in %s", name, line);
        exit(1);
    }
    return strtoul(at + strlen(name), NULL, 10);
}

struct totals {
    unsigned long lines[THREADS];
    unsigned long left_out;
};

static void judge(const char *line, struct totals *totals)
{
    unsigned long lane, i;
    char id[64];

    if (strstr(line, "requests not logged")) {
        totals->left_out += number_behind(line, "\"suppressed\":") + number_behind(line, "\"dropped\":");
        return;
    }
    lane = number_behind(line, "\"request_bytes\":");
    i = number_behind(line, "\"response_bytes\":");
    snprintf(id, sizeof id, "\"request_id\":\"%lu-%lu\"", lane, i);
    if (lane >= THREADS || !strstr(line, id)) {
        fprintf(stderr, "torn record: %s", line);
        exit(1);
    }
    totals->lines[lane]++;
}

static void run(int fd)
{
    unsigned numbers[THREADS];
    pthread_t threads[THREADS];

    access_log = access_log_create(THREADS, ACCESS_LOG_ON, 0, fd);
    if (!access_log || !access_log_start(access_log))
        exit(1);
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        if (pthread_create(&threads[i], NULL, serve, &numbers[i]) != 0)
            exit(1);
    }
    /* Settings change while requests are served. */
    for (int i = 0; i < 200; i++)
        access_log_set(access_log, ACCESS_LOG_ON, i % 2 ? 0 : 1000000);
    access_log_set(access_log, ACCESS_LOG_ON, 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    access_log_destroy(access_log);
}

int main(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    unsigned long refused_total = 0;
    struct totals totals = { 0 };
    char line[8192];
    FILE *file;

    if (fd < 0)
        return 1;
    run(fd);
    file = fdopen(fd, "r");
    if (!file || fseek(file, 0, SEEK_SET) != 0)
        return 1;
    while (fgets(line, sizeof line, file))
        judge(line, &totals);
    fclose(file);
    for (unsigned i = 0; i < THREADS; i++) {
        refused_total += refused[i];
        if (totals.lines[i] != RECORDS) {
            fprintf(stderr, "lane %u: %lu lines of %d\n", i, totals.lines[i], RECORDS);
            return 1;
        }
    }
    if (totals.left_out != refused_total) {
        fprintf(stderr, "%lu left out, %lu reported\n", refused_total, totals.left_out);
        return 1;
    }
    return 0;
}
