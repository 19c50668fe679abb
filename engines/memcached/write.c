/* write.c - what changes something: stores with CAS, and flushes.
 *
 * Every write stores what follows from what it has read, on condition that
 * this still stands: with its token, or with `add` where nothing was. When
 * another writer was faster it reads again. Removing is storing what has
 * expired already. */
#include <sodium.h>
#include <stdlib.h>

#include "engines/memcached/lane.h"
#include "service/base/clock.h"

/* Each attempt fails only if another writer of the entry succeeded. */
#define ATTEMPTS_MAX 64
/* A larger buffer is not kept for the next write. */
#define SCRATCH_KEEP (256 * 1024)
/* Memcached's own bytes in an item (struct _stritem, CAS, flags, chunk head),
 * with some to spare. */
#define ITEM_OVERHEAD 192

enum progress { ANSWERED, AGAIN };

/* ---- Small parts ---- */

static uint64_t now_in_ms(void)
{
    return clock_realtime_ns() / NS_PER_MS;
}

static uint64_t random_u64(void)
{
    uint64_t number;

    do
        randombytes_buf(&number, sizeof number);
    while (number == 0);
    return number;
}

/* SplitMix64 (Steele, Lea, Flood 2014) over a counter with a random start: no
 * repetition within a thread, and none to be expected between threads. */
static uint64_t next_version(struct worker *worker)
{
    uint64_t z;

    do {
        z = worker->version_base + ++worker->version_count * UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
    } while (z == 0);
    return z;
}

static bool reserve_scratch(struct worker *worker, size_t size)
{
    char *grown;

    if (size <= worker->scratch_size)
        return true;
    grown = realloc(worker->scratch, size);
    if (!grown)
        return false;
    worker->scratch = grown;
    worker->scratch_size = size;
    return true;
}

static void trim_scratch(struct worker *worker)
{
    if (worker->scratch_size <= SCRATCH_KEEP)
        return;
    free(worker->scratch);
    worker->scratch = NULL;
    worker->scratch_size = 0;
}

/* A write that failed may have happened, unless the server said otherwise. */
static void answer_failure(struct job *job, enum peer_result result)
{
    switch (result) {
    case PEER_FULL:
        job_answer(job, ENGINE_FULL, "the memcached server has no memory left and may not evict");
        break;
    case PEER_REFUSED:
        job_answer(job, ENGINE_REFUSED, "the memcached server refuses the credentials");
        break;
    case PEER_SILENT:
        job_answer(job, ENGINE_LATE, "the memcached server does not answer");
        break;
    case PEER_LOST:
        job_answer(job, ENGINE_FAILED, "the connection to the memcached server broke during a write");
        break;
    default:
        job_answer(job, ENGINE_FAILED, "the memcached server answers with errors");
        break;
    }
}

static bool connect_for(struct worker *worker, struct job *job)
{
    if (worker_connect(worker))
        return true;
    lane_answer(worker->lane, job);
    return false;
}

static enum peer_result store(struct worker *worker, const struct peer_write *write)
{
    enum peer_result result = peer_store(worker->peer, write);

    worker_note_failure(worker, result);
    return result;
}

/* ---- Generations ---- */

/* Makes the generation that is missing; each is made by `add`, so of several
 * who do this at once one wins, and the others read what it made. */
static enum progress make_generation(struct worker *worker, struct job *job, struct bytes ns, uint64_t *generation)
{
    char data[8];
    struct item_name name;
    enum peer_result result;
    uint64_t made = random_u64();

    if (*generation != 0)
        return ANSWERED;
    (void)!names_generation(worker->lane->prefix, ns, &name);
    item_put_u64(data, made);
    result = store(worker, &(struct peer_write){ .verb = PEER_ADD, .name = bytes_of(name.text, name.len),
                                                 .data = bytes_of(data, sizeof data) });
    if (result == PEER_OK)
        *generation = made;
    else if (result != PEER_EXISTS)
        answer_failure(job, result);
    return result == PEER_EXISTS ? AGAIN : ANSWERED;
}

/* True when both generations are there; else `*progress` says how it ended. */
static bool have_generations(struct worker *worker, struct job *job, struct item_stamp *stamp, enum progress *progress)
{
    *progress = make_generation(worker, job, BYTES_NONE, &stamp->all);
    if (stamp->all == 0 || *progress == AGAIN)
        return false;
    *progress = make_generation(worker, job, job->ns, &stamp->ns);
    return stamp->ns != 0;
}

void write_flush(struct worker *worker, struct job *job)
{
    char data[8];
    enum peer_result result = PEER_LOST;

    /* A generation that is set twice is as good as one: so again, once. */
    for (int attempt = 0; attempt < 2 && result == PEER_LOST; attempt++) {
        if (!connect_for(worker, job))
            return;
        item_put_u64(data, random_u64());
        result = store(worker, &(struct peer_write){ .verb = PEER_SET,
                                                     .name = bytes_of(job->name.text, job->name.len),
                                                     .data = bytes_of(data, sizeof data) });
    }
    if (result == PEER_OK)
        job_answer(job, ENGINE_OK, NULL);
    else
        answer_failure(job, result);
}

/* ---- Entries ---- */

/* Lays head and value out in one piece; false: it does not fit, or no memory. */
static bool lay_out(struct worker *worker, struct job *job, const struct item *item, struct bytes *out)
{
    char head[ITEM_HEAD_MAX];
    size_t head_len = item_write_head(item, head);
    size_t taken = head_len + job->name.len + ITEM_OVERHEAD;
    size_t item_max = peer_item_max(worker->peer);

    job->limit = item_max > taken ? item_max - taken : 0;
    if (item->data.len > job->limit) {
        job_answer(job, ENGINE_TOO_LARGE, "larger than the memcached server's item limit");
        return false;
    }
    if (!reserve_scratch(worker, head_len + item->data.len)) {
        job_answer(job, ENGINE_FAILED, "out of memory");
        return false;
    }
    memcpy(worker->scratch, head, head_len);
    if (item->data.len > 0)
        memcpy(worker->scratch + head_len, item->data.ptr, item->data.len);
    *out = bytes_of(worker->scratch, head_len + item->data.len);
    return true;
}

/* Stores over what was found; PEER_ABSENT and PEER_EXISTS: it is no longer
 * what was found. */
static enum peer_result store_over(struct worker *worker, struct job *job, struct bytes data, int64_t expiry)
{
    return store(worker, &(struct peer_write){
        .verb = job->found.present ? PEER_REPLACE : PEER_ADD,
        .name = bytes_of(job->name.text, job->name.len),
        .data = data,
        .expiry = expiry,
        .cas = job->found.cas,
    });
}

/* Stores `item`, in answer to a job that then has the status `done`. */
static enum progress store_item(struct worker *worker, struct job *job, struct item *item, enum engine_status done,
                                uint64_t now_ms)
{
    enum peer_result result;
    struct bytes data;

    if (job->name.digested) {
        item->ns = job->ns;
        item->key = job->key;
    }
    if (!lay_out(worker, job, item, &data))
        return ANSWERED;
    result = store_over(worker, job, data, item_server_expiry(item, now_ms));
    trim_scratch(worker);
    if (result == PEER_EXISTS || result == PEER_ABSENT)
        return AGAIN;
    if (result == PEER_OK) {
        job_answer(job, done, NULL);
        job_describe(job, item, item->data.len, now_ms);
    } else if (result == PEER_TOO_LARGE) {
        job_answer(job, ENGINE_TOO_LARGE, "larger than the memcached server's item limit");
    } else {
        answer_failure(job, result);
    }
    return ANSWERED;
}

static enum progress put(struct worker *worker, struct job *job, struct item_stamp *stamp, bool stands)
{
    uint64_t now_ms = now_in_ms();
    enum progress progress;
    struct item item = {
        .content_type = value_content_type(job->value),
        .data = value_bytes(job->value),
    };

    if (!have_generations(worker, job, stamp, &progress))
        return progress;
    item.stamp = *stamp;
    item.version = next_version(worker);
    item_set_time(&item, job->ttl_ms, (uint64_t)job->idle_ms, now_ms);
    return store_item(worker, job, &item, stands ? ENGINE_OK : ENGINE_CREATED, now_ms);
}

/* The entry that stands, with its value, to be stored with other times. */
static bool copy_found(struct job *job, struct item *item)
{
    if (!job->found.value) {
        job_answer(job, ENGINE_FAILED, "out of memory");
        return false;
    }
    *item = job->found.item;
    item->ns = item->key = BYTES_NONE;
    item->content_type = value_content_type(job->found.value);
    item->data = value_bytes(job->found.value);
    return true;
}

static enum progress touch(struct worker *worker, struct job *job)
{
    uint64_t now_ms = now_in_ms();
    struct item item;

    if (!copy_found(job, &item))
        return ANSWERED;
    item_set_time(&item, job->ttl_ms, item.idle_ms, now_ms);
    return store_item(worker, job, &item, ENGINE_OK, now_ms);
}

static enum progress delete(struct worker *worker, struct job *job)
{
    enum peer_result result = store_over(worker, job, BYTES(""), ITEM_EXPIRED_ALREADY);

    if (result == PEER_EXISTS || result == PEER_ABSENT)
        return AGAIN;
    if (result == PEER_OK) {
        job_answer(job, ENGINE_OK, NULL);
        job->entry.version = job->found.item.version;
        job->entry.bytes = job->found.bytes;
    } else {
        answer_failure(job, result);
    }
    return ANSWERED;
}

/* A read of a sliding entry. When somebody else has changed it meanwhile, that
 * was extended or is another entry: what was read is the answer. */
static void slide(struct worker *worker, struct job *job)
{
    uint64_t now_ms = now_in_ms();
    struct item item;

    if (!copy_found(job, &item))
        return;
    item.due_ms = item_slide(&item, now_ms);
    if (store_item(worker, job, &item, ENGINE_OK, now_ms) == AGAIN || job->status == ENGINE_FULL ||
        job->status == ENGINE_TOO_LARGE) {
        job_answer(job, ENGINE_OK, NULL);
        job_describe(job, &item, item.data.len, now_ms);
    }
    if (job->status == ENGINE_OK && !job->without_value) {
        job->entry.value = job->found.value;
        job->found.value = NULL;
    }
}

static enum progress try_write(struct worker *worker, struct job *job, struct item_stamp *stamp)
{
    bool stands = batch_entry_stands(job, stamp, now_in_ms());
    uint64_t version = stands ? job->found.item.version : 0;

    if (!engine_condition_holds(&job->condition, version)) {
        job_answer(job, ENGINE_MISMATCH, NULL);
        job->entry.version = version;
        return ANSWERED;
    }
    if (!stands && job->verb != ENGINE_PUT) {
        job_answer(job, ENGINE_MISS, NULL);
        return ANSWERED;
    }
    if (!connect_for(worker, job))
        return ANSWERED;
    if (job->verb == ENGINE_PUT)
        return put(worker, job, stamp, stands);
    return job->verb == ENGINE_DELETE ? delete(worker, job) : touch(worker, job);
}

void write_job(struct worker *worker, struct job *job, struct item_stamp stamp)
{
    job_answer(job, ENGINE_BUSY, "too many writers of this entry at once");
    if (job_is_cancelled(job))
        return;
    if (job->verb == ENGINE_GET) {
        if (connect_for(worker, job))
            slide(worker, job);
        return;
    }
    for (int attempt = 0; attempt < ATTEMPTS_MAX && !job_is_cancelled(job); attempt++) {
        if (attempt > 0 && !batch_read_again(worker, job, &stamp))
            return;
        if (try_write(worker, job, &stamp) == ANSWERED)
            return;
    }
    job_answer(job, ENGINE_BUSY, "too many writers of this entry at once");
}
