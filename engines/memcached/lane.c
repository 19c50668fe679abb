#include "engines/memcached/lane.h"

#include <sodium.h>
#include <stdlib.h>

#include "engines/memcached/session.h"
#include "service/base/clock.h"
#include "service/base/log.h"

/* After a failed attempt; the jitter keeps replicas apart. */
#define PROBE_NS NS_PER_SECOND
#define PROBE_JITTER_MS 250
/* How long closing waits for a thread: the waits of a handshake, within a
 * bound, and some. */
#define JOIN_WAITS 3
#define JOIN_MAX_MS 5000
#define JOIN_SLACK_SECONDS 1

/* ---- Queue ---- */

bool lane_reserve(struct lane *lane)
{
    if (atomic_fetch_add_explicit(&lane->held, 1, memory_order_relaxed) < LANE_JOBS_MAX)
        return true;
    lane_unreserve(lane, 1);
    return false;
}

void lane_unreserve(struct lane *lane, unsigned count)
{
    atomic_fetch_sub_explicit(&lane->held, count, memory_order_relaxed);
}

static bool wants_thread_locked(const struct lane *lane)
{
    return lane->queued > 0 && (lane->reading == 0 || lane->queued >= LANE_WAKE_MIN);
}

void lane_push(struct lane *lane, struct job *head, struct job *tail, unsigned count)
{
    bool wake;

    tail->next = NULL;
    pthread_mutex_lock(&lane->lock);
    if (lane->tail)
        lane->tail->next = head;
    else
        lane->head = head;
    lane->tail = tail;
    lane->queued += count;
    wake = wants_thread_locked(lane);
    pthread_mutex_unlock(&lane->lock);
    /* After the lock is free: whoever wakes up wants it first thing. Lanes
     * outlive the sessions that push. */
    if (wake)
        pthread_cond_signal(&lane->wake);
}

void worker_ends_reading(struct worker *worker)
{
    struct lane *lane = worker->lane;

    if (!worker->reads)
        return;
    pthread_mutex_lock(&lane->lock);
    worker->reads = false;
    lane->reading--;
    if (wants_thread_locked(lane))
        pthread_cond_signal(&lane->wake);
    pthread_mutex_unlock(&lane->lock);
}

static struct job *take_batch_locked(struct worker *worker)
{
    struct lane *lane = worker->lane;
    struct job *head = lane->head, *last = head;
    unsigned taken = 1;

    if (!head)
        return NULL;
    for (; taken < LANE_BATCH_MAX && last->next; taken++)
        last = last->next;
    lane->head = last->next;
    lane->queued -= taken;
    if (!lane->head)
        lane->tail = NULL;
    last->next = NULL;
    worker->reads = true;
    lane->reading++;
    if (wants_thread_locked(lane))
        pthread_cond_signal(&lane->wake);
    return head;
}

/* ---- Breaker ---- */

enum engine_status lane_verdict(const struct lane *lane, enum engine_verb verb, const char **detail)
{
    enum engine_status status = (enum engine_status)atomic_load(&lane->down_status);

    *detail = atomic_load(&lane->down_reason);
    if (lane->dead_is_miss && verb == ENGINE_GET && status == ENGINE_UNAVAILABLE)
        return ENGINE_MISS;
    return status;
}

void lane_answer(const struct lane *lane, struct job *job)
{
    const char *detail;
    enum engine_status status = lane_verdict(lane, job->verb, &detail);

    job_answer(job, status, detail);
}

static void close_lane(struct lane *lane, enum engine_status status, const char *reason, uint64_t probe_ns)
{
    unsigned before;

    atomic_store(&lane->down_status, status);
    atomic_store(&lane->down_reason, reason);
    pthread_mutex_lock(&lane->lock);
    lane->probe_ns = probe_ns;
    before = atomic_exchange(&lane->state, LANE_DOWN);
    pthread_cond_broadcast(&lane->wake);
    pthread_mutex_unlock(&lane->lock);
    if (before != LANE_DOWN)
        log_warn("memcached server is down", LOG_STRING("host", lane->address.host),
                 LOG_U64("port", lane->address.port), LOG_STRING("reason", reason));
}

static void open_lane(struct lane *lane)
{
    if (lane_state(lane) != LANE_UP)
        lane_look_forget(lane);
    if (atomic_exchange(&lane->state, LANE_UP) != LANE_UP)
        log_info("memcached server is up", LOG_STRING("host", lane->address.host),
                 LOG_U64("port", lane->address.port));
}

static const char *reason_of(enum peer_result result)
{
    switch (result) {
    case PEER_SILENT:
        return "the memcached server does not answer";
    case PEER_REFUSED:
        return "the memcached server refuses the credentials";
    case PEER_LOST:
        return "the memcached server cannot be reached";
    default:
        return "the memcached server answers with errors";
    }
}

bool worker_connect(struct worker *worker)
{
    struct lane *lane = worker->lane;
    enum peer_result result;

    if (peer_is_open(worker->peer))
        return true;
    result = peer_open(worker->peer);
    if (result == PEER_OK) {
        open_lane(lane);
        return true;
    }
    atomic_fetch_add_explicit(&lane->connect_failures, 1, memory_order_relaxed);
    close_lane(lane, result == PEER_REFUSED ? ENGINE_REFUSED : ENGINE_UNAVAILABLE, reason_of(result),
               clock_monotonic_ns() + PROBE_NS + randombytes_uniform(PROBE_JITTER_MS) * NS_PER_MS);
    return false;
}

void worker_note_failure(struct worker *worker, enum peer_result result)
{
    struct lane *lane = worker->lane;
    unsigned up = LANE_UP;

    /* A broken connection says little: whoever needs one finds out. After a
     * silence the first thread finds out at once, and jobs wait for it. */
    if (result != PEER_SILENT)
        return;
    pthread_mutex_lock(&lane->lock);
    if (atomic_compare_exchange_strong(&lane->state, &up, LANE_UNKNOWN))
        lane->probe_ns = 0;
    pthread_cond_broadcast(&lane->wake);
    pthread_mutex_unlock(&lane->lock);
}

/* ---- Threads ---- */

static bool probe_is_due_locked(const struct worker *worker, uint64_t now)
{
    return worker->probes && lane_state(worker->lane) != LANE_UP && now >= worker->lane->probe_ns;
}

static bool look_is_due(const struct worker *worker, uint64_t now)
{
    return worker->probes && lane_state(worker->lane) == LANE_UP && now >= lane_look_time(worker->lane, now);
}

static void wait_locked(struct worker *worker, uint64_t now)
{
    struct lane *lane = worker->lane;
    struct timespec until;
    uint64_t until_ns;

    if (!worker->probes) {
        pthread_cond_wait(&lane->wake, &lane->lock);
        return;
    }
    until_ns = lane_state(lane) == LANE_UP ? lane_look_time(lane, now) : lane->probe_ns;
    until.tv_sec = (time_t)(until_ns / NS_PER_SECOND);
    until.tv_nsec = (long)(until_ns % NS_PER_SECOND);
    pthread_cond_timedwait(&lane->wake, &lane->lock, &until);
}

/* Jobs, or NULL: look at the server, or end. */
static struct job *next_batch(struct worker *worker, bool *stopping)
{
    struct lane *lane = worker->lane;
    uint64_t now = clock_monotonic_ns();
    struct job *jobs;

    pthread_mutex_lock(&lane->lock);
    if (worker->reads)
        lane->reading--;
    worker->reads = false;
    while (!lane->stopping && !lane->head && !probe_is_due_locked(worker, now) && !look_is_due(worker, now)) {
        wait_locked(worker, now);
        now = clock_monotonic_ns();
    }
    *stopping = lane->stopping;
    jobs = *stopping || look_is_due(worker, now) ? NULL : take_batch_locked(worker);
    pthread_mutex_unlock(&lane->lock);
    return jobs;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    bool stopping = false;

    while (!stopping) {
        struct job *jobs = next_batch(worker, &stopping);
        if (jobs) {
            batch_run(worker, jobs);
        } else if (!stopping && lane_state(worker->lane) == LANE_UP) {
            worker_look(worker);
        } else if (!stopping) {
            peer_close(worker->peer);
            (void)!worker_connect(worker); /* the lane tells */
        }
    }
    peer_close(worker->peer);
    return NULL;
}

static bool start_worker(struct lane *lane, unsigned number)
{
    struct worker *worker = &lane->workers[number];

    *worker = (struct worker){ .lane = lane, .probes = number == 0 };
    randombytes_buf(&worker->version_base, sizeof worker->version_base);
    worker->peer = peer_create(&lane->address);
    if (worker->peer && pthread_create(&worker->thread, NULL, worker_main, worker) == 0) {
        pthread_setname_np(worker->thread, "memcached-lane");
        return true;
    }
    peer_destroy(worker->peer);
    return false;
}

static bool init_queue(struct lane *lane)
{
    pthread_condattr_t monotonic;
    bool made;

    if (pthread_mutex_init(&lane->lock, NULL) != 0)
        return false;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    made = pthread_cond_init(&lane->wake, &monotonic) == 0;
    pthread_condattr_destroy(&monotonic);
    if (!made)
        pthread_mutex_destroy(&lane->lock);
    return made;
}

struct lane *lane_create(const struct peer_address *address, struct bytes prefix, unsigned threads, bool dead_is_miss)
{
    struct lane *lane = calloc(1, sizeof *lane);

    if (!lane)
        return NULL;
    lane->address = *address;
    lane->prefix = prefix;
    lane->dead_is_miss = dead_is_miss;
    atomic_init(&lane->down_status, ENGINE_UNAVAILABLE);
    if (!names_generation(prefix, BYTES_NONE, &lane->all_name) || !init_queue(lane)) {
        free(lane);
        return NULL;
    }
    for (; lane->worker_count < threads; lane->worker_count++) {
        if (!start_worker(lane, lane->worker_count)) {
            (void)lane_destroy(lane);
            return NULL;
        }
    }
    return lane;
}

/* Every call on a connection is bounded, but a connect timeout may be long,
 * and the look-up of a name has no bound. */
static bool join_workers(struct lane *lane)
{
    uint64_t wait_ms = lane->address.connect_timeout_ms * JOIN_WAITS;
    struct timespec until;
    bool all = true;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)((wait_ms < JOIN_MAX_MS ? wait_ms : JOIN_MAX_MS) / 1000) + JOIN_SLACK_SECONDS;
    for (unsigned i = 0; i < lane->worker_count; i++) {
        if (pthread_timedjoin_np(lane->workers[i].thread, NULL, &until) == 0)
            continue;
        pthread_detach(lane->workers[i].thread);
        all = false;
    }
    return all;
}

void lane_stop(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->stopping = true;
    pthread_cond_broadcast(&lane->wake);
    pthread_mutex_unlock(&lane->lock);
}

bool lane_destroy(struct lane *lane)
{
    lane_stop(lane);
    if (!join_workers(lane))
        return false;
    while (lane->head) {
        struct job *job = lane->head;
        lane->head = job->next;
        session_deliver(job->session, job, job, 1);
    }
    for (unsigned i = 0; i < lane->worker_count; i++) {
        peer_destroy(lane->workers[i].peer);
        free(lane->workers[i].scratch);
    }
    pthread_cond_destroy(&lane->wake);
    pthread_mutex_destroy(&lane->lock);
    free(lane);
    return true;
}
