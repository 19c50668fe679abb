#include "engines/memory/room.h"

#include "engines/memory/shard.h"

/* Shards that one eviction compares. */
#define EVICT_SAMPLE 8
/* Entries removed under one hold of a lock. */
#define CHUNK 32
/* More than asked for: what the structures may need besides, and fewer writes
 * that have to evict. */
#define SLACK 2048

struct victim {
    struct shard *shard; /* NULL: every shard that was looked at is empty */
    uint64_t until;      /* what was used later than this is older elsewhere */
};

static bool has_room(struct store *store, const struct room *room)
{
    return budget_fits(&store->budget, room->need + SLACK);
}

/* The shard with the least recently used entry among some of them. */
static struct victim pick_victim(struct store *store, const struct shard *skip)
{
    unsigned start = atomic_fetch_add_explicit(&store->evict_cursor, 1, memory_order_relaxed);
    struct victim victim = { NULL, NEVER };
    uint64_t best = NEVER;

    for (unsigned i = 0, seen = 0; i < store->shard_count && seen < EVICT_SAMPLE; i++) {
        struct shard *shard = &store->shards[(start + i) % store->shard_count];
        uint64_t oldest = atomic_load_explicit(&shard->oldest, memory_order_relaxed);
        if (oldest == NEVER || shard == skip)
            continue;
        seen++;
        if (oldest < best) {
            victim = (struct victim){ shard, best };
            best = oldest;
        } else if (oldest < victim.until) {
            victim.until = oldest;
        }
    }
    return victim;
}

static bool evict_from(struct store *store, struct victim victim, const struct room *room)
{
    struct shard *shard = victim.shard;
    struct garbage garbage = { .bytes = 0 };
    unsigned steps = 0;

    shard_lock(shard);
    while (steps < CHUNK && !has_room(store, room)) {
        if (!shard_collect_locked(shard, room->now, &garbage) &&
            !shard_evict_locked(shard, victim.until, &room->spared, &garbage))
            break;
        steps++;
    }
    shard_unlock(shard, &garbage);
    return steps > 0;
}

/* When the hints do not help: whatever any shard has to give. */
static bool evict_anywhere(struct store *store, const struct room *room)
{
    for (unsigned i = 0; i < store->shard_count; i++) {
        struct victim victim = { store_next_shard(store, &store->evict_cursor), NEVER };
        if (evict_from(store, victim, room))
            return true;
    }
    return false;
}

/* Whether not even evicting everything else would do. */
static bool is_hopeless(struct store *store, const struct room *room)
{
    size_t used = atomic_load_explicit(&store->budget.used, memory_order_relaxed);
    size_t need = room->need + room->kept;
    size_t evictable = 0;

    if (need > store->budget.max)
        return true;
    if (need < store->budget.max / 8)
        return false;
    for (unsigned i = 0; i < store->shard_count; i++)
        evictable += atomic_load_explicit(&store->shards[i].entry_bytes, memory_order_relaxed);
    return used > evictable && used - evictable > store->budget.max - need;
}

bool room_make(struct store *store, const struct room *room)
{
    const struct shard *skip = NULL;

    if (is_hopeless(store, room))
        return false;
    while (!has_room(store, room)) {
        struct victim victim = pick_victim(store, skip);
        if (victim.shard && evict_from(store, victim, room))
            continue;
        if (victim.shard && !skip)
            skip = victim.shard;
        else if (!evict_anywhere(store, room))
            return false;
        else
            skip = NULL;
    }
    return true;
}
