/* access_log_private.h - what access_log.c (the service threads' side and the
 * logger thread) and access_log_write.c (lines) share.
 *
 * Who writes what in a lane: the service thread `written`, `suppressed`,
 * `dropped`, the dues and the records from `read` up to `written`; the logger
 * thread `read`. A record is published by the release store of `written` and
 * given back by the release store of `read`. The counters only grow, and only
 * by their one writer, so a relaxed load and store do. */
#pragma once

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "service/base/access_log.h"
#include "service/base/buffer.h"
#include "service/base/log.h"

#define CACHE_LINE 64

struct access_lane {
    /* The service thread's line. */
    alignas(CACHE_LINE) struct access_log *log;
    struct access_record *records;
    uint64_t good_due; /* when the next line below 500 is due, see take_token() */
    uint64_t error_due;
    uint64_t read_seen; /* an older value of `read` */
    _Atomic uint64_t written;
    _Atomic uint64_t suppressed;
    _Atomic uint64_t dropped;
    /* The logger thread's. */
    alignas(CACHE_LINE) _Atomic uint64_t read;
};

struct access_log {
    struct access_lane *lanes;
    struct access_record *records;
    unsigned lane_count;
    int fd;
    _Atomic int mode;             /* enum access_log_mode */
    _Atomic uint64_t interval_ns; /* between a lane's lines; 0: no bound */

    /* The logger thread's; the destroyer's after the join. */
    struct buffer batch;
    char batch_memory[LOG_LINE_MAX];
    unsigned batch_lines;
    _Atomic uint64_t unwritten; /* lines that no write took; read by any thread */
    uint64_t reported_suppressed, reported_dropped;
    uint64_t next_report_ns;

    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* only to wait on `wake` */
    pthread_cond_t wake;
    atomic_bool stopping;
    _Atomic uint64_t patience_ends_ns; /* set before `stopping` */
};

/* access_log_write.c */
void access_log_write_record(struct access_log *log, const struct access_record *record, uint64_t realtime_ns);
void access_log_write_left_out(struct access_log *log, uint64_t suppressed, uint64_t dropped, uint64_t realtime_ns);
/* Hands the gathered lines to the descriptor. */
void access_log_flush(struct access_log *log);
