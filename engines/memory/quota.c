/* quota.c - a namespace's most entries and bytes.
 *
 * Beyond a bound the least recently used of QUOTA_SAMPLE entries of the
 * namespace gives way, one after the other: exactly the least recently used
 * where the namespace has no more than that, else an old one with a high
 * probability (sampling as an approximation of LRU: Psounis, Prabhakar,
 * "A randomized web-cache replacement scheme", INFOCOM 2001). What was flushed
 * by tag or has expired goes first.
 *
 * A namespace that is within its bounds stays so with every write. One that is
 * far beyond, because it had no bounds or higher ones, comes down write by
 * write: a single one would hold its thread up for seconds.
 *
 * Threading: at most one shard's lock at a time. */
#include "engines/memory/ops.h"

#define QUOTA_SAMPLE 16
/* What one write pushes out at most, if that makes more room than it took. */
#define QUOTA_EVICTIONS 4096

/* The entry to go; its version tells it from all others. */
struct oldest {
    struct shard *shard; /* NULL: none was found */
    uint64_t hash;
    engine_version version;
    uint64_t used_at;
};

struct quota {
    struct store *store;
    const struct entry_name *name;
    uint64_t epoch;      /* of the namespace's records that are meant */
    engine_version kept; /* the entry that was just written */
    uint64_t now;
    uint64_t seed;
};

/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003). */
static size_t draw_below(struct quota *quota, size_t bound)
{
    quota->seed ^= quota->seed << 13;
    quota->seed ^= quota->seed >> 7;
    quota->seed ^= quota->seed << 17;
    return (size_t)(quota->seed % bound);
}

static void consider(const struct quota *quota, struct shard *shard, const struct entry *entry, struct oldest *oldest)
{
    bool useless = entry->due_ns <= quota->now || !entry_stands(shard, entry);
    uint64_t used_at = useless ? 0 : entry->used_at;

    if (!entry->value || entry->version == quota->kept)
        return;
    if (!oldest->shard || used_at < oldest->used_at)
        *oldest = (struct oldest){ shard, entry->node.hash, entry->version, used_at };
}

/* Looks at up to `most` entries of the namespace in a shard; returns how many. */
static size_t sample_shard(struct quota *quota, struct shard *shard, size_t most, struct oldest *oldest)
{
    const struct space *space;
    size_t seen = 0;

    shard_lock(shard);
    space = space_find_locked(shard, quota->name->ns, quota->name->ns_hash);
    if (space && space->epoch == quota->epoch) {
        const struct vector *entries = &space->entries;
        seen = entries->count < most ? entries->count : most;
        for (size_t i = 0; i < seen; i++) {
            size_t place = entries->count <= most ? i : draw_below(quota, entries->count);
            consider(quota, shard, vector_at(entries, place), oldest);
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return seen;
}

static struct oldest find_oldest(struct quota *quota)
{
    struct store *store = quota->store;
    unsigned start = atomic_fetch_add_explicit(&store->quota_cursor, 1, memory_order_relaxed);
    struct oldest oldest = { .shard = NULL };
    size_t seen = 0;

    for (unsigned i = 0; i < store->shard_count && seen < QUOTA_SAMPLE; i++)
        seen += sample_shard(quota, &store->shards[(start + i) % store->shard_count], QUOTA_SAMPLE - seen, &oldest);
    /* All of the sample were markers, or the one to keep. */
    for (unsigned i = 0; i < store->shard_count && !oldest.shard; i++)
        (void)sample_shard(quota, &store->shards[(start + i) % store->shard_count], SIZE_MAX, &oldest);
    return oldest;
}

/* Returns the bytes of its value. Another thread may have removed it, or
 * written it anew. */
static size_t evict_entry(const struct oldest *oldest, uint64_t now)
{
    struct shard *shard = oldest->shard;
    struct garbage garbage = { .bytes = 0 };
    struct table_node *node;
    size_t bytes = 0;

    shard_lock(shard);
    for (node = table_first(&shard->entries, oldest->hash); node; node = table_next(node)) {
        struct entry *entry = LIST_OWNER(node, struct entry, node);
        if (entry->version != oldest->version)
            continue;
        if (entry->due_ns <= now)
            shard->expirations++;
        else
            shard->evictions++;
        bytes = entry->value ? entry->value->len : 0;
        shard_remove_locked(shard, entry, &garbage);
        break;
    }
    shard_unlock(shard, &garbage);
    return bytes;
}

bool quota_is_passed(const struct engine_put *put, uint64_t entries, uint64_t bytes)
{
    return (put->max_entries > 0 && entries > put->max_entries) || (put->max_bytes > 0 && bytes > put->max_bytes);
}

static bool is_passed(const struct quota *quota, const struct engine_put *put)
{
    uint64_t entries, bytes;

    tallies_find(&quota->store->tallies, quota->name->ns, quota->name->ns_hash, quota->epoch, &entries, &bytes);
    return quota_is_passed(put, entries, bytes);
}

void quota_keep(struct store *store, const struct engine_op *op, const struct entry_name *name, uint64_t epoch)
{
    struct quota quota = { .store = store,
                           .name = name,
                           .epoch = epoch,
                           .kept = op->entry.version,
                           .now = op->now_ns,
                           .seed = op->entry.version };
    size_t evicted = 0, freed = 0;

    while ((evicted < QUOTA_EVICTIONS || freed < 2 * op->value->len) && is_passed(&quota, op->put)) {
        struct oldest oldest = find_oldest(&quota);
        if (!oldest.shard)
            break;
        freed += evict_entry(&oldest, op->now_ns);
        evicted++;
    }
}
