#include "service/http/private.h"

#include <errno.h>
#include <linux/tcp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/base/buffer.h"
#include "service/base/clock.h"

/* A lingering close reads and drops what a client still sends, for so long and
 * so much; closing at once would reset the connection, and the client could
 * lose the answer that is on its way to it. */
#define LINGER_NS (2 * NS_PER_SECOND)
#define LINGER_BYTES ((size_t)64 * 1024 * 1024)

/* Who watches a drain by the admin port connects anew for each look, and has so
 * long to ask. */
#define WATCHER_NS NS_PER_SECOND

/* linux/tcp.h has no names for the states (RFC 9293 section 3.3.2). */
#define TCP_STATE_ESTABLISHED 1

struct http_linger {
    struct http_linger *next;
    struct loop_io *io;
    int fd;
    uint64_t until_ns;
    size_t left;
};

/* ---- The lists: soonest due first; every list's interval is constant ---- */

static void list_of(struct http_connection *connection, struct http_connection ***head,
                    struct http_connection ***tail)
{
    struct http_thread *thread = connection->thread;
    bool receiving = connection->state == HTTP_CONNECTION_RECEIVING;

    *head = receiving ? &thread->receiving_head : &thread->idle_head;
    *tail = receiving ? &thread->receiving_tail : &thread->idle_tail;
}

static void unlist(struct http_connection *connection)
{
    struct http_connection **head, **tail;

    if (connection->state == HTTP_CONNECTION_BUSY)
        return;
    list_of(connection, &head, &tail);
    *(connection->prev ? &connection->prev->next : head) = connection->next;
    *(connection->next ? &connection->next->prev : tail) = connection->prev;
}

static void enlist(struct http_connection *connection)
{
    struct http_connection **head, **tail;

    if (connection->state == HTTP_CONNECTION_BUSY)
        return;
    list_of(connection, &head, &tail);
    connection->next = NULL;
    connection->prev = *tail;
    *(*tail ? &(*tail)->next : head) = connection;
    *tail = connection;
}

void http_connection_set_state(struct http_connection *connection, enum http_connection_state state, uint64_t due_ns)
{
    unlist(connection);
    connection->state = state;
    connection->due_ns = due_ns;
    enlist(connection);
}

/* ---- Birth and death ---- */

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        const struct in6_addr *in = &((const struct sockaddr_in6 *)address)->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(in) || (IN6_IS_ADDR_V4MAPPED(in) && in->s6_addr[12] == 127);
    }
    return address->sa_family == AF_UNIX;
}

/* Before its handshake. */
static void equip(struct http_connection *connection)
{
    const union MHD_ConnectionInfo *info;

    if (!connection->thread->tls)
        return;
    info = MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (!info || !info->tls_session)
        return;
    connection->session = info->tls_session;
    connection->tls = http_tls_ref(connection->thread->tls);
    http_tls_equip(connection->tls, connection->session);
}

static struct http_connection *connection_create(struct http_thread *thread, struct MHD_Connection *mhd)
{
    struct http_connection *connection = calloc(1, sizeof *connection);
    const union MHD_ConnectionInfo *peer;

    if (!connection)
        return NULL;
    connection->thread = thread;
    connection->mhd = mhd;
    connection->admin = thread->taking_admin;
    equip(connection);
    /* Each answer may overwrite the one before it. */
    connection->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    peer = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (peer && peer->client_addr) {
        size_t length = peer->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                 : sizeof(struct sockaddr_in);
        memcpy(&connection->peer, peer->client_addr, length);
        connection->from_loopback = is_loopback(peer->client_addr);
    }
    connection->state = HTTP_CONNECTION_RECEIVING;
    connection->due_ns = loop_now(thread->loop) + thread->server->options.request_timeout_ms * NS_PER_MS;
    enlist(connection);
    return connection;
}

static void linger_end(struct http_linger *linger)
{
    loop_io_remove(linger->io);
    close(linger->fd);
    free(linger);
}

static void linger_read(void *context, int events)
{
    struct http_linger *linger = context;
    char sink[16 * 1024];
    ssize_t n;

    (void)events;
    /* Once a turn: a client that sends fast must not hold the others up. */
    n = recv(linger->fd, sink, sizeof sink, MSG_DONTWAIT);
    if (n > 0 && (size_t)n < linger->left) {
        linger->left -= (size_t)n;
    } else if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
        linger->until_ns = 0; /* the sweep frees it */
        loop_io_set(linger->io, 0);
    }
}

/* Keeps the socket of a connection that MHD is about to close. */
static void linger_start(struct http_thread *thread, int mhd_fd)
{
    struct http_linger *linger = calloc(1, sizeof *linger);

    if (!linger)
        return;
    linger->left = LINGER_BYTES;
    linger->until_ns = loop_now(thread->loop) + LINGER_NS;
    linger->fd = dup(mhd_fd);
    if (linger->fd < 0)
        goto fail;
    linger->io = loop_io_add(thread->loop, linger->fd, LOOP_READABLE, linger_read, linger);
    if (!linger->io)
        goto fail_fd;
    shutdown(linger->fd, SHUT_WR);
    linger->next = thread->lingering;
    thread->lingering = linger;
    return;

fail_fd:
    close(linger->fd);
fail:
    free(linger);
}

void http_lingering_sweep(struct http_thread *thread, uint64_t now_ns)
{
    for (struct http_linger **at = &thread->lingering; *at;) {
        struct http_linger *linger = *at;
        if (linger->until_ns > now_ns) {
            at = &linger->next;
            continue;
        }
        *at = linger->next;
        linger_end(linger);
    }
}

static void connection_closed(struct http_connection *connection)
{
    struct http_thread *thread = connection->thread;

    /* MHD 0.9 tells nothing of the end of a request whose query it could not
     * keep. */
    if (connection->exchange)
        http_exchange_end(connection->exchange);
    if (connection->linger)
        linger_start(thread, connection->fd);
    unlist(connection);
    http_tls_unref(connection->tls);
    free(connection);
}

void http_connection_uncount(struct http_thread *thread)
{
    atomic_fetch_sub_explicit(&thread->connections, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&thread->server->connections, 1, memory_order_relaxed);
}

void http_connection_notify(void *context, struct MHD_Connection *mhd, void **connection,
                            enum MHD_ConnectionNotificationCode code)
{
    struct http_thread *thread = context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        thread->notified = true;
        *connection = connection_create(thread, mhd);
        return;
    }
    if (*connection) /* NULL: there was no memory for it */
        connection_closed(*connection);
    http_connection_uncount(thread);
}

struct http_connection *http_connection_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* ---- Answers that bypass MHD ---- */

static const struct canned {
    unsigned status;
    const char *slug, *title;
} canned_rows[] = {
    { 503, "overloaded", "Overloaded" },
    { 408, "request-timeout", "Request Timeout" },
    { 413, "content-too-large", "Content Too Large" },
    { 414, "uri-too-long", "URI Too Long" },
    { 431, "header-fields-too-large", "Request Header Fields Too Large" },
};

static const struct canned *canned_for(unsigned status)
{
    for (size_t i = 0; i < sizeof canned_rows / sizeof canned_rows[0]; i++)
        if (canned_rows[i].status == status)
            return &canned_rows[i];
    return &canned_rows[0];
}

/* `id` may be empty: one is made up. Without a `session` it goes out as it is. */
static void send_canned(int fd, void *session, unsigned status, const char *id, const char *detail)
{
    const struct canned *row = canned_for(status);
    char body[512], answer[1024], made_up[FORMAT_HEX64_LEN + 1] = "";

    if (!id[0]) {
        uint64_t number;
        randombytes_buf(&number, sizeof number);
        format_hex64(made_up, number);
        id = made_up;
    }
    int body_len = snprintf(body, sizeof body,
                            "{\"type\":\"/problems/%s\",\"title\":\"%s\",\"status\":%u,\"detail\":\"%s\","
                            "\"request_id\":\"%s\"}\n",
                            row->slug, row->title, row->status, detail, id);
    int len = snprintf(answer, sizeof answer,
                       "HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n"
                       "X-Request-Id: %s\r\n%sConnection: close\r\n\r\n%s",
                       row->status, row->title, body_len, id, row->status == 503 ? "Retry-After: 1\r\n" : "", body);
    if (session)
        http_tls_send(session, answer, (size_t)len);
    else
        (void)!send(fd, answer, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void http_connection_refuse(struct http_connection *connection, unsigned status, const char *detail)
{
    struct http_exchange *ex = connection->exchange;

    if (ex)
        ex->status = status;
    http_count_refusal(connection->thread, status);
    connection->linger = true;
    send_canned(connection->fd, connection->session, status, ex ? ex->request_id : "", detail);
    /* Nothing that MHD may want to add can follow. */
    shutdown(connection->fd, SHUT_WR);
}

void http_socket_refuse(int fd, bool tls, const char *detail)
{
    /* Before a handshake there is no way to say it. */
    if (!tls)
        send_canned(fd, NULL, 503, "", detail);
    shutdown(fd, SHUT_WR);
    close(fd);
}

/* ---- The sweep ---- */

/* Bytes received on this connection since it was opened; 0 when unknown. */
static uint64_t bytes_received(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t length = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 ||
        length < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
        return 0;
    return info.tcpi_bytes_received;
}

static void time_out(struct http_connection *connection)
{
    bool silent = !connection->exchange && bytes_received(connection->fd) == 0;

    http_connection_set_state(connection, HTTP_CONNECTION_BUSY, 0);
    if (connection->exchange && http_intake_is_open(connection->exchange)) {
        http_count_refusal(connection->thread, 408);
        connection->exchange->intake->refuse(connection->exchange, 408, "the body did not go on within HTTP_REQUEST_TIMEOUT_MS");
        return;
    }
    if (!silent)
        http_connection_refuse(connection, 408, "the request was not complete within HTTP_REQUEST_TIMEOUT_MS");
    /* MHD finds the end of input and closes. */
    shutdown(connection->fd, SHUT_RDWR);
}

bool http_peer_gone(struct http_exchange *ex)
{
    struct tcp_info info = { 0 };
    socklen_t length = sizeof info;

    /* The state of TCP, as data that came before the end hides it from recv(). */
    return getsockopt(ex->connection->fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
           info.tcpi_state != TCP_STATE_ESTABLISHED;
}

/* MHD does not see an end of input that came together with data. */
static void close_if_left(struct http_connection *connection)
{
    char byte;

    if (recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        shutdown(connection->fd, SHUT_RDWR);
}

/* A request that has come and was not read yet is still answered. */
static void close_if_quiet(struct http_connection *connection)
{
    char byte;

    if (recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
        shutdown(connection->fd, SHUT_RDWR);
}

/* MHD reports a request once its first line is there. An idle connection that
 * has received bytes between two looks, and no first line, is being fed one
 * byte at a time: its total deadline starts. */
static void look_at_idle(struct http_connection *connection, uint64_t now_ns)
{
    uint64_t interval = connection->thread->server->options.request_timeout_ms * NS_PER_MS;
    uint64_t bytes = bytes_received(connection->fd);
    bool first_look = connection->bytes_seen == 0;
    bool fed = !first_look && bytes != connection->bytes_seen;

    close_if_left(connection);
    connection->bytes_seen = bytes;
    http_connection_set_state(connection, fed ? HTTP_CONNECTION_RECEIVING : HTTP_CONNECTION_IDLE, now_ns + interval);
}

void http_connections_sweep(struct http_thread *thread, uint64_t now_ns)
{
    while (thread->receiving_head && thread->receiving_head->due_ns <= now_ns)
        time_out(thread->receiving_head);
    while (thread->idle_head && thread->idle_head->due_ns <= now_ns)
        look_at_idle(thread->idle_head, now_ns);
    if (thread->closing)
        http_connections_close_idle(thread);
}

void http_connections_end_intakes(struct http_thread *thread)
{
    struct http_connection *next;

    for (struct http_connection *at = thread->receiving_head; at; at = next) {
        next = at->next;
        if (at->exchange && http_intake_is_open(at->exchange))
            at->exchange->intake->refuse(at->exchange, 503, "shutting down");
    }
}

/* Of a connection that waits for its first request. */
static bool is_new_watcher(const struct http_connection *connection)
{
    struct http_thread *thread = connection->thread;
    uint64_t began_ns = connection->due_ns - thread->server->options.request_timeout_ms * NS_PER_MS;

    return connection->admin && loop_now(thread->loop) - began_ns < WATCHER_NS;
}

void http_connections_close_idle(struct http_thread *thread)
{
    struct http_connection *next;

    for (struct http_connection *at = thread->idle_head; at; at = next) {
        next = at->next;
        close_if_quiet(at);
    }
    for (struct http_connection *at = thread->receiving_head; at; at = next) {
        next = at->next;
        /* What a handshake received is no request. */
        if (!at->exchange && (at->session || bytes_received(at->fd) == 0) && !is_new_watcher(at))
            close_if_quiet(at);
        else
            close_if_left(at);
    }
}
