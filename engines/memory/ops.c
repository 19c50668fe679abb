/* ops.c - the operations on one entry, and flushes. */
#include "engines/memory/ops.h"

#include "engines/memory/names.h"
#include "engines/memory/store.h"

/* Other writers may take the room that this one made. */
#define WRITE_ATTEMPTS 32

/* ---- Names ---- */

/* Whether an operation may need its namespace's record. */
static bool needs_space(const struct engine_op *op)
{
    return (op->verb != ENGINE_GET || op->lease_ms > 0) && op->verb != ENGINE_DELETE && op->verb != ENGINE_TOUCH;
}

/* Hashes with the length of the namespace in front: ("a", "bc") and ("ab",
 * "c") are different texts. */
bool store_name(const struct store *store, struct engine_op *op, struct entry_name *name)
{
    unsigned char text[1 + STORE_NAMESPACE_MAX + STORE_KEY_MAX];

    if (op->ns.len > STORE_NAMESPACE_MAX || op->key.len > STORE_KEY_MAX) {
        op->status = ENGINE_FAILED;
        op->detail = "the name is too long";
        return false;
    }
    text[0] = (unsigned char)op->ns.len;
    if (op->ns.len > 0)
        memcpy(text + 1, op->ns.ptr, op->ns.len);
    if (op->key.len > 0)
        memcpy(text + 1 + op->ns.len, op->key.ptr, op->key.len);
    name->ns = op->ns;
    name->key = op->key;
    name->hash = name_hash(store->hash_key, text, 1 + op->ns.len + op->key.len);
    name->ns_hash = needs_space(op) ? name_hash(store->hash_key, text, 1 + op->ns.len) : 0;
    return true;
}

struct shard *store_shard_of(const struct store *store, uint64_t hash)
{
    /* The high bits choose the shard, the low ones the bucket. */
    return &store->shards[(hash >> 32) * store->shard_count >> 32];
}

/* ---- What stands, and what may be done to it ---- */

void entry_describe(const struct entry *entry, struct engine_op *op)
{
    const struct extra *extra = entry->extra;

    op->entry.version = entry->version;
    op->entry.bytes = entry->value->len;
    op->entry.idle_ms = entry->idle_ms;
    op->entry.ttl_ms = time_left_ms(entry->due_ns, op->now_ns);
    op->entry.stale = false;
    if (extra && extra->stale_ms > 0) {
        op->entry.ttl_ms = time_left_ms(extra->fresh_ns, op->now_ns);
        op->entry.stale = extra->fresh_ns <= op->now_ns;
    }
}

void entry_read_locked(struct store *store, struct shard *shard, struct entry *entry, struct engine_op *op)
{
    shard_use_locked(shard, entry, store_clock(store), op->now_ns);
    entry_describe(entry, op);
    if (!op->without_value)
        op->entry.value = value_ref(entry->value);
    op->status = ENGINE_OK;
}

struct standing entry_standing(const struct entry *entry, uint64_t now)
{
    struct standing standing = { .version = entry ? entry->version : 0 };
    const struct extra *extra = entry ? entry->extra : NULL;

    if (extra) {
        standing.fence = extra->fence;
        if (extra->lease_until > now)
            standing.lease = extra->lease;
    }
    return standing;
}

bool op_is_refused(struct engine_op *op, const struct standing *standing)
{
    const struct engine_put *put = op->verb == ENGINE_PUT ? op->put : NULL;

    if (!engine_condition_holds(op->condition, standing->version)) {
        op->status = ENGINE_MISMATCH;
        op->entry.version = standing->version;
        return true;
    }
    if (put && put->fence != 0 && put->fence < standing->fence) {
        op->status = ENGINE_FENCED;
        op->entry.version = standing->version;
        return true;
    }
    if (put && put->lease != 0 && put->lease != standing->lease) {
        op->status = ENGINE_VOID;
        op->entry.version = standing->version;
        return true;
    }
    return false;
}

bool op_is_impossible(struct engine_op *op)
{
    const struct engine_put *put = op->put;

    if (!put)
        return false;
    if (put->max_bytes > 0 && op->value->len > put->max_bytes) {
        op->status = ENGINE_TOO_LARGE;
        op->limit = put->max_bytes;
        return true;
    }
    for (size_t i = 0; i < put->tag_count; i++) {
        if (put->tags[i].len <= ENGINE_TAG_BYTES_MAX && put->tag_count <= ENGINE_TAGS_MAX)
            continue;
        op->status = ENGINE_FAILED;
        op->detail = "too many tags, or too long ones";
        return true;
    }
    return false;
}

void content_of_put(const struct engine_op *op, const struct standing *standing, struct content *content)
{
    const struct engine_put *put = op->put;

    content->value = op->value;
    content->value_bytes = value_footprint(op->value);
    content->now = op->now_ns;
    content->ttl_ms = op->ttl_ms;
    content->idle_ms = op->idle_ms;
    content->stale_ms = 0;
    content->fence = standing->fence;
    content->lease = 0;
    content->tags = NULL;
    content->tag_count = 0;
    if (!put)
        return;
    content->tags = put->tags;
    content->tag_count = put->tag_count;
    content->stale_ms = op->ttl_ms != ENGINE_NO_EXPIRY ? put->stale_ms : 0;
    if (put->fence > content->fence)
        content->fence = put->fence;
}

void op_is_full(struct engine_op *op)
{
    op->status = ENGINE_FULL;
    op->entry.version = 0;
    op->detail = "no memory left, and nothing to evict";
}

/* ---- Reads ---- */

void store_get(struct store *store, struct engine_op *op)
{
    struct garbage garbage = { .bytes = 0 };
    struct entry_name name;
    struct shard *shard;
    struct entry *entry;

    if (!store_name(store, op, &name))
        return;
    if (op->lease_ms > 0) {
        store_get_leased(store, op, &name);
        return;
    }
    shard = store_shard_of(store, name.hash);
    shard_lock(shard);
    entry = shard_find_locked(shard, &name, op->now_ns, &garbage);
    op->status = ENGINE_MISS;
    if (entry && entry->value)
        entry_read_locked(store, shard, entry, op);
    shard_unlock(shard, &garbage);
}

/* ---- Writes ---- */

void store_try(struct store *store, struct shard *shard, struct engine_op *op, struct attempt *attempt, try_fn *try)
{
    bool has_room = true;

    attempt->store = store;
    attempt->shard = shard;
    attempt->op = op;
    attempt->room.now = op->now_ns;
    attempt->room.spared = (struct spared){ &attempt->name.hash, 1 };
    for (int i = 0; i < WRITE_ATTEMPTS; i++) {
        bool done;
        shard_lock(shard);
        done = try(attempt);
        shard_unlock(shard, &attempt->garbage);
        if (done) {
            draft_free(&attempt->draft);
            return;
        }
        if (!has_room)
            break;
        /* The slack may be what is missing: one more try in any case. */
        has_room = room_make(store, &attempt->room);
    }
    op_is_full(op);
}

static bool try_put(struct attempt *attempt)
{
    struct engine_op *op = attempt->op;
    struct entry *entry = shard_find_locked(attempt->shard, &attempt->name, op->now_ns, &attempt->garbage);
    struct standing standing = entry_standing(entry, op->now_ns);
    struct content content;

    if (op_is_refused(op, &standing))
        return true;
    content_of_put(op, &standing, &content);
    content.version = content.used_at = store_next_version(attempt->store);
    if (!draft_prepare_locked(&attempt->draft, attempt->shard, &attempt->name, entry, &content)) {
        attempt->room.need = draft_need(entry, &attempt->name, &content);
        attempt->room.kept = entry ? entry->charge : 0;
        return false;
    }
    entry = draft_commit_locked(&attempt->draft, attempt->shard, &attempt->name, entry, &content);
    entry_describe(entry, op);
    op->status = standing.version != 0 ? ENGINE_OK : ENGINE_CREATED;
    attempt->over_quota = quota_is_passed_by(entry, op->put);
    attempt->epoch = entry->space->epoch;
    return true;
}

void store_put_owing(struct store *store, struct engine_op *op, struct quota_debt *debt)
{
    struct attempt attempt;

    debt->owed = false;
    if (op_is_impossible(op) || !store_name(store, op, &attempt.name))
        return;
    attempt.garbage = (struct garbage){ .bytes = 0 };
    draft_init(&attempt.draft);
    attempt.over_quota = false;
    store_try(store, store_shard_of(store, attempt.name.hash), op, &attempt, try_put);
    if (attempt.over_quota)
        quota_owe(debt, op, &attempt.name, attempt.epoch);
}

void store_put(struct store *store, struct engine_op *op)
{
    struct quota_debt debt;

    store_put_owing(store, op, &debt);
    while (!quota_pay(store, &debt, SIZE_MAX))
        continue;
}

static bool try_touch(struct attempt *attempt)
{
    struct engine_op *op = attempt->op;
    struct entry *entry = shard_find_locked(attempt->shard, &attempt->name, op->now_ns, &attempt->garbage);
    struct standing standing = entry_standing(entry, op->now_ns);

    if (op_is_refused(op, &standing))
        return true;
    if (standing.version == 0) {
        op->status = ENGINE_MISS;
        return true;
    }
    attempt->room.need = 0;
    attempt->room.kept = entry->charge;
    if (!shard_retime_locked(attempt->shard, entry, op->ttl_ms, op->now_ns))
        return false;
    shard_use_locked(attempt->shard, entry, store_clock(attempt->store), op->now_ns);
    entry_describe(entry, op);
    op->status = ENGINE_OK;
    return true;
}

void store_touch(struct store *store, struct engine_op *op)
{
    struct attempt attempt = { .over_quota = false };

    if (store_name(store, op, &attempt.name))
        store_try(store, store_shard_of(store, attempt.name.hash), op, &attempt, try_touch);
}

void store_delete(struct store *store, struct engine_op *op)
{
    struct garbage garbage = { .bytes = 0 };
    struct standing standing;
    struct entry_name name;
    struct shard *shard;
    struct entry *entry;

    if (!store_name(store, op, &name))
        return;
    shard = store_shard_of(store, name.hash);
    shard_lock(shard);
    entry = shard_find_locked(shard, &name, op->now_ns, &garbage);
    standing = entry_standing(entry, op->now_ns);
    if (!op_is_refused(op, &standing)) {
        op->status = standing.version != 0 ? ENGINE_OK : ENGINE_MISS;
        if (standing.version != 0) {
            op->entry.version = standing.version;
            op->entry.bytes = entry->value->len;
        }
        if (entry)
            shard_remove_locked(shard, entry, &garbage);
    }
    shard_unlock(shard, &garbage);
}

/* ---- Flush ---- */

void store_flush(struct store *store, struct engine_op *op)
{
    struct garbage none = { .bytes = 0 };
    struct entry_name name;

    if (op->tag.len > ENGINE_TAG_BYTES_MAX) {
        op->detail = "the tag is too long";
        return;
    }
    if (!store_name(store, op, &name))
        return;
    for (unsigned i = 0; i < store->shard_count; i++) {
        struct shard *shard = &store->shards[i];
        shard_lock(shard);
        if (op->tag.len > 0)
            shard_flush_tag_locked(shard, op->ns, op->tag);
        else if (op->ns.len > 0)
            shard_flush_locked(shard, &name);
        else
            shard_flush_all_locked(shard);
        shard_unlock(shard, &none);
    }
    if (op->tag.len == 0 && op->ns.len == 0)
        atomic_fetch_add(&store->flushes, 1);
    op->status = ENGINE_OK;
}

/* ---- All of them ---- */

void store_do(struct store *store, struct engine_op *op)
{
    switch (op->verb) {
    case ENGINE_GET:
        store_get(store, op);
        break;
    case ENGINE_PUT:
        store_put(store, op);
        break;
    case ENGINE_DELETE:
        store_delete(store, op);
        break;
    case ENGINE_TOUCH:
        store_touch(store, op);
        break;
    case ENGINE_FLUSH:
        store_flush(store, op);
        break;
    case ENGINE_LIST:
        store_list(store, op);
        break;
    case ENGINE_NAMESPACES:
        store_namespaces(store, op);
        break;
    case ENGINE_ATOMIC:
        store_atomic(store, op);
        break;
    case ENGINE_VERBS:
        op->status = ENGINE_UNSUPPORTED;
        break;
    default:
        store_step_cell(store, op);
        break;
    }
}
