/* loops.h - a bare libmicrohttpd server in many variants, to measure by.
 *
 * Answers the questions the service's design turns on: which event loop drives
 * an external-epoll daemon at what cost, and what each option of the daemon
 * and of a response adds to a request. Nothing here is part of the service.
 *
 * Threading: each worker thread has a daemon and a loop of its own. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum body_kind {
    BODY_BUFFER, /* a buffer with a free callback, as a counted value is sent */
    BODY_COPY,   /* head, value and tail copied into one buffer */
    BODY_IOVEC,  /* head, value and tail joined */
};

enum connection_source {
    SOURCE_LISTEN, /* each daemon listens (SO_REUSEPORT) and accepts */
    SOURCE_ADD,    /* each thread accepts, then MHD_add_connection() */
};

struct variant {
    uint16_t port;
    unsigned threads;
    size_t pool_bytes;      /* MHD_OPTION_CONNECTION_MEMORY_LIMIT */
    size_t increment_bytes; /* MHD_OPTION_CONNECTION_MEMORY_INCREMENT; 0: default */
    size_t body_bytes;
    unsigned fields; /* response fields besides those of the library */
    enum body_kind body;
    enum connection_source source;
    bool no_date;     /* the library sends no Date */
    bool own_date;    /* ... and the handler adds one it keeps */
    bool suspendable; /* MHD_ALLOW_SUSPEND_RESUME */
    bool suspend;     /* each request is suspended, resumed after the daemon's run */
    bool turbo;       /* MHD_USE_TURBO */
    bool prepared;    /* one response for all requests */
    bool audit;       /* walk all request fields, keep the raw URI */
    bool early;       /* answer in the first call of the handler */
};

/* A turn of the library serves at most as many events as it asks epoll for: 128. */
#define SUSPENDED_MAX 1024

struct worker;
typedef int drive_fn(struct worker *worker);

struct worker {
    const struct variant *variant;
    struct MHD_Daemon *daemon;
    struct MHD_Response *prepared;
    int epoll_fd;  /* the daemon's */
    int listen_fd; /* with SOURCE_ADD; else -1 */
    drive_fn *drive;
    char date[40];
    uint64_t date_second;
    uint64_t requests;
    uint64_t turns;
    unsigned suspended_count;
    struct MHD_Connection *suspended[SUSPENDED_MAX]; /* in this turn */
};

/* Opens the daemon of one worker; false with a message on stderr. */
bool worker_open(struct worker *worker);

/* One turn: what is readable is served; returns the milliseconds until the
 * daemon wants to run again, or -1 for no time limit. */
int worker_run(struct worker *worker);

/* Accepts what waits on worker->listen_fd into the daemon. */
void worker_accept(struct worker *worker);

/* The loops; each returns 0 or an exit status. */
int drive_epoll(struct worker *worker);
int drive_libev(struct worker *worker);
int drive_libuv(struct worker *worker);
/* No outer loop: MHD_run_wait() alone, the floor that nesting is compared to. */
int drive_none(struct worker *worker);
