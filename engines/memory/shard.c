#include "engines/memory/shard.h"

#include <stdlib.h>

#define ENTRY_OF_NODE(n) LIST_OWNER(n, struct entry, node)

/* ---- Life of a shard ---- */

bool shard_init(struct shard *shard, const struct shard_surroundings *around)
{
    struct budget *budget = around->budget;

    shard->budget = budget;
    shard->tallies = around->tallies;
    shard->hash_key = around->hash_key;
    table_init(&shard->entries, budget);
    table_init(&shard->spaces, budget);
    table_init(&shard->groups, budget);
    table_init(&shard->cells, budget);
    list_init(&shard->standing);
    list_init(&shard->flushed);
    list_init(&shard->flushed_groups);
    list_init(&shard->used);
    expiry_init(&shard->expiry, budget);
    expiry_init(&shard->cell_expiry, budget);
    shard->epoch = shard->flushed_entries = shard->markers = 0;
    shard->space_id = around->first_id;
    shard->evictions = shard->expirations = 0;
    atomic_init(&shard->oldest, NEVER);
    atomic_init(&shard->entry_bytes, 0);
    return pthread_mutex_init(&shard->lock, NULL) == 0;
}

void shard_release(struct shard *shard)
{
    struct garbage garbage = { .bytes = 0 };

    while (!list_is_empty(&shard->used))
        shard_remove_locked(shard, LIST_OWNER(shard->used.prev, struct entry, used_link), &garbage);
    garbage_free(&garbage);
    cells_free_all(shard);
    table_release(&shard->entries);
    table_release(&shard->spaces);
    table_release(&shard->groups);
    table_release(&shard->cells);
    expiry_release(&shard->expiry);
    expiry_release(&shard->cell_expiry);
    pthread_mutex_destroy(&shard->lock);
}

void garbage_free(struct garbage *garbage)
{
    while (garbage->entries) {
        struct entry *entry = ENTRY_OF_NODE(garbage->entries);
        garbage->entries = entry->node.next;
        value_unref(entry->value);
        free(entry->extra);
        free(entry);
    }
}

/* ---- Time ---- */

void shard_set_due_locked(struct shard *shard, struct entry *entry, uint64_t due)
{
    entry->due_ns = due;
    if (due == NEVER)
        expiry_remove(&shard->expiry, &entry->expiry);
    /* A later time is entered when the earlier one comes up. */
    else if (entry->expiry.place == 0 || expiry_due(&shard->expiry, &entry->expiry) > due)
        expiry_set(&shard->expiry, &entry->expiry, due);
}

bool shard_retime_locked(struct shard *shard, struct entry *entry, int64_t ttl_ms, uint64_t now)
{
    struct extra *extra = entry->extra;
    uint64_t fresh = time_after(now, ttl_ms);
    uint64_t expires = extra && extra->stale_ms > 0 ? time_after(fresh, extra->stale_ms) : fresh;
    uint64_t due = time_due(expires, entry->idle_ms, now);

    if (due != NEVER && entry->expiry.place == 0 && !expiry_reserve(&shard->expiry))
        return false;
    entry->expires_ns = expires;
    if (extra) {
        extra->fresh_ns = fresh;
        extra->lease = 0;
    }
    shard_set_due_locked(shard, entry, due);
    return true;
}

/* ---- Entries ---- */

bool entry_stands(const struct shard *shard, const struct entry *entry)
{
    return space_stands(shard, entry->space) && (!entry->extra || groups_stand(entry->extra));
}

static bool entry_has_name(const struct entry *entry, const struct entry_name *name)
{
    return bytes_equal(bytes_of(entry->key, entry->key_len), name->key) &&
           bytes_equal(bytes_of(entry->space->name, entry->space->name_len), name->ns);
}

/* Makes a marker of an expired entry whose lease is still out; false: there is
 * no such lease. */
static bool outlived_by_lease(struct shard *shard, struct entry *entry, uint64_t now)
{
    struct extra *extra = entry->extra;
    size_t bytes;

    if (!extra || !entry->value || extra->lease == 0 || extra->lease_until <= now)
        return false;
    groups_leave_locked(shard, extra);
    bytes = entry->charge - budget_footprint(entry) - budget_footprint(extra);
    budget_give(shard->budget, bytes);
    shard_count_bytes_locked(shard, 0, bytes);
    entry->charge -= bytes;
    space_count_locked(entry->space, -1, -(int64_t)entry->value->len);
    entry->space->markers++;
    shard->markers++;
    /* Seldom, so it may be freed under the lock. */
    value_unref(entry->value);
    entry->value = NULL;
    entry->version = 0;
    *extra = (struct extra){ .lease = extra->lease, .lease_until = extra->lease_until };
    entry->expires_ns = extra->lease_until;
    entry->idle_ms = ENGINE_NO_IDLE;
    entry->due_ns = extra->lease_until;
    expiry_set(&shard->expiry, &entry->expiry, entry->due_ns);
    return true;
}

struct entry *shard_find_locked(struct shard *shard, const struct entry_name *name, uint64_t now,
                                struct garbage *garbage)
{
    struct table_node *node;

    for (node = table_first(&shard->entries, name->hash); node; node = table_next(node)) {
        struct entry *entry = ENTRY_OF_NODE(node);
        if (!entry_has_name(entry, name))
            continue;
        if (entry_stands(shard, entry)) {
            if (entry->due_ns > now)
                return entry;
            shard->expirations += entry->value != NULL;
            if (outlived_by_lease(shard, entry, now))
                return entry;
        }
        shard_remove_locked(shard, entry, garbage);
        return NULL;
    }
    return NULL;
}

void shard_use_locked(struct shard *shard, struct entry *entry, uint64_t clock, uint64_t now)
{
    entry->used_at = clock;
    if (shard->used.next != &entry->used_link) {
        list_remove(&entry->used_link);
        list_push_front(&shard->used, &entry->used_link);
    }
    if (entry->idle_ms != ENGINE_NO_IDLE) {
        uint64_t due = time_due(entry->expires_ns, entry->idle_ms, now);
        /* Threads read the clock at different moments: never back. The heap
         * keeps the earlier time until that comes up. */
        if (due > entry->due_ns)
            entry->due_ns = due;
    }
}

void shard_remove_locked(struct shard *shard, struct entry *entry, struct garbage *garbage)
{
    if (!space_stands(shard, entry->space))
        shard->flushed_entries--;
    table_remove(&shard->entries, &entry->node);
    expiry_remove(&shard->expiry, &entry->expiry);
    list_remove(&entry->used_link);
    if (entry->extra)
        groups_leave_locked(shard, entry->extra);
    space_leave_locked(shard, entry);
    budget_give(shard->budget, entry->charge);
    shard_count_bytes_locked(shard, 0, entry->charge);
    garbage->bytes += entry->charge;
    entry->node.next = garbage->entries;
    garbage->entries = &entry->node;
}

/* ---- Making room ---- */

static bool collect_flushed(struct shard *shard, struct garbage *garbage)
{
    const struct vector *entries;

    if (!list_is_empty(&shard->flushed))
        entries = &LIST_OWNER(shard->flushed.next, struct space, link)->entries;
    else if (!list_is_empty(&shard->flushed_groups))
        entries = &LIST_OWNER(shard->flushed_groups.next, struct group, link)->members;
    else
        return false;
    shard_remove_locked(shard, vector_at(entries, entries->count - 1), garbage);
    return true;
}

static bool collect_expired(struct shard *shard, uint64_t now, struct garbage *garbage)
{
    struct expiry_node *node;
    struct entry *entry;
    uint64_t due;

    node = expiry_first(&shard->expiry, &due);
    if (!node || due > now)
        return false;
    entry = LIST_OWNER(node, struct entry, expiry);
    if (entry->due_ns > now) {
        expiry_set(&shard->expiry, node, entry->due_ns);
        return true;
    }
    shard->expirations += entry->value != NULL;
    if (!outlived_by_lease(shard, entry, now))
        shard_remove_locked(shard, entry, garbage);
    return true;
}

bool shard_collect_locked(struct shard *shard, uint64_t now, struct garbage *garbage)
{
    return collect_flushed(shard, garbage) || collect_expired(shard, now, garbage) ||
           cells_collect_locked(shard, now);
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static bool is_spared(const struct spared *spared, uint64_t hash)
{
    if (spared->count == 1)
        return spared->hashes[0] == hash;
    return spared->count > 0 && bsearch(&hash, spared->hashes, spared->count, sizeof hash, compare_hashes) != NULL;
}

bool shard_evict_locked(struct shard *shard, uint64_t until, const struct spared *spared, struct garbage *garbage)
{
    struct list *link = shard->used.prev;
    struct entry *entry;

    while (link != &shard->used && is_spared(spared, LIST_OWNER(link, struct entry, used_link)->node.hash))
        link = link->prev;
    if (link == &shard->used)
        return false;
    entry = LIST_OWNER(link, struct entry, used_link);
    if (entry->used_at > until)
        return false;
    shard->evictions += entry->value != NULL;
    shard_remove_locked(shard, entry, garbage);
    return true;
}

/* Updates the hint shard->oldest. */
static void publish_locked(struct shard *shard)
{
    uint64_t oldest = NEVER;

    if (shard->flushed_entries > 0 || !list_is_empty(&shard->flushed_groups))
        oldest = 0;
    else if (!list_is_empty(&shard->used))
        oldest = LIST_OWNER(shard->used.prev, struct entry, used_link)->used_at;
    if (atomic_load_explicit(&shard->oldest, memory_order_relaxed) != oldest)
        atomic_store_explicit(&shard->oldest, oldest, memory_order_relaxed);
}

void shard_unlock(struct shard *shard, struct garbage *garbage)
{
    publish_locked(shard);
    pthread_mutex_unlock(&shard->lock);
    garbage_free(garbage);
}
