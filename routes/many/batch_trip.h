/* batch_trip.h - runs many operations as one trip to the engine.
 *
 * Operations on different keys may overtake each other on their way; those on
 * one key must not. One whose key was named before in the same trip is held
 * back until all before it are done, so that a trip without repeated keys is
 * one submission and each repetition at most one more. What the trip's time
 * leaves no room for is ENGINE_LATE without the engine having been asked.
 *
 * Ownership: borrows the operations; what they point to must stay until the
 * trip is over. Threading: one thread. */
#pragma once

#include "routes/engine_time.h"
#include "routes/many/batch_op.h"
#include "service/base/loop.h"

#define BATCH_TRIP_MAX 1000

struct batch_trip {
    struct engine_session *session; /* set by the caller, as far as `context` */
    struct loop *loop;
    uint64_t time_ns; /* from the start to the deadline of all */
    bool renews;      /* the time begins anew with each submission, until an operation is late */
    /* Sees each operation as it is done, before the trip is over: may take
     * results away. NULL: not interested. Not called by what finishes at once,
     * nor for what was not asked. */
    void (*each)(struct batch_trip *trip, struct batch_op *op);
    /* The trip is over. Never called inside batch_trip_start(). */
    void (*over)(struct batch_trip *trip);
    void *context;
    struct engine_time *time; /* where its time and operations are added; NULL: nowhere */
    /* The trip's own. */
    struct batch_op *ops;
    size_t count;
    size_t next;    /* not submitted yet */
    size_t pending; /* submitted and not done */
    uint64_t deadline_ns;
    uint64_t longest_ns; /* of this submission's operations */
    struct engine_op *batch[BATCH_TRIP_MAX];
    enum engine_progress progress[BATCH_TRIP_MAX];
    uint64_t keys[2 * BATCH_TRIP_MAX]; /* hash table of the keys in this submission; 0: free */
};

/* Starts; `count` is at most BATCH_TRIP_MAX. True: all is done already. */
bool batch_trip_start(struct batch_trip *trip, struct batch_op *ops, size_t count) MUST_CHECK;

static inline bool batch_trip_is_on(const struct batch_trip *trip)
{
    return trip->pending > 0;
}

/* Calls off what is under way; nothing is called back afterwards. */
void batch_trip_cancel(struct batch_trip *trip);
