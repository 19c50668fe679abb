/* trace.h - a decorator that reports each operation when it has ended.
 *
 * Threading: each session reports on its own thread; the sink is called from
 * all of them. */
#pragma once

#include "engines/engine.h"

/* Sees an operation with its results, just before its submitter does, and must
 * neither change nor keep it. `duration_ns` is the time inside submit when the
 * operation was done at once, else the time since op->now_ns. A batch of which
 * some are done at once reports the whole batch's time for these. */
typedef void trace_sink_fn(void *context, const struct engine_op *op, uint64_t duration_ns);

struct trace_options {
    trace_sink_fn *sink;
    void *context;
    uint64_t (*now)(void); /* NULL: clock_monotonic_ns */
};

/* Wraps `inner`, which it closes with itself, also when it fails. `inner` may
 * be NULL (an engine that failed to open): NULL. */
struct engine *trace_open(struct engine *inner, const struct trace_options *options) MUST_CHECK;
