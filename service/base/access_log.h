/* access_log.h - one line a request, at a bounded rate and cost.
 *
 * Each service thread has a lane: a ring of fixed-size records with one writer
 * (the service thread) and one reader (the logger thread). The service thread
 * first asks access_lane_wants(), a few nanoseconds, and only then fills a
 * record; it takes no lock, makes no system call and allocates nothing. The
 * logger thread formats and writes.
 *
 * The rate is the process's; each lane has an equal share, with a burst of
 * one second's worth. Answers from 500 up have a bucket of their own of the
 * same size, so that a flood of good answers cannot hide them. What a bucket
 * holds back (suppressed) and what finds its ring full because the log's
 * reader is slow (dropped) is counted and reported, one line a second at most.
 *
 * The mode and rate decide alone which lines are written, not LOG_LEVEL.
 * Ownership: lanes and records belong to the log.
 * Threading: a lane's functions are its service thread's alone; the rest as
 * stated. The atomics between them are described in access_log.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "service/base/bytes.h"

#define ACCESS_TEXT_MAX 64
/* W3C Trace Context, in hexadecimal. */
#define ACCESS_TRACE_ID_LEN 32
#define ACCESS_PARENT_ID_LEN 16
/* Records a lane holds, a power of two. */
#define ACCESS_RING_RECORDS 1024

/* In the order of the setting LOG_ACCESS. */
enum access_log_mode { ACCESS_LOG_OFF, ACCESS_LOG_ERRORS, ACCESS_LOG_ON };

struct access_record {
    uint64_t ended_ns; /* monotonic; shown as wall time */
    uint64_t duration_ns;
    uint64_t request_bytes;  /* of the body */
    uint64_t response_bytes; /* of the body */
    const char *method;      /* static text */
    const char *route;       /* static text; NULL: none matched */
    uint16_t status;
    uint16_t peer_family; /* AF_INET, AF_INET6, AF_UNIX; 0: not known */
    uint8_t ns_len;
    uint8_t id_len;
    uint8_t caller_len;
    uint8_t traced; /* trace_id and parent_id are set */
    unsigned char peer[16];
    char ns[ACCESS_TEXT_MAX];
    char id[ACCESS_TEXT_MAX];
    char caller[ACCESS_TEXT_MAX]; /* the label of a token, never a token */
    char trace_id[ACCESS_TRACE_ID_LEN];
    char parent_id[ACCESS_PARENT_ID_LEN];
};

struct access_log;
struct access_lane;

/* A log of `lanes` lanes that writes to `fd` (not closed by it). `rate`: lines
 * a second, 0: no bound. No thread yet. NULL when out of memory. */
struct access_log *access_log_create(unsigned lanes, enum access_log_mode mode, uint64_t rate, int fd) MUST_CHECK;

/* Starts the logger thread. False when there is no thread to be had. */
bool access_log_start(struct access_log *log) MUST_CHECK;

/* Any thread: takes new settings at once. */
void access_log_set(struct access_log *log, enum access_log_mode mode, uint64_t rate);

/* Any thread: records that were suppressed or dropped since the start. */
uint64_t access_log_left_out(const struct access_log *log);

/* Lane `index` of those created. */
struct access_lane *access_log_lane(struct access_log *log, unsigned index);

/* Writes what the lanes hold, and, when a second has passed since the last
 * one, the line about what was left out. Returns how many records there were.
 * `now_ns` is monotonic, `realtime_ns` the same moment's wall time. For the
 * logger thread, and for tests without one. */
unsigned access_log_drain(struct access_log *log, uint64_t now_ns, uint64_t realtime_ns);

/* Ends the thread, writes what is left, and frees the log. The service threads
 * have ended. Waits half a second at most for a reader that does not read.
 * NULL is allowed. */
void access_log_destroy(struct access_log *log);

/* ---- The service thread ---- */

/* Whether a line for an answer of this `status` is due; takes a token if so. */
bool access_lane_wants(struct access_lane *lane, unsigned status, uint64_t now_ns) MUST_CHECK;

/* A record to fill, cleared; NULL when the ring is full (and counted). */
struct access_record *access_lane_reserve(struct access_lane *lane) MUST_CHECK;

/* Hands the reserved record to the logger thread. */
void access_lane_commit(struct access_lane *lane);

/* Copied, cut to ACCESS_TEXT_MAX. */
void access_record_set_ns(struct access_record *record, struct bytes ns);
void access_record_set_id(struct access_record *record, struct bytes id);
void access_record_set_caller(struct access_record *record, struct bytes label);
/* Of these lengths. */
void access_record_set_trace(struct access_record *record, struct bytes trace_id, struct bytes parent_id);
/* NULL is allowed. */
void access_record_set_peer(struct access_record *record, const struct sockaddr *peer);
