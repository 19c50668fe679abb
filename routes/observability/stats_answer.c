/* stats_answer.c - GET /stats: what /metrics tells, for people. */
#include <jansson.h>
#include <stdlib.h>

#include "routes/answer.h"
#include "routes/observability/facts.h"
#include "routes/observability/metrics.h"
#include "routes/problem.h"
#include "routes/route.h"
#include "service/base/clock.h"
#include "service/base/process.h"

/* jansson's setters take a NULL value, and an object without memory, as a failure: what fails on the way is left
 * out here, and noticed at the end by the root. */
static void put(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

static void put_u64(json_t *object, const char *key, uint64_t value)
{
    put(object, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

static double milliseconds(uint64_t ns)
{
    return (double)(ns / 1000) / 1000;
}

static json_t *durations(const struct histogram_sum *sum)
{
    json_t *object = json_object();

    put_u64(object, "count", sum->count);
    put(object, "mean_ms", json_real(sum->count > 0 ? milliseconds(sum->sum_ns / sum->count) : 0));
    put(object, "p50_ms", json_real(milliseconds(histogram_quantile(sum, 0.5))));
    put(object, "p99_ms", json_real(milliseconds(histogram_quantile(sum, 0.99))));
    return object;
}

/* ---- HTTP ---- */

static json_t *routes_durations(const struct metrics *metrics)
{
    json_t *object = json_object();

    for (unsigned route = 0; route < METRICS_ROUTES; route++)
        for (unsigned method = 0; method < HTTP_METHODS; method++) {
            struct histogram_sum sum = { .count = 0 };
            char name[96];

            for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
                histogram_add_to(&metrics_thread_at(metrics, i)->request_times[route][method], &sum);
            if (sum.count == 0)
                continue;
            snprintf(name, sizeof name, "%s %s", http_method_name((enum http_method)method), route_name(route));
            put(object, name, durations(&sum));
        }
    return object;
}

static json_t *statuses(const struct metrics *metrics)
{
    json_t *object = json_object();

    for (unsigned column = 0; column < metrics_status_columns(); column++) {
        uint64_t sum = 0;
        char name[16];

        for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
            for (unsigned route = 0; route < METRICS_ROUTES; route++)
                for (unsigned method = 0; method < HTTP_METHODS; method++)
                    sum += tally_read(&metrics_thread_at(metrics, i)->requests[route][method][column]);
        if (sum == 0)
            continue;
        snprintf(name, sizeof name, metrics_status_at(column) ? "%u" : "other", metrics_status_at(column));
        put_u64(object, name, sum);
    }
    return object;
}

static json_t *http_part(struct http_exchange *ex, const struct metrics *metrics, uint64_t now_ns)
{
    json_t *object = json_object(), *refused = json_object();
    struct http_stats stats;

    http_stats(ex, &stats);
    for (unsigned i = 0; i < HTTP_REFUSALS; i++)
        put_u64(refused, http_refusal_name((enum http_refusal)i), stats.refused[i]);
    put_u64(object, "requests", metrics_request_total(metrics));
    put(object, "requests_per_second", json_real((double)(int64_t)(metrics_request_rate(metrics, now_ns) * 10) / 10));
    put(object, "by_status", statuses(metrics));
    put(object, "by_route", routes_durations(metrics));
    put_u64(object, "in_flight", stats.in_flight);
    put_u64(object, "connections", stats.connections);
    put_u64(object, "connections_accepted", stats.accepted);
    put(object, "refused", refused);
    put_u64(object, "threads", stats.threads);
    return object;
}

/* ---- Cache ---- */

struct reads {
    uint64_t of[METRICS_READS];
};

static struct reads reads_at(const struct metrics *metrics, unsigned place)
{
    struct reads reads = { { 0 } };

    for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
        for (unsigned read = 0; read < METRICS_READS; read++)
            reads.of[read] += tally_read(&metrics_thread_at(metrics, i)->reads[place][read]);
    return reads;
}

static uint64_t total_of(const struct reads *reads)
{
    return reads->of[METRICS_HIT] + reads->of[METRICS_MISS] + reads->of[METRICS_STALE];
}

/* The ratio is null where nothing was read. */
static json_t *reads_object(const struct reads *reads)
{
    uint64_t total = total_of(reads);
    double found = (double)(reads->of[METRICS_HIT] + reads->of[METRICS_STALE]);
    json_t *object = json_object();

    put_u64(object, "hits", reads->of[METRICS_HIT]);
    put_u64(object, "misses", reads->of[METRICS_MISS]);
    put_u64(object, "stale", reads->of[METRICS_STALE]);
    put(object, "hit_ratio", total > 0 ? json_real(found / (double)total) : json_null());
    return object;
}

static json_t *cache_part(const struct metrics *metrics)
{
    json_t *by_namespace = json_object(), *object;
    struct reads all = { { 0 } };

    for (unsigned place = 0; place <= METRICS_OTHER; place++) {
        struct bytes ns = place == METRICS_OTHER ? BYTES("other") : metrics_namespace_at(metrics, place);
        struct reads reads = reads_at(metrics, place);
        char name[65];

        if (total_of(&reads) == 0)
            continue;
        for (unsigned read = 0; read < METRICS_READS; read++)
            all.of[read] += reads.of[read];
        memcpy(name, ns.ptr, ns.len);
        name[ns.len] = '\0';
        put(by_namespace, name, reads_object(&reads));
    }
    object = reads_object(&all);
    put(object, "by_namespace", by_namespace);
    return object;
}

/* ---- Engine ---- */

static json_t *verbs(const struct metrics *metrics)
{
    json_t *object = json_object();

    for (unsigned verb = 0; verb < ENGINE_VERBS; verb++) {
        struct histogram_sum sum = { .count = 0 };

        for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
            histogram_add_to(&metrics_thread_at(metrics, i)->operation_times[verb], &sum);
        if (sum.count > 0)
            put(object, engine_verb_name((enum engine_verb)verb), durations(&sum));
    }
    return object;
}

static json_t *outcomes(const struct metrics *metrics)
{
    json_t *object = json_object();

    for (unsigned status = 0; status < ENGINE_STATUSES; status++) {
        uint64_t sum = 0;

        for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
            for (unsigned verb = 0; verb < ENGINE_VERBS; verb++)
                sum += tally_read(&metrics_thread_at(metrics, i)->operations[verb][status]);
        if (sum > 0)
            put_u64(object, engine_status_name((enum engine_status)status), sum);
    }
    return object;
}

static json_t *fact_value(const struct fact *fact)
{
    switch (fact->fact) {
    case ENGINE_FACT_BREAKER_OPEN:
    case ENGINE_FACT_SERVER_UP:
    case ENGINE_FACT_SERVER_IS_MASTER:
        return json_boolean(fact->value != 0);
    default:
        return json_integer((json_int_t)fact->value);
    }
}

static json_t *server_facts(const struct facts *facts, unsigned server)
{
    json_t *object = json_object();

    for (size_t i = 0; i < facts->count; i++)
        if (facts->items[i].server == server)
            put(object, facts_name(facts->items[i].fact), fact_value(&facts->items[i]));
    return object;
}

static json_t *engine_part(const struct metrics *metrics, struct engine *engine, const struct facts *facts)
{
    json_t *object = json_object(), *servers = json_object();
    const char *reason = NULL;
    bool ready = engine_ready(engine, &reason);
    size_t pending = 0;

    for (unsigned i = 0; i < metrics_thread_count(metrics); i++)
        pending += engine_pending(metrics_thread_at(metrics, i)->session);
    for (unsigned i = 0; i < facts->server_count; i++)
        put(servers, facts->servers[i], server_facts(facts, i));
    put(object, "name", json_string(engine->name));
    put(object, "ready", json_boolean(ready));
    put(object, "reason", reason ? json_string(reason) : json_null());
    put_u64(object, "pending", pending);
    put(object, "by_outcome", outcomes(metrics));
    put(object, "by_verb", verbs(metrics));
    put(object, "facts", server_facts(facts, FACTS_SERVERS));
    put(object, "servers", servers);
    return object;
}

/* ---- All of it ---- */

static json_t *process_part(void)
{
    struct process_usage usage;
    json_t *object = json_object();

    process_usage(&usage);
    put(object, "cpu_seconds", json_real(usage.cpu_seconds));
    put_u64(object, "resident_bytes", usage.resident_bytes);
    put_u64(object, "open_fds", usage.open_fds);
    return object;
}

static json_t *document(struct http_exchange *ex, const struct facts *facts)
{
    struct routes_thread *thread = route_thread(ex);
    const struct metrics *metrics = thread->metrics->metrics;
    uint64_t now_ns = loop_now(thread->loop);
    uint64_t started_ns = metrics_started_ns(metrics);
    json_t *root = json_object();

    put(root, "version", json_string(CUBBY_VERSION));
    put_u64(root, "uptime_seconds", now_ns > started_ns ? (now_ns - started_ns) / NS_PER_SECOND : 0);
    put(root, "http", http_part(ex, metrics, now_ns));
    put(root, "cache", cache_part(metrics));
    put(root, "engine", engine_part(metrics, thread->session->engine, facts));
    put(root, "process", process_part());
    return root;
}

void stats_answer(struct http_exchange *ex)
{
    struct facts facts;
    json_t *root = NULL;

    if (!route_no_parameters(ex))
        return;
    facts_gather(&facts, route_thread(ex)->session->engine);
    if (!facts.failed)
        root = document(ex, &facts);
    facts_release(&facts);
    answer_json_document(ex, root, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
}
