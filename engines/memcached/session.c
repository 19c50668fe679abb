#include "engines/memcached/session.h"

#include <stdlib.h>

/* A flush in progress: one part for each server. */
struct flush {
    struct engine_op *op; /* NULL: cancelled */
    size_t open, flushed;
    enum engine_status status; /* of the first part that failed */
    const char *detail;
};

struct outgoing {
    struct job *head, *tail;
    unsigned count;
};

struct memcached_session {
    struct engine_session base; /* first: cast */
    struct memcached_engine *engine;
    struct ring *ring;
    struct loop_hook *hook;
    struct outgoing outgoing[SERVERS_MAX];
    struct job *live;
    struct job_pool pool;

    _Atomic unsigned refs;
    pthread_mutex_t lock;
    struct job *home_head, *home_tail;
    bool closed;
    struct loop_message message; /* posted while `home` is not empty */
};

static struct memcached_session *session_of(struct engine_session *base)
{
    return (struct memcached_session *)base;
}

static struct memcached_session *session_of_message(struct loop_message *message)
{
    return (struct memcached_session *)((char *)message - offsetof(struct memcached_session, message));
}

static void session_unref(struct memcached_session *session, unsigned count)
{
    if (atomic_fetch_sub_explicit(&session->refs, count, memory_order_acq_rel) != count)
        return;
    pthread_mutex_destroy(&session->lock);
    ring_destroy(session->ring);
    free(session);
}

/* ---- Out ---- */

static void link_live(struct memcached_session *session, struct job *job)
{
    job->live_prev = NULL;
    job->live_next = session->live;
    if (job->live_next)
        job->live_next->live_prev = job;
    session->live = job;
}

static void unlink_live(struct memcached_session *session, struct job *job)
{
    if (job->live_next)
        job->live_next->live_prev = job->live_prev;
    *(job->live_prev ? &job->live_prev->live_next : &session->live) = job->live_next;
}

static void send_later(struct memcached_session *session, size_t lane, struct job *job)
{
    struct outgoing *out = &session->outgoing[lane];

    job->next = NULL;
    if (out->tail)
        out->tail->next = job;
    else
        out->head = job;
    out->tail = job;
    out->count++;
    link_live(session, job);
}

static void send_all(void *context)
{
    struct memcached_session *session = context;

    for (size_t i = 0; i < session->engine->lane_count; i++) {
        struct outgoing *out = &session->outgoing[i];
        if (out->count == 0)
            continue;
        atomic_fetch_add_explicit(&session->refs, out->count, memory_order_relaxed);
        lane_push(session->engine->lanes[i], out->head, out->tail, out->count);
        *out = (struct outgoing){ .head = NULL };
    }
}

static enum engine_progress answer_now(struct engine_op *op, enum engine_status status, const char *detail)
{
    op->status = status;
    op->detail = detail;
    return ENGINE_DONE;
}

/* ---- Flush ---- */

static void give_back(struct memcached_session *session, struct job **jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lane_unreserve(session->engine->lanes[i], 1);
        job_destroy(jobs[i], &session->pool);
    }
}

static bool name_generation(const struct memcached_engine *engine, const struct engine_op *op,
                            struct item_name *name)
{
    struct bytes prefix = bytes_str(engine->prefix);

    return op->tag.len > 0 ? names_item(prefix, NAME_TAG, op->ns, op->tag, name)
                           : names_generation(prefix, op->ns, name);
}

/* One part for each server, all or none; the number made. */
static size_t make_parts(struct memcached_session *session, struct engine_op *op, struct job **jobs,
                         enum engine_status *status, const char **detail)
{
    struct memcached_engine *engine = session->engine;
    struct item_name name;
    size_t n = 0;

    *status = ENGINE_FAILED;
    *detail = "the name is too long";
    if (!name_generation(engine, op, &name))
        return 0;
    for (n = 0; n < engine->lane_count; n++) {
        *status = ENGINE_BUSY;
        *detail = "too much is waiting for a memcached server";
        if (!lane_reserve(engine->lanes[n]))
            break;
        jobs[n] = job_create(&session->pool, session, op);
        if (!jobs[n]) {
            lane_unreserve(engine->lanes[n], 1);
            *status = ENGINE_FAILED;
            *detail = "out of memory";
            break;
        }
        jobs[n]->name = name;
        jobs[n]->op = NULL;
    }
    return n;
}

static enum engine_progress submit_flush(struct memcached_session *session, struct engine_op *op)
{
    size_t count = session->engine->lane_count, made;
    struct job *jobs[SERVERS_MAX];
    enum engine_status status;
    struct flush *flush;
    const char *detail;

    /* A server that is down may come back with all that it had. */
    for (size_t i = 0; i < count; i++)
        if (lane_state(session->engine->lanes[i]) == LANE_DOWN) {
            status = lane_verdict(session->engine->lanes[i], ENGINE_FLUSH, &detail);
            return answer_now(op, status, detail);
        }
    flush = malloc(sizeof *flush);
    if (!flush)
        return answer_now(op, ENGINE_FAILED, "out of memory");
    made = make_parts(session, op, jobs, &status, &detail);
    if (made < count) {
        give_back(session, jobs, made);
        free(flush);
        return answer_now(op, status, detail);
    }
    *flush = (struct flush){ .op = op, .open = count, .status = ENGINE_OK };
    op->engine_private = flush;
    for (size_t i = 0; i < count; i++) {
        jobs[i]->flush = flush;
        send_later(session, i, jobs[i]);
    }
    return ENGINE_PENDING;
}

/* What all parts come to. Where some servers were flushed and others not, the
 * failure must not say that nothing was done. */
static void answer_flush(const struct flush *flush, struct engine_op *op)
{
    op->status = flush->status;
    op->detail = flush->detail;
    if (op->status == ENGINE_UNAVAILABLE && flush->flushed > 0)
        op->status = ENGINE_FAILED;
}

/* One part is over; the last one ends the flush. */
static void end_part(struct memcached_session *session, struct flush *flush, enum engine_status status,
                     const char *detail)
{
    struct engine_op *op = flush->op;

    if (status == ENGINE_OK) {
        flush->flushed++;
    } else if (flush->status == ENGINE_OK) {
        flush->status = status;
        flush->detail = detail;
    }
    if (--flush->open > 0)
        return;
    if (op)
        answer_flush(flush, op);
    free(flush);
    if (op)
        engine_complete(&session->base, op);
}

/* ---- Operations ---- */

static enum name_kind name_kind_of(enum engine_verb verb)
{
    unsigned needs = engine_verb_needs(verb);

    if (needs & ENGINE_CAN_COUNT)
        return NAME_COUNTER;
    if (needs & ENGINE_CAN_LIMIT)
        return NAME_LIMIT;
    return needs & ENGINE_CAN_LOCK ? NAME_LOCK : NAME_ENTRY;
}

enum engine_progress memcached_submit(struct engine_session *base, struct engine_op *op)
{
    struct memcached_session *session = session_of(base);
    struct item_name name;
    struct lane *lane;
    struct job *job;
    size_t at;

    if (op->verb == ENGINE_FLUSH)
        return submit_flush(session, op);
    if (!names_item(bytes_str(session->engine->prefix), name_kind_of(op->verb), op->ns, op->key, &name))
        return answer_now(op, ENGINE_FAILED, "the name is empty or too long");
    at = ring_find(session->ring, &name);
    lane = session->engine->lanes[at];
    if (lane_state(lane) == LANE_DOWN) {
        op->status = lane_verdict(lane, op->verb, &op->detail);
        return ENGINE_DONE;
    }
    if (!lane_reserve(lane))
        return answer_now(op, ENGINE_BUSY, "too much is waiting for a memcached server");
    job = job_create(&session->pool, session, op);
    if (!job) {
        lane_unreserve(lane, 1);
        return answer_now(op, ENGINE_FAILED, "out of memory");
    }
    job->name.len = name.len;
    job->name.digested = name.digested;
    memcpy(job->name.text, name.text, name.len);
    op->engine_private = job;
    send_later(session, at, job);
    return ENGINE_PENDING;
}

enum engine_status memcached_cancel(struct engine_session *base, struct engine_op *op)
{
    struct job *job = op->engine_private;

    (void)base;
    if (op->verb == ENGINE_FLUSH) {
        ((struct flush *)op->engine_private)->op = NULL;
        return ENGINE_LATE;
    }
    job->op = NULL;
    return atomic_exchange(&job->stage, JOB_CANCELLED) == JOB_QUEUED ? ENGINE_BUSY : ENGINE_LATE;
}

/* ---- Home ---- */

void session_deliver(struct memcached_session *session, struct job *head, struct job *tail, unsigned count)
{
    bool closed;

    pthread_mutex_lock(&session->lock);
    closed = session->closed;
    if (!closed) {
        bool first = !session->home_head;
        tail->next = NULL;
        if (session->home_tail)
            session->home_tail->next = head;
        else
            session->home_head = head;
        session->home_tail = tail;
        /* Under the lock, so that the loop is there for as long as it takes. */
        if (first)
            loop_post(session->base.loop, &session->message);
    }
    pthread_mutex_unlock(&session->lock);
    while (closed && head) {
        struct job *next = head->next;
        job_destroy(head, NULL);
        head = next;
    }
    session_unref(session, count);
}

static struct job *take_home(struct memcached_session *session, bool close)
{
    struct job *jobs;

    pthread_mutex_lock(&session->lock);
    session->closed = close;
    jobs = session->home_head;
    session->home_head = session->home_tail = NULL;
    pthread_mutex_unlock(&session->lock);
    return jobs;
}

static void come_home(struct memcached_session *session, struct job *job)
{
    struct engine_op *op = job->op;

    if (op)
        job_bring_home(job, op);
    if (job->flush)
        end_part(session, job->flush, job->status, job->detail);
    job_destroy(job, &session->pool);
    if (op)
        engine_complete(&session->base, op);
}

static void serve_home(struct loop_message *message)
{
    struct memcached_session *session = session_of_message(message);
    struct job *jobs = take_home(session, false);

    while (jobs) {
        struct job *job = jobs;
        jobs = job->next;
        unlink_live(session, job);
        come_home(session, job);
    }
}

/* ---- Sessions ---- */

struct engine_session *memcached_attach(struct engine *base, struct loop *loop)
{
    struct memcached_engine *engine = (struct memcached_engine *)base;
    struct memcached_session *session = calloc(1, sizeof *session);
    struct peer_address *addresses = calloc(engine->lane_count, sizeof *addresses);

    if (!session || !addresses)
        goto fail;
    engine_session_init(&session->base, base, loop);
    session->engine = engine;
    session->message.fn = serve_home;
    atomic_init(&session->refs, 1);
    for (size_t i = 0; i < engine->lane_count; i++)
        addresses[i] = engine->lanes[i]->address;
    session->ring = ring_create(addresses, engine->lane_count);
    if (!session->ring || pthread_mutex_init(&session->lock, NULL) != 0)
        goto fail;
    session->hook = loop_hook_add(loop, send_all, session);
    if (!session->hook) {
        pthread_mutex_destroy(&session->lock);
        goto fail;
    }
    free(addresses);
    return &session->base;

fail:
    free(addresses);
    if (session)
        ring_destroy(session->ring);
    free(session);
    return NULL;
}

/* Answers all that is pending; the jobs stay where they are. */
static void give_up_live(struct memcached_session *session)
{
    for (struct job *job = session->live; job; job = job->live_next) {
        struct engine_op *op = job->op;
        struct flush *flush = job->flush;
        job->op = NULL;
        job->flush = NULL;
        atomic_store(&job->stage, JOB_CANCELLED);
        if (flush)
            end_part(session, flush, ENGINE_UNAVAILABLE, "shutting down");
        if (!op)
            continue;
        op->status = ENGINE_UNAVAILABLE;
        op->detail = "shutting down";
        engine_complete(&session->base, op);
    }
}

void memcached_detach(struct engine_session *base)
{
    struct memcached_session *session = session_of(base);
    struct job *jobs;

    loop_hook_remove(session->hook);
    /* Before `closed`: until then no lane's thread frees a job. */
    give_up_live(session);
    jobs = take_home(session, true);
    while (jobs) {
        struct job *next = jobs->next;
        job_destroy(jobs, NULL);
        jobs = next;
    }
    for (size_t i = 0; i < session->engine->lane_count; i++) {
        struct outgoing *out = &session->outgoing[i];
        lane_unreserve(session->engine->lanes[i], out->count);
        while (out->head) {
            struct job *next = out->head->next;
            job_destroy(out->head, NULL);
            out->head = next;
        }
    }
    job_pool_release(&session->pool);
    session_unref(session, 1);
}
