/* private.h - what the files of the http box share with each other.
 *
 *   server.c      acceptor, threads, drain
 *   listen.c      the sockets that are listened on
 *   thread.c      one service thread: loop, MHD daemon, sweep
 *   connection.c  one client's socket: timing, canned refusals, lingering close
 *   exchange.c    MHD's handler: the steps of one request
 *   fields.c      the grammar of fields
 *   audit.c       what a request must be before anything looks at it
 *   body.c        gathering a request body into a value
 *   intake.c      giving a request body to the app piece by piece
 *   reply.c       building the response
 *   flow.c        a response that is made while it is sent
 *   tally.c       what is counted
 *   trace_context.c  the field traceparent
 *
 * Everything but struct http_server and its atomics belongs to one thread. */
#pragma once

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "service/base/access_log.h"
#include "service/base/histogram.h"
#include "service/http/exchange.h"
#include "service/http/server.h"

/* ---- Server and threads ---- */

/* Addresses of one name that are listened on. */
#define HTTP_SOCKETS_MAX 16
/* Connections that the kernel has welcomed and nobody has accepted. */
#define HTTP_BACKLOG 4096

struct http_socket {
    struct http_listener *listener;
    int fd;
    struct loop_io *io;
};

/* A port that is listened on, at each address of its host. */
struct http_listener {
    struct http_server *server;
    bool admin;
    uint16_t port;
    unsigned count; /* 0: there is none */
    struct http_socket sockets[HTTP_SOCKETS_MAX];
    struct loop_timer *again; /* tries again after a failed accept */
};

struct http_server {
    struct http_options options;
    const struct http_app *app;
    struct loop *loop; /* the acceptor's */
    struct http_listener main, admin;
    struct loop_timer *drain_timer;
    uint64_t accept_until_ns; /* draining: end of the delay */
    uint64_t drain_until_ns;  /* draining: end of the patience */
    unsigned thread_count;
    struct http_thread *threads;
    atomic_bool draining;
    atomic_size_t buffered_bytes; /* request bodies in memory, all threads */
    atomic_size_t answer_bytes;   /* large answers in memory, all threads */
    atomic_uint connections;      /* all threads, those being handed over too */
    _Atomic uint64_t accepted;    /* written by the acceptor, read by any; so is this: */
    _Atomic uint64_t refused;     /* of those, for want of room for connections */
};

/* Connections to the admin port beyond max_connections. */
#define HTTP_ADMIN_RESERVE 16u

struct http_thread {
    struct http_server *server;
    unsigned index;
    pthread_t id;
    struct loop *loop;
    struct MHD_Daemon *daemon;
    void *app_thread;
    struct loop_io *daemon_io;
    struct loop_hook *first_hook; /* before the engine's: runs the daemon */
    struct loop_hook *last_hook;  /* after the engine's: answers that came late */
    struct loop_timer *sweep_timer;
    struct loop_timer *rest_timer;
    bool runnable;      /* MHD has something to do in this turn */
    uint64_t progress;  /* calls that MHD made of ours */
    unsigned idle_runs; /* runs of MHD in a row without such a call */
    unsigned waiting;   /* exchanges in HTTP_PHASE_WAITING */
    bool resting;       /* rest_timer is set */
    bool draining;   /* answers close their connections */
    bool closing;    /* idle connections are closed, too */
    bool abandoned;  /* app->thread_abandon was called: the app takes no more requests */
    bool notified;   /* MHD has told of the connection that is being handed over */
    bool taking_admin; /* which came by the admin port */
    struct http_tls *tls; /* for new connections; one reference; NULL: without TLS */
    struct MHD_Daemon *plain; /* for the admin port where `daemon` speaks TLS; else NULL */
    struct loop_io *plain_io;
    atomic_uint in_flight;   /* written by this thread, read by any */
    unsigned max_in_flight;
    atomic_uint connections; /* read by the acceptor */
    _Atomic uint64_t refused[HTTP_REFUSALS]; /* written by this thread, read by any */
    struct http_connection *receiving_head, *receiving_tail; /* oldest first */
    struct http_connection *idle_head, *idle_tail;           /* soonest check first */
    struct http_linger *lingering;
    struct http_exchange *spare; /* freed exchanges to use again */
    unsigned spare_count;
    uint64_t id_prefix; /* request ids: random, then counting */
    uint64_t id_next;
    struct access_lane *log; /* NULL: no access log */
    struct loop_message drain_message;
    struct loop_message close_message;
};

/* Binds and listens at each address of `host`, all with the same port; those that
 * this machine does not have are passed over where another is left. False:
 * `*error` is a text to free() or NULL, and no socket is open. */
bool http_listen(struct http_listener *listener, const char *host, uint16_t port, char **error) MUST_CHECK;
void http_listen_close(struct http_listener *listener);

/* Creates the loop, daemon and app side; does not start the thread. */
bool http_thread_init(struct http_thread *thread, struct http_server *server, unsigned index) MUST_CHECK;
/* pthread entry. */
void *http_thread_main(void *thread);
/* After the thread was joined (or never started). Returns how many exchanges
 * it cut off. */
unsigned http_thread_release(struct http_thread *thread);
/* Acceptor's thread: certificates for new connections. */
bool http_thread_set_tls(struct http_thread *thread, struct http_tls *tls) MUST_CHECK;
/* Acceptor's thread: drain, in two steps. */
void http_thread_drain(struct http_thread *thread);
void http_thread_close_idle(struct http_thread *thread);
/* Acceptor's thread: gives an accepted socket away. */
void http_thread_hand_over(struct http_thread *thread, int fd, bool admin, const struct sockaddr_storage *peer,
                           socklen_t length);

/* ---- Connections ---- */

enum http_connection_state {
    HTTP_CONNECTION_RECEIVING, /* new, or a request is arriving: total deadline runs */
    HTTP_CONNECTION_IDLE,      /* between requests */
    HTTP_CONNECTION_BUSY,      /* a request is worked on or answered */
};

struct http_connection {
    struct http_thread *thread;
    struct MHD_Connection *mhd;
    int fd; /* MHD's */
    enum http_connection_state state;
    bool from_loopback;
    bool admin;  /* came in by the admin port */
    struct http_tls *tls; /* what its session began with; one reference; NULL: without TLS */
    void *session;        /* MHD's */
    bool linger; /* close softly: the client may still be sending */
    struct http_connection *next, *prev; /* in the list of its state */
    uint64_t due_ns;        /* RECEIVING: total deadline; IDLE: next look */
    uint64_t bytes_seen;    /* IDLE: bytes received at the last look */
    struct http_exchange *exchange;
    struct sockaddr_storage peer; /* for the access log */
};

/* MHD's connection notification. */
void http_connection_notify(void *thread, struct MHD_Connection *mhd, void **connection,
                            enum MHD_ConnectionNotificationCode code);
/* One connection less, for the acceptor. */
void http_connection_uncount(struct http_thread *thread);
struct http_connection *http_connection_of(struct MHD_Connection *mhd);
void http_connection_set_state(struct http_connection *connection, enum http_connection_state state, uint64_t due_ns);
/* Closes what has been receiving for too long (408) and looks at idle ones. */
void http_connections_sweep(struct http_thread *thread, uint64_t now_ns);
/* Drain: answers what still sends a body in pieces. */
void http_connections_end_intakes(struct http_thread *thread);
/* Drain: ends connections that are between requests. */
void http_connections_close_idle(struct http_thread *thread);
/* Writes a whole problem answer (408, 413, 414, 431 or 503) to the socket, past MHD, which has
 * nothing of its own to send in the states this is for. The caller then makes
 * MHD close the connection. */
void http_connection_refuse(struct http_connection *connection, unsigned status, const char *detail);
void http_lingering_sweep(struct http_thread *thread, uint64_t now_ns);
/* 503 on a socket that MHD never saw; closes it. */
void http_socket_refuse(int fd, bool tls, const char *detail);

/* ---- Exchanges ---- */

enum http_phase {
    HTTP_PHASE_STARTED,   /* the request line is there */
    HTTP_PHASE_BODY,      /* header section audited; body arriving */
    HTTP_PHASE_STALLED,   /* the app takes no piece now; MHD has put the connection aside */
    HTTP_PHASE_COMPLETED, /* the app has the whole request */
    HTTP_PHASE_WAITING,   /* the app answers later, soon */
    HTTP_PHASE_SUSPENDED, /* the app answers later, and MHD has put the connection aside */
    HTTP_PHASE_ANSWERED,  /* response queued */
};

#define HTTP_REQUEST_ID_MAX 128
/* A body that no route asked for is read and dropped up to this size. */
#define HTTP_UNWANTED_BODY_MAX ((size_t)64 * 1024)

struct http_exchange {
    struct http_thread *thread;
    struct http_connection *connection;
    struct MHD_Connection *mhd;
    struct http_exchange *next_spare;
    enum http_phase phase;
    bool begun;      /* app->begin was called, app->end is owed */
    bool counted;    /* in thread->in_flight */
    bool want_body;  /* http_accept_body was called */
    bool close;      /* Connection: close after the answer */
    bool http_1_0;
    bool taking;      /* in intake->take */
    bool passed;      /* answered past MHD, in the middle of its body */
    bool flow_waits;  /* `fill` had nothing; MHD has put the connection aside */
    const struct http_intake *intake; /* NULL: the body is not taken in pieces */
    size_t intake_bytes;              /* since its deadline was set */
    http_fill_fn *fill;
    uint64_t waiting_since_ns;
    uint64_t completed_ns, answered_ns; /* as in struct http_record */
    const char *raw_uri; /* in MHD's buffer; cut at '?' after the first callback */
    size_t raw_uri_len;

    /* Body. */
    size_t body_max;
    size_t body_len;
    size_t body_capacity;
    size_t body_charged;
    uint64_t body_dropped;
    struct value *body;
    struct bytes body_type;

    /* Answer. */
    struct MHD_Response *response;
    unsigned status;
    size_t response_bytes;
    unsigned field_count;
    struct {
        const char *name;
        const char *value;
    } fields[HTTP_REPLY_FIELDS];

    const char *route;
    struct bytes ns;
    struct bytes caller;

    struct http_request request;
    size_t scratch_used;
    /* From here on not cleared for each request. */
    char request_id[HTTP_REQUEST_ID_MAX + 1];
    char scratch[HTTP_SCRATCH_BYTES];
    _Alignas(16) char state[];
};

/* MHD's callbacks. */
void *http_exchange_start(void *thread, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_exchange_step(void *thread, struct MHD_Connection *mhd, const char *url, const char *method,
                                   const char *version, const char *upload, size_t *upload_len, void **context);
void http_exchange_completed(void *thread, struct MHD_Connection *mhd, void **context,
                             enum MHD_RequestTerminationCode code);
/* The answer was sent, or never will be. */
void http_exchange_end(struct http_exchange *ex);
void http_exchange_free_spares(struct http_thread *thread);

/* ---- What is counted (tally.c) ---- */

void http_in_flight_add(struct http_thread *thread, int n);
/* A refusal with this status, which says why but for 503: that is memory's, unless the thread is at its end. */
void http_count_refusal(struct http_thread *thread, unsigned status);

/* ---- Audit ---- */

/* MHD's memory for one connection. It bounds the header section, and MHD
 * clears it after each request, so it costs time and, idle, memory. A key of
 * 1,024 bytes takes 3,072 in its escaped form; this leaves room for more than
 * as much again. */
#define HTTP_POOL_BYTES ((size_t)8 * 1024)

struct http_verdict {
    unsigned status; /* 0: passed */
    const char *detail;
};

/* Whether the header section leaves MHD enough of its memory to answer in;
 * where not, MHD would close without a word. */
bool http_leaves_room(struct http_exchange *ex) MUST_CHECK;

/* Fills ex->request from MHD's view of the request and says whether it may go
 * on. `version` is MHD's. */
struct http_verdict http_audit(struct http_exchange *ex, const char *method, const char *version) MUST_CHECK;

/* ---- Body ---- */

/* Counts bytes that are held for this exchange until it ends. False: more than
 * HTTP_MAX_BUFFERED_BYTES. */
bool http_body_charge(struct http_exchange *ex, size_t bytes) MUST_CHECK;

/* Takes a piece in. False: over the limit or out of memory; *verdict says what
 * to answer. */
bool http_body_add(struct http_exchange *ex, struct bytes piece, struct http_verdict *verdict) MUST_CHECK;
/* All pieces are in: trims the value to its length. False: out of memory. */
bool http_body_finish(struct http_exchange *ex) MUST_CHECK;
void http_body_release(struct http_exchange *ex);

/* ---- Intake ---- */

/* MHD's handler with a piece of the body. */
enum MHD_Result http_intake_step(struct http_exchange *ex, const char *upload, size_t *upload_len);
/* Whether an answer given now comes in the middle of a body taken in pieces. */
bool http_intake_is_open(const struct http_exchange *ex);
/* Sends an answer then. */
void http_intake_answer(struct http_exchange *ex, unsigned status, struct bytes body);

/* ---- Reply ---- */

/* Gives `response`, which it takes over, the fields that were added and, if the
 * exchange waits for it, has MHD ask for it. A NULL response closes it. */
void http_reply_prepared(struct http_exchange *ex, unsigned status, struct MHD_Response *response, size_t bytes);
/* Hands the prepared response to MHD. */
enum MHD_Result http_reply_queue(struct http_exchange *ex);
