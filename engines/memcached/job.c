#include "engines/memcached/job.h"

#include <stdlib.h>

/* Room for most keys; a longer one has a block of its own size. */
#define ROOM_USUAL 192

static struct job *take_block(struct job_pool *pool, size_t room)
{
    struct job *job = pool->spare;

    if (room > ROOM_USUAL || !job) {
        if (room < ROOM_USUAL)
            room = ROOM_USUAL;
        job = malloc(sizeof *job + room);
        if (job)
            job->room = room;
        return job;
    }
    pool->spare = job->next;
    pool->count--;
    return job;
}

static size_t tags_bytes(const struct engine_tags *tags)
{
    return tags->count * sizeof *tags->versions;
}

static void copy_tags(struct engine_tags *to, const struct engine_tags *from, engine_version **room)
{
    *to = *from;
    to->versions = *room;
    if (from->count > 0)
        memcpy(*room, from->versions, tags_bytes(from));
    *room += from->count;
}

static struct bytes copy_bytes(struct bytes from, char **room)
{
    struct bytes to = bytes_of(*room, from.len);

    if (from.len > 0)
        memcpy(*room, from.ptr, from.len);
    *room += from.len;
    return to;
}

static size_t put_bytes(const struct engine_put *put)
{
    size_t bytes = put->tag_count * (sizeof(uint64_t) + sizeof *put->tags);

    for (size_t i = 0; i < put->tag_count; i++)
        bytes += put->tags[i].len;
    return bytes;
}

/* In order of alignment: numbers, tags, text. Returns the end of the text. */
static char *copy_put(struct job *job, const struct engine_put *from, uint64_t *numbers)
{
    struct bytes *tags = (struct bytes *)(numbers + from->tag_count);
    char *text = (char *)(tags + from->tag_count);

    job->put = *from;
    job->put.tags = tags;
    job->tag_generations = numbers;
    for (size_t i = 0; i < from->tag_count; i++) {
        numbers[i] = 0;
        tags[i] = copy_bytes(from->tags[i], &text);
    }
    return text;
}

static void copy_operand(struct job *job, const struct engine_op *op)
{
    unsigned needs = engine_verb_needs(op->verb);

    job->cell.len = 0;
    if (needs & ENGINE_CAN_COUNT)
        job->operand.counter = *op->counter;
    else if (needs & ENGINE_CAN_LIMIT)
        job->operand.rate = *op->rate;
    else if (needs & ENGINE_CAN_LOCK)
        job->operand.lock = *op->lock;
}

static void init_results(struct job *job)
{
    job->found = (struct found){ .present = false };
    job->scope = 0;
    job->entry = (struct engine_entry){ .ttl_ms = ENGINE_NO_EXPIRY };
    job->lease = ENGINE_LEASE_NONE;
    job->lease_left_ms = 0;
    job->limit = 0;
    job_answer(job, ENGINE_FAILED, NULL);
}

/* The name is left for the caller to write. */
static void init_operation(struct job *job, const struct engine_op *op)
{
    atomic_init(&job->stage, JOB_QUEUED);
    job->verb = op->verb;
    job->of_tag = op->verb == ENGINE_FLUSH && op->tag.len > 0;
    job->value = op->verb == ENGINE_PUT ? value_ref(op->value) : NULL;
    job->ttl_ms = op->ttl_ms;
    job->idle_ms = op->idle_ms;
    job->deadline_ns = op->deadline_ns;
    job->without_value = op->without_value;
    job->lease_ms = op->verb == ENGINE_GET ? op->lease_ms : 0;
    job->lease_token = op->lease_token;
    copy_operand(job, op);
}

struct job *job_create(struct job_pool *pool, struct memcached_session *session, struct engine_op *op)
{
    static const struct engine_condition always = { .if_match = { .given = false } };
    static const struct engine_put plain = { .tag_count = 0 };
    const struct engine_condition *condition = op->condition ? op->condition : &always;
    const struct engine_put *put = op->verb == ENGINE_PUT && op->put ? op->put : &plain;
    size_t tags = tags_bytes(&condition->if_match) + tags_bytes(&condition->if_none_match);
    struct job *job = take_block(pool, tags + put_bytes(put) + op->ns.len + op->key.len);
    engine_version *versions;
    char *text;

    if (!job)
        return NULL;
    job->next = job->live_next = job->live_prev = NULL;
    job->session = session;
    job->op = op;
    job->flush = NULL;
    init_operation(job, op);
    versions = (engine_version *)(job + 1);
    copy_tags(&job->condition.if_match, &condition->if_match, &versions);
    copy_tags(&job->condition.if_none_match, &condition->if_none_match, &versions);
    text = copy_put(job, put, versions);
    job->ns = copy_bytes(op->ns, &text);
    job->key = copy_bytes(op->key, &text);
    init_results(job);
    return job;
}

void job_forget_found(struct job *job)
{
    value_unref(job->found.value);
    free(job->found.tags);
    job->found = (struct found){ .present = false };
    job->cell.len = 0;
}

void job_bring_home(struct job *job, struct engine_op *op)
{
    unsigned needs = engine_verb_needs(op->verb);

    op->status = job->status;
    op->entry = job->entry;
    op->lease = job->lease;
    op->lease_left_ms = job->lease_left_ms;
    op->limit = job->status == ENGINE_TOO_LARGE ? job->limit : 0;
    op->detail = job->detail;
    job->entry.value = NULL;
    if (!engine_status_served(job->status))
        return;
    if (needs & ENGINE_CAN_COUNT)
        *op->counter = job->result.counter;
    else if (needs & ENGINE_CAN_LIMIT)
        *op->rate = job->result.rate;
    else if (needs & ENGINE_CAN_LOCK)
        *op->lock = job->result.lock;
}

void job_destroy(struct job *job, struct job_pool *pool)
{
    if (!job)
        return;
    job_forget_found(job);
    value_unref(job->entry.value);
    value_unref(job->value);
    if (!pool || job->room != ROOM_USUAL || pool->count == JOB_POOL_MAX) {
        free(job);
        return;
    }
    job->next = pool->spare;
    pool->spare = job;
    pool->count++;
}

void job_pool_release(struct job_pool *pool)
{
    while (pool->spare) {
        struct job *job = pool->spare;
        pool->spare = job->next;
        free(job);
    }
    pool->count = 0;
}

void job_answer(struct job *job, enum engine_status status, const char *detail)
{
    job->status = status;
    job->detail = detail;
}
