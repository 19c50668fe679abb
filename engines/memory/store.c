/* store.c - the store: naming, locks, room, and the five operations.
 *
 * Lock protocol. The store is cut into shards; the keyed hash of (namespace,
 * key) says which shard an entry lives in, for good. One mutex per shard
 * protects everything in struct shard: its table, its namespace records, its
 * recency list, its expiry heap and every entry they hold. A thread holds at
 * most one shard's lock, and takes no other lock below it but the allocator's
 * own. An operation on one entry is one critical section, so its condition
 * and its write are one atomic step. Entries never leave the lock; what does is
 * a reference to an immutable value. What a critical section removes is
 * uncounted there, and freed after it.
 *
 * Without a lock are: the budget and the version counter (atomic), the hash
 * key (set before the store is shared), and two hints per shard, which say
 * where evicting is worth while and may be out of date.
 *
 * Room. A write takes from the budget inside its critical section; when that
 * fails it leaves with nothing changed, evicts from other shards, one lock at
 * a time, and tries again. The entry to be replaced is spared meanwhile: it
 * stands until its successor does, or stays when that does not fit.
 *
 * Flush. Each shard keeps a record per namespace, which its entries point to.
 * Flushing marks one record per shard, or advances the epoch of each shard:
 * from then on its entries are not found, and they are removed by and by. A
 * write that races with a flush is before or after it in each shard, and none
 * that was answered before the flush began is served after it has returned.
 *
 * Time. Entries are compared with the operation's own `now`, so expiry is exact
 * on every read, and the store has no clock. Recency is counted in versions:
 * a logical clock that advances with each write. */
#include "engines/memory/store.h"

#include <sodium.h>
#include <stdlib.h>

#include "engines/memory/room.h"
#include "engines/memory/shard.h"
#include "service/base/clock.h"

#define DEFAULT_SHARDS 64
#define MAX_SHARDS 4096

/* Other writers may take the room that this one made. */
#define WRITE_ATTEMPTS 32
/* A sweep's bound: steps, and steps' worth of bytes to free. */
#define SWEEP_STEPS 1024
#define SWEEP_BYTES_PER_STEP 16384
/* Entries removed under one hold of a lock. */
#define SWEEP_CHUNK 32

/* ---- Life ---- */

static void release_shards(struct store *store, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        shard_release(&store->shards[i]);
    free(store->shards);
    free(store);
}

static unsigned shard_number(unsigned wanted)
{
    if (wanted == 0)
        return DEFAULT_SHARDS;
    return wanted < MAX_SHARDS ? wanted : MAX_SHARDS;
}

/* Uninitialised; NULL when out of memory. */
static struct store *allocate_store(unsigned shard_count)
{
    struct store *store = aligned_alloc(_Alignof(struct store), sizeof *store);

    if (!store)
        return NULL;
    store->shards = aligned_alloc(_Alignof(struct shard), sizeof *store->shards * shard_count);
    if (!store->shards) {
        free(store);
        return NULL;
    }
    return store;
}

struct store *store_create(const struct memory_options *options)
{
    struct store *store;
    uint64_t start;

    if (sodium_init() < 0)
        return NULL;
    store = allocate_store(shard_number(options->shards));
    if (!store)
        return NULL;
    store->shard_count = shard_number(options->shards);
    store->budget.max = options->max_bytes;
    atomic_init(&store->budget.used, budget_footprint(store) + budget_footprint(store->shards));
    crypto_shorthash_keygen(store->hash_key);
    /* A start of its own for each process, so that tags from before a restart
     * name nothing; the top bit is left as room to grow. */
    randombytes_buf(&start, sizeof start);
    atomic_init(&store->versions, (start >> 1) | 1);
    atomic_init(&store->evict_cursor, 0);
    atomic_init(&store->sweep_cursor, 0);
    for (unsigned i = 0; i < store->shard_count; i++) {
        if (!shard_init(&store->shards[i], &store->budget)) {
            release_shards(store, i);
            return NULL;
        }
    }
    return store;
}

void store_destroy(struct store *store)
{
    if (store)
        release_shards(store, store->shard_count);
}

unsigned store_shards(const struct store *store)
{
    return store->shard_count;
}

/* ---- Names ---- */

static uint64_t hash_bytes(const struct store *store, const unsigned char *bytes, size_t len)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint64_t hash;

    crypto_shorthash(out, bytes, len, store->hash_key);
    memcpy(&hash, out, sizeof hash);
    return hash;
}

/* Hashes with the length of the namespace in front: ("a", "bc") and ("ab",
 * "c") are different texts. False: op is answered, its name is too long. */
static bool name_entry(const struct store *store, struct engine_op *op, struct entry_name *name)
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
    name->hash = hash_bytes(store, text, 1 + op->ns.len + op->key.len);
    /* Only writes of new entries and flushes look namespaces up. */
    name->ns_hash = 0;
    if (op->verb == ENGINE_PUT || op->verb == ENGINE_FLUSH)
        name->ns_hash = hash_bytes(store, text, 1 + op->ns.len);
    return true;
}

static struct shard *shard_of(const struct store *store, uint64_t hash)
{
    /* The high bits choose the shard, the low ones the bucket. */
    return &store->shards[(hash >> 32) * store->shard_count >> 32];
}

/* ---- Operations ---- */

/* Rounded up: an entry that stands has time left. */
static int64_t remaining_ms(uint64_t due_ns, uint64_t now)
{
    if (due_ns == NEVER)
        return ENGINE_NO_EXPIRY;
    return due_ns > now ? (int64_t)((due_ns - now - 1) / NS_PER_MS + 1) : 0;
}

static void describe(const struct entry *entry, struct engine_op *op)
{
    op->entry.version = entry->version;
    op->entry.bytes = entry->value->len;
    op->entry.ttl_ms = remaining_ms(entry->due_ns, op->now_ns);
    op->entry.idle_ms = entry->idle_ms;
}

static bool condition_fails(struct engine_op *op, const struct entry *entry)
{
    engine_version version = entry ? entry->version : 0;

    if (engine_condition_holds(op->condition, version))
        return false;
    op->status = ENGINE_MISMATCH;
    op->entry.version = version;
    return true;
}

void store_get(struct store *store, struct engine_op *op)
{
    struct garbage garbage = { .bytes = 0 };
    struct entry_name name;
    struct shard *shard;
    struct entry *entry;

    if (!name_entry(store, op, &name))
        return;
    shard = shard_of(store, name.hash);
    shard_lock(shard);
    entry = shard_find_locked(shard, &name, op->now_ns, &garbage);
    op->status = ENGINE_MISS;
    if (entry) {
        uint64_t clock = atomic_load_explicit(&store->versions, memory_order_relaxed);
        shard_use_locked(shard, entry, clock, op->now_ns);
        describe(entry, op);
        if (!op->without_value)
            op->entry.value = value_ref(entry->value);
        op->status = ENGINE_OK;
    }
    shard_unlock(shard, &garbage);
}

/* One try of a write, under the lock; false: it needs `room->need` bytes, and
 * nothing has changed. */
typedef bool try_fn(struct store *store, struct shard *shard, const struct entry_name *name, struct engine_op *op,
                    struct room *room, struct garbage *garbage);

static bool try_put(struct store *store, struct shard *shard, const struct entry_name *name, struct engine_op *op,
                    struct room *room, struct garbage *garbage)
{
    struct entry *entry = shard_find_locked(shard, name, op->now_ns, garbage);
    size_t bytes = value_footprint(op->value);

    if (condition_fails(op, entry))
        return true;
    op->entry.version = atomic_fetch_add_explicit(&store->versions, 1, memory_order_relaxed) + 1;
    if (entry) {
        size_t old_bytes = entry->charge - budget_footprint(entry);
        room->need = bytes > old_bytes ? bytes - old_bytes : 0;
        room->kept = entry->charge;
        if (!shard_replace_locked(shard, entry, op, bytes, garbage))
            return false;
        op->status = ENGINE_OK;
    } else {
        room->need = bytes + sizeof *entry + name->key.len;
        room->kept = 0;
        entry = shard_add_locked(shard, name, op, bytes);
        if (!entry)
            return false;
        op->status = ENGINE_CREATED;
    }
    describe(entry, op);
    return true;
}

static bool try_touch(struct store *store, struct shard *shard, const struct entry_name *name, struct engine_op *op,
                      struct room *room, struct garbage *garbage)
{
    struct entry *entry = shard_find_locked(shard, name, op->now_ns, garbage);

    if (condition_fails(op, entry))
        return true;
    if (!entry) {
        op->status = ENGINE_MISS;
        return true;
    }
    room->need = 0;
    room->kept = entry->charge;
    if (!shard_retime_locked(shard, entry, op))
        return false;
    shard_use_locked(shard, entry, atomic_load_explicit(&store->versions, memory_order_relaxed), op->now_ns);
    describe(entry, op);
    op->status = ENGINE_OK;
    return true;
}

static void write_entry(struct store *store, struct engine_op *op, try_fn *try)
{
    struct entry_name name;
    struct shard *shard;
    struct room room;
    bool has_room = true;

    if (!name_entry(store, op, &name))
        return;
    shard = shard_of(store, name.hash);
    room = (struct room){ .spare = name.hash, .now = op->now_ns };
    for (int i = 0; i < WRITE_ATTEMPTS; i++) {
        struct garbage garbage = { .bytes = 0 };
        bool written;
        shard_lock(shard);
        written = try(store, shard, &name, op, &room, &garbage);
        shard_unlock(shard, &garbage);
        if (written)
            return;
        if (!has_room)
            break;
        /* The slack may be what is missing: one more try in any case. */
        has_room = room_make(store, &room);
    }
    op->status = ENGINE_FULL;
    op->entry.version = 0;
    op->detail = "no memory left, and nothing to evict";
}

void store_put(struct store *store, struct engine_op *op)
{
    write_entry(store, op, try_put);
}

void store_touch(struct store *store, struct engine_op *op)
{
    write_entry(store, op, try_touch);
}

void store_delete(struct store *store, struct engine_op *op)
{
    struct garbage garbage = { .bytes = 0 };
    struct entry_name name;
    struct shard *shard;
    struct entry *entry;

    if (!name_entry(store, op, &name))
        return;
    shard = shard_of(store, name.hash);
    shard_lock(shard);
    entry = shard_find_locked(shard, &name, op->now_ns, &garbage);
    if (!condition_fails(op, entry)) {
        op->status = entry ? ENGINE_OK : ENGINE_MISS;
        if (entry) {
            op->entry.version = entry->version;
            op->entry.bytes = entry->value->len;
            shard_remove_locked(shard, entry, &garbage);
        }
    }
    shard_unlock(shard, &garbage);
}

void store_flush(struct store *store, struct engine_op *op)
{
    struct garbage none = { .bytes = 0 };
    struct entry_name name;

    if (!name_entry(store, op, &name))
        return;
    for (unsigned i = 0; i < store->shard_count; i++) {
        struct shard *shard = &store->shards[i];
        shard_lock(shard);
        if (op->ns.len > 0)
            shard_flush_locked(shard, &name);
        else
            shard_flush_all_locked(shard);
        shard_unlock(shard, &none);
    }
    op->status = ENGINE_OK;
}

/* ---- Background work ---- */

/* True when the bound ended it. */
static bool sweep_shard(struct shard *shard, uint64_t now, size_t *work)
{
    size_t steps;

    do {
        struct garbage garbage = { .bytes = 0 };
        size_t cost;
        shard_lock(shard);
        for (steps = 0; steps < SWEEP_CHUNK && shard_collect_locked(shard, now, &garbage); steps++)
            continue;
        cost = steps + garbage.bytes / SWEEP_BYTES_PER_STEP;
        shard_unlock(shard, &garbage);
        *work -= cost < *work ? cost : *work;
    } while (steps == SWEEP_CHUNK && *work > 0);
    return *work == 0;
}

bool store_sweep(struct store *store, unsigned shards, uint64_t now_ns)
{
    size_t work = SWEEP_STEPS;

    for (unsigned i = 0; i < shards; i++)
        if (sweep_shard(store_next_shard(store, &store->sweep_cursor), now_ns, &work))
            return true;
    return false;
}

void store_stats(struct store *store, struct memory_stats *stats)
{
    *stats = (struct memory_stats){ .max_bytes = store->budget.max };
    for (unsigned i = 0; i < store->shard_count; i++) {
        struct shard *shard = &store->shards[i];
        shard_lock(shard);
        stats->entries += shard->entries.count - shard->flushed_entries;
        stats->flushed += shard->flushed_entries;
        stats->namespaces += shard->spaces.count;
        stats->evictions += shard->evictions;
        stats->expirations += shard->expirations;
        pthread_mutex_unlock(&shard->lock);
    }
    stats->bytes = atomic_load_explicit(&store->budget.used, memory_order_relaxed);
}

const char *store_check(struct store *store)
{
    size_t bytes = budget_footprint(store) + budget_footprint(store->shards);
    const char *fault = NULL;

    for (unsigned i = 0; i < store->shard_count && !fault; i++) {
        struct shard *shard = &store->shards[i];
        shard_lock(shard);
        fault = shard_check_locked(shard, &bytes);
        pthread_mutex_unlock(&shard->lock);
    }
    if (!fault && bytes != atomic_load(&store->budget.used))
        fault = "the budget is not the sum of all blocks";
    if (!fault && bytes > store->budget.max)
        fault = "more is held than the budget allows";
    return fault;
}
