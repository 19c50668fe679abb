/* write.c - what changes an entry: stores with CAS.
 *
 * Every write stores what follows from what it has read, on condition that
 * this still stands: with its token, or with `add` where nothing was. When
 * another writer was faster it reads again. Removing is storing what has
 * expired already. A lease is such a write as well: of a marker where no entry
 * stands, or of the stale entry with the lease in its header. */
#include <stdlib.h>

#include "engines/memcached/batch.h"

/* A larger buffer is not kept for the next write. */
#define SCRATCH_KEEP (256 * 1024)
/* Memcached's own bytes in an item (struct _stritem, CAS, flags, chunk head),
 * with some to spare. */
#define ITEM_OVERHEAD 192

/* ---- Storing an entry ---- */

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
    result = work_store_over(worker, job, data, item_server_expiry(item, now_ms));
    trim_scratch(worker);
    if (result == PEER_EXISTS || result == PEER_ABSENT)
        return AGAIN;
    if (result == PEER_OK) {
        job_answer(job, done, NULL);
        if (!item->absent)
            job_describe(job, item, item->data.len, now_ms);
    } else if (result == PEER_TOO_LARGE) {
        job_answer(job, ENGINE_TOO_LARGE, "larger than the memcached server's item limit");
    } else {
        work_answer_failure(job, result);
    }
    return ANSWERED;
}

/* The entry that stands, with its value, to be stored with other times. */
static void copy_found(const struct job *job, struct item *item)
{
    *item = job->found.item;
    item->ns = item->key = BYTES_NONE;
    item->content_type = value_content_type(job->found.value);
    item->data = value_bytes(job->found.value);
}

/* ---- Writes ---- */

static size_t write_tags(const struct job *job, char out[ITEM_TAGS_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < job->put.tag_count; i++) {
        struct item_tag tag = { .name = job->put.tags[i], .generation = job->tag_generations[i] };
        len += item_write_tag(&tag, out + len);
    }
    return len;
}

static enum progress put(struct worker *worker, struct job *job, struct item_stamp *stamp, bool stands)
{
    uint64_t now_ms = work_now_ms();
    char tags[ITEM_TAGS_MAX];
    enum progress progress;
    struct item item = {
        .content_type = value_content_type(job->value),
        .data = value_bytes(job->value),
        .fence = job->put.fence,
    };

    if (!generations_have(worker, job, stamp, &progress))
        return progress;
    item.stamp = *stamp;
    item.tags = bytes_of(tags, write_tags(job, tags));
    item.version = next_version(worker);
    if (stands && job->found.item.fence > item.fence)
        item.fence = job->found.item.fence;
    item_set_time(&item, job->ttl_ms, (uint64_t)job->idle_ms, (uint64_t)job->put.stale_ms, now_ms);
    return store_item(worker, job, &item, stands ? ENGINE_OK : ENGINE_CREATED, now_ms);
}

static enum progress touch(struct worker *worker, struct job *job)
{
    uint64_t now_ms = work_now_ms();
    struct item item;

    copy_found(job, &item);
    item.lease_token = item.lease_until_ms = 0;
    item_set_time(&item, job->ttl_ms, item.idle_ms, item.stale_ms, now_ms);
    return store_item(worker, job, &item, ENGINE_OK, now_ms);
}

/* Removes the entry, or a lease where none stands. */
static enum progress delete(struct worker *worker, struct job *job, bool stands)
{
    enum peer_result result = work_store_over(worker, job, BYTES(""), ITEM_EXPIRED_ALREADY);

    if (result == PEER_EXISTS || result == PEER_ABSENT)
        return AGAIN;
    if (result != PEER_OK) {
        work_answer_failure(job, result);
    } else if (stands) {
        job_answer(job, ENGINE_OK, NULL);
        job->entry.version = job->found.item.version;
        job->entry.bytes = job->found.bytes;
    } else {
        job_answer(job, ENGINE_MISS, NULL);
    }
    return ANSWERED;
}

static bool lease_is_good(const struct job *job, const struct item_stamp *stamp, uint64_t now_ms)
{
    return batch_found_holds(job, stamp) && item_lease_left_ms(&job->found.item, now_ms) > 0 &&
           job->found.item.lease_token == job->put.lease;
}

/* Whether the write may go on from what stands; else it is answered. */
static bool judge(struct job *job, const struct item_stamp *stamp, bool stands, uint64_t now_ms)
{
    uint64_t version = stands ? job->found.item.version : 0;

    if (!engine_condition_holds(&job->condition, version))
        job_answer(job, ENGINE_MISMATCH, NULL);
    else if (job->put.fence != 0 && stands && job->put.fence < job->found.item.fence)
        job_answer(job, ENGINE_FENCED, NULL);
    else if (job->put.lease != 0 && !lease_is_good(job, stamp, now_ms))
        job_answer(job, ENGINE_VOID, NULL);
    else
        return true;
    job->entry.version = version;
    return false;
}

static enum progress try_write(struct worker *worker, struct job *job, struct item_stamp *stamp)
{
    uint64_t now_ms = work_now_ms();
    bool stands = batch_entry_stands(job, stamp, now_ms);
    bool leased = batch_found_holds(job, stamp) && item_lease_left_ms(&job->found.item, now_ms) > 0;

    if (job->found.lost) {
        job_answer(job, ENGINE_FAILED, "out of memory");
        return ANSWERED;
    }
    if (!judge(job, stamp, stands, now_ms))
        return ANSWERED;
    if (!stands && job->verb != ENGINE_PUT && !(job->verb == ENGINE_DELETE && leased)) {
        job_answer(job, ENGINE_MISS, NULL);
        return ANSWERED;
    }
    if (!work_connect(worker, job))
        return ANSWERED;
    if (job->verb == ENGINE_PUT)
        return put(worker, job, stamp, stands);
    return job->verb == ENGINE_DELETE ? delete(worker, job, stands) : touch(worker, job);
}

/* ---- What reads write ---- */

static void give_value(struct job *job)
{
    if (job->without_value)
        return;
    job->entry.value = job->found.value;
    job->found.value = NULL;
}

/* No room for what a read wanted to leave: that is no reason not to answer it. */
static bool had_no_room(const struct job *job)
{
    return job->status == ENGINE_FULL || job->status == ENGINE_TOO_LARGE;
}

/* A read of a sliding entry. When somebody else has changed it meanwhile, that
 * was extended or is another entry: what was read is the answer. */
static enum progress slide(struct worker *worker, struct job *job)
{
    uint64_t now_ms = work_now_ms();
    struct item item;

    copy_found(job, &item);
    item.due_ms = item_slide(&item, now_ms);
    if (store_item(worker, job, &item, ENGINE_OK, now_ms) == AGAIN || had_no_room(job)) {
        job_answer(job, ENGINE_OK, NULL);
        job_describe(job, &item, item.data.len, now_ms);
    }
    if (job->status == ENGINE_OK)
        give_value(job);
    return ANSWERED;
}

/* Of a stale entry. */
static enum progress lease_entry(struct worker *worker, struct job *job, uint64_t now_ms)
{
    struct item item;

    copy_found(job, &item);
    item.lease_token = job->lease_token;
    item.lease_until_ms = now_ms + (uint64_t)job->lease_ms;
    if (store_item(worker, job, &item, ENGINE_OK, now_ms) == AGAIN)
        return AGAIN;
    if (had_no_room(job)) {
        job_answer(job, ENGINE_OK, NULL);
        job_describe(job, &item, item.data.len, now_ms);
    } else if (job->status == ENGINE_OK) {
        job->lease = ENGINE_LEASE_WON;
    }
    if (job->status == ENGINE_OK)
        give_value(job);
    return ANSWERED;
}

/* Where no entry stands. */
static enum progress lease_nothing(struct worker *worker, struct job *job, struct item_stamp *stamp, uint64_t now_ms)
{
    enum progress progress;
    struct item item = { .absent = true, .lease_token = job->lease_token };

    if (!generations_have(worker, job, stamp, &progress)) {
        if (had_no_room(job))
            job_answer(job, ENGINE_MISS, NULL);
        return progress;
    }
    item.stamp = *stamp;
    item.version = next_version(worker);
    item_set_time(&item, job->lease_ms, 0, 0, now_ms);
    item.lease_until_ms = item.due_ms;
    if (store_item(worker, job, &item, ENGINE_MISS, now_ms) == AGAIN)
        return AGAIN;
    if (had_no_room(job))
        job_answer(job, ENGINE_MISS, NULL);
    else if (job->status == ENGINE_MISS)
        job->lease = ENGINE_LEASE_WON;
    return ANSWERED;
}

static enum progress try_get(struct worker *worker, struct job *job, struct item_stamp *stamp)
{
    uint64_t now_ms = work_now_ms();

    if (batch_answer_get(job, stamp, now_ms) || !work_connect(worker, job))
        return ANSWERED;
    if (!batch_entry_stands(job, stamp, now_ms))
        return lease_nothing(worker, job, stamp, now_ms);
    return job->found.item.idle_ms != 0 ? slide(worker, job) : lease_entry(worker, job, now_ms);
}

void write_job(struct worker *worker, struct job *job, struct item_stamp stamp)
{
    unsigned attempt = 0;
    enum progress progress;

    job_answer(job, ENGINE_BUSY, "given up before it was begun");
    if (job_is_cancelled(job))
        return;
    do {
        work_back_off(attempt);
        if (!work_may_try(job, attempt) || (attempt > 0 && !batch_read_again(worker, job, &stamp)))
            return;
        progress = job->verb == ENGINE_GET ? try_get(worker, job, &stamp) : try_write(worker, job, &stamp);
        attempt++;
    } while (progress == AGAIN);
}
