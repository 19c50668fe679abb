/* exchange.h - one request and its response, as routes see them.
 *
 * The http box hides libmicrohttpd: it receives and audits requests, bounds
 * them in time and size, gathers bodies, and sends what a route prepared. A
 * route never sees a socket, and this box knows no route.
 *
 * Life of an exchange, all on the thread that owns the connection:
 *   app->begin     the header section is complete and has passed the audit;
 *                  the app may answer at once, or accept the body;
 *   app->complete  the body is there (not called once an answer is prepared);
 *                  the app answers, or returns without: the exchange then waits
 *                  for a later http_send_*() on the same thread;
 *   app->end       the answer was sent or the client has gone, possibly while
 *                  the exchange waits: whatever was to answer it must be
 *                  called off.
 *
 * Ownership: everything read from an exchange is borrowed until app->end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/base/bytes.h"
#include "service/base/loop.h"
#include "service/base/value.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_PUT,
    HTTP_POST,
    HTTP_DELETE,
    HTTP_PATCH,
    HTTP_OPTIONS,
    HTTP_METHOD_OTHER, /* a token this service has no use for */
    HTTP_METHODS
};

/* As on the wire; "other" for HTTP_METHOD_OTHER. Static. */
const char *http_method_name(enum http_method method);

/* The request fields that this service reads. Repeated lines of the list
 * fields are joined with ", "; a repeated single field fails the audit. */
enum http_field {
    HTTP_FIELD_HOST,
    HTTP_FIELD_CONTENT_LENGTH,
    HTTP_FIELD_TRANSFER_ENCODING,
    HTTP_FIELD_CONTENT_TYPE,
    HTTP_FIELD_CONTENT_ENCODING,  /* list */
    HTTP_FIELD_CONTENT_RANGE,
    HTTP_FIELD_EXPECT,            /* list */
    HTTP_FIELD_ACCEPT,            /* list */
    HTTP_FIELD_ACCEPT_ENCODING,   /* list */
    HTTP_FIELD_IF_MATCH,          /* list */
    HTTP_FIELD_IF_NONE_MATCH,     /* list */
    HTTP_FIELD_IF_RANGE,
    HTTP_FIELD_RANGE,             /* list */
    HTTP_FIELD_CACHE_TTL,
    HTTP_FIELD_X_TTL,
    HTTP_FIELD_REQUEST_ID,        /* X-Request-Id */
    HTTP_FIELD_TRACEPARENT,       /* list: two are none (W3C Trace Context section 3.2.4), not a bad request */
    HTTP_FIELD_AUTHORIZATION,
    HTTP_FIELD_SEC_FETCH_SITE,
    HTTP_FIELD_ORIGIN,
    HTTP_FIELD_CACHE_GROUPS,      /* list */
    HTTP_FIELD_FENCE_TOKEN,
    HTTP_FIELD_LEASE_TOKEN,
    HTTP_FIELD_LOCK_TOKEN,
    HTTP_FIELDS
};

struct http_exchange;

struct http_request {
    enum http_method method;
    struct bytes method_name;
    struct bytes path;  /* still percent-encoded, starts with '/' */
    struct bytes query; /* still encoded, without '?'; NULL pointer: none */
    struct bytes fields[HTTP_FIELDS]; /* trimmed; NULL pointer: absent */
    struct bytes id;    /* the X-Request-Id of this exchange */
    bool has_body;      /* Content-Length above 0, or chunked */
    bool has_length;    /* Content-Length was given */
    uint64_t content_length;
    bool from_loopback; /* the peer is 127.0.0.0/8, ::1 or a unix socket */
    bool admin;         /* came in by the admin port */
    uint64_t started_ns;  /* monotonic; when the request line arrived */
    uint64_t deadline_ns; /* monotonic; HTTP_REQUEST_TIMEOUT_MS later */
};

const struct http_request *http_request(const struct http_exchange *ex);

/* Room of the size that struct http_app asks for, not cleared. */
void *http_state(struct http_exchange *ex);

/* What app->thread_start returned for this exchange's thread. */
void *http_thread(struct http_exchange *ex);

/* Whether the client has closed its side or the connection was reset, for what
 * waits long before it answers: a suspended connection does not tell. A client
 * that only shut its sending side down counts as gone, too. */
bool http_peer_gone(struct http_exchange *ex);

/* In begin: takes one of the places for requests in flight, until the exchange
 * ends. False: all are taken. What must be answered in any case does without. */
bool http_admit(struct http_exchange *ex) MUST_CHECK;

/* In begin: take the body, `max` bytes at the most, into a value of this
 * content type. A longer one is answered with 413, before it is read where
 * its length is known. Without this call a body of up
 * to 64 KiB is read and dropped. */
void http_accept_body(struct http_exchange *ex, size_t max, struct bytes content_type);

/* ---- A body in pieces ----
 *
 * For bodies of any length in bounded memory. While its pieces come, the
 * request has HTTP_REQUEST_TIMEOUT_MS for each HTTP_INTAKE_STEP_BYTES and no
 * deadline in total; while the app holds it up, none. */
#define HTTP_INTAKE_STEP_BYTES ((size_t)1024)
/* No piece is longer. */
#define HTTP_PIECE_MAX ((size_t)8 * 1024)

struct http_intake {
    /* Takes the whole piece, which is borrowed during the call. False: nothing
     * of it, not now; the client is held up, and the piece comes again after
     * http_intake_resume(). */
    bool (*take)(struct http_exchange *ex, struct bytes piece);
    /* As http_app.refuse, in the middle of the body: 408, no progress; 503,
     * shutting down. */
    void (*refuse)(struct http_exchange *ex, unsigned status, const char *detail);
};

/* In begin, instead of http_accept_body(). app->complete is called after the
 * last piece. Before that the app may give its answer by http_send_copy() and
 * by nothing else: it goes out at once, what the client still sends is dropped,
 * and the connection closed. */
void http_accept_pieces(struct http_exchange *ex, const struct http_intake *intake);

/* After `take` said false, and not from inside it. At other times it does
 * nothing. */
void http_intake_resume(struct http_exchange *ex);

/* Counts memory of the app's for this exchange among the request bodies, until
 * the exchange ends. False: more than HTTP_MAX_BUFFERED_BYTES. */
bool http_hold_bytes(struct http_exchange *ex, size_t bytes) MUST_CHECK;
/* Before that: `bytes` of them are free again. */
void http_release_bytes(struct http_exchange *ex, size_t bytes);

/* In complete: the accepted body, never NULL after http_accept_body (an empty
 * body is an empty value). Borrowed. */
struct value *http_body(struct http_exchange *ex);

/* ---- The answer ---- */

/* Adds a response field. `name` is a literal; `value` must stay until the
 * http_send_*() call (exchange scratch, literals). At most HTTP_REPLY_FIELDS. */
#define HTTP_REPLY_FIELDS 20
void http_reply_field(struct http_exchange *ex, const char *name, const char *value);

/* Whether a field of this name (a literal) was added. */
bool http_reply_has(const struct http_exchange *ex, const char *name);

/* Scratch memory that lives as long as the exchange; small strings of the
 * answer are built in it. NULL when its HTTP_SCRATCH_BYTES are used up. */
#define HTTP_SCRATCH_BYTES 2048
char *http_scratch(struct http_exchange *ex, size_t len) MUST_CHECK;

/* One of these, exactly once, ends the app's part. They cannot fail: when
 * memory is short the connection is closed. X-Request-Id is added by them, and
 * HEAD sends the fields alone. */
void http_send_empty(struct http_exchange *ex, unsigned status);
/* `body` is copied. */
void http_send_copy(struct http_exchange *ex, unsigned status, struct bytes body);
/* `body` was made by malloc(); takes it over. Large answers are bounded together by HTTP_MAX_BUFFERED_BYTES; beyond,
 * this and the two below are answered 503. */
void http_send_owned(struct http_exchange *ex, unsigned status, char *body, size_t len);
/* For HEAD and 304: the fields of an answer whose body is `len` bytes long. */
void http_send_length(struct http_exchange *ex, unsigned status, size_t len);
/* `body` is static. */
void http_send_static(struct http_exchange *ex, unsigned status, struct bytes body);
/* Bytes [offset, offset + len) of `value`, not copied; takes over one reference. */
void http_send_value(struct http_exchange *ex, unsigned status, struct value *value, size_t offset, size_t len);
/* `head`, the whole of `value`, `tail`: head and tail are copied, the value is
 * not; takes over one reference. */
void http_send_enveloped(struct http_exchange *ex, unsigned status, struct bytes head, struct value *value,
                         struct bytes tail);

/* An answer of unknown length (chunked; to HTTP/1.0, ended by the close), made
 * while the client takes it. `fill` is called whenever there is room: it writes
 * at most `max` bytes, at least 1 of them, and returns how many; or 0: nothing
 * now, http_flow_resume() will say when to ask again; or HTTP_FLOW_END; or
 * HTTP_FLOW_BROKEN: the connection is cut so that the client cannot take what
 * it has for the whole. Not called again after those two. */
#define HTTP_FLOW_END ((ssize_t)-1)
#define HTTP_FLOW_BROKEN ((ssize_t)-2)
typedef ssize_t http_fill_fn(struct http_exchange *ex, char *out, size_t max);
void http_send_flow(struct http_exchange *ex, unsigned status, http_fill_fn *fill);

/* Not from inside `fill`. While `fill` is not waiting it does nothing. */
void http_flow_resume(struct http_exchange *ex);

/* For the access log: the route's name (a literal) and namespace (borrowed
 * until app->end). */
void http_note_route(struct http_exchange *ex, const char *route, struct bytes ns);
/* And by what label its owner is known (borrowed until app->end); no secret. */
void http_note_caller(struct http_exchange *ex, struct bytes label);

/* ---- What is counted ---- */

/* Why a connection or a request was turned away before its handler saw it. */
enum http_refusal {
    HTTP_REFUSED_CONNECTIONS, /* over the bound of connections */
    HTTP_REFUSED_IN_FLIGHT,   /* over the bound of requests in flight */
    HTTP_REFUSED_MEMORY,      /* over the bound of bodies and answers in memory, or out of it */
    HTTP_REFUSED_TIMEOUT,     /* 408 */
    HTTP_REFUSED_MALFORMED,   /* the request's form or size */
    HTTP_REFUSED_PROTECTED,   /* a client from another machine, without access control */
    HTTP_REFUSED_DRAINING,
    HTTP_REFUSALS
};

/* For labels: "in-flight". */
const char *http_refusal_name(enum http_refusal refusal);

/* The server's state, all threads together. */
struct http_stats {
    unsigned threads;
    uint64_t accepted; /* connections, since the start; those refused at once included */
    uint64_t refused[HTTP_REFUSALS]; /* since the start */
    unsigned connections, connections_max;
    unsigned in_flight, in_flight_max;
    size_t buffered_bytes, buffered_bytes_max;
    uint64_t log_left_out; /* access records suppressed or dropped, since the start */
    bool draining;
};

void http_stats(struct http_exchange *ex, struct http_stats *stats);

/* How an exchange went. Times are monotonic; a turn's time is that of the
 * loop's turn in which it happened. */
struct http_record {
    unsigned status;        /* 0: the client left before there was an answer */
    bool begun;             /* app->begin was called */
    uint64_t started_ns;    /* a turn's: the request line */
    uint64_t completed_ns;  /* a turn's: the whole request; 0: never */
    uint64_t answered_ns;   /* a turn's: the answer was ready; 0: never */
    uint64_t ended_turn_ns; /* a turn's: the answer was sent, or will never be */
    uint64_t ended_ns;      /* that moment itself */
    uint64_t received_bytes, sent_bytes; /* of the bodies */
};

/* ---- What the app gives ---- */

struct http_app {
    size_t state_bytes;
    /* Each thread, before it serves; NULL fails the start. */
    void *(*thread_start)(void *context, struct loop *loop);
    /* The drain timeout has passed: every suspended exchange of this thread is
     * to be answered now. On the thread of the server's owner, like the next. */
    void (*thread_abandon)(void *thread);
    /* After the thread's last exchange ended. */
    void (*thread_stop)(void *thread);
    void (*begin)(struct http_exchange *ex);
    void (*complete)(struct http_exchange *ex);
    void (*end)(struct http_exchange *ex);
    /* Prepares the answer to a request this box turned down (http_send_*).
     * `status` is 400, 403, 413, 417, 431 or 503; `detail` a static text
     * that names what was wrong. begin may not have been called. */
    void (*refuse)(struct http_exchange *ex, unsigned status, const char *detail);
    /* Each exchange, just before app->end would be called. NULL: not interested. */
    void (*record)(struct http_exchange *ex, const struct http_record *record);
    void *context;
};
