#include "service/http/private.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/base/clock.h"
#include "service/base/log.h"

#define ACCEPTS_PER_TURN 64
#define ACCEPT_RETRY_MS 100
#define DRAIN_CHECK_MS 10

/* ---- Accepting ---- */

static struct http_thread *least_loaded(struct http_server *server)
{
    struct http_thread *best = &server->threads[0];

    for (unsigned i = 1; i < server->thread_count; i++)
        if (atomic_load_explicit(&server->threads[i].connections, memory_order_relaxed) <
            atomic_load_explicit(&best->connections, memory_order_relaxed))
            best = &server->threads[i];
    return best;
}

/* A server that is full is still watched. */
static bool is_full(const struct http_listener *listener)
{
    unsigned most = listener->server->options.max_connections + (listener->admin ? HTTP_ADMIN_RESERVE : 0);

    return atomic_load_explicit(&listener->server->connections, memory_order_relaxed) >= most;
}

/* False when there is nothing more to accept now. */
static bool accept_one(struct http_socket *from)
{
    struct http_listener *listener = from->listener;
    struct http_server *server = listener->server;
    struct sockaddr_storage peer = { 0 };
    socklen_t length = sizeof peer;
    int fd = accept4(from->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno == EAGAIN)
            return false;
        if (errno == EINTR || errno == ECONNABORTED)
            return true;
        /* Out of descriptors or memory: the backlog keeps the others waiting. */
        log_warn("accept failed", LOG_STRING("reason", strerror(errno)));
        loop_io_set(from->io, 0);
        loop_timer_at(listener->again, clock_monotonic_ns() + ACCEPT_RETRY_MS * NS_PER_MS);
        return false;
    }
    tally_add(&server->accepted, 1);
    if (is_full(listener)) {
        tally_add(&server->refused, 1);
        http_socket_refuse(fd, server->options.tls && !listener->admin, "too many connections");
    } else {
        http_thread_hand_over(least_loaded(server), fd, listener->admin, &peer, length);
    }
    return true;
}

static void on_acceptable(void *context, int events)
{
    struct http_socket *from = context;

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(from); i++)
        ;
}

static void accept_again(void *context)
{
    struct http_listener *listener = context;

    for (unsigned i = 0; i < listener->count; i++)
        loop_io_set(listener->sockets[i].io, LOOP_READABLE);
}

/* ---- Drain ---- */

static void stop_accepting(struct http_server *server)
{
    struct http_listener *listener = &server->main;

    if (listener->count == 0)
        return;
    /* Closing would reset clients that the kernel has already welcomed; of those
     * there are no more than the backlog holds. */
    for (unsigned i = 0; i < listener->count; i++)
        for (int n = 0; n <= HTTP_BACKLOG && accept_one(&listener->sockets[i]); n++)
            ;
    loop_timer_stop(listener->again);
    http_listen_close(listener);
    for (unsigned i = 0; i < server->thread_count; i++)
        http_thread_close_idle(&server->threads[i]);
}

static void check_drain(void *context)
{
    struct http_server *server = context;
    uint64_t now_ns = clock_monotonic_ns();

    if (now_ns >= server->accept_until_ns)
        stop_accepting(server);
    if ((server->main.count == 0 && atomic_load(&server->connections) == 0) || now_ns >= server->drain_until_ns)
        loop_stop(server->loop);
}

bool http_server_draining(const struct http_server *server)
{
    return atomic_load_explicit(&server->draining, memory_order_relaxed);
}

void http_server_drain(struct http_server *server)
{
    uint64_t now_ns = clock_monotonic_ns();

    if (atomic_exchange(&server->draining, true)) {
        if (now_ns < server->accept_until_ns) {
            server->drain_until_ns -= server->accept_until_ns - now_ns;
            server->accept_until_ns = now_ns;
        }
        return;
    }
    server->accept_until_ns = now_ns + server->options.drain_delay_ms * NS_PER_MS;
    server->drain_until_ns = server->accept_until_ns + server->options.drain_timeout_ms * NS_PER_MS;
    for (unsigned i = 0; i < server->thread_count; i++)
        http_thread_drain(&server->threads[i]);
    loop_timer_every(server->drain_timer, DRAIN_CHECK_MS);
}

/* ---- Start and end ---- */

/* Signals are the acceptor's: service threads start with all of them blocked. */
static unsigned start_threads(struct http_server *server)
{
    sigset_t all, before;
    unsigned started = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (started < server->thread_count &&
           pthread_create(&server->threads[started].id, NULL, http_thread_main, &server->threads[started]) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static unsigned stop_threads(struct http_server *server, unsigned started)
{
    unsigned cut_off = 0;

    for (unsigned i = 0; i < started; i++)
        loop_stop(server->threads[i].loop);
    for (unsigned i = 0; i < started; i++)
        pthread_join(server->threads[i].id, NULL);
    for (unsigned i = 0; i < server->thread_count; i++)
        cut_off += http_thread_release(&server->threads[i]);
    return cut_off;
}

static bool listener_prepare(struct http_listener *listener, const char *host, uint16_t port, char **error)
{
    if (!http_listen(listener, host, port, error))
        return false;
    listener->again = loop_timer_create(listener->server->loop, accept_again, listener);
    return listener->again != NULL;
}

/* There may be none. */
static bool listener_start(struct http_listener *listener)
{
    for (unsigned i = 0; i < listener->count; i++) {
        struct http_socket *from = &listener->sockets[i];

        from->io = loop_io_add(listener->server->loop, from->fd, LOOP_READABLE, on_acceptable, from);
        if (!from->io)
            return false;
    }
    return true;
}

static void listener_release(struct http_listener *listener)
{
    http_listen_close(listener);
    loop_timer_destroy(listener->again);
}

static void server_free(struct http_server *server)
{
    listener_release(&server->main);
    listener_release(&server->admin);
    loop_timer_destroy(server->drain_timer);
    free(server->threads);
    free(server);
}

static bool prepare(struct http_server *server)
{
    server->drain_timer = loop_timer_create(server->loop, check_drain, server);
    server->threads = calloc(server->options.threads, sizeof *server->threads);
    if (!server->drain_timer || !server->threads)
        return false;
    while (server->thread_count < server->options.threads) {
        struct http_thread *thread = &server->threads[server->thread_count++];
        if (!http_thread_init(thread, server, server->thread_count - 1))
            return false;
    }
    return true;
}

struct http_server *http_server_start(const struct http_options *options, const struct http_app *app,
                                      struct loop *loop, char **error)
{
    struct http_server *server = calloc(1, sizeof *server);
    unsigned started = 0;

    *error = NULL;
    if (!server)
        goto fail;
    server->main = (struct http_listener){ .server = server };
    server->admin = (struct http_listener){ .server = server, .admin = true };
    if (sodium_init() < 0)
        goto fail;
    server->options = *options;
    server->app = app;
    server->loop = loop;
    if (!listener_prepare(&server->main, options->host, options->port, error) ||
        (options->admin_host &&
         !listener_prepare(&server->admin, options->admin_host, options->admin_port, error)) ||
        !prepare(server))
        goto fail;
    started = start_threads(server);
    if (started < server->thread_count)
        goto fail;
    if (!listener_start(&server->main) || !listener_start(&server->admin))
        goto fail;
    return server;

fail:
    if (!*error)
        *error = strdup("out of memory, threads or descriptors");
    if (server) {
        stop_threads(server, started);
        server_free(server);
    }
    return NULL;
}

const char *http_library_version(void)
{
    return MHD_get_version();
}

bool http_server_set_tls(struct http_server *server, struct http_tls *tls)
{
    bool all = true;

    for (unsigned i = 0; i < server->thread_count; i++)
        all &= http_thread_set_tls(&server->threads[i], tls);
    return all;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->main.port;
}

uint16_t http_server_admin_port(const struct http_server *server)
{
    return server->admin.port;
}

unsigned http_server_destroy(struct http_server *server)
{
    unsigned cut_off;

    if (!server)
        return 0;
    cut_off = stop_threads(server, server->thread_count);
    server_free(server);
    return cut_off;
}
