/* store.c - the store: life, locks, background work.
 *
 * Lock protocol. The store is cut into shards; the keyed hash of (namespace,
 * key) says which shard an entry lives in, for good. One mutex per shard
 * protects everything in struct shard: its table, its namespace records, its
 * recency list, its expiry heap and every entry they hold. A thread holds at
 * most one shard's lock, but for an atomic step of several operations, which
 * takes those of all its shards in ascending order before it looks at
 * anything, and holds no other when it begins: so no two threads wait for each
 * other. Below the shards' locks is only that of the tallies, which is the
 * innermost but for the allocator's own. An operation on one entry is one critical section, so its condition
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
 * A write is prepared and then committed (draft.h): all that can fail is in the
 * first half, which an atomic step takes for all its writes before the second
 * half of any.
 *
 * Flush. Each shard keeps a record per namespace, which its entries point to.
 * Flushing marks one record per shard, or advances the epoch of each shard:
 * from then on its entries are not found, and they are removed by and by. A
 * write that races with a flush is before or after it in each shard, and none
 * that was answered before the flush began is served after it has returned. A
 * flush of a tag marks one record per shard likewise, which the entries under
 * the tag point to.
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

/* An atomic step may hold all locks at once, and ThreadSanitizer follows no
 * more than 64 of a thread. */
#ifdef __SANITIZE_THREAD__
#define DEFAULT_SHARDS 32
#else
#define DEFAULT_SHARDS 64
#endif

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
    tallies_release(&store->tallies);
    free(store->shards);
    free(store);
}

static unsigned shard_number(unsigned wanted)
{
    if (wanted == 0)
        return DEFAULT_SHARDS;
    return wanted < STORE_SHARDS_MAX ? wanted : STORE_SHARDS_MAX;
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

static void set_up(struct store *store, const struct memory_options *options)
{
    uint64_t start;

    store->shard_count = shard_number(options->shards);
    store->budget.max = options->max_bytes;
    atomic_init(&store->budget.used, budget_footprint(store) + budget_footprint(store->shards));
    crypto_shorthash_keygen(store->hash_key);
    store->epoch_offset_ns = clock_realtime_ns() - clock_monotonic_ns();
    /* A start of its own for each process, so that tags from before a restart
     * name nothing; the top bit is left as room to grow. */
    randombytes_buf(&start, sizeof start);
    atomic_init(&store->versions, (start >> 1) | 1);
    atomic_init(&store->evict_cursor, 0);
    atomic_init(&store->sweep_cursor, 0);
    atomic_init(&store->quota_cursor, 0);
    atomic_init(&store->flushes, 0);
}

struct store *store_create(const struct memory_options *options)
{
    struct shard_surroundings around;
    struct store *store;

    if (sodium_init() < 0)
        return NULL;
    store = allocate_store(shard_number(options->shards));
    if (!store)
        return NULL;
    set_up(store, options);
    around = (struct shard_surroundings){ &store->budget, &store->tallies, store->hash_key,
                                          atomic_load(&store->versions) };
    if (!tallies_init(&store->tallies, &store->budget)) {
        free(store->shards);
        free(store);
        return NULL;
    }
    for (unsigned i = 0; i < store->shard_count; i++) {
        if (!shard_init(&store->shards[i], &around)) {
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
        stats->entries += shard->entries.count - shard->flushed_entries - shard->markers;
        stats->markers += shard->markers;
        stats->cells += shard->cells.count;
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
    size_t spaces = 0;
    const char *fault = NULL;

    for (unsigned i = 0; i < store->shard_count && !fault; i++) {
        struct shard *shard = &store->shards[i];
        shard_lock(shard);
        fault = shard_check_locked(shard, &bytes, &spaces);
        pthread_mutex_unlock(&shard->lock);
    }
    if (!fault)
        fault = store_check_tallies(store, &bytes, spaces);
    if (!fault && bytes != atomic_load(&store->budget.used))
        fault = "the budget is not the sum of all blocks";
    if (!fault && bytes > store->budget.max)
        fault = "more is held than the budget allows";
    return fault;
}
