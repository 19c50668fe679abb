/* engine.h - what every engine is to the service: one const table of functions.
 *
 *   struct engine          the whole process's engine; opened once, shared.
 *   struct engine_session  one event-loop thread's access to it.
 *   struct engine_op       one operation, owned by its submitter.
 *
 * engine_submit() either finishes the operation now (ENGINE_DONE: results are
 * valid, no callback will run) or later (ENGINE_PENDING: op->done runs exactly
 * once, never inside submit, on the thread that submitted). Every operation
 * carries an absolute monotonic deadline; a pending operation that passes it
 * is cancelled by this layer and done with ENGINE_LATE, so no engine can hang
 * a request. A miss is an outcome, not an error.
 *
 * Engines know neither HTTP nor JSON. What an engine cannot do it leaves out
 * of its capabilities; routes ask for capabilities and never for names.
 *
 * Threading: struct engine is shared by all threads; a session and the
 * operations submitted through it belong to its loop's thread. An engine with
 * threads of its own brings results home with loop_post(). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/base/bytes.h"
#include "service/base/loop.h"
#include "service/base/value.h"

/* ---- Capabilities: flags set when the engine is opened ---- */

enum engine_capability {
    ENGINE_CAN_STORE = 1 << 0,       /* get, put, delete, touch */
    ENGINE_CAN_CONDITIONS = 1 << 1,  /* atomic If-Match, If-None-Match */
    ENGINE_CAN_SLIDE = 1 << 2,       /* sliding TTL */
    ENGINE_CAN_FLUSH = 1 << 3,       /* all entries, or one namespace */
    ENGINE_IS_SHARED = 1 << 4,       /* other replicas see the same entries */
    ENGINE_IS_PERSISTENT = 1 << 5,   /* entries outlive this process */
    ENGINE_CAN_TAG = 1 << 6,         /* put with tags, flush of a tag */
    ENGINE_CAN_LEASE = 1 << 7,       /* leases, stale serving */
    ENGINE_CAN_FENCE = 1 << 8,       /* fenced writes */
    ENGINE_CAN_LIST = 1 << 9,        /* list, namespaces */
    ENGINE_CAN_COUNT = 1 << 10,      /* counters */
    ENGINE_CAN_LIMIT = 1 << 11,      /* rate limits */
    ENGINE_CAN_LOCK = 1 << 12,       /* locks */
    ENGINE_CAN_ATOMIC = 1 << 13,     /* several operations, all or none */
    ENGINE_CAN_QUOTA = 1 << 14,      /* most entries and bytes of a namespace */
};

/* ---- Operations ---- */

enum engine_verb {
    ENGINE_GET,    /* read an entry; extends a sliding one */
    ENGINE_PUT,    /* store `value` under new version and TTL */
    ENGINE_DELETE, /* remove an entry */
    ENGINE_TOUCH,  /* set an entry's TTL anew; value and version stay */
    ENGINE_FLUSH,  /* drop every entry of `ns`, those of `tag` in it, or of all (ns.len == 0) */
    ENGINE_LIST,       /* one page of the keys of `ns`: op->listing */
    ENGINE_NAMESPACES, /* one page of namespaces, or `ns` alone, with their counts: op->listing */
    ENGINE_ATOMIC,     /* op->atomic: all its operations as one step, or none */
    /* Counters, limits and locks: key spaces of their own, which no flush
     * touches and no eviction of the memory engine reaches. */
    ENGINE_COUNTER_ADD, /* op->counter: creates it where there is none */
    ENGINE_COUNTER_GET,
    ENGINE_COUNTER_SET, /* creates, or replaces with its TTL */
    ENGINE_COUNTER_DELETE,
    ENGINE_LIMIT_TAKE,   /* op->rate */
    ENGINE_LOCK_ACQUIRE, /* op->lock */
    ENGINE_LOCK_RENEW,
    ENGINE_LOCK_RELEASE,
    ENGINE_LOCK_GET,
    ENGINE_VERBS
};

/* Outcomes. Keep in step with engine_status_name() and with the one table
 * that maps them to HTTP (routes/outcome.c). */
enum engine_status {
    ENGINE_OK,          /* read, replaced, removed, touched, flushed */
    ENGINE_CREATED,     /* put where no entry stood */
    ENGINE_MISS,        /* no such entry (get, delete, touch), counter, or held lock */
    ENGINE_MISMATCH,    /* condition failed; entry.version tells what stands, 0: nothing.
                         * Locks: another token, or nobody, holds it. ATOMIC: see `failed` */
    ENGINE_FENCED,      /* put: the entry has seen a higher fence */
    ENGINE_VOID,        /* put: the lease is not, or no longer, valid */
    ENGINE_HELD,        /* lock: another holds it; lock->ttl_ms tells for how long */
    ENGINE_BOUND,       /* counter: would leave its bounds or 64 bits; value as it stands */
    ENGINE_LIMITED,     /* rate limit: not granted */
    ENGINE_UNSUPPORTED, /* not among the engine's capabilities */
    ENGINE_TOO_LARGE,   /* the engine's own item limit, see op->limit */
    ENGINE_FULL,        /* no memory and nothing to evict; the old entry stands */
    ENGINE_BUSY,        /* a bounded queue is full; nothing was sent */
    ENGINE_UNAVAILABLE, /* unreachable, loading, failing over; nothing was done */
    ENGINE_LATE,        /* no answer by the deadline; a write may have happened */
    ENGINE_REFUSED,     /* the engine denies service: credentials, ACL, read-only */
    ENGINE_FAILED,      /* anything else that went wrong; a write may have happened */
    ENGINE_STATUSES
};

enum engine_progress { ENGINE_DONE, ENGINE_PENDING };

/* An entry's version, named by its ETag: never 0 for an entry that stands, and
 * not used again for another write of the same key. */
typedef uint64_t engine_version;

/* Times to live are milliseconds. */
#define ENGINE_NO_EXPIRY INT64_C(-1)
/* In idle_ms: the entry does not slide. */
#define ENGINE_NO_IDLE INT64_C(0)

/* One condition of RFC 9110 section 13: a list of versions, or `*`. Not given:
 * `given` false. A list may be empty: tags that no entry of ours can have. */
struct engine_tags {
    bool given;
    bool any; /* the `*` form */
    size_t count;
    const engine_version *versions;
};

/* Evaluated by the engine in one atomic step with the write, if_match first
 * (RFC 9110 section 13.2.2). For ENGINE_GET they are left to the caller, who
 * sees the version. */
struct engine_condition {
    struct engine_tags if_match;
    struct engine_tags if_none_match;
};

/* What a read finds and a write leaves. */
struct engine_entry {
    struct value *value; /* GET: one reference, the caller's to unref; else NULL */
    engine_version version;
    size_t bytes;      /* length of the value */
    int64_t ttl_ms;    /* remaining freshness: 0 once stale; ENGINE_NO_EXPIRY: none */
    int64_t idle_ms;   /* sliding step, or ENGINE_NO_IDLE */
    bool stale;        /* its TTL is over, its stale window is not */
};

/* What a PUT may ask for besides. */
#define ENGINE_TAGS_MAX 32
#define ENGINE_TAG_BYTES_MAX 64

struct engine_put {
    const struct bytes *tags; /* 1 to 64 bytes each, all different, at most 32 */
    size_t tag_count;
    int64_t stale_ms;     /* how long it may be served after its TTL; 0: not. With a TTL and no idle step only */
    uint64_t fence;       /* 0: none. An entry keeps the highest fence it has seen, also across writes without one */
    uint64_t lease;       /* token that a GET won; 0: none. Must still hold: ENGINE_VOID */
    uint64_t max_entries; /* of the namespace; 0: no bound. Beyond, the engine evicts entries of that namespace: */
    uint64_t max_bytes;   /* least recently used first (memory), soonest to expire first (redis) */
};

/* Leases. A GET with lease_ms > 0 that finds nothing, or a stale entry, asks
 * for the right to refill it. At most one lease of a key is out; any write,
 * delete or flush that reaches the key voids it, and so does its time. */
enum engine_lease { ENGINE_LEASE_NONE, ENGINE_LEASE_WON, ENGINE_LEASE_HELD };

/* Counters. */
struct engine_counter {
    int64_t by;           /* ADD */
    int64_t initial;      /* ADD, where there is none: value before `by` is added */
    int64_t min, max;     /* ADD: bounds of the result; INT64_MIN, INT64_MAX: none */
    int64_t value;        /* SET: in. Else out */
    int64_t ttl_ms;       /* in: counts when the counter is created, and for SET. Out: remaining. ENGINE_NO_EXPIRY: none */
    bool created;         /* out */
};

/* Rate limits; the algorithms are described in engines/primitives/limit.h. */
enum engine_rate_algorithm { ENGINE_FIXED_WINDOW, ENGINE_SLIDING_WINDOW, ENGINE_TOKEN_BUCKET };

struct engine_rate {
    enum engine_rate_algorithm algorithm;
    uint64_t limit;    /* 1 to 10^9: in each window */
    uint64_t cost;     /* 0 to limit; 0 only looks */
    int64_t window_ms; /* 1 to 30 days */
    bool shadow;       /* counted, but never refused: over the limit nothing is taken and the outcome is OK */
    /* Out. */
    bool allowed;      /* what it would be without shadow */
    uint64_t remaining;
    int64_t reset_ms;  /* until all of the limit is there again, if no more is taken */
    int64_t retry_ms;  /* until this cost would be granted; 0 if it was */
};

/* Locks. */
#define ENGINE_LOCK_TOKEN_BYTES 16

struct engine_lock {
    unsigned char token[ENGINE_LOCK_TOKEN_BYTES]; /* ACQUIRE: the submitter's random choice for this grant */
    int64_t ttl_ms; /* ACQUIRE, RENEW: in. Out: remaining, of whoever holds it */
    uint64_t fence; /* out: of the grant, below 2^53; grows with every grant of this lock */
};

/* Pages of keys or namespaces. */
struct engine_listed {
    struct bytes key; /* or the namespace */
    size_t bytes;     /* of the value, or of all values */
    uint64_t entries; /* NAMESPACES; ENGINE_UNKNOWN: the engine does not count, nor `bytes` */
    int64_t ttl_ms;   /* LIST, as in engine_entry */
};
#define ENGINE_UNKNOWN UINT64_MAX

#define ENGINE_CURSOR_MAX 128
/* engines/page.h builds one. A single block from malloc(). */
struct engine_page {
    size_t count;
    struct engine_listed *items;
    struct bytes cursor; /* where to go on; empty: that was all. At most ENGINE_CURSOR_MAX, any bytes */
};

struct engine_listing {
    struct bytes prefix; /* LIST: of the keys */
    struct bytes cursor; /* of an earlier page; empty: from the beginning. A cursor that cannot be one: MISMATCH */
    size_t limit;        /* most items, 1 to 1000. A page may hold fewer, or none, and not be the last */
    bool with_leases;    /* LIST: all keys too where nothing stands but a lease is out, and maybe others of no entry */
    struct engine_page *page; /* out, with OK: the submitter's to free() */
};

struct engine_op;

/* Several GET, PUT, DELETE and TOUCH as one step: the conditions of all are
 * judged, then all is done; or none is, and `failed` tells the first that
 * would not be: its own status says why (MISMATCH, FENCED, VOID, TOO_LARGE,
 * FULL), and the status of the whole is the same. A miss is not a failure.
 * Later operations see what earlier ones of the same step did. Namespace and
 * engine_private of each are the submitter's to set and the engine's to use;
 * their now_ns, deadline_ns and done are not looked at. */
#define ENGINE_ATOMIC_MAX 1000
struct engine_atomic {
    struct engine_op *const *ops;
    size_t count;
    size_t failed;
};

struct engine_session;

struct engine_op {
    /* Set by the submitter; borrowed memory stays until the op is done. */
    enum engine_verb verb;
    struct bytes ns;
    struct bytes key;
    struct value *value; /* PUT: borrowed; an engine that keeps it takes a reference */
    const struct engine_condition *condition; /* NULL: none */
    int64_t ttl_ms;       /* PUT, TOUCH: > 0, or ENGINE_NO_EXPIRY */
    int64_t idle_ms;      /* PUT: sliding step, or ENGINE_NO_IDLE */
    bool without_value;   /* GET: entry.value is not wanted */
    int64_t lease_ms;     /* GET: > 0 asks for a lease of that long */
    uint64_t lease_token; /* GET with lease_ms: the submitter's random choice, not 0 */
    struct bytes tag;     /* FLUSH: only entries with this tag; empty: all */
    union {               /* by verb; never NULL where the verb has one, but for PUT */
        const struct engine_put *put;
        struct engine_counter *counter;
        struct engine_rate *rate;
        struct engine_lock *lock;
        struct engine_listing *listing;
        struct engine_atomic *atomic;
    };
    uint64_t now_ns;      /* the submitter's monotonic time */
    uint64_t deadline_ns; /* absolute, monotonic */
    void (*done)(struct engine_op *op);
    void *context; /* the submitter's */

    /* Results. */
    enum engine_status status;
    struct engine_entry entry;
    enum engine_lease lease; /* GET with lease_ms */
    int64_t lease_left_ms;   /* HELD: until it ends by itself */
    size_t limit;       /* TOO_LARGE: bytes the engine takes at most */
    const char *detail; /* failures: a static text for people, or NULL */
    uint64_t took_ns;   /* where the session is observed: what the observer was told, else 0 */

    /* This layer's and the engine's, while the op is pending. */
    struct engine_op *next, *prev;
    void *engine_private;
};

/* Names for logs, traces and tests ("get", "unavailable"). */
const char *engine_verb_name(enum engine_verb verb);
const char *engine_status_name(enum engine_status status);

/* True for the verbs that change something: their lateness has an unknown
 * outcome, and they are never retried. */
bool engine_verb_writes(enum engine_verb verb);

/* The capability that a verb needs. */
unsigned engine_verb_needs(enum engine_verb verb);

/* True for outcomes that say the engine did its part, misses included. */
static inline bool engine_status_served(enum engine_status status)
{
    return status <= ENGINE_TOO_LARGE;
}

/* Whether an entry of `version` (0: none stands) meets `condition` (NULL: met
 * always); for engines that evaluate conditions in this process. */
bool engine_condition_holds(const struct engine_condition *condition, engine_version version);

/* ---- The table an engine fills in ---- */

struct engine;

/* Gives one thread its access. NULL when out of memory. Called on any thread
 * before the loop runs; the session is used on the loop's thread only. */
typedef struct engine_session *engine_attach_fn(struct engine *engine, struct loop *loop);

/* Ends a session. Pending operations are done with ENGINE_UNAVAILABLE before
 * it returns (by engine_complete). The loop is no longer running. */
typedef void engine_detach_fn(struct engine_session *session);

/* Starts `op`: fills its results and returns ENGINE_DONE, or returns
 * ENGINE_PENDING and later calls engine_complete() exactly once. Never calls
 * back from inside, never blocks. op->status is ENGINE_FAILED on entry. */
typedef enum engine_progress engine_submit_fn(struct engine_session *session, struct engine_op *op);

/* Starts `count` operations as one trip to the engine. Those that finish now
 * must not call back; `progress[i]` tells which. NULL in the table: submitted
 * one by one, which is one trip for engines that write once a turn. */
typedef void engine_submit_batch_fn(struct engine_session *session, struct engine_op *const *ops, size_t count,
                                    enum engine_progress *progress);

/* Forgets a pending `op`: after return the engine touches neither it nor the
 * memory it borrows, and drops a reply that comes later. Returns what became
 * of it: ENGINE_LATE when it may have reached the engine, ENGINE_BUSY when it
 * certainly has not. NULL in the table when submit never returns PENDING. */
typedef enum engine_status engine_cancel_fn(struct engine_session *session, struct engine_op *op);

/* Any thread. Whether requests can be served now; if not, `*reason` is a
 * static text for /readyz. Never blocks. */
typedef bool engine_ready_fn(struct engine *engine, const char **reason);

/* What an engine tells of itself and of its servers, for those who watch it.
 * Numbers; a truth is 1 or 0. */
enum engine_fact {
    /* Of an engine in this process. */
    ENGINE_FACT_USED_BYTES,
    ENGINE_FACT_MAX_BYTES,
    ENGINE_FACT_ENTRIES,
    ENGINE_FACT_CELLS, /* counters, limits and locks */
    ENGINE_FACT_EVICTIONS,
    ENGINE_FACT_EXPIRATIONS,
    /* Of an engine with servers, since the start. */
    ENGINE_FACT_REDIRECTIONS,
    ENGINE_FACT_FAILOVERS,
    /* Of each server, as this process sees it. */
    ENGINE_FACT_CONNECTIONS, /* ready */
    ENGINE_FACT_CONNECTS,    /* that became ready, since the start */
    ENGINE_FACT_CONNECT_FAILURES,
    ENGINE_FACT_QUEUED, /* operations accepted and not answered */
    ENGINE_FACT_BREAKER_OPEN,
    /* Of each server, as it says itself; left out while it is not known. */
    ENGINE_FACT_SERVER_UP, /* it answered the last look */
    ENGINE_FACT_SERVER_IS_MASTER,
    ENGINE_FACT_SERVER_USED_BYTES,
    ENGINE_FACT_SERVER_MAX_BYTES, /* 0: no bound */
    ENGINE_FACT_SERVER_EVICTIONS, /* since the server's start */
    ENGINE_FACT_SERVER_REPLICAS,
    ENGINE_FACT_SERVER_LAG,   /* seconds since its replica furthest behind was heard of */
    ENGINE_FACT_SERVER_ITEMS,
    ENGINE_FACT_SERVER_CONNECTIONS, /* of all its clients */
    ENGINE_FACT_SERVER_UPTIME,      /* seconds */
    ENGINE_FACTS
};

/* How an engine with servers comes to know what they say: while someone asks,
 * it looks at each of them every few seconds, beside the operations. */
#define ENGINE_LOOK_EVERY_NS (UINT64_C(5) * 1000000000)
#define ENGINE_ASKED_WITHIN_NS (UINT64_C(150) * 1000000000)
/* What was found is told for so long, and not of a server that is down. */
#define ENGINE_KNOWN_FOR_NS (UINT64_C(15) * 1000000000)

/* `server` is host:port, borrowed during the call; empty: the engine itself. */
typedef void engine_fact_fn(void *context, enum engine_fact fact, struct bytes server, double value);

/* Tells all facts, in any order. Any thread; never blocks. NULL: none. */
typedef void engine_facts_fn(struct engine *engine, engine_fact_fn *fn, void *context);

/* Frees everything. All sessions are detached. */
typedef void engine_close_fn(struct engine *engine);

struct engine_table {
    const char *name;
    engine_attach_fn *attach;
    engine_detach_fn *detach;
    engine_submit_fn *submit;
    engine_submit_batch_fn *submit_batch;
    engine_cancel_fn *cancel;
    engine_ready_fn *ready;
    engine_close_fn *close;
    engine_facts_fn *facts;
};

/* Bases: the first member of each engine's own structs. */
struct engine {
    const struct engine_table *table;
    const char *name;        /* for people; a decorator has that of what it wraps */
    unsigned capabilities;   /* enum engine_capability, fixed after open */
    size_t max_value_bytes;  /* the engine's own limit; 0: none */
};

/* Sees each operation once, with its results, before its submitter does, and
 * must neither change nor keep it. Not called for what the submitter gave up. */
typedef void engine_observer_fn(void *context, const struct engine_op *op, uint64_t duration_ns);

struct engine_observer {
    engine_observer_fn *fn; /* NULL: nobody looks */
    void *context;
    uint64_t next_ns[ENGINE_TOUCH + 1];  /* when a verb is to be timed again */
    uint64_t timed_ns[ENGINE_TOUCH + 1]; /* how long it took last */
};

struct engine_session {
    const struct engine_table *table;
    struct engine *engine;
    struct loop *loop;
    /* The decorator this session serves, NULL for the outermost. Completions
     * climb this chain. */
    struct engine_session *outer;
    /* Decorators: sees each completion of the session below, before the
     * submitter does. NULL: not interested. */
    void (*completed)(struct engine_session *session, struct engine_op *op);
    /* Outermost session only: pending operations, soonest deadline first. */
    struct engine_op *pending_head, *pending_tail;
    _Atomic size_t pending_count; /* written by the session's thread, read by any */
    struct loop_timer *deadline_timer;
    uint64_t deadline_armed_ns; /* when the timer fires; UINT64_MAX: not set */
    bool granted;               /* it fired late, and a turn was granted */
    bool detaching;             /* what is submitted now is answered UNAVAILABLE */
    struct engine_observer observer; /* outermost session only */
};

/* Sets the base's fields; the first thing an attach function does. */
void engine_session_init(struct engine_session *session, struct engine *engine, struct loop *loop);

/* ---- What the service calls ---- */

struct engine_session *engine_attach(struct engine *engine, struct loop *loop) MUST_CHECK;
void engine_detach(struct engine_session *session); /* NULL is allowed */

#define ENGINE_TIMED_EVERY_NS UINT64_C(1000000)

/* Has `fn` called on the session's thread for each operation from now on, with
 * the time from its submission to its result. What is done at once is timed by
 * the clock, but of GET, PUT, DELETE and TOUCH one of each verb in a
 * millisecond: those that follow are taken to be like it. What was pending is
 * timed by the turns of the loop. */
void engine_observe(struct engine_session *session, engine_observer_fn *fn, void *context);

enum engine_progress engine_submit(struct engine_session *session, struct engine_op *op) MUST_CHECK;

/* Any thread: how many operations are pending, just now. */
size_t engine_pending(const struct engine_session *session);

/* One trip for many; `progress[i]` as engine_submit() would have returned.
 * Returns how many are pending. */
size_t engine_submit_batch(struct engine_session *session, struct engine_op *const *ops, size_t count,
                           enum engine_progress *progress) MUST_CHECK;

/* Gives a pending operation up: its `done` will not run, and its memory is the
 * caller's again. Returns ENGINE_LATE or ENGINE_BUSY as engine_cancel_fn. */
enum engine_status engine_cancel(struct engine_session *session, struct engine_op *op);

bool engine_ready(struct engine *engine, const char **reason) MUST_CHECK;

/* Calls `fn` for each fact that the engine has; any thread, never blocks. */
void engine_tell_facts(struct engine *engine, engine_fact_fn *fn, void *context);
void engine_close(struct engine *engine); /* NULL is allowed */

/* ---- What an engine calls ---- */

/* Ends a pending operation whose results are filled in; runs its `done`. Never
 * from inside submit. `session` is the engine's own. */
void engine_complete(struct engine_session *session, struct engine_op *op);
