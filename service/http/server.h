/* server.h - the HTTP server: listening socket, acceptor, service threads.
 *
 * The owner's thread (main) runs the acceptor's loop: it accepts connections
 * and gives each to the service thread with the fewest. Every service thread
 * has a loop and an MHD daemon of its own; a connection never changes thread,
 * so a request and its engine's reply stay on one thread without locks.
 *
 * Deadlines, limits and drain are this box's (connection.c, server.c). */
#pragma once

#include <stdint.h>

#include "service/base/access_log.h"
#include "service/http/exchange.h"
#include "service/http/tls.h"

struct http_options {
    const char *host;
    uint16_t port; /* 0: any free one, see http_server_port() */
    const char *admin_host; /* NULL: no admin port */
    uint16_t admin_port;    /* as port */
    unsigned threads;
    unsigned max_connections;
    unsigned max_in_flight; /* requests begun and not ended */
    uint64_t request_timeout_ms;
    uint64_t idle_timeout_ms;
    uint64_t drain_delay_ms;   /* how long a draining server still accepts */
    uint64_t drain_timeout_ms; /* how long it waits for what is in flight */
    size_t max_buffered_bytes; /* request bodies held at one time */
    struct http_tls *tls;          /* NULL: without; else the main port speaks it; borrowed for the start */
    struct access_log *access_log; /* with a lane a thread; NULL: none */
};

struct http_server;

/* Of libmicrohttpd, as it runs. */
const char *http_library_version(void);

/* Binds, listens and starts the threads, on the acceptor's `loop`. On failure
 * NULL, and `*error` is a text to free(). */
struct http_server *http_server_start(const struct http_options *options, const struct http_app *app,
                                      struct loop *loop, char **error) MUST_CHECK;

uint16_t http_server_port(const struct http_server *server);
/* 0 without one. */
uint16_t http_server_admin_port(const struct http_server *server);

/* For connections from now on; only for a server that was started with one. False
 * when out of memory: some threads keep the old one. */
bool http_server_set_tls(struct http_server *server, struct http_tls *tls) MUST_CHECK;

/* True once http_server_drain() was called; any thread. */
bool http_server_draining(const struct http_server *server);

/* On the acceptor's thread: answers carry `Connection: close` from now on,
 * accepting ends after the drain delay, idle connections are closed, what is
 * in flight finishes; then (or when the drain timeout has passed) the loop is
 * stopped. The admin port accepts until then. Calling it again skips the delay. */
void http_server_drain(struct http_server *server);

/* After the loop ended: joins the threads and frees everything. Returns how
 * many exchanges the drain timeout cut off. NULL is allowed. */
unsigned http_server_destroy(struct http_server *server);
