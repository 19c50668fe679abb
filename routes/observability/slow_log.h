/* slow_log.h - one line for each request that took long, at a bounded rate.
 *
 * What counts is the service's and its engine's time: from the whole request's
 * being there to its answer's being ready. How fast a client sends and reads is
 * left out, and so is the time that a lock request was asked to wait.
 *
 * Threading: a service thread's own. */
#pragma once

#include <stdint.h>

#include "service/http/exchange.h"

struct slow_log {
    uint64_t second_ns; /* when the running second began */
    unsigned lines;     /* in it */
    uint64_t left_out;  /* since the last line */
};

/* As http_app.record: says so where the request was slow (LOG_SLOW_MS). */
void slow_log_record(struct http_exchange *ex, const struct http_record *record);

/* The time that a request took by that measure, ns. */
uint64_t slow_log_duration(const struct http_record *record);

/* Whether a line may be written now. */
bool slow_log_wants(struct slow_log *log, uint64_t now_ns);
