/* crowd.h - many operations as one trip to the engine, finished together.
 *
 * Ownership: a crowd borrows the operations; it must be called off before they
 * or it go. Threading: one service thread. */
#pragma once

#include "routes/engine_time.h"

struct crowd {
    struct engine_session *session;
    size_t pending;
    void (*finish)(void *context); /* all are done; once, never inside crowd_submit() */
    void *context;
    struct engine_time *time; /* where its time and operations are added; NULL: nowhere */
    uint64_t longest_ns;      /* its own */
};

/* Most operations of one trip. */
#define CROWD_MAX 1000

/* Submits `count` of `ops`, of which verb and operands are set; times and the
 * rest are set here. True: some are pending, and crowd->finish(context) will
 * run. False: all are done already. */
bool crowd_submit(struct crowd *crowd, struct engine_op *ops, size_t count, uint64_t now_ns,
                  uint64_t deadline_ns) MUST_CHECK;

/* Gives up what is still pending. */
void crowd_cancel(struct crowd *crowd, struct engine_op *ops, size_t count);
