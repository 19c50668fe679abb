/* generations.c - the random numbers that entries of a namespace, of all, or
 * with a tag stand under, and flushes, which take them away. */
#include <sodium.h>

#include "engines/memcached/batch.h"

static uint64_t random_u64(void)
{
    uint64_t number;

    do
        randombytes_buf(&number, sizeof number);
    while (number == 0);
    return number;
}

/* Makes a generation that is missing; each is made by `add`, so of several
 * who do this at once one wins, and the others read what it made. */
static enum progress make(struct worker *worker, struct job *job, const struct item_name *name, uint64_t *generation)
{
    uint64_t made = random_u64();
    enum peer_result result;
    char data[8];

    item_put_u64(data, made);
    result = work_store(worker, &(struct peer_write){ .verb = PEER_ADD, .name = bytes_of(name->text, name->len),
                                                      .data = bytes_of(data, sizeof data) });
    if (result == PEER_OK)
        *generation = made;
    else if (result != PEER_EXISTS)
        work_answer_failure(job, result);
    return result == PEER_EXISTS ? AGAIN : ANSWERED;
}

/* Their lengths were checked when the entry was named. */
static enum progress make_scope(struct worker *worker, struct job *job, struct bytes ns, uint64_t *generation)
{
    struct item_name name;

    if (*generation != 0)
        return ANSWERED;
    (void)!names_generation(worker->lane->prefix, ns, &name);
    return make(worker, job, &name, generation);
}

static enum progress make_tag(struct worker *worker, struct job *job, size_t at)
{
    struct item_name name;

    if (job->tag_generations[at] != 0)
        return ANSWERED;
    (void)!names_item(worker->lane->prefix, NAME_TAG, job->ns, job->put.tags[at], &name);
    return make(worker, job, &name, &job->tag_generations[at]);
}

bool generations_have(struct worker *worker, struct job *job, struct item_stamp *stamp, enum progress *progress)
{
    *progress = make_scope(worker, job, BYTES_NONE, &stamp->all);
    if (stamp->all == 0)
        return false;
    *progress = make_scope(worker, job, job->ns, &stamp->ns);
    if (stamp->ns == 0)
        return false;
    for (size_t i = 0; i < job->put.tag_count; i++) {
        *progress = make_tag(worker, job, i);
        if (job->tag_generations[i] == 0)
            return false;
    }
    return true;
}

/* What holds the entries now is replaced; a tag's is removed, since there may
 * be any number of tags: the next write with it makes a new one. */
static enum peer_result forget_generation(struct worker *worker, const struct job *job)
{
    char data[8];

    item_put_u64(data, random_u64());
    return work_store(worker, &(struct peer_write){
        .verb = PEER_SET,
        .name = bytes_of(job->name.text, job->name.len),
        .data = job->of_tag ? BYTES("") : bytes_of(data, sizeof data),
        .expiry = job->of_tag ? ITEM_EXPIRED_ALREADY : 0,
    });
}

void generations_flush(struct worker *worker, struct job *job)
{
    enum peer_result result = PEER_LOST;

    /* To flush twice is as good as once: so again, once. */
    for (int attempt = 0; attempt < 2 && result == PEER_LOST; attempt++) {
        if (!work_connect(worker, job))
            return;
        result = forget_generation(worker, job);
    }
    if (result == PEER_OK)
        job_answer(job, ENGINE_OK, NULL);
    else
        work_answer_failure(job, result);
}
