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
 * write: a single one would hold its thread up for seconds. For the same reason
 * what a large value pushes out is owed, and paid in steps (memory.c).
 *
 * Threading: at most one shard's lock at a time. */
#include "engines/memory/ops.h"

#define QUOTA_SAMPLE 16
/* What one write pushes out at most, if that makes more room than it took. */
#define QUOTA_EVICTIONS 4096

_Static_assert(sizeof(((struct quota_debt *)0)->ns) == STORE_NAMESPACE_MAX, "any namespace's name");

/* The entry to go; its version tells it from all others. */
struct oldest {
    struct shard *shard; /* NULL: none was found */
    uint64_t hash;
    engine_version version;
    uint64_t used_at;
};

/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003). */
static size_t draw_below(struct quota_debt *quota, size_t bound)
{
    quota->seed ^= quota->seed << 13;
    quota->seed ^= quota->seed >> 7;
    quota->seed ^= quota->seed << 17;
    return (size_t)(quota->seed % bound);
}

static void consider(const struct quota_debt *quota, struct shard *shard, const struct entry *entry,
                     struct oldest *oldest)
{
    bool useless = entry->due_ns <= quota->now || !entry_stands(shard, entry);
    uint64_t used_at = useless ? 0 : entry->used_at;

    if (!entry->value || entry->version == quota->kept)
        return;
    if (!oldest->shard || used_at < oldest->used_at)
        *oldest = (struct oldest){ shard, entry->node.hash, entry->version, used_at };
}

/* Looks at up to `most` entries of the namespace in a shard; returns how many. */
static size_t sample_shard(struct quota_debt *quota, struct shard *shard, size_t most, struct oldest *oldest)
{
    const struct space *space;
    size_t seen = 0;

    shard_lock(shard);
    space = space_find_locked(shard, bytes_of(quota->ns, quota->ns_len), quota->ns_hash);
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

static struct oldest find_oldest(struct store *store, struct quota_debt *quota)
{
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

static bool is_passed(struct store *store, const struct quota_debt *quota)
{
    uint64_t entries, bytes;

    tallies_find(&store->tallies, bytes_of(quota->ns, quota->ns_len), quota->ns_hash, quota->epoch, &entries, &bytes);
    return quota_is_passed(&quota->bounds, entries, bytes);
}

void quota_owe(struct quota_debt *quota, const struct engine_op *op, const struct entry_name *name, uint64_t epoch)
{
    *quota = (struct quota_debt){ .owed = true,
                                  .bounds = { .max_entries = op->put->max_entries, .max_bytes = op->put->max_bytes },
                                  .ns_hash = name->ns_hash,
                                  .epoch = epoch,
                                  .kept = op->entry.version,
                                  .now = op->now_ns,
                                  .seed = op->entry.version,
                                  .evictions = QUOTA_EVICTIONS,
                                  .bytes = 2 * op->value->len,
                                  .ns_len = (uint8_t)name->ns.len };
    memcpy(quota->ns, name->ns.ptr, name->ns.len);
}

bool quota_pay(struct store *store, struct quota_debt *quota, size_t most)
{
    while (quota->owed && (quota->evictions > 0 || quota->bytes > 0) && is_passed(store, quota)) {
        struct oldest oldest;
        size_t bytes;
        if (most-- == 0)
            return false;
        oldest = find_oldest(store, quota);
        if (!oldest.shard)
            break;
        bytes = evict_entry(&oldest, quota->now);
        quota->bytes -= bytes < quota->bytes ? bytes : quota->bytes;
        quota->evictions -= quota->evictions > 0;
    }
    quota->owed = false;
    return true;
}
