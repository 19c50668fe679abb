#include "routes/observability/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "routes/observability/metrics_names.h"
#include "service/base/clock.h"

#define THREADS_MAX 256
/* A minute, both its ends. */
#define SAMPLES (60000 / METRICS_SAMPLE_MS + 1)
#define STATUS_END 600

struct metrics {
    struct metrics_names names;
    uint8_t columns[STATUS_END]; /* by status */
    _Atomic uint64_t reloads[METRICS_FILES][2];
    uint64_t started_ns;
    struct {
        _Atomic uint64_t at_ns, requests;
    } samples[SAMPLES];
    _Atomic uint64_t sampled; /* how often */
    unsigned thread_count;
    struct metrics_thread *threads[THREADS_MAX];
};

/* ---- Status codes ---- */

static const uint16_t statuses[] = {
    200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409,
    410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 425, 428, 429, 431, 500, 501, 503, 504, 505, 507,
};
#define STATUSES (sizeof statuses / sizeof statuses[0])
_Static_assert(STATUSES + 1 <= METRICS_STATUSES, "a column for each, and one for the rest");

unsigned metrics_status_columns(void)
{
    return STATUSES + 1;
}

unsigned metrics_status_at(unsigned column)
{
    return column < STATUSES ? statuses[column] : 0;
}

static uint8_t search_column(unsigned status)
{
    unsigned column = 0;

    while (column < STATUSES && statuses[column] != status)
        column++;
    return (uint8_t)column;
}

/* ---- Making ---- */

struct metrics *metrics_create(void)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);

    if (!metrics)
        return NULL;
    for (unsigned status = 0; status < STATUS_END; status++)
        metrics->columns[status] = search_column(status);
    metrics_names_init(&metrics->names);
    metrics->started_ns = clock_monotonic_ns();
    return metrics;
}

void metrics_destroy(struct metrics *metrics)
{
    if (!metrics)
        return;
    for (unsigned i = 0; i < metrics->thread_count; i++)
        free(metrics->threads[i]);
    metrics_names_release(&metrics->names);
    free(metrics);
}

struct metrics_thread *metrics_attach(struct metrics *metrics, struct engine_session *session)
{
    struct metrics_thread *thread;

    if (metrics->thread_count == THREADS_MAX)
        return NULL;
    thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    thread->metrics = metrics;
    thread->session = session;
    metrics->threads[metrics->thread_count++] = thread;
    return thread;
}

/* ---- Recording ---- */

void metrics_request(struct metrics_thread *thread, unsigned route, enum http_method method,
                     const struct http_record *record)
{
    uint64_t took = record->ended_ns > record->started_ns ? record->ended_ns - record->started_ns : 0;
    unsigned column = STATUSES;

    if (record->received_bytes > 0)
        tally_add(&thread->received_bytes, record->received_bytes);
    if (record->status == 0)
        return;
    if (record->status < STATUS_END)
        column = thread->metrics->columns[record->status];
    tally_add(&thread->sent_bytes, record->sent_bytes);
    tally_add(&thread->requests[route][method][column], 1);
    histogram_record(&thread->request_times[route][method], took);
}

/* The next read is mostly of the same namespace as the last one. */
static unsigned place_of(struct metrics_thread *thread, struct bytes ns)
{
    unsigned place;

    if (ns.len > 0 && bytes_equal(ns, thread->last_ns))
        return thread->last_place;
    place = metrics_names_place(&thread->metrics->names, ns);
    if (place != METRICS_OTHER) {
        thread->last_ns = metrics_namespace_at(thread->metrics, place);
        thread->last_place = place;
    }
    return place;
}

static void count_read(struct metrics_thread *thread, const struct engine_op *op)
{
    enum metrics_read read;

    if (op->status == ENGINE_OK)
        read = op->entry.stale ? METRICS_STALE : METRICS_HIT;
    else if (op->status == ENGINE_MISS)
        read = METRICS_MISS;
    else
        return;
    tally_add(&thread->reads[place_of(thread, op->ns)][read], 1);
}

void metrics_operation(void *context, const struct engine_op *op, uint64_t duration_ns)
{
    struct metrics_thread *thread = context;

    tally_add(&thread->operations[op->verb][op->status], 1);
    histogram_record(&thread->operation_times[op->verb], duration_ns);
    if (op->verb == ENGINE_GET)
        count_read(thread, op);
    else if (op->verb == ENGINE_ATOMIC && op->status == ENGINE_OK)
        for (size_t i = 0; i < op->atomic->count; i++)
            if (op->atomic->ops[i]->verb == ENGINE_GET)
                count_read(thread, op->atomic->ops[i]);
}

void metrics_reloaded(struct metrics *metrics, enum metrics_file file, bool taken)
{
    atomic_fetch_add_explicit(&metrics->reloads[file][taken], 1, memory_order_relaxed);
}

/* ---- Reading ---- */

uint64_t metrics_reloads(const struct metrics *metrics, enum metrics_file file, bool taken)
{
    return tally_read(&metrics->reloads[file][taken]);
}

unsigned metrics_thread_count(const struct metrics *metrics)
{
    return metrics->thread_count;
}

const struct metrics_thread *metrics_thread_at(const struct metrics *metrics, unsigned index)
{
    return metrics->threads[index];
}

unsigned metrics_namespace_count(const struct metrics *metrics)
{
    return atomic_load_explicit(&metrics->names.count, memory_order_acquire);
}

struct bytes metrics_namespace_at(const struct metrics *metrics, unsigned index)
{
    return bytes_of(metrics->names.places[index].text, metrics->names.places[index].len);
}

static uint64_t total_of(const struct metrics_thread *thread)
{
    uint64_t total = 0;

    for (unsigned route = 0; route < METRICS_ROUTES; route++)
        for (unsigned method = 0; method < HTTP_METHODS; method++)
            for (unsigned column = 0; column <= STATUSES; column++)
                total += tally_read(&thread->requests[route][method][column]);
    return total;
}

uint64_t metrics_request_total(const struct metrics *metrics)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < metrics->thread_count; i++)
        total += total_of(metrics->threads[i]);
    return total;
}

uint64_t metrics_started_ns(const struct metrics *metrics)
{
    return metrics->started_ns;
}

void metrics_sample(struct metrics *metrics, uint64_t now_ns)
{
    uint64_t sampled = tally_read(&metrics->sampled);

    atomic_store_explicit(&metrics->samples[sampled % SAMPLES].at_ns, now_ns, memory_order_relaxed);
    atomic_store_explicit(&metrics->samples[sampled % SAMPLES].requests, metrics_request_total(metrics),
                          memory_order_relaxed);
    atomic_store_explicit(&metrics->sampled, sampled + 1, memory_order_release);
}

/* A sample that is replaced while it is read makes the answer wrong by one
 * interval at the most. */
double metrics_request_rate(const struct metrics *metrics, uint64_t now_ns)
{
    uint64_t sampled = atomic_load_explicit(&metrics->sampled, memory_order_acquire);
    uint64_t at_ns = metrics->started_ns, before = 0, total = metrics_request_total(metrics);

    if (sampled >= SAMPLES) {
        at_ns = tally_read(&metrics->samples[sampled % SAMPLES].at_ns);
        before = tally_read(&metrics->samples[sampled % SAMPLES].requests);
    }
    if (now_ns <= at_ns || total < before)
        return 0;
    return (double)(total - before) * (double)NS_PER_SECOND / (double)(now_ns - at_ns);
}
