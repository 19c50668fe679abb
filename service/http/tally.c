/* tally.c - what is counted: connections, requests in flight, refusals.
 * Threading: each counter has one writer, the thread it belongs to; the sums
 * are made on any service thread. */
#include "service/http/private.h"

const char *http_refusal_name(enum http_refusal refusal)
{
    static const char *const names[HTTP_REFUSALS] = {
        [HTTP_REFUSED_CONNECTIONS] = "connections", [HTTP_REFUSED_IN_FLIGHT] = "in-flight",
        [HTTP_REFUSED_MEMORY] = "memory",           [HTTP_REFUSED_TIMEOUT] = "timeout",
        [HTTP_REFUSED_MALFORMED] = "malformed",     [HTTP_REFUSED_PROTECTED] = "protected",
        [HTTP_REFUSED_DRAINING] = "draining",
    };

    return names[refusal];
}

void http_in_flight_add(struct http_thread *thread, int n)
{
    unsigned before = atomic_load_explicit(&thread->in_flight, memory_order_relaxed);

    atomic_store_explicit(&thread->in_flight, before + (unsigned)n, memory_order_relaxed);
}

static enum http_refusal refusal_of(const struct http_thread *thread, unsigned status)
{
    switch (status) {
    case 403:
        return HTTP_REFUSED_PROTECTED;
    case 408:
        return HTTP_REFUSED_TIMEOUT;
    case 503:
        return thread->abandoned ? HTTP_REFUSED_DRAINING : HTTP_REFUSED_MEMORY;
    default:
        return HTTP_REFUSED_MALFORMED;
    }
}

void http_count_refusal(struct http_thread *thread, unsigned status)
{
    tally_add(&thread->refused[refusal_of(thread, status)], 1);
}

static void add_thread(const struct http_thread *thread, struct http_stats *stats)
{
    stats->in_flight += atomic_load_explicit(&thread->in_flight, memory_order_relaxed);
    for (unsigned i = 0; i < HTTP_REFUSALS; i++)
        stats->refused[i] += tally_read(&thread->refused[i]);
}

void http_stats(struct http_exchange *ex, struct http_stats *stats)
{
    const struct http_server *server = ex->thread->server;
    const struct http_options *options = &server->options;

    *stats = (struct http_stats){
        .threads = server->thread_count,
        .accepted = tally_read(&server->accepted),
        .refused = { [HTTP_REFUSED_CONNECTIONS] = tally_read(&server->refused) },
        .connections = atomic_load_explicit(&server->connections, memory_order_relaxed),
        .connections_max = options->max_connections,
        .in_flight_max = options->max_in_flight,
        .buffered_bytes = atomic_load_explicit(&server->buffered_bytes, memory_order_relaxed),
        .buffered_bytes_max = options->max_buffered_bytes,
        .log_left_out = options->access_log ? access_log_left_out(options->access_log) : 0,
        .draining = http_server_draining(server),
    };
    for (unsigned i = 0; i < server->thread_count; i++)
        add_thread(&server->threads[i], stats);
}
