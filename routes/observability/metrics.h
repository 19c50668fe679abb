/* metrics.h - what the service counts of itself, for /metrics and /stats.
 *
 * Each service thread has a part of its own that only it writes, with relaxed
 * stores and without a lock; a reader adds all parts up while they are written.
 * Nothing here allocates once the threads have their parts, with one exception
 * to "no lock": a namespace that is read for the first time since the start
 * takes its place in a table under one, at most METRICS_NAMESPACES times.
 *
 * Ownership: the parts belong to struct metrics and live as long. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engines/engine.h"
#include "service/base/histogram.h"
#include "service/http/exchange.h"

/* Labels by number. */
#define METRICS_ROUTES 32 /* of the table; the last one is for no route */
#define METRICS_NO_ROUTE (METRICS_ROUTES - 1)
#define METRICS_STATUSES 40
/* Namespaces by name; all others share one more. */
#define METRICS_NAMESPACES 100
#define METRICS_OTHER METRICS_NAMESPACES

enum metrics_read { METRICS_HIT, METRICS_MISS, METRICS_STALE, METRICS_READS };

/* Turned away by access control. */
enum metrics_denial { METRICS_DENIED_MISSING, METRICS_DENIED_UNKNOWN, METRICS_DENIED_SCOPE, METRICS_DENIALS };

/* Files read again. */
enum metrics_file { METRICS_FILE_NAMESPACES, METRICS_FILE_TOKENS, METRICS_FILE_TLS, METRICS_FILES };

struct metrics;

/* One thread's part; large, and mostly never touched. */
struct metrics_thread {
    struct metrics *metrics;
    struct engine_session *session; /* for what is pending */
    struct bytes last_ns;           /* that was read, if it has a place */
    unsigned last_place;
    _Atomic uint64_t received_bytes, sent_bytes, slow;
    _Atomic uint64_t denied[METRICS_DENIALS];
    _Atomic uint64_t reads[METRICS_NAMESPACES + 1][METRICS_READS];
    _Atomic uint64_t operations[ENGINE_VERBS][ENGINE_STATUSES];
    struct histogram operation_times[ENGINE_VERBS];
    struct histogram request_times[METRICS_ROUTES][HTTP_METHODS];
    _Atomic uint64_t requests[METRICS_ROUTES][HTTP_METHODS][METRICS_STATUSES];
};

struct metrics *metrics_create(void) MUST_CHECK;
void metrics_destroy(struct metrics *metrics); /* NULL is allowed */

/* Before the threads run, from one thread. NULL: out of memory, or too many. */
struct metrics_thread *metrics_attach(struct metrics *metrics, struct engine_session *session) MUST_CHECK;

/* ---- The part's own thread ---- */

/* A request was answered; `route` is below METRICS_ROUTES. */
void metrics_request(struct metrics_thread *thread, unsigned route, enum http_method method,
                     const struct http_record *record);

/* An engine_observer_fn; `thread` is a struct metrics_thread. */
void metrics_operation(void *thread, const struct engine_op *op, uint64_t duration_ns);

static inline void metrics_denied(struct metrics_thread *thread, enum metrics_denial denial)
{
    tally_add(&thread->denied[denial], 1);
}

/* ---- Any thread ---- */

void metrics_reloaded(struct metrics *metrics, enum metrics_file file, bool taken);
uint64_t metrics_reloads(const struct metrics *metrics, enum metrics_file file, bool taken);

/* The parts, for reading. */
unsigned metrics_thread_count(const struct metrics *metrics);
const struct metrics_thread *metrics_thread_at(const struct metrics *metrics, unsigned index);

/* The status code that a column of `requests` counts; 0 for the last used one,
 * of all other codes; beyond it, none: METRICS_STATUSES columns at most. */
unsigned metrics_status_columns(void);
unsigned metrics_status_at(unsigned column);

/* The number of namespaces that have a place, and their names. */
unsigned metrics_namespace_count(const struct metrics *metrics);
struct bytes metrics_namespace_at(const struct metrics *metrics, unsigned index);

/* All requests answered so far. */
uint64_t metrics_request_total(const struct metrics *metrics);

/* To be called every METRICS_SAMPLE_MS by one thread: keeps a minute of totals. */
#define METRICS_SAMPLE_MS 5000
void metrics_sample(struct metrics *metrics, uint64_t now_ns);

/* Requests a second over the last minute, or since the start if that is less. */
double metrics_request_rate(const struct metrics *metrics, uint64_t now_ns);
/* Monotonic. */
uint64_t metrics_started_ns(const struct metrics *metrics);
