/* worker.c - the daemon and the handler of every variant. See loops.h. */
#include "loops.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 20000
#define BODY_MAX (8u << 20)

static char body_text[BODY_MAX];

/* What a read of the service sends; the first `fields` of them are added. */
static const char *const field_names[] = {
    "ETag",         "Cache-TTL",    "Cache-Control",          "Cache-Status",
    "Content-Type", "X-Request-Id", "X-Content-Type-Options", "Content-Security-Policy",
    "Vary",         "Accept-Ranges"
};
static const char *const field_values[] = {
    "\"1f3a9c0de5b7\"", "3599.873", "no-cache", "cubby; hit", "application/octet-stream",
    "0123456789abcdef", "nosniff",  "sandbox",  "Accept",     "bytes"
};

/* ---- Responses ---- */

static void release_nothing(void *owner)
{
    (void)owner;
}

static struct MHD_Response *response_copy(size_t len)
{
    char *joined = malloc(len);
    if (!joined)
        return NULL;
    memcpy(joined, body_text, len);
    struct MHD_Response *response = MHD_create_response_from_buffer(len, joined, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(joined);
    return response;
}

static struct MHD_Response *response_body(const struct variant *variant)
{
    size_t len = variant->body_bytes;
    if (variant->body == BODY_BUFFER)
        return MHD_create_response_from_buffer_with_free_callback_cls(len, body_text, release_nothing, NULL);
    if (variant->body == BODY_COPY)
        return response_copy(len);
    size_t third = len / 3;
    struct MHD_IoVec parts[3] = {
        { body_text, third },
        { body_text + third, third },
        { body_text + 2 * third, len - 2 * third },
    };
    return MHD_create_response_from_iovec(parts, 3, release_nothing, NULL);
}

static const char *worker_date(struct worker *worker)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if ((uint64_t)now.tv_sec != worker->date_second) {
        struct tm parts;
        worker->date_second = (uint64_t)now.tv_sec;
        gmtime_r(&now.tv_sec, &parts);
        strftime(worker->date, sizeof(worker->date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    }
    return worker->date;
}

static struct MHD_Response *response_create(struct worker *worker)
{
    struct MHD_Response *response = response_body(worker->variant);
    if (!response)
        return NULL;
    for (unsigned i = 0; i < worker->variant->fields; i++)
        MHD_add_response_header(response, field_names[i], field_values[i]);
    if (worker->variant->own_date)
        MHD_add_response_header(response, MHD_HTTP_HEADER_DATE, worker_date(worker));
    return response;
}

/* ---- The handler ---- */

static enum MHD_Result audit_field(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                   const char *value, size_t value_len)
{
    unsigned *sum = cls;
    (void)kind;
    for (size_t i = 0; i < name_len; i++)
        *sum += (unsigned char)name[i] | 0x20u;
    for (size_t i = 0; i < value_len; i++)
        *sum += (unsigned char)value[i];
    return MHD_YES;
}

static void *keep_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
    (void)cls;
    (void)connection;
    return strdup(uri);
}

static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode how)
{
    struct worker *worker = cls;
    (void)connection;
    (void)how;
    if (worker->variant->audit && *state != worker)
        free(*state);
    *state = NULL;
}

static enum MHD_Result send_answer(struct worker *worker, struct MHD_Connection *connection)
{
    worker->requests++;
    if (worker->prepared)
        return MHD_queue_response(connection, MHD_HTTP_OK, worker->prepared);
    struct MHD_Response *response = response_create(worker);
    if (!response)
        return MHD_NO;
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* The states of a request: the first call, the body, once more after resume. */
static char first_seen, was_suspended;

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_len, void **state)
{
    struct worker *worker = cls;
    const struct variant *variant = worker->variant;
    (void)url, (void)method, (void)version, (void)upload;
    if (*state != &first_seen && *state != &was_suspended) {
        if (variant->audit) {
            unsigned sum = 0;
            free(*state);
            MHD_get_connection_values_n(connection, MHD_HEADER_KIND, audit_field, &sum);
        }
        *state = &first_seen;
        if (!variant->early)
            return MHD_YES;
    }
    if (*upload_len > 0) {
        *upload_len = 0;
        return MHD_YES;
    }
    if (variant->suspend && *state == &first_seen && worker->suspended_count < SUSPENDED_MAX) {
        *state = &was_suspended;
        MHD_suspend_connection(connection);
        worker->suspended[worker->suspended_count++] = connection;
        return MHD_YES;
    }
    *state = worker;
    return send_answer(worker, connection);
}

/* ---- The daemon ---- */

static int listen_shared(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1024) < 0) {
        perror("listen");
        return -1;
    }
    return fd;
}

static unsigned daemon_flags(const struct worker *worker)
{
    const struct variant *variant = worker->variant;
    unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG;
    flags |= variant->no_date || variant->own_date ? MHD_USE_SUPPRESS_DATE_NO_CLOCK : 0;
    flags |= variant->suspendable || variant->suspend ? MHD_ALLOW_SUSPEND_RESUME : 0;
    flags |= variant->turbo ? MHD_USE_TURBO : 0;
    flags |= variant->source == SOURCE_ADD ? MHD_USE_NO_LISTEN_SOCKET : 0;
    return flags;
}

bool worker_open(struct worker *worker)
{
    const struct variant *variant = worker->variant;
    struct MHD_OptionItem extra[6];
    unsigned count = 0;
    int listener = listen_shared(variant->port);
    if (listener < 0)
        return false;
    worker->listen_fd = variant->source == SOURCE_ADD ? listener : -1;
    if (variant->source == SOURCE_LISTEN)
        extra[count++] = (struct MHD_OptionItem){ MHD_OPTION_LISTEN_SOCKET, listener, NULL };
    if (variant->increment_bytes)
        extra[count++] = (struct MHD_OptionItem){ MHD_OPTION_CONNECTION_MEMORY_INCREMENT,
                                                  (intptr_t)variant->increment_bytes, NULL };
    if (variant->audit) {
        extra[count++] = (struct MHD_OptionItem){ MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)keep_uri, NULL };
        extra[count++] = (struct MHD_OptionItem){ MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL };
        extra[count++] = (struct MHD_OptionItem){ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, worker };
    }
    extra[count] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
    worker->daemon =
        MHD_start_daemon(daemon_flags(worker), variant->port, NULL, NULL, on_request, worker,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, variant->pool_bytes, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)CONNECTIONS_MAX, MHD_OPTION_ARRAY, extra, MHD_OPTION_END);
    if (!worker->daemon) {
        fputs("MHD_start_daemon failed\n", stderr);
        return false;
    }
    memset(body_text, 'x', sizeof(body_text));
    if (variant->prepared)
        worker->prepared = response_create(worker);
    worker->epoll_fd = MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return true;
}

int worker_run(struct worker *worker)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    worker->turns++;
    MHD_run(worker->daemon);
    while (worker->suspended_count > 0) {
        for (unsigned i = 0; i < worker->suspended_count; i++)
            MHD_resume_connection(worker->suspended[i]);
        worker->suspended_count = 0;
        MHD_run(worker->daemon);
    }
    if (MHD_get_timeout(worker->daemon, &wait_ms) != MHD_YES)
        return -1;
    return wait_ms > 60000 ? 60000 : (int)wait_ms;
}

void worker_accept(struct worker *worker)
{
    for (;;) {
        struct sockaddr_in address;
        socklen_t length = sizeof(address);
        int fd = accept4(worker->listen_fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        /* On failure the library has closed the descriptor. */
        if (MHD_add_connection(worker->daemon, fd, (struct sockaddr *)&address, length) != MHD_YES)
            fputs("MHD_add_connection failed\n", stderr);
    }
}
