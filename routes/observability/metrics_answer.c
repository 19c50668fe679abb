/* metrics_answer.c - GET /metrics. The names are listed, with what they mean, in
 * deploy/monitoring/metrics.md; dashboard and alert rules use them. */
#include <stdlib.h>

#include "routes/observability/exposition.h"
#include "routes/observability/facts.h"
#include "routes/observability/metrics.h"
#include "routes/problem.h"
#include "routes/route.h"
#include "service/base/process.h"

/* A hundred namespaces, a hundred servers, every route and status fit many times. */
#define TEXT_MAX ((size_t)8 * 1024 * 1024)

static struct bytes method_label(unsigned method)
{
    return bytes_str(http_method_name((enum http_method)method));
}

/* ---- HTTP ---- */

static uint64_t sum_requests(const struct metrics *metrics, unsigned route, unsigned method, unsigned column)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
        sum += tally_read(&metrics_thread_at(metrics, i)->requests[route][method][column]);
    return sum;
}

static void expose_statuses(struct exposition *to, const struct metrics *metrics, unsigned route, unsigned method)
{
    for (unsigned column = 0; column < metrics_status_columns(); column++) {
        uint64_t sum = sum_requests(metrics, route, method, column);
        unsigned status = metrics_status_at(column);
        char text[4];

        if (sum == 0)
            continue;
        text[0] = (char)('0' + status / 100);
        text[1] = (char)('0' + status / 10 % 10);
        text[2] = (char)('0' + status % 10);
        const struct exposition_label labels[] = {
            { "route", bytes_str(route_name(route)) },
            { "method", method_label(method) },
            { "status", status == 0 ? BYTES("other") : bytes_of(text, 3) },
        };
        exposition_u64(to, labels, 3, sum);
    }
}

static void expose_durations(struct exposition *to, const struct metrics *metrics, unsigned route, unsigned method)
{
    struct histogram_sum sum = { .count = 0 };
    const struct exposition_label labels[] = { { "route", bytes_str(route_name(route)) },
                                               { "method", method_label(method) } };

    for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
        histogram_add_to(&metrics_thread_at(metrics, i)->request_times[route][method], &sum);
    if (sum.count > 0)
        exposition_histogram(to, labels, 2, &sum);
}

static void expose_requests(struct exposition *to, const struct metrics *metrics)
{
    exposition_family(to, "cubby_http_requests_total", EXPOSITION_COUNTER, "Requests answered.");
    for (unsigned route = 0; route < METRICS_ROUTES; route++)
        for (unsigned method = 0; method < HTTP_METHODS; method++)
            expose_statuses(to, metrics, route, method);
    exposition_family(to, "cubby_http_request_duration_seconds", EXPOSITION_HISTOGRAM,
                      "From a request's first line to the last byte of its answer given to the kernel.");
    for (unsigned route = 0; route < METRICS_ROUTES; route++)
        for (unsigned method = 0; method < HTTP_METHODS; method++)
            expose_durations(to, metrics, route, method);
}

static void expose_bodies(struct exposition *to, const struct metrics *metrics)
{
    uint64_t received = 0, sent = 0;

    for (unsigned i = 0; i < metrics_thread_count(metrics); i++) {
        received += tally_read(&metrics_thread_at(metrics, i)->received_bytes);
        sent += tally_read(&metrics_thread_at(metrics, i)->sent_bytes);
    }
    exposition_one(to, "cubby_http_received_bytes_total", EXPOSITION_COUNTER, "Bytes of request bodies.",
                   (double)received);
    exposition_one(to, "cubby_http_sent_bytes_total", EXPOSITION_COUNTER, "Bytes of response bodies.", (double)sent);
}

static void expose_server(struct exposition *to, const struct http_stats *stats)
{
    exposition_one(to, "cubby_http_requests_in_flight", EXPOSITION_GAUGE, "Requests begun and not answered.",
                   stats->in_flight);
    exposition_one(to, "cubby_http_requests_in_flight_max", EXPOSITION_GAUGE, "The bound, HTTP_MAX_IN_FLIGHT.",
                   stats->in_flight_max);
    exposition_one(to, "cubby_http_connections", EXPOSITION_GAUGE, "Connections open.", stats->connections);
    exposition_one(to, "cubby_http_connections_max", EXPOSITION_GAUGE, "The bound, HTTP_MAX_CONNECTIONS.",
                   stats->connections_max);
    exposition_one(to, "cubby_http_connections_accepted_total", EXPOSITION_COUNTER,
                   "Connections accepted, those refused at once included.", (double)stats->accepted);
    exposition_family(to, "cubby_http_refused_total", EXPOSITION_COUNTER,
                      "Connections and requests turned away before a handler saw them.");
    for (unsigned i = 0; i < HTTP_REFUSALS; i++) {
        struct exposition_label label = { "reason", bytes_str(http_refusal_name((enum http_refusal)i)) };
        exposition_u64(to, &label, 1, stats->refused[i]);
    }
    exposition_one(to, "cubby_http_buffered_bytes", EXPOSITION_GAUGE, "Request bodies held in memory.",
                   (double)stats->buffered_bytes);
    exposition_one(to, "cubby_http_buffered_bytes_max", EXPOSITION_GAUGE, "The bound, HTTP_MAX_BUFFERED_BYTES.",
                   (double)stats->buffered_bytes_max);
    exposition_one(to, "cubby_http_threads", EXPOSITION_GAUGE, "Service threads.", stats->threads);
}

/* ---- Cache ---- */

static void expose_reads_of(struct exposition *to, const struct metrics *metrics, unsigned place, struct bytes ns)
{
    static const struct bytes results[METRICS_READS] = {
        [METRICS_HIT] = { "hit", 3 },
        [METRICS_MISS] = { "miss", 4 },
        [METRICS_STALE] = { "stale", 5 },
    };

    for (unsigned read = 0; read < METRICS_READS; read++) {
        const struct exposition_label labels[] = { { "ns", ns }, { "result", results[read] } };
        uint64_t sum = 0;
        for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
            sum += tally_read(&metrics_thread_at(metrics, i)->reads[place][read]);
        if (sum > 0)
            exposition_u64(to, labels, 2, sum);
    }
}

static void expose_reads(struct exposition *to, const struct metrics *metrics)
{
    unsigned count = metrics_namespace_count(metrics);

    exposition_family(to, "cubby_cache_reads_total", EXPOSITION_COUNTER,
                      "Entries asked for, by namespace (the first hundred, then other) and result.");
    for (unsigned i = 0; i < count; i++)
        expose_reads_of(to, metrics, i, metrics_namespace_at(metrics, i));
    expose_reads_of(to, metrics, METRICS_OTHER, BYTES("other"));
}

static void expose_access(struct exposition *to, const struct metrics *metrics)
{
    static const struct bytes denials[METRICS_DENIALS] = {
        [METRICS_DENIED_MISSING] = { "missing", 7 },
        [METRICS_DENIED_UNKNOWN] = { "unknown", 7 },
        [METRICS_DENIED_SCOPE] = { "scope", 5 },
    };

    exposition_family(to, "cubby_access_denied_total", EXPOSITION_COUNTER,
                      "Requests turned away by access control.");
    for (unsigned denial = 0; denial < METRICS_DENIALS; denial++) {
        struct exposition_label label = { "reason", denials[denial] };
        uint64_t sum = 0;
        for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
            sum += tally_read(&metrics_thread_at(metrics, i)->denied[denial]);
        exposition_u64(to, &label, 1, sum);
    }
}

static void expose_reloads(struct exposition *to, const struct metrics *metrics)
{
    static const struct bytes files[METRICS_FILES] = {
        [METRICS_FILE_NAMESPACES] = { "namespaces", 10 },
        [METRICS_FILE_TOKENS] = { "tokens", 6 },
        [METRICS_FILE_TLS] = { "tls", 3 },
    };

    exposition_family(to, "cubby_reloads_total", EXPOSITION_COUNTER, "Files read again.");
    for (unsigned file = 0; file < METRICS_FILES; file++)
        for (int taken = 1; taken >= 0; taken--) {
            const struct exposition_label labels[] = { { "file", files[file] },
                                                       { "outcome", taken ? BYTES("ok") : BYTES("refused") } };
            exposition_u64(to, labels, 2, metrics_reloads(metrics, (enum metrics_file)file, taken));
        }
}

/* ---- Engine ---- */

static void expose_outcomes(struct exposition *to, const struct metrics *metrics, unsigned verb)
{
    for (unsigned status = 0; status < ENGINE_STATUSES; status++) {
        const struct exposition_label labels[] = {
            { "verb", bytes_str(engine_verb_name((enum engine_verb)verb)) },
            { "status", bytes_str(engine_status_name((enum engine_status)status)) },
        };
        uint64_t sum = 0;
        for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
            sum += tally_read(&metrics_thread_at(metrics, i)->operations[verb][status]);
        if (sum > 0)
            exposition_u64(to, labels, 2, sum);
    }
}

static void expose_engine(struct exposition *to, const struct metrics *metrics, struct engine *engine)
{
    const char *reason;
    size_t pending = 0;

    exposition_family(to, "cubby_engine_operations_total", EXPOSITION_COUNTER, "Operations done.");
    for (unsigned verb = 0; verb < ENGINE_VERBS; verb++)
        expose_outcomes(to, metrics, verb);
    exposition_family(to, "cubby_engine_operation_duration_seconds", EXPOSITION_HISTOGRAM,
                      "From an operation's submission to its result.");
    for (unsigned verb = 0; verb < ENGINE_VERBS; verb++) {
        struct exposition_label label = { "verb", bytes_str(engine_verb_name((enum engine_verb)verb)) };
        struct histogram_sum sum = { .count = 0 };
        for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
            histogram_add_to(&metrics_thread_at(metrics, i)->operation_times[verb], &sum);
        if (sum.count > 0)
            exposition_histogram(to, &label, 1, &sum);
    }
    for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
        pending += engine_pending(metrics_thread_at(metrics, i)->session);
    exposition_one(to, "cubby_engine_operations_pending", EXPOSITION_GAUGE, "Operations submitted and not done.",
                   (double)pending);
    exposition_one(to, "cubby_engine_ready", EXPOSITION_GAUGE, "1 while the engine can serve requests.",
                   engine_ready(engine, &reason));
}

/* ---- Process ---- */

static void expose_log(struct exposition *to, const struct metrics *metrics, const struct http_stats *stats)
{
    uint64_t slow = 0;

    for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
        slow += tally_read(&metrics_thread_at(metrics, i)->slow);
    exposition_one(to, "cubby_log_dropped_total", EXPOSITION_COUNTER,
                   "Lines of the access log left out, over LOG_ACCESS_RATE or because its reader is slow.",
                   (double)stats->log_left_out);
    exposition_one(to, "cubby_slow_operations_total", EXPOSITION_COUNTER,
                   "Requests that took LOG_SLOW_MS or longer.", (double)slow);
}

static void expose_process(struct exposition *to)
{
    struct process_usage usage;

    process_usage(&usage);
    exposition_one(to, "process_cpu_seconds_total", EXPOSITION_COUNTER, "User and system time.", usage.cpu_seconds);
    exposition_one(to, "process_resident_memory_bytes", EXPOSITION_GAUGE, "Resident memory.",
                   (double)usage.resident_bytes);
    exposition_one(to, "process_virtual_memory_bytes", EXPOSITION_GAUGE, "Virtual memory.",
                   (double)usage.virtual_bytes);
    exposition_one(to, "process_open_fds", EXPOSITION_GAUGE, "File descriptors open.", (double)usage.open_fds);
    exposition_one(to, "process_max_fds", EXPOSITION_GAUGE, "The limit of file descriptors.", (double)usage.max_fds);
    exposition_one(to, "process_start_time_seconds", EXPOSITION_GAUGE, "Start, in seconds since the epoch.",
                   usage.start_seconds);
}

static void expose_build(struct exposition *to, const struct routes_thread *thread, const struct http_stats *stats)
{
    const struct exposition_label labels[] = { { "version", BYTES(CUBBY_VERSION) },
                                               { "engine", bytes_str(thread->session->engine->name) } };

    exposition_family(to, "cubby_build_info", EXPOSITION_GAUGE, "1.");
    exposition_u64(to, labels, 2, 1);
    exposition_one(to, "cubby_draining", EXPOSITION_GAUGE, "1 from SIGTERM on.", stats->draining);
}

/* ---- All of it ---- */

static void expose(struct http_exchange *ex, const struct facts *facts, struct exposition *to)
{
    const struct routes_thread *thread = route_thread(ex);
    const struct metrics *metrics = thread->metrics->metrics;
    struct engine *engine = thread->session->engine;
    struct http_stats stats;

    http_stats(ex, &stats);
    expose_build(to, thread, &stats);
    expose_requests(to, metrics);
    expose_server(to, &stats);
    expose_bodies(to, metrics);
    expose_reads(to, metrics);
    expose_access(to, metrics);
    expose_reloads(to, metrics);
    expose_engine(to, metrics, engine);
    facts_expose(facts, engine->name, to);
    expose_log(to, metrics, &stats);
    expose_process(to);
}

void metrics_answer(struct http_exchange *ex)
{
    struct buffer text;
    struct exposition to = { .out = &text };
    struct facts facts;
    size_t len;
    char *whole;

    buffer_init(&text, TEXT_MAX);
    facts_gather(&facts, route_thread(ex)->session->engine);
    if (!facts.failed)
        expose(ex, &facts, &to);
    text.failed |= facts.failed;
    facts_release(&facts);
    len = text.len;
    whole = buffer_take_string(&text);
    if (!whole) {
        buffer_release(&text);
        problem_send(ex, PROBLEM_OVERLOADED, "out of memory");
        return;
    }
    http_reply_field(ex, "Content-Type", EXPOSITION_CONTENT_TYPE);
    http_reply_field(ex, "Cache-Control", "no-store");
    http_send_owned(ex, 200, whole, len);
}
