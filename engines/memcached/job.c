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

struct job *job_create(struct job_pool *pool, struct memcached_session *session, struct engine_op *op)
{
    static const struct engine_condition always = { .if_match = { .given = false } };
    const struct engine_condition *condition = op->condition ? op->condition : &always;
    size_t tags = tags_bytes(&condition->if_match) + tags_bytes(&condition->if_none_match);
    struct job *job = take_block(pool, tags + op->ns.len + op->key.len);
    engine_version *versions;
    char *text;

    if (!job)
        return NULL;
    versions = (engine_version *)(job + 1);
    text = (char *)versions + tags;
    /* The name is left for the caller to write. */
    job->next = job->live_next = job->live_prev = NULL;
    job->session = session;
    job->op = op;
    job->flush = NULL;
    atomic_init(&job->stage, JOB_QUEUED);
    job->verb = op->verb;
    job->ns = copy_bytes(op->ns, &text);
    job->key = copy_bytes(op->key, &text);
    job->value = op->verb == ENGINE_PUT ? value_ref(op->value) : NULL;
    copy_tags(&job->condition.if_match, &condition->if_match, &versions);
    copy_tags(&job->condition.if_none_match, &condition->if_none_match, &versions);
    job->ttl_ms = op->ttl_ms;
    job->idle_ms = op->idle_ms;
    job->deadline_ns = op->deadline_ns;
    job->without_value = op->without_value;
    job->found = (struct found){ .present = false };
    job->scope = 0;
    job->entry = (struct engine_entry){ .ttl_ms = ENGINE_NO_EXPIRY };
    job->limit = 0;
    job_answer(job, ENGINE_FAILED, NULL);
    return job;
}

void job_forget_found(struct job *job)
{
    value_unref(job->found.value);
    job->found = (struct found){ .present = false };
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
