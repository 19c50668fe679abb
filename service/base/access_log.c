#include "service/base/access_log.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "service/base/access_log_private.h"
#include "service/base/clock.h"

/* How long the logger thread sleeps: short while lines come, longer when not. */
#define SLEEP_MIN_MS 10
#define SLEEP_MAX_MS 100
#define PATIENCE_NS (NS_PER_SECOND / 2)
#define REPORT_EVERY_NS NS_PER_SECOND

_Static_assert((ACCESS_RING_RECORDS & (ACCESS_RING_RECORDS - 1)) == 0, "a power of two");

/* ---- The service thread ---- */

static void count(_Atomic uint64_t *counter)
{
    uint64_t n = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, n + 1, memory_order_relaxed);
}

/* A token bucket as one number, the time when it will be full again (the
 * generic cell rate algorithm, ITU-T I.371): it may lie ahead of now by one
 * second's worth of lines, or by one line where a line takes longer. */
static bool take_token(uint64_t *due, uint64_t interval_ns, uint64_t now_ns)
{
    uint64_t ahead = interval_ns < NS_PER_SECOND ? NS_PER_SECOND : interval_ns;

    if (*due < now_ns)
        *due = now_ns;
    if (*due - now_ns + interval_ns > ahead) {
        /* Set under a lower rate that no longer holds. */
        if (*due - now_ns > ahead)
            *due = now_ns + ahead;
        return false;
    }
    *due += interval_ns;
    return true;
}

bool access_lane_wants(struct access_lane *lane, unsigned status, uint64_t now_ns)
{
    int mode = atomic_load_explicit(&lane->log->mode, memory_order_relaxed);
    uint64_t interval = atomic_load_explicit(&lane->log->interval_ns, memory_order_relaxed);
    bool error = status >= 500;

    if (mode == ACCESS_LOG_OFF || (mode == ACCESS_LOG_ERRORS && !error))
        return false;
    if (interval == 0 || take_token(error ? &lane->error_due : &lane->good_due, interval, now_ns))
        return true;
    count(&lane->suppressed);
    return false;
}

static struct access_record *record_at(struct access_lane *lane, uint64_t index)
{
    return &lane->records[index & (ACCESS_RING_RECORDS - 1)];
}

struct access_record *access_lane_reserve(struct access_lane *lane)
{
    uint64_t written = atomic_load_explicit(&lane->written, memory_order_relaxed);
    struct access_record *record;

    if (written - lane->read_seen == ACCESS_RING_RECORDS) {
        lane->read_seen = atomic_load_explicit(&lane->read, memory_order_acquire);
        if (written - lane->read_seen == ACCESS_RING_RECORDS) {
            count(&lane->dropped);
            return NULL;
        }
    }
    record = record_at(lane, written);
    memset(record, 0, offsetof(struct access_record, ns));
    return record;
}

void access_lane_commit(struct access_lane *lane)
{
    uint64_t written = atomic_load_explicit(&lane->written, memory_order_relaxed);

    atomic_store_explicit(&lane->written, written + 1, memory_order_release);
}

static uint8_t copy_text(char *out, struct bytes text)
{
    size_t len = text.len < ACCESS_TEXT_MAX ? text.len : ACCESS_TEXT_MAX;

    if (len > 0)
        memcpy(out, text.ptr, len);
    return (uint8_t)len;
}

void access_record_set_ns(struct access_record *record, struct bytes ns)
{
    record->ns_len = copy_text(record->ns, ns);
}

void access_record_set_id(struct access_record *record, struct bytes id)
{
    record->id_len = copy_text(record->id, id);
}

void access_record_set_caller(struct access_record *record, struct bytes label)
{
    record->caller_len = copy_text(record->caller, label);
}

void access_record_set_trace(struct access_record *record, struct bytes trace_id, struct bytes parent_id)
{
    memcpy(record->trace_id, trace_id.ptr, ACCESS_TRACE_ID_LEN);
    memcpy(record->parent_id, parent_id.ptr, ACCESS_PARENT_ID_LEN);
    record->traced = 1;
}

void access_record_set_peer(struct access_record *record, const struct sockaddr *peer)
{
    record->peer_family = peer ? peer->sa_family : 0;
    if (record->peer_family == AF_INET)
        memcpy(record->peer, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
    else if (record->peer_family == AF_INET6)
        memcpy(record->peer, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
}

/* ---- The logger thread ---- */

static unsigned drain_lane(struct access_log *log, struct access_lane *lane, uint64_t now_ns, uint64_t realtime_ns)
{
    uint64_t written = atomic_load_explicit(&lane->written, memory_order_acquire);
    uint64_t read = atomic_load_explicit(&lane->read, memory_order_relaxed);
    unsigned records = (unsigned)(written - read);

    for (; read != written; read++) {
        const struct access_record *record = record_at(lane, read);
        /* Modular: right for a record that ended after `now` was read, too. */
        access_log_write_record(log, record, realtime_ns - (now_ns - record->ended_ns));
        atomic_store_explicit(&lane->read, read + 1, memory_order_release);
    }
    return records;
}

static void sum_left_out(const struct access_log *log, uint64_t *suppressed, uint64_t *dropped)
{
    *suppressed = 0;
    *dropped = atomic_load_explicit(&log->unwritten, memory_order_relaxed);
    for (unsigned i = 0; i < log->lane_count; i++) {
        *suppressed += atomic_load_explicit(&log->lanes[i].suppressed, memory_order_relaxed);
        *dropped += atomic_load_explicit(&log->lanes[i].dropped, memory_order_relaxed);
    }
}

uint64_t access_log_left_out(const struct access_log *log)
{
    uint64_t suppressed, dropped;

    sum_left_out(log, &suppressed, &dropped);
    return suppressed + dropped;
}

static void report_left_out(struct access_log *log, uint64_t now_ns, uint64_t realtime_ns)
{
    uint64_t suppressed, dropped;

    sum_left_out(log, &suppressed, &dropped);
    if (now_ns < log->next_report_ns || (suppressed == log->reported_suppressed && dropped == log->reported_dropped))
        return;
    access_log_write_left_out(log, suppressed - log->reported_suppressed, dropped - log->reported_dropped,
                              realtime_ns);
    log->reported_suppressed = suppressed;
    log->reported_dropped = dropped;
    log->next_report_ns = now_ns + REPORT_EVERY_NS;
}

unsigned access_log_drain(struct access_log *log, uint64_t now_ns, uint64_t realtime_ns)
{
    unsigned records = 0;

    for (unsigned i = 0; i < log->lane_count; i++)
        records += drain_lane(log, &log->lanes[i], now_ns, realtime_ns);
    report_left_out(log, now_ns, realtime_ns);
    access_log_flush(log);
    return records;
}

static void sleep_until_woken(struct access_log *log, unsigned ms)
{
    uint64_t at = clock_monotonic_ns() + ms * NS_PER_MS;
    struct timespec until = { .tv_sec = (time_t)(at / NS_PER_SECOND), .tv_nsec = (long)(at % NS_PER_SECOND) };

    pthread_mutex_lock(&log->lock);
    if (!atomic_load(&log->stopping))
        pthread_cond_timedwait(&log->wake, &log->lock, &until);
    pthread_mutex_unlock(&log->lock);
}

static void *run(void *context)
{
    struct access_log *log = context;
    unsigned ms = SLEEP_MAX_MS;

    while (!atomic_load(&log->stopping)) {
        sleep_until_woken(log, ms);
        if (access_log_drain(log, clock_monotonic_ns(), clock_realtime_ns()) > 0)
            ms = SLEEP_MIN_MS;
        else
            ms = ms * 2 < SLEEP_MAX_MS ? ms * 2 : SLEEP_MAX_MS;
    }
    return NULL;
}

/* ---- The owner ---- */

void access_log_set(struct access_log *log, enum access_log_mode mode, uint64_t rate)
{
    uint64_t interval = rate > 0 ? NS_PER_SECOND * log->lane_count / rate : 0;

    atomic_store_explicit(&log->interval_ns, interval, memory_order_relaxed);
    atomic_store_explicit(&log->mode, (int)mode, memory_order_relaxed);
}

static bool allocate_lanes(struct access_log *log, unsigned lanes)
{
    log->lanes = aligned_alloc(CACHE_LINE, lanes * sizeof *log->lanes);
    log->records = calloc((size_t)lanes * ACCESS_RING_RECORDS, sizeof *log->records);
    if (!log->lanes || !log->records)
        return false;
    memset(log->lanes, 0, lanes * sizeof *log->lanes);
    for (unsigned i = 0; i < lanes; i++) {
        log->lanes[i].log = log;
        log->lanes[i].records = log->records + (size_t)i * ACCESS_RING_RECORDS;
    }
    log->lane_count = lanes;
    return true;
}

struct access_log *access_log_create(unsigned lanes, enum access_log_mode mode, uint64_t rate, int fd)
{
    struct access_log *log = calloc(1, sizeof *log);
    pthread_condattr_t monotonic;

    if (!log)
        return NULL;
    if (!allocate_lanes(log, lanes)) {
        free(log->lanes);
        free(log->records);
        free(log);
        return NULL;
    }
    log->fd = fd;
    buffer_init_fixed(&log->batch, log->batch_memory, sizeof log->batch_memory);
    pthread_mutex_init(&log->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&log->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    access_log_set(log, mode, rate);
    return log;
}

bool access_log_start(struct access_log *log)
{
    sigset_t all, before;

    /* Signals are main's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    log->started = pthread_create(&log->thread, NULL, run, log) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (log->started)
        pthread_setname_np(log->thread, "access-log");
    return log->started;
}

struct access_lane *access_log_lane(struct access_log *log, unsigned index)
{
    return &log->lanes[index];
}

static void stop(struct access_log *log)
{
    atomic_store(&log->patience_ends_ns, clock_monotonic_ns() + PATIENCE_NS);
    pthread_mutex_lock(&log->lock);
    atomic_store(&log->stopping, true);
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
    if (log->started)
        pthread_join(log->thread, NULL);
}

void access_log_destroy(struct access_log *log)
{
    if (!log)
        return;
    stop(log);
    log->next_report_ns = 0;
    access_log_drain(log, clock_monotonic_ns(), clock_realtime_ns());
    pthread_cond_destroy(&log->wake);
    pthread_mutex_destroy(&log->lock);
    free(log->lanes);
    free(log->records);
    free(log);
}
