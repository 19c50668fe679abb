/* job.h - one operation on its way through a lane.
 *
 * A job owns copies of all it needs, because the operation may be cancelled
 * and gone while a thread is busy with it. Who may touch what:
 *
 *   session's thread  `op`, `flush`, the live list, and everything before the
 *                     job is queued and after it has come home
 *   lane's thread     the rest, from taking the job to delivering it
 *   both              `stage` */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engines/engine.h"
#include "engines/memcached/item.h"
#include "engines/memcached/names.h"
#include "engines/primitives/cell.h"

enum job_stage {
    JOB_QUEUED,
    JOB_TAKEN,     /* by a lane's thread: it may reach the server */
    JOB_CANCELLED, /* nobody waits for it */
};

struct memcached_session;
struct flush;

/* What a read found under the job's name. */
struct found {
    bool present;        /* something stands there, whatever it is */
    bool ours;           /* `item`, or the job's `cell`, is valid, and it is this entry */
    bool untagged;       /* a tag that the entry carries was flushed */
    bool lost;           /* no memory to keep what was found */
    uint64_t cas;
    struct item item;    /* of its bytes only `tags` are valid */
    size_t bytes;        /* length of the value */
    struct value *value; /* where the job wanted it */
    char *tags;          /* what item.tags points to */
};

/* What a counter, limit or lock is asked for, or answers. */
union job_operand {
    struct engine_counter counter;
    struct engine_rate rate;
    struct engine_lock lock;
};

struct job {
    size_t room; /* bytes of the block behind this struct */
    struct job *next; /* in a batch, a queue, or on the way home */
    struct job *live_next, *live_prev;
    struct memcached_session *session;
    struct engine_op *op;   /* NULL: cancelled, or part of a flush */
    struct flush *flush;
    _Atomic unsigned stage; /* enum job_stage */

    enum engine_verb verb;
    struct item_name name; /* FLUSH: of the generation */
    bool of_tag;           /* FLUSH: that of a tag */
    struct bytes ns, key;  /* copies */
    struct value *value;   /* PUT: a reference */
    struct engine_condition condition;
    int64_t ttl_ms, idle_ms;
    uint64_t deadline_ns;
    bool without_value;
    int64_t lease_ms;
    uint64_t lease_token;
    struct engine_put put;     /* PUT; its tags are copies */
    uint64_t *tag_generations; /* that those tags have now; 0: none */
    union job_operand operand; /* of a cell's verb, as it was given */

    struct found found;
    struct cell cell; /* found, for a cell's verb; len 0: nothing stands */
    unsigned scope; /* in the batch: whose generation */

    enum engine_status status;
    struct engine_entry entry;
    enum engine_lease lease;
    int64_t lease_left_ms;
    union job_operand result; /* of a cell's verb */
    size_t limit;
    const char *detail;
};

/* Blocks of jobs that are over, for the next ones; one thread's. */
struct job_pool {
    struct job *spare;
    unsigned count;
};

enum { JOB_POOL_MAX = 256 };

/* Copies `op`; NULL when out of memory. */
struct job *job_create(struct job_pool *pool, struct memcached_session *session, struct engine_op *op) MUST_CHECK;

/* `pool` is that of the caller's thread, or NULL. NULL is allowed for the job. */
void job_destroy(struct job *job, struct job_pool *pool);
void job_pool_release(struct job_pool *pool);

void job_forget_found(struct job *job);

/* Whether the job is on a counter, limit or lock. */
static inline bool job_is_cell(const struct job *job)
{
    return engine_verb_needs(job->verb) & (ENGINE_CAN_COUNT | ENGINE_CAN_LIMIT | ENGINE_CAN_LOCK);
}

/* Brings what the job found out home to its operation. */
void job_bring_home(struct job *job, struct engine_op *op);

/* Sets the outcome. */
void job_answer(struct job *job, enum engine_status status, const char *detail);

static inline bool job_is_cancelled(const struct job *job)
{
    return atomic_load_explicit(&job->stage, memory_order_relaxed) == JOB_CANCELLED;
}
