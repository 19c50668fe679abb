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
    bool ours;           /* `item` is valid, and it is this entry */
    uint64_t cas;
    struct item item;    /* its bytes are not valid */
    size_t bytes;        /* length of the value */
    struct value *value; /* where the job wanted it */
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
    struct bytes ns, key;  /* copies */
    struct value *value;   /* PUT: a reference */
    struct engine_condition condition;
    int64_t ttl_ms, idle_ms;
    uint64_t deadline_ns;
    bool without_value;

    struct found found;
    unsigned scope; /* in the batch: whose generation */

    enum engine_status status;
    struct engine_entry entry;
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

/* Sets the outcome. */
void job_answer(struct job *job, enum engine_status status, const char *detail);

static inline bool job_is_cancelled(const struct job *job)
{
    return atomic_load_explicit(&job->stage, memory_order_relaxed) == JOB_CANCELLED;
}
