/* lane.h - the way to one server: a bounded queue, a breaker, and threads.
 *
 *   lane.c    queue, breaker, the threads' life
 *   facts.c   what the server says of itself, which the first thread asks it
 *   batch.h   what one thread does with the jobs it took: read, judge, answer, write
 *
 * Breaker. A lane is UNKNOWN until a connection was tried and again after the
 * server was silent for longer than an operation waits: jobs are queued. It is
 * UP while connections work, and DOWN once an attempt to connect failed: from
 * then on jobs are answered at once, without the server, and the lane's first
 * thread tries again about once a second.
 *
 * Batches. While a thread reads, jobs that come do not wake another one until
 * there are LANE_WAKE_MIN of them: they leave together when it is back, which
 * costs less and takes no longer.
 *
 * Locks. `lock` covers queue, `reading`, `probe_ns` and `stopping`; nothing else is taken
 * while it is held. A session's lock (session.h) is taken without it. The
 * atomics are read anywhere. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engines/memcached/job.h"
#include "engines/memcached/peer.h"

enum {
    LANE_JOBS_MAX = 8192, /* accepted and not answered */
    LANE_THREADS_MAX = 16,
    LANE_BATCH_MAX = 64,  /* jobs in one multi-get: both directions fit the sockets' buffers */
    LANE_WAKE_MIN = 48,
};

enum lane_state { LANE_UNKNOWN, LANE_UP, LANE_DOWN };

struct lane;

struct worker {
    struct lane *lane;
    struct peer *peer;
    pthread_t thread;
    bool probes; /* tries the server while it is down */
    bool reads;  /* counted in lane.reading */
    uint64_t version_base, version_count;
    char *scratch; /* for what is written; grows */
    size_t scratch_size;
};

/* What the server said when it was looked at last. */
struct lane_look {
    _Atomic uint64_t asked_ns;    /* when someone last wanted to know; 0: never */
    _Atomic uint64_t next_ns;     /* when to look again */
    _Atomic uint64_t answered_ns; /* 0: there is nothing to tell */
    _Atomic uint64_t facts[PEER_FACTS];
};

struct lane {
    struct peer_address address;
    struct bytes prefix;
    bool dead_is_miss;
    struct item_name all_name; /* the generation of all */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *head, *tail;
    unsigned queued;
    unsigned reading; /* threads with a multi-get under way, which look here next */
    uint64_t probe_ns; /* when to try next, while not UP */
    bool stopping;

    _Atomic unsigned held; /* jobs accepted and not answered */
    _Atomic unsigned state;
    _Atomic uint64_t connect_failures;   /* since the start */
    _Atomic unsigned down_status;        /* while DOWN: enum engine_status */
    _Atomic(const char *) down_reason;
    struct lane_look look;

    struct worker workers[LANE_THREADS_MAX];
    unsigned worker_count;
};

/* `address` is copied, its strings and `prefix` must outlive the lane. NULL:
 * out of memory or threads. */
struct lane *lane_create(const struct peer_address *address, struct bytes prefix, unsigned threads,
                         bool dead_is_miss) MUST_CHECK;

/* Tells the threads to end, and does not wait for them. */
void lane_stop(struct lane *lane);

/* Ends the threads; jobs still queued are destroyed. False: a thread is still
 * in a library call after some seconds, and what it uses is left to it. */
bool lane_destroy(struct lane *lane);

static inline enum lane_state lane_state(const struct lane *lane)
{
    return (enum lane_state)atomic_load_explicit(&lane->state, memory_order_acquire);
}

/* Any thread. Takes room for a job; false: the lane is full. */
bool lane_reserve(struct lane *lane) MUST_CHECK;
void lane_unreserve(struct lane *lane, unsigned count);

/* Queues a chain of `count` jobs with room reserved. */
void lane_push(struct lane *lane, struct job *head, struct job *tail, unsigned count);

/* How a read or a write is answered while the server cannot be asked. */
enum engine_status lane_verdict(const struct lane *lane, enum engine_verb verb, const char **detail);

/* The same for a job. */
void lane_answer(const struct lane *lane, struct job *job);

/* Tells all of the lane and its server; any thread. */
void lane_tell(struct lane *lane, engine_fact_fn *fn, void *context);

/* ---- Between the lane's files ---- */

/* When the server is to be looked at; the future, or a time to ask again. */
uint64_t lane_look_time(const struct lane *lane, uint64_t now);

/* Looks at the server; bounded in time. */
void worker_look(struct worker *worker);

/* Another server may have answered then. */
void lane_look_forget(struct lane *lane);

/* Connected, or trying to: false means that the lane is DOWN now. */
bool worker_connect(struct worker *worker) MUST_CHECK;

/* After any call; PEER_SILENT makes the lane UNKNOWN. */
void worker_note_failure(struct worker *worker, enum peer_result result);

/* The thread is done with its multi-get and goes on with writes. */
void worker_ends_reading(struct worker *worker);

/* Answers a chain of jobs and delivers them. */
void batch_run(struct worker *worker, struct job *jobs);
