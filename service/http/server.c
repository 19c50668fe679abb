#include "service/http/private.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/base/clock.h"
#include "service/base/log.h"

#define BACKLOG 4096
#define ACCEPTS_PER_TURN 64
#define ACCEPT_RETRY_MS 100
#define DRAIN_CHECK_MS 10

/* ---- Listening ---- */

static int listen_at(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    int on = 1;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int listen_on(const char *host, uint16_t port, char **error)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *addresses = NULL;
    char service[8];
    int fd = -1;

    snprintf(service, sizeof service, "%u", port);
    int failure = getaddrinfo(host, service, &hints, &addresses);
    /* A name like localhost has several; the first that is there will do. */
    for (struct addrinfo *at = addresses; at && fd < 0; at = at->ai_next)
        fd = listen_at(at);
    if (fd < 0 && asprintf(error, "cannot listen on %s port %u: %s", host, port,
                           failure != 0 ? gai_strerror(failure) : strerror(errno)) < 0)
        *error = NULL;
    if (addresses)
        freeaddrinfo(addresses);
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

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
static bool accept_one(struct http_listener *listener)
{
    struct http_server *server = listener->server;
    struct sockaddr_storage peer = { 0 };
    socklen_t length = sizeof peer;
    int fd = accept4(listener->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno == EAGAIN)
            return false;
        if (errno == EINTR || errno == ECONNABORTED)
            return true;
        /* Out of descriptors or memory: the backlog keeps the others waiting. */
        log_warn("accept failed", LOG_STRING("reason", strerror(errno)));
        loop_io_set(listener->io, 0);
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
    struct http_listener *listener = context;

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(listener); i++)
        ;
}

static void accept_again(void *context)
{
    struct http_listener *listener = context;

    loop_io_set(listener->io, LOOP_READABLE);
}

/* ---- Drain ---- */

static void stop_accepting(struct http_server *server)
{
    struct http_listener *listener = &server->main;

    if (!listener->io)
        return;
    /* Closing would reset clients that the kernel has already welcomed; of those
     * there are no more than the backlog holds. */
    for (int i = 0; i <= BACKLOG && accept_one(listener); i++)
        ;
    loop_timer_stop(listener->again);
    loop_io_remove(listener->io);
    listener->io = NULL;
    close(listener->fd);
    listener->fd = -1;
    for (unsigned i = 0; i < server->thread_count; i++)
        http_thread_close_idle(&server->threads[i]);
}

static void check_drain(void *context)
{
    struct http_server *server = context;
    uint64_t now_ns = clock_monotonic_ns();

    if (now_ns >= server->accept_until_ns)
        stop_accepting(server);
    if ((!server->main.io && atomic_load(&server->connections) == 0) || now_ns >= server->drain_until_ns)
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
    listener->fd = listen_on(host, port, error);
    if (listener->fd < 0)
        return false;
    listener->port = port_of(listener->fd);
    listener->again = loop_timer_create(listener->server->loop, accept_again, listener);
    return listener->again != NULL;
}

/* There may be none. */
static bool listener_start(struct http_listener *listener)
{
    if (listener->fd >= 0)
        listener->io = loop_io_add(listener->server->loop, listener->fd, LOOP_READABLE, on_acceptable, listener);
    return listener->fd < 0 || listener->io != NULL;
}

static void listener_release(struct http_listener *listener)
{
    loop_io_remove(listener->io);
    loop_timer_destroy(listener->again);
    if (listener->fd >= 0)
        close(listener->fd);
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
    server->main = (struct http_listener){ .server = server, .fd = -1 };
    server->admin = (struct http_listener){ .server = server, .fd = -1, .admin = true };
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
