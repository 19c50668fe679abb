/* route.h - what the files of routes/ share: the table's rows, one thread's
 * context, one exchange's state.
 *
 *   app.c, table.c   the way of a request: its route by path and method, its handler
 *   access.c         who may do it; policy.c: a namespace's policy applied to it
 *   parameters.c     the query's, by name; json_members.c: small JSON bodies
 *   problem.c        error answers; outcome.c: engine outcomes as answers; answer.c: small JSON ones
 *   crowd.c, pause.c requests of many steps
 *   capabilities.c, document.c   the resources that tell of the service
 *
 *   entry/           /cache and /raw: one entry, two views
 *   many/            POST /cache/{ns}: batch and import; export
 *   namespaces/      listing, flush, policies and counts
 *   primitives/      counters, limits, locks
 *   observability/   health, metrics, stats, the slow log
 *   text/            pure: texts of requests to values and back
 *
 * Threading: everything here belongs to one service thread. */
#pragma once

#include <stdatomic.h>

#include "engines/engine.h"
#include "routes/engine_time.h"
#include "routes/entry/etag.h"
#include "routes/observability/metrics.h"
#include "routes/observability/slow_log.h"
#include "routes/text/accept.h"
#include "routes/text/path.h"
#include "routes/text/query.h"
#include "routes/text/range.h"
#include "service/base/ttl.h"
#include "service/config/settings.h"
#include "service/http/exchange.h"

/* The envelope's head at its longest: a key of 1,024 bytes and a content type
 * of 255, each byte escaped to six, and the member names. */
#define ROUTE_TEXT_SIZE 9216

/* The longest label of a token. */
#define ROUTE_CALLER_MAX 64

/* One thread's requests that wait for locks (lock_wait.c). */
#define LOCK_QUEUES 64
struct lock_wait;
struct lock_queue {
    struct lock_wait *head, *tail;
};
struct lock_queues {
    struct lock_queue by_hash[LOCK_QUEUES];
    /* A bit for each queue; what other threads use. */
    _Atomic uint64_t waited_in; /* somebody is in it */
    _Atomic uint64_t released;  /* another thread saw a release, and `message` is on its way */
    struct loop_message message;
};

/* One service thread's side of the application. */
struct routes_thread {
    struct routes *routes;
    struct routes_thread *next; /* all threads, in a ring; complete before the first request */
    struct loop *loop;
    struct engine_session *session;
    const struct settings *settings; /* one reference */
    _Atomic(const struct settings *) fresh; /* of a reload that is on its way; one reference */
    struct loop_message reload;
    struct metrics_thread *metrics;  /* this thread's part */
    struct slow_log slow_log;
    struct loop_timer *sample_timer; /* of one thread only */
    struct lock_queues lock_queues;
    struct pause *paused;            /* requests between two steps (pause.c) */
    char text[ROUTE_TEXT_SIZE];      /* where answers are put together */
};

typedef void route_fn(struct http_exchange *ex);

struct route_method {
    route_fn *begin;    /* header section there: check, accept the body; may be NULL */
    route_fn *complete; /* body there: answer, or submit and return */
};

/* What the path of a route names besides the route. */
enum route_names { ROUTE_NAMES_NOTHING, ROUTE_NAMES_NAMESPACE, ROUTE_NAMES_ENTRY };

/* What a token must grant (access.c). A row that says nothing needs the most. */
enum route_access {
    ROUTE_ACCESS_ADMIN, /* admin; with an admin port, found there and nowhere else */
    ROUTE_ACCESS_OPEN,  /* nothing, no token */
    ROUTE_ACCESS_ANY,   /* any valid token */
    ROUTE_ACCESS_DATA,  /* read for GET and HEAD, else write; for the path's namespace where it names one */
    ROUTE_ACCESS_BATCH, /* the same, but POST needs both */
    ROUTE_ACCESS_FLUSH, /* write or admin; access_check_flush() decides when the namespace is known */
};

struct route {
    const char *name;  /* as in the contract: "/cache/{ns}/{key}" */
    struct bytes path; /* whole, or with a trailing slash the part before {ns} */
    enum route_names names; /* {ns} or {ns}/{key} follows */
    bool is_raw;       /* the lenient view */
    bool is_probe;     /* answered however much is in flight, and on the admin port too */
    enum route_access access;
    struct route_method methods[HTTP_METHODS];
};

/* How an exchange got to where it is. */
struct route_state {
    const struct route *route;
    struct engine_op op;
    bool pending; /* op is the engine's */
    void (*finish)(struct http_exchange *ex);
    struct path_entry entry; /* with ROUTE_NAMES_NAMESPACE: the namespace alone */
    /* What a route needs beyond this struct, its own; `end_work` frees it and
     * calls off what it waits for, when the exchange ends. */
    void *work;
    void (*end_work)(struct http_exchange *ex);
    unsigned submissions; /* by route_submit() */
    struct engine_time engine_time; /* of these and of all trips */
    size_t caller_len; /* of `caller`; 0: no token, or one without a label */
    bool waits;   /* was asked to wait for a lock */
    bool is_raw;  /* /raw: the lenient view */
    bool as_raw;  /* GET /cache?raw=1 */
    int64_t ttl_ms;
    int64_t idle_ms;
    struct engine_condition condition;
    /* Texts of the answer. */
    char etag[ETAG_TEXT_SIZE];
    char ttl[TTL_TEXT_SIZE];
    char range[RANGE_TEXT_SIZE];
    char content_type[VALUE_CONTENT_TYPE_MAX + 1];
    char caller[ROUTE_CALLER_MAX]; /* the token's label, for the logs */
    /* Large, or rarely needed: written before it is read. */
    engine_version if_match[ETAG_LIST_MAX];
    engine_version if_none_match[ETAG_LIST_MAX];
    struct path_scratch scratch;
    struct engine_put put; /* what op.put points to, where it does */
};

static inline struct route_state *route_state(struct http_exchange *ex)
{
    return http_state(ex);
}

static inline struct routes_thread *route_thread(struct http_exchange *ex)
{
    return http_thread(ex);
}

/* The row for a path; NULL for none. `*rest` is what follows a prefix. */
const struct route *route_find(struct bytes path, struct bytes *rest);

/* The number of a row, for metrics, or METRICS_NO_ROUTE; and its name back. */
unsigned route_number(const struct route *route);
const char *route_name(unsigned number);

/* The methods of a row as the value of Allow. */
#define ROUTE_ALLOW_SIZE 64
void route_allow(const struct route *route, char out[ROUTE_ALLOW_SIZE]);

/* Reads the query's parameters by their names: `values[i]` is that of `names[i]`,
 * BYTES_NONE where it is not given. Escaped ones are decoded into `decoded`,
 * which must outlive them. On /raw unknown ones are ignored. False: answered. */
bool route_parameters(struct http_exchange *ex, const struct bytes *names, size_t count, struct bytes *values,
                      struct query_scratch decoded) MUST_CHECK;

/* For a route that has none. False: answered. */
bool route_no_parameters(struct http_exchange *ex) MUST_CHECK;

/* The same with a table of the route's own. */
bool route_query(struct http_exchange *ex, const struct query_table *table, struct bytes *values,
                 struct query_scratch decoded) MUST_CHECK;

/* Zeroed memory as the state's `work`, which `end_work` is to free; NULL: there is
 * nothing else to end. NULL when out of memory: answered. */
void *route_begin_work(struct http_exchange *ex, size_t bytes, route_fn *end_work) MUST_CHECK;

/* Fills what the state's op needs for any verb and submits it; `finish` answers
 * from its results, now or later. */
void route_submit(struct http_exchange *ex, enum engine_verb verb, void (*finish)(struct http_exchange *ex));

/* Handlers, by file. */
route_fn entry_read_begin, entry_read;           /* entry.c: GET, HEAD */
route_fn entry_put_begin, entry_put;             /* PUT */
route_fn entry_delete_begin, entry_delete;       /* DELETE */
route_fn entry_patch_begin, entry_patch;         /* PATCH */
route_fn flush_begin, flush_complete;            /* flush.c, flush_prefix.c */
route_fn flush_prefix;                           /* state->entry: namespace, and the prefix as key */
route_fn listing_answer;                         /* listing.c: GET, HEAD of a namespace */
route_fn namespaces_answer, namespace_answer;    /* namespaces.c */
route_fn batch_begin, batch_complete;            /* batch.c, import.c: POST of a namespace */
route_fn health_answer, ready_answer;            /* health.c */
route_fn capabilities_answer;                    /* capabilities.c */
route_fn metrics_answer, stats_answer;           /* metrics_answer.c, stats_answer.c */
route_fn document_begin, document_answer;        /* document.c */

route_fn primitive_begin, primitive_body_begin;  /* primitive.c: without and with a body */
route_fn counter_add, counter_read, counter_set, counter_delete; /* counter.c */
route_fn limit_take;                             /* limit.c */
route_fn lock_acquire, lock_read, lock_renew, lock_release; /* lock.c */

/* Whether the process is told to stop; for /readyz. */
bool routes_draining(const struct routes *routes);
