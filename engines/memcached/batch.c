/* batch.c - a thread's work on the jobs it took: one multi-get for all, then
 * the answers of the reads, then the writes one by one.
 *
 * The generations come last in the multi-get, which a server works through in
 * order: whatever an entry carries has then been a generation before, so an
 * entry that a flush has made way for is never taken for an older one. */
#include <stdlib.h>

#include "engines/memcached/lane.h"
#include "engines/memcached/session.h"
#include "service/base/clock.h"

/* How long a call waits: as long as an operation does, within these bounds. */
#define PATIENCE_MIN_MS 100
#define PATIENCE_MAX_MS 1000
/* A sliding entry is not rewritten for less; expiry is exact to 50 ms. */
#define SLIDE_MIN_MS 20
/* Answers of writes wait for this many. */
#define DELIVER_EVERY 8

struct scope {
    struct bytes ns;
    struct item_name name;
    uint64_t generation; /* 0: there is none */
};

struct batch {
    struct worker *worker;
    unsigned count, scope_count;
    uint64_t all_generation;
    struct job *jobs[LANE_BATCH_MAX];
    const char *names[2 * LANE_BATCH_MAX + 1];
    size_t lengths[2 * LANE_BATCH_MAX + 1];
    struct scope scopes[LANE_BATCH_MAX];
};

/* ---- On the way home ---- */

struct delivery {
    struct lane *lane;
    struct job *head, *tail;
    unsigned count;
};

static void deliver_all(struct delivery *delivery)
{
    if (delivery->count == 0)
        return;
    lane_unreserve(delivery->lane, delivery->count);
    session_deliver(delivery->head->session, delivery->head, delivery->tail, delivery->count);
    delivery->head = delivery->tail = NULL;
    delivery->count = 0;
}

static void deliver(struct delivery *delivery, struct job *job)
{
    if (delivery->count > 0 && delivery->head->session != job->session)
        deliver_all(delivery);
    job->next = NULL;
    if (delivery->tail)
        delivery->tail->next = job;
    else
        delivery->head = job;
    delivery->tail = job;
    delivery->count++;
}

/* ---- Reading ---- */

static void add_job(struct batch *batch, struct job *job)
{
    unsigned i = 0;

    while (i < batch->scope_count && !bytes_equal(batch->scopes[i].ns, job->ns))
        i++;
    if (i == batch->scope_count) {
        batch->scopes[i].ns = job->ns;
        /* Its length was checked when the entry was named. */
        (void)!names_generation(batch->worker->lane->prefix, job->ns, &batch->scopes[i].name);
        batch->scope_count++;
    }
    job->scope = i;
    batch->jobs[batch->count++] = job;
}

static unsigned lay_out_names(struct batch *batch)
{
    const struct item_name *all = &batch->worker->lane->all_name;
    unsigned n = 0;

    for (unsigned i = 0; i < batch->count; i++, n++) {
        batch->names[n] = batch->jobs[i]->name.text;
        batch->lengths[n] = batch->jobs[i]->name.len;
    }
    for (unsigned i = 0; i < batch->scope_count; i++, n++) {
        batch->names[n] = batch->scopes[i].name.text;
        batch->lengths[n] = batch->scopes[i].name.len;
    }
    batch->names[n] = all->text;
    batch->lengths[n] = all->len;
    return n + 1;
}

static bool wants_value(const struct job *job, const struct item *item)
{
    if (job->verb == ENGINE_GET)
        return !job->without_value || item->idle_ms != 0;
    return job->verb == ENGINE_TOUCH;
}

/* Large values keep the buffer they arrived in. */
static struct value *make_value(struct peer *peer, const struct peer_item *hit, const struct item *item)
{
    size_t data_at = (size_t)(item->data.ptr - hit->data.ptr);
    size_t type_at = (size_t)(item->content_type.ptr - hit->data.ptr);
    struct bytes type = item->content_type;
    char *owned = peer_take_data(peer);
    struct value *value;

    if (owned) {
        type.ptr = owned + type_at;
        value = value_adopt(type, bytes_of(owned + data_at, item->data.len), free, owned);
        if (!value)
            free(owned);
        return value;
    }
    value = value_create(type, item->data.len);
    if (value && item->data.len > 0)
        memcpy(value_writable(value), item->data.ptr, item->data.len);
    return value;
}

static void take_entry(struct peer *peer, struct job *job, const struct peer_item *hit)
{
    struct found *found = &job->found;

    found->present = true;
    found->cas = hit->cas;
    if (!item_parse(hit->data, &found->item))
        return;
    /* A digest may collide, a name may not: then another's entry is a miss. */
    if (job->name.digested && (!bytes_equal(found->item.ns, job->ns) || !bytes_equal(found->item.key, job->key)))
        return;
    found->ours = true;
    found->bytes = found->item.data.len;
    if (wants_value(job, &found->item))
        found->value = make_value(peer, hit, &found->item);
}

static uint64_t generation_of(const struct peer_item *hit)
{
    return hit->data.len == 8 ? item_get_u64(hit->data.ptr) : 0;
}

static bool name_is(const struct batch *batch, unsigned at, struct bytes name)
{
    return bytes_equal(bytes_of(batch->names[at], batch->lengths[at]), name);
}

/* Hits come in the order that was asked for. False: this one was not. */
static bool take_hit(struct batch *batch, const struct peer_item *hit, unsigned total, unsigned *cursor)
{
    unsigned at = *cursor;

    while (at < total && !name_is(batch, at, hit->name))
        at++;
    if (at == total)
        return false;
    *cursor = at + 1;
    if (at < batch->count)
        take_entry(batch->worker->peer, batch->jobs[at], hit);
    else if (at - batch->count < batch->scope_count)
        batch->scopes[at - batch->count].generation = generation_of(hit);
    else
        batch->all_generation = generation_of(hit);
    return true;
}

static void forget(struct batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++)
        job_forget_found(batch->jobs[i]);
    for (unsigned i = 0; i < batch->scope_count; i++)
        batch->scopes[i].generation = 0;
    batch->all_generation = 0;
}

static enum peer_result read_once(struct batch *batch)
{
    struct peer *peer = batch->worker->peer;
    unsigned total = lay_out_names(batch), cursor = 0;
    enum peer_result result = peer_ask(peer, batch->names, batch->lengths, total);

    while (result == PEER_OK) {
        struct peer_item hit;
        result = peer_next(peer, &hit);
        if (result == PEER_OK && !take_hit(batch, &hit, total, &cursor)) {
            peer_close(peer);
            return PEER_ERRED;
        }
    }
    return result == PEER_ABSENT ? PEER_OK : result;
}

static void be_patient(struct batch *batch)
{
    uint64_t now = clock_monotonic_ns(), latest = 0, ms;

    for (unsigned i = 0; i < batch->count; i++)
        if (batch->jobs[i]->deadline_ns > latest)
            latest = batch->jobs[i]->deadline_ns;
    ms = latest > now ? (latest - now) / NS_PER_MS : 0;
    ms = ms < PATIENCE_MIN_MS ? PATIENCE_MIN_MS : ms > PATIENCE_MAX_MS ? PATIENCE_MAX_MS : ms;
    peer_set_patience(batch->worker->peer, ms);
}

static enum peer_result read_batch(struct batch *batch)
{
    bool kept = peer_is_open(batch->worker->peer);
    enum peer_result result = PEER_LOST;

    /* A server that was restarted has broken what it left behind: reading
     * again on a new connection is harmless. */
    for (int attempt = 0; attempt < (kept ? 2 : 1) && result == PEER_LOST; attempt++) {
        forget(batch);
        if (!worker_connect(batch->worker))
            return PEER_LOST;
        be_patient(batch);
        result = read_once(batch);
    }
    if (result != PEER_OK)
        worker_note_failure(batch->worker, result);
    return result;
}

static struct item_stamp stamp_of(const struct batch *batch, const struct job *job)
{
    return (struct item_stamp){ .ns = batch->scopes[job->scope].generation, .all = batch->all_generation };
}

/* The read failed: nothing was changed. */
static void answer_failed_read(const struct lane *lane, struct job *job, enum peer_result result)
{
    job_forget_found(job);
    if (result == PEER_SILENT)
        job_answer(job, ENGINE_LATE, "the memcached server does not answer");
    else if (result == PEER_REFUSED)
        job_answer(job, ENGINE_REFUSED, "the memcached server refuses the credentials");
    else if (result != PEER_LOST)
        job_answer(job, ENGINE_FAILED, "the memcached server answers with errors");
    else if (lane_state(lane) == LANE_DOWN)
        lane_answer(lane, job);
    else
        job_answer(job, ENGINE_UNAVAILABLE, "the connection to the memcached server broke");
    if (lane->dead_is_miss && job->verb == ENGINE_GET && (result == PEER_SILENT || result == PEER_LOST) &&
        job->status != ENGINE_REFUSED)
        job_answer(job, ENGINE_MISS, NULL);
}

bool batch_read_again(struct worker *worker, struct job *job, struct item_stamp *stamp)
{
    struct batch *batch = calloc(1, sizeof *batch);
    enum peer_result result;

    if (!batch) {
        job_answer(job, ENGINE_FAILED, "out of memory");
        return false;
    }
    batch->worker = worker;
    add_job(batch, job);
    result = read_batch(batch);
    *stamp = stamp_of(batch, job);
    if (result != PEER_OK)
        answer_failed_read(worker->lane, job, result);
    free(batch);
    return result == PEER_OK;
}

/* ---- Answers ---- */

bool batch_entry_stands(const struct job *job, const struct item_stamp *stamp, uint64_t now_ms)
{
    return job->found.ours && item_stands(&job->found.item, stamp, now_ms);
}

void job_describe(struct job *job, const struct item *item, size_t bytes, uint64_t now_ms)
{
    job->entry.version = item->version;
    job->entry.bytes = bytes;
    job->entry.ttl_ms = item_remaining_ms(item, now_ms);
    job->entry.idle_ms = (int64_t)item->idle_ms;
}

/* False: a sliding entry that is to be extended first. */
static bool answer_get(struct job *job, const struct item_stamp *stamp, uint64_t now_ms)
{
    struct found *found = &job->found;

    if (!batch_entry_stands(job, stamp, now_ms)) {
        job_answer(job, ENGINE_MISS, NULL);
        return true;
    }
    if (!found->value && wants_value(job, &found->item)) {
        job_answer(job, ENGINE_FAILED, "out of memory");
        return true;
    }
    if (found->item.idle_ms != 0 && item_slide(&found->item, now_ms) - found->item.due_ms >= SLIDE_MIN_MS)
        return false;
    job_answer(job, ENGINE_OK, NULL);
    job_describe(job, &found->item, found->bytes, now_ms);
    if (!job->without_value) {
        job->entry.value = found->value;
        found->value = NULL;
    }
    return true;
}

static void answer_reads(struct batch *batch, struct delivery *delivery)
{
    uint64_t now_ms = clock_realtime_ns() / NS_PER_MS;

    for (unsigned i = 0; i < batch->count; i++) {
        struct job *job = batch->jobs[i];
        struct item_stamp stamp = stamp_of(batch, job);
        if (job->verb != ENGINE_GET || !answer_get(job, &stamp, now_ms))
            continue;
        deliver(delivery, job);
        batch->jobs[i] = NULL;
    }
    deliver_all(delivery);
}

static void do_writes(struct batch *batch, struct delivery *delivery)
{
    for (unsigned i = 0; i < batch->count; i++) {
        struct job *job = batch->jobs[i];
        if (!job)
            continue;
        worker_ends_reading(batch->worker);
        write_job(batch->worker, job, stamp_of(batch, job));
        deliver(delivery, job);
        if (delivery->count >= DELIVER_EVERY)
            deliver_all(delivery);
    }
    deliver_all(delivery);
}

static void work(struct batch *batch, struct delivery *delivery)
{
    enum peer_result result;

    if (batch->count == 0)
        return;
    result = read_batch(batch);
    if (result == PEER_OK) {
        answer_reads(batch, delivery);
        do_writes(batch, delivery);
        return;
    }
    for (unsigned i = 0; i < batch->count; i++) {
        answer_failed_read(batch->worker->lane, batch->jobs[i], result);
        deliver(delivery, batch->jobs[i]);
    }
    deliver_all(delivery);
}

/* Whether the job is to be carried out; else it is answered. */
static bool take_job(const struct lane *lane, struct job *job)
{
    unsigned stage = JOB_QUEUED;

    if (!atomic_compare_exchange_strong(&job->stage, &stage, JOB_TAKEN))
        return false;
    if (lane_state(lane) != LANE_DOWN)
        return true;
    lane_answer(lane, job);
    return false;
}

void batch_run(struct worker *worker, struct job *jobs)
{
    struct delivery delivery = { .lane = worker->lane };
    struct batch batch;

    batch.worker = worker;
    batch.count = batch.scope_count = 0;
    while (jobs) {
        struct job *job = jobs;
        jobs = job->next;
        if (!take_job(worker->lane, job)) {
            deliver(&delivery, job);
        } else if (job->verb == ENGINE_FLUSH) {
            worker_ends_reading(worker);
            write_flush(worker, job);
            deliver(&delivery, job);
        } else {
            add_job(&batch, job);
        }
    }
    deliver_all(&delivery);
    work(&batch, &delivery);
}
