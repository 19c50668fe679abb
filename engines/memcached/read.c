/* read.c - one multi-get for what a batch of jobs needs, and a second one for
 * the tags of what was found.
 *
 * Generations come after the entries, which a server works through in order:
 * whatever an entry carries has then been a generation before, so an entry
 * that a flush has made way for is never taken for an older one. */
#include <stdlib.h>

#include "engines/memcached/batch.h"
#include "engines/memcached/cell_item.h"
#include "service/base/clock.h"

/* How long a call waits: as long as an operation does, within these bounds. */
#define PATIENCE_MIN_MS 100
#define PATIENCE_MAX_MS 1000
/* Tags in one multi-get. */
#define ASKS_MAX 64
/* Not in any scope: no flush reaches it. */
#define NO_SCOPE LANE_BATCH_MAX

/* ---- A multi-get ---- */

typedef void take_fn(void *context, unsigned at, const struct peer_item *hit);

static void want(struct wanted *wanted, const struct item_name *name)
{
    wanted->names[wanted->count] = name->text;
    wanted->lengths[wanted->count] = name->len;
    wanted->count++;
}

/* Hits come in the order that was asked for. False: this one was not. */
static bool find_hit(const struct wanted *wanted, const struct peer_item *hit, unsigned *cursor)
{
    while (*cursor < wanted->count &&
           !bytes_equal(bytes_of(wanted->names[*cursor], wanted->lengths[*cursor]), hit->name))
        (*cursor)++;
    return *cursor < wanted->count;
}

/* Calls `take` with each hit and its place among the names. */
static enum peer_result fetch(struct peer *peer, const struct wanted *wanted, take_fn *take, void *context)
{
    enum peer_result result = peer_ask(peer, wanted->names, wanted->lengths, wanted->count);
    unsigned cursor = 0;

    while (result == PEER_OK) {
        struct peer_item hit;
        result = peer_next(peer, &hit);
        if (result != PEER_OK)
            break;
        if (!find_hit(wanted, &hit, &cursor)) {
            peer_close(peer);
            return PEER_ERRED;
        }
        take(context, cursor++, &hit);
    }
    return result == PEER_ABSENT ? PEER_OK : result;
}

static uint64_t generation_of(const struct peer_item *hit)
{
    return hit->data.len == 8 ? item_get_u64(hit->data.ptr) : 0;
}

/* ---- What a batch needs ---- */

void batch_init(struct batch *batch, struct worker *worker)
{
    batch->worker = worker;
    batch->count = batch->scope_count = 0;
    batch->all_generation = 0;
}

static unsigned find_scope(struct batch *batch, struct bytes ns)
{
    unsigned i = 0;

    while (i < batch->scope_count && !bytes_equal(batch->scopes[i].ns, ns))
        i++;
    if (i == batch->scope_count) {
        batch->scopes[i].ns = ns;
        /* Its length was checked when the entry was named. */
        (void)!names_generation(batch->worker->lane->prefix, ns, &batch->scopes[i].name);
        batch->scope_count++;
    }
    return i;
}

void batch_add(struct batch *batch, struct job *job)
{
    job->scope = job_is_cell(job) ? NO_SCOPE : find_scope(batch, job->ns);
    batch->jobs[batch->count++] = job;
}

static void lay_out_names(struct batch *batch)
{
    struct wanted *wanted = &batch->wanted;

    wanted->count = 0;
    for (unsigned i = 0; i < batch->count; i++)
        want(wanted, &batch->jobs[i]->name);
    for (unsigned i = 0; i < batch->scope_count; i++)
        want(wanted, &batch->scopes[i].name);
    if (batch->scope_count > 0)
        want(wanted, &batch->worker->lane->all_name);
}

struct item_stamp batch_stamp(const struct batch *batch, const struct job *job)
{
    if (job->scope == NO_SCOPE)
        return (struct item_stamp){ .ns = 0 };
    return (struct item_stamp){ .ns = batch->scopes[job->scope].generation, .all = batch->all_generation };
}

/* ---- What is found ---- */

/* A stale entry whose lease is taken is stored again, as is a sliding one. */
static bool wants_value(const struct job *job, const struct item *item)
{
    if (item->absent)
        return false;
    if (job->verb == ENGINE_GET)
        return !job->without_value || item->idle_ms != 0 || job->lease_ms > 0;
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

static void keep_tags(struct found *found)
{
    size_t len = found->item.tags.len;

    if (len == 0)
        return;
    found->tags = malloc(len);
    if (found->tags)
        memcpy(found->tags, found->item.tags.ptr, len);
    found->lost = !found->tags;
    found->item.tags = bytes_of(found->tags, found->tags ? len : 0);
}

static void take_entry(struct peer *peer, struct job *job, const struct peer_item *hit)
{
    struct found *found = &job->found;

    if (!item_parse(hit->data, &found->item))
        return;
    /* A digest may collide, a name may not: then another's entry is a miss. */
    if (job->name.digested && (!bytes_equal(found->item.ns, job->ns) || !bytes_equal(found->item.key, job->key)))
        return;
    found->ours = true;
    found->bytes = found->item.data.len;
    keep_tags(found);
    if (!wants_value(job, &found->item))
        return;
    found->value = make_value(peer, hit, &found->item);
    found->lost |= !found->value;
}

/* What was removed may be seen as an item without data. */
static void take_cell(struct job *job, const struct peer_item *hit)
{
    bool named = job->name.digested;

    job->found.ours = hit->data.len == 0 ||
                      cell_item_parse(hit->data, cell_kind_of(job->verb), named ? job->ns : BYTES_NONE,
                                      named ? job->key : BYTES_NONE, &job->cell);
}

static void take_hit(void *context, unsigned at, const struct peer_item *hit)
{
    struct batch *batch = context;

    if (at < batch->count) {
        struct job *job = batch->jobs[at];
        job->found.present = true;
        job->found.cas = hit->cas;
        if (job_is_cell(job))
            take_cell(job, hit);
        else
            take_entry(batch->worker->peer, job, hit);
    } else if (at - batch->count < batch->scope_count) {
        batch->scopes[at - batch->count].generation = generation_of(hit);
    } else {
        batch->all_generation = generation_of(hit);
    }
}

/* ---- Tags ---- */

/* What a tag's generation is wanted for. */
struct tag_use {
    struct found *found;  /* whose entry carries it, as `carried`; NULL: a PUT brings it */
    uint64_t carried;
    uint64_t *generation; /* of a PUT's tag */
};

struct ask {
    struct item_name name;
    struct tag_use use;
    uint64_t is;
};

struct asks {
    struct batch *batch;
    unsigned count;
    struct ask asks[ASKS_MAX];
};

static void take_tag(void *context, unsigned at, const struct peer_item *hit)
{
    ((struct asks *)context)->asks[at].is = generation_of(hit);
}

static enum peer_result ask_tags(struct asks *asks)
{
    struct wanted *wanted = &asks->batch->wanted;
    enum peer_result result;

    wanted->count = 0;
    for (unsigned i = 0; i < asks->count; i++)
        want(wanted, &asks->asks[i].name);
    if (wanted->count == 0)
        return PEER_OK;
    result = fetch(asks->batch->worker->peer, wanted, take_tag, asks);
    for (unsigned i = 0; result == PEER_OK && i < asks->count; i++) {
        struct ask *ask = &asks->asks[i];
        if (ask->use.found)
            ask->use.found->untagged |= ask->is == 0 || ask->is != ask->use.carried;
        else
            *ask->use.generation = ask->is;
    }
    asks->count = 0;
    return result;
}

static enum peer_result ask_tag(struct asks *asks, const struct job *job, struct bytes tag, struct tag_use use)
{
    enum peer_result result = asks->count == ASKS_MAX ? ask_tags(asks) : PEER_OK;
    struct ask *ask = &asks->asks[asks->count];

    if (result != PEER_OK)
        return result;
    /* Neither can be too long: the namespace's length was checked, the tag's is bounded. */
    (void)!names_item(asks->batch->worker->lane->prefix, NAME_TAG, job->ns, tag, &ask->name);
    ask->use = use;
    ask->is = 0;
    asks->count++;
    return PEER_OK;
}

/* The tags of the job's entry that was found, and those that it is to have. */
static enum peer_result ask_tags_of(struct asks *asks, struct job *job)
{
    struct bytes rest = job->found.ours ? job->found.item.tags : BYTES_NONE;
    enum peer_result result = PEER_OK;
    struct item_tag tag;

    while (result == PEER_OK && item_next_tag(&rest, &tag))
        result = ask_tag(asks, job, tag.name, (struct tag_use){ .found = &job->found, .carried = tag.generation });
    for (size_t i = 0; result == PEER_OK && i < job->put.tag_count; i++)
        result = ask_tag(asks, job, job->put.tags[i],
                         (struct tag_use){ .generation = &job->tag_generations[i] });
    return result;
}

static enum peer_result read_tags(struct batch *batch)
{
    enum peer_result result = PEER_OK;
    struct asks asks;

    asks.batch = batch;
    asks.count = 0;
    for (unsigned i = 0; result == PEER_OK && i < batch->count; i++)
        if (!job_is_cell(batch->jobs[i]))
            result = ask_tags_of(&asks, batch->jobs[i]);
    return result == PEER_OK ? ask_tags(&asks) : result;
}

/* ---- A batch ---- */

static void forget(struct batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++)
        job_forget_found(batch->jobs[i]);
    for (unsigned i = 0; i < batch->scope_count; i++)
        batch->scopes[i].generation = 0;
    batch->all_generation = 0;
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

static enum peer_result read_once(struct batch *batch)
{
    enum peer_result result;

    lay_out_names(batch);
    result = fetch(batch->worker->peer, &batch->wanted, take_hit, batch);
    return result == PEER_OK ? read_tags(batch) : result;
}

enum peer_result batch_read(struct batch *batch)
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

void batch_answer_failed(const struct lane *lane, struct job *job, enum peer_result result)
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
    struct batch *batch = malloc(sizeof *batch);
    enum peer_result result;

    if (!batch) {
        job_answer(job, ENGINE_FAILED, "out of memory");
        return false;
    }
    batch_init(batch, worker);
    batch_add(batch, job);
    result = batch_read(batch);
    *stamp = batch_stamp(batch, job);
    if (result != PEER_OK)
        batch_answer_failed(worker->lane, job, result);
    free(batch);
    return result == PEER_OK;
}
