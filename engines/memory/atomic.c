/* atomic.c - several operations as one step.
 *
 * All shards of the step are locked in ascending order. Then, in order, each
 * operation is judged against what would stand if the earlier ones were done
 * (struct outlook); all writes are prepared, one per name: the last; and only
 * then are the operations answered and the writes committed, which cannot
 * fail. A write that finds no room ends the attempt before anything changed:
 * the locks are given back, room is made elsewhere, and all begins anew. The
 * step's own entries are spared by that.
 *
 * A lease that a GET of a step asks for is not given. */
#include "engines/memory/store.h"

#include <stdlib.h>

#include "engines/memory/ops.h"

#define ATOMIC_ATTEMPTS 32

/* What stands under a name between two operations of the step. */
struct outlook {
    struct entry *entry;           /* what is under the name before the step; NULL: nothing */
    bool erased;                   /* the step has removed it, or written anew */
    const struct engine_op *put;   /* what the step has put there */
    const struct engine_op *touch; /* what has set the TTL since */
    struct standing standing;
};

struct step {
    struct engine_op *op;
    struct entry_name name;
    struct shard *shard;
    size_t earlier; /* 1 + the number of the step before under this name; 0: none */
    bool last;      /* none under this name is later */
    struct outlook before, after;
    struct content content;
    struct draft draft;
    struct entry *written;
    bool over_quota;
    uint64_t epoch;
};

struct run {
    struct store *store;
    struct engine_op *op;
    size_t count;
    struct step *steps;
    uint32_t *slots; /* a hash table: 1 + number of the last step under a name */
    size_t slot_mask;
    uint64_t *hashes; /* of all names, ascending */
    struct room room;
    struct garbage garbage;
    bool involved[STORE_SHARDS_MAX];
};

/* ---- Before the locks ---- */

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static bool same_name(const struct entry_name *a, const struct entry_name *b)
{
    return a->hash == b->hash && bytes_equal(a->key, b->key) && bytes_equal(a->ns, b->ns);
}

static void link_step(struct run *run, size_t number)
{
    struct step *step = &run->steps[number];
    size_t slot = step->name.hash & run->slot_mask;

    while (run->slots[slot] != 0 && !same_name(&run->steps[run->slots[slot] - 1].name, &step->name))
        slot = (slot + 1) & run->slot_mask;
    step->earlier = run->slots[slot];
    if (step->earlier > 0)
        run->steps[step->earlier - 1].last = false;
    step->last = true;
    /* Only a PUT's name has the hash of the namespace, and what the last
     * operation is, the entry is made under its name. */
    if (step->earlier > 0 && step->op->verb != ENGINE_PUT)
        step->name.ns_hash = run->steps[step->earlier - 1].name.ns_hash;
    run->slots[slot] = (uint32_t)number + 1;
}

/* Ends the whole with the step's own status. */
static bool fail(struct run *run, size_t number)
{
    run->op->atomic->failed = number;
    run->op->status = run->steps[number].op->status;
    run->op->detail = run->steps[number].op->detail;
    return false;
}

static bool is_entry_verb(enum engine_verb verb)
{
    return verb == ENGINE_GET || verb == ENGINE_PUT || verb == ENGINE_DELETE || verb == ENGINE_TOUCH;
}

static bool name_steps(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct step *step = &run->steps[i];
        step->op = run->op->atomic->ops[i];
        step->op->now_ns = run->op->now_ns;
        step->op->status = ENGINE_FAILED;
        if (!is_entry_verb(step->op->verb)) {
            step->op->status = ENGINE_UNSUPPORTED;
            return fail(run, i);
        }
        if ((step->op->verb == ENGINE_PUT && op_is_impossible(step->op)) ||
            !store_name(run->store, step->op, &step->name))
            return fail(run, i);
        step->shard = store_shard_of(run->store, step->name.hash);
        run->involved[step->shard - run->store->shards] = true;
        run->hashes[i] = step->name.hash;
        link_step(run, i);
    }
    qsort(run->hashes, run->count, sizeof *run->hashes, compare_hashes);
    return true;
}

/* ---- Under the locks ---- */

static void lock_all(struct run *run)
{
    for (unsigned i = 0; i < run->store->shard_count; i++)
        if (run->involved[i])
            shard_lock(&run->store->shards[i]);
}

static void unlock_all(struct run *run)
{
    struct garbage none = { .bytes = 0 };

    for (unsigned i = 0; i < run->store->shard_count; i++)
        if (run->involved[i])
            shard_unlock(&run->store->shards[i], &none);
    garbage_free(&run->garbage);
    for (size_t i = 0; i < run->count; i++)
        draft_free(&run->steps[i].draft);
}

/* What `op` leaves of `after`, which it finds. */
static void look_ahead(struct run *run, const struct step *step, struct outlook *after)
{
    struct engine_op *op = step->op;

    if (op->verb == ENGINE_TOUCH && after->standing.version != 0) {
        after->touch = op;
        after->standing.lease = 0;
    } else if (op->verb == ENGINE_DELETE) {
        *after = (struct outlook){ .entry = after->entry, .erased = true };
    } else if (op->verb == ENGINE_PUT) {
        uint64_t fence = after->standing.fence;
        if (op->put && op->put->fence > fence)
            fence = op->put->fence;
        *after = (struct outlook){ .entry = after->entry, .erased = true, .put = op };
        after->standing = (struct standing){ .version = store_next_version(run->store), .fence = fence };
    }
}

static bool judge(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct step *step = &run->steps[i];
        if (step->earlier > 0) {
            step->before = run->steps[step->earlier - 1].after;
        } else {
            struct entry *entry = shard_find_locked(step->shard, &step->name, run->op->now_ns, &run->garbage);
            step->before = (struct outlook){ .entry = entry, .standing = entry_standing(entry, run->op->now_ns) };
        }
        if (step->op->verb != ENGINE_GET && op_is_refused(step->op, &step->before.standing))
            return fail(run, i);
        step->after = step->before;
        look_ahead(run, step, &step->after);
    }
    return true;
}

/* Takes what the last step under a name needs. */
static bool prepare_step(struct run *run, struct step *step)
{
    const struct outlook *after = &step->after;
    struct expiry *expiry = &step->shard->expiry;

    run->room.kept += after->entry ? after->entry->charge : 0;
    if (after->put) {
        content_of_put(after->put, &after->standing, &step->content);
        step->content.version = step->content.used_at = after->standing.version;
        if (after->touch)
            step->content.ttl_ms = after->touch->ttl_ms;
        run->room.need += draft_need(after->entry, &step->name, &step->content);
        return draft_prepare_locked(&step->draft, step->shard, &step->name, after->entry, &step->content);
    }
    if (after->touch && after->entry->expiry.place == 0) {
        if (!expiry_reserve(expiry))
            return false;
        expiry->pinned++;
        step->draft = (struct draft){ .prepared = true, .timed = true };
    }
    return true;
}

/* False: no room, `*failed` tells for which. All are looked at, so that room
 * is made for all. */
static bool prepare(struct run *run, size_t *failed)
{
    bool prepared = true;

    run->room.need = run->room.kept = 0;
    for (size_t i = 0; i < run->count; i++) {
        struct step *step = &run->steps[i];
        if (step->last && !prepare_step(run, step) && prepared) {
            prepared = false;
            *failed = i;
        }
    }
    for (size_t i = 0; i < run->count && !prepared; i++)
        draft_abandon_locked(&run->steps[i].draft, run->steps[i].shard);
    return prepared;
}

/* The description of what stands; an entry that the step has not written was
 * described before. */
static void describe_outlook(const struct outlook *outlook, struct engine_op *op)
{
    const struct engine_op *timed = outlook->touch ? outlook->touch : outlook->put;

    if (outlook->put) {
        op->entry.bytes = outlook->put->value->len;
        op->entry.idle_ms = outlook->put->idle_ms;
    } else {
        entry_describe(outlook->entry, op);
    }
    op->entry.version = outlook->standing.version;
    if (timed) {
        uint64_t expires = time_after(op->now_ns, timed->ttl_ms);
        op->entry.ttl_ms = time_left_ms(time_due(expires, op->entry.idle_ms, op->now_ns), op->now_ns);
        op->entry.stale = false;
    }
}

static void answer_step(struct run *run, struct step *step)
{
    struct engine_op *op = step->op;
    bool stood = step->before.standing.version != 0;

    op->status = stood ? ENGINE_OK : op->verb == ENGINE_PUT ? ENGINE_CREATED : ENGINE_MISS;
    if (op->verb == ENGINE_DELETE && stood) {
        describe_outlook(&step->before, op);
        op->entry.ttl_ms = op->entry.idle_ms = 0;
        op->entry.stale = false;
    } else if (op->verb == ENGINE_GET && stood) {
        const struct outlook *found = &step->before;
        if (!found->put)
            shard_use_locked(step->shard, found->entry, store_clock(run->store), op->now_ns);
        describe_outlook(found, op);
        if (!op->without_value)
            op->entry.value = value_ref(found->put ? found->put->value : found->entry->value);
    } else if (step->after.standing.version != 0) {
        describe_outlook(&step->after, op);
    }
}

static void commit_step(struct run *run, struct step *step)
{
    const struct outlook *after = &step->after;

    if (after->put) {
        step->written = draft_commit_locked(&step->draft, step->shard, &step->name, after->entry, &step->content);
        return;
    }
    if (step->draft.timed)
        step->shard->expiry.pinned--;
    step->draft.prepared = false;
    if (after->erased && after->entry)
        shard_remove_locked(step->shard, after->entry, &run->garbage);
    /* It cannot fail: the place was pinned. */
    else if (after->touch && shard_retime_locked(step->shard, after->entry, after->touch->ttl_ms, run->op->now_ns))
        shard_use_locked(step->shard, after->entry, store_clock(run->store), run->op->now_ns);
}

static void commit(struct run *run)
{
    for (size_t i = 0; i < run->count; i++)
        answer_step(run, &run->steps[i]);
    for (size_t i = 0; i < run->count; i++)
        if (run->steps[i].last)
            commit_step(run, &run->steps[i]);
    for (size_t i = 0; i < run->count; i++) {
        struct step *step = &run->steps[i];
        if (step->written) {
            step->over_quota = quota_is_passed_by(step->written, step->after.put->put);
            step->epoch = step->written->space->epoch;
        }
    }
    run->op->status = ENGINE_OK;
}

/* ---- The whole ---- */

enum attempt_end { END_DONE, END_REFUSED, END_NO_ROOM };

static enum attempt_end attempt_all(struct run *run, size_t *failed)
{
    enum attempt_end end = END_REFUSED;

    run->garbage = (struct garbage){ .bytes = 0 };
    lock_all(run);
    if (judge(run)) {
        end = END_NO_ROOM;
        if (prepare(run, failed)) {
            commit(run);
            end = END_DONE;
        }
    }
    unlock_all(run);
    return end;
}

static void run_attempts(struct run *run)
{
    bool has_room = true;
    size_t failed = 0;

    run->room.now = run->op->now_ns;
    run->room.spared = (struct spared){ run->hashes, run->count };
    for (int i = 0; i < ATOMIC_ATTEMPTS; i++) {
        if (attempt_all(run, &failed) != END_NO_ROOM)
            return;
        if (!has_room)
            break;
        has_room = room_make(run->store, &run->room);
    }
    op_is_full(run->steps[failed].op);
    (void)fail(run, failed);
}

static bool allocate_run(struct run *run)
{
    size_t slots = 2;

    while (slots < 2 * run->count)
        slots *= 2;
    run->slot_mask = slots - 1;
    run->steps = calloc(run->count, sizeof *run->steps);
    run->slots = calloc(slots, sizeof *run->slots);
    run->hashes = malloc(run->count * sizeof *run->hashes);
    return run->steps && run->slots && run->hashes;
}

static void release_run(struct run *run)
{
    free(run->steps);
    free(run->slots);
    free(run->hashes);
}

static void keep_quota(struct store *store, const struct step *step)
{
    struct quota_debt debt;

    quota_owe(&debt, step->after.put, &step->name, step->epoch);
    while (!quota_pay(store, &debt, SIZE_MAX))
        continue;
}

void store_atomic(struct store *store, struct engine_op *op)
{
    struct run run = { .store = store, .op = op, .count = op->atomic->count };

    op->atomic->failed = 0;
    if (run.count == 0) {
        op->status = ENGINE_OK;
        return;
    }
    if (run.count > ENGINE_ATOMIC_MAX) {
        op->detail = "too many operations for one step";
        return;
    }
    if (!allocate_run(&run)) {
        op_is_full(op->atomic->ops[0]);
        op_is_full(op);
    } else if (name_steps(&run)) {
        run_attempts(&run);
        /* The last operation under a name need not be the one that wrote it. */
        for (size_t i = 0; i < run.count && op->status == ENGINE_OK; i++)
            if (run.steps[i].over_quota)
                keep_quota(store, &run.steps[i]);
    }
    release_run(&run);
}
