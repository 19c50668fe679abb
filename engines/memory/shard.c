#include "engines/memory/shard.h"

#include <stdlib.h>

#include "service/base/clock.h"

#define ENTRY_OF_NODE(n) LIST_OWNER(n, struct entry, node)
#define SPACE_OF_NODE(n) LIST_OWNER(n, struct space, node)

/* ---- Life of a shard ---- */

bool shard_init(struct shard *shard, struct budget *budget)
{
    shard->budget = budget;
    table_init(&shard->entries, budget);
    table_init(&shard->spaces, budget);
    list_init(&shard->standing);
    list_init(&shard->flushed);
    list_init(&shard->used);
    expiry_init(&shard->expiry, budget);
    shard->epoch = shard->flushed_entries = 0;
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
    table_release(&shard->entries);
    table_release(&shard->spaces);
    expiry_release(&shard->expiry);
    pthread_mutex_destroy(&shard->lock);
}

void garbage_free(struct garbage *garbage)
{
    while (garbage->entries) {
        struct entry *entry = ENTRY_OF_NODE(garbage->entries);
        garbage->entries = entry->node.next;
        value_unref(entry->value);
        free(entry);
    }
    value_unref(garbage->value);
    garbage->value = NULL;
}

/* ---- Namespaces ---- */

static bool space_stands(const struct shard *shard, const struct space *space)
{
    return !space->flushed && space->epoch == shard->epoch;
}

static struct space *find_space(struct shard *shard, const struct entry_name *name)
{
    struct table_node *node;

    for (node = table_first(&shard->spaces, name->ns_hash); node; node = table_next(node)) {
        struct space *space = SPACE_OF_NODE(node);
        if (space_stands(shard, space) && bytes_equal(bytes_of(space->name, space->name_len), name->ns))
            return space;
    }
    return NULL;
}

/* The record of a namespace, made if need be. NULL: no room. */
static struct space *get_space(struct shard *shard, const struct entry_name *name)
{
    struct space *space = find_space(shard, name);

    if (space)
        return space;
    if (!table_reserve(&shard->spaces))
        return NULL;
    space = budget_alloc(shard->budget, sizeof *space + name->ns.len);
    if (!space)
        return NULL;
    list_init(&space->entries);
    space->count = 0;
    space->epoch = shard->epoch;
    space->flushed = false;
    space->name_len = (uint8_t)name->ns.len;
    if (name->ns.len > 0)
        memcpy(space->name, name->ns.ptr, name->ns.len);
    space->node.hash = name->ns_hash;
    table_insert(&shard->spaces, &space->node);
    list_push_front(&shard->standing, &space->link);
    return space;
}

static void free_if_empty(struct shard *shard, struct space *space)
{
    if (space->count > 0)
        return;
    table_remove(&shard->spaces, &space->node);
    list_remove(&space->link);
    budget_free(shard->budget, space);
}

void shard_flush_locked(struct shard *shard, const struct entry_name *name)
{
    struct space *space = find_space(shard, name);

    if (!space)
        return;
    space->flushed = true;
    shard->flushed_entries += space->count;
    list_remove(&space->link);
    list_push_front(&shard->flushed, &space->link);
}

void shard_flush_all_locked(struct shard *shard)
{
    shard->epoch++;
    shard->flushed_entries = shard->entries.count;
    list_append_all(&shard->flushed, &shard->standing);
}

/* ---- Time ---- */

/* The end of a TTL that starts at `now`; far TTLs end at NEVER's eve. */
static uint64_t time_after(uint64_t now, int64_t ttl_ms)
{
    uint64_t ms = (uint64_t)ttl_ms;

    if (ttl_ms == ENGINE_NO_EXPIRY)
        return NEVER;
    if (ttl_ms <= 0)
        return now;
    return ms > (NEVER - 1 - now) / NS_PER_MS ? NEVER - 1 : now + ms * NS_PER_MS;
}

static uint64_t due_time(uint64_t expires_ns, int64_t idle_ms, uint64_t now)
{
    uint64_t idle = idle_ms == ENGINE_NO_IDLE ? NEVER : time_after(now, idle_ms);

    return idle < expires_ns ? idle : expires_ns;
}

/* Needs room in the heap, see expiry_reserve(). */
static void set_due(struct shard *shard, struct entry *entry, uint64_t due)
{
    entry->due_ns = due;
    if (due == NEVER)
        expiry_remove(&shard->expiry, &entry->expiry);
    /* A later time is entered when the earlier one comes up. */
    else if (entry->expiry.place == 0 || expiry_due(&shard->expiry, &entry->expiry) > due)
        expiry_set(&shard->expiry, &entry->expiry, due);
}

bool shard_retime_locked(struct shard *shard, struct entry *entry, const struct engine_op *op)
{
    uint64_t expires = time_after(op->now_ns, op->ttl_ms);
    uint64_t due = due_time(expires, entry->idle_ms, op->now_ns);

    if (due != NEVER && entry->expiry.place == 0 && !expiry_reserve(&shard->expiry))
        return false;
    entry->expires_ns = expires;
    set_due(shard, entry, due);
    return true;
}

/* ---- Entries ---- */

static bool entry_has_name(const struct entry *entry, const struct entry_name *name)
{
    return bytes_equal(bytes_of(entry->key, entry->key_len), name->key) &&
           bytes_equal(bytes_of(entry->space->name, entry->space->name_len), name->ns);
}

struct entry *shard_find_locked(struct shard *shard, const struct entry_name *name, uint64_t now,
                                struct garbage *garbage)
{
    struct table_node *node;

    for (node = table_first(&shard->entries, name->hash); node; node = table_next(node)) {
        struct entry *entry = ENTRY_OF_NODE(node);
        if (!entry_has_name(entry, name))
            continue;
        if (space_stands(shard, entry->space)) {
            if (entry->due_ns > now)
                return entry;
            shard->expirations++;
        }
        shard_remove_locked(shard, entry, garbage);
        return NULL;
    }
    return NULL;
}

static void count_bytes(struct shard *shard, size_t added, size_t removed)
{
    size_t bytes = atomic_load_explicit(&shard->entry_bytes, memory_order_relaxed);

    atomic_store_explicit(&shard->entry_bytes, bytes + added - removed, memory_order_relaxed);
}

/* An entry in no structure yet, its bytes and the value's counted. */
static struct entry *make_entry(struct shard *shard, const struct entry_name *name, const struct engine_op *op,
                                size_t value_bytes)
{
    struct entry *entry = budget_alloc(shard->budget, sizeof *entry + name->key.len);

    if (!entry)
        return NULL;
    if (!budget_take(shard->budget, value_bytes)) {
        budget_free(shard->budget, entry);
        return NULL;
    }
    entry->node.hash = name->hash;
    entry->expiry.place = 0;
    entry->value = value_ref(op->value);
    entry->charge = budget_footprint(entry) + value_bytes;
    entry->key_len = (uint32_t)name->key.len;
    memcpy(entry->key, name->key.ptr, name->key.len);
    return entry;
}

/* What put sets, new entry or old. */
static void set_fields(struct shard *shard, struct entry *entry, const struct engine_op *op)
{
    entry->version = entry->used_at = op->entry.version;
    entry->idle_ms = op->idle_ms;
    entry->expires_ns = time_after(op->now_ns, op->ttl_ms);
    set_due(shard, entry, due_time(entry->expires_ns, op->idle_ms, op->now_ns));
}

static bool reserve_expiry(struct shard *shard, const struct engine_op *op)
{
    bool never = op->ttl_ms == ENGINE_NO_EXPIRY && op->idle_ms == ENGINE_NO_IDLE;

    return never || expiry_reserve(&shard->expiry);
}

struct entry *shard_add_locked(struct shard *shard, const struct entry_name *name, const struct engine_op *op,
                               size_t value_bytes)
{
    struct entry *entry;
    struct space *space;

    if (!table_reserve(&shard->entries) || !reserve_expiry(shard, op))
        return NULL;
    space = get_space(shard, name);
    if (!space)
        return NULL;
    entry = make_entry(shard, name, op, value_bytes);
    if (!entry) {
        free_if_empty(shard, space);
        return NULL;
    }
    entry->space = space;
    space->count++;
    list_push_front(&space->entries, &entry->space_link);
    table_insert(&shard->entries, &entry->node);
    list_push_front(&shard->used, &entry->used_link);
    set_fields(shard, entry, op);
    count_bytes(shard, entry->charge, 0);
    return entry;
}

bool shard_replace_locked(struct shard *shard, struct entry *entry, const struct engine_op *op, size_t value_bytes,
                          struct garbage *garbage)
{
    size_t own = budget_footprint(entry);
    size_t old_bytes = entry->charge - own;

    if (entry->expiry.place == 0 && !reserve_expiry(shard, op))
        return false;
    if (value_bytes > old_bytes && !budget_take(shard->budget, value_bytes - old_bytes))
        return false;
    if (value_bytes < old_bytes)
        budget_give(shard->budget, old_bytes - value_bytes);
    garbage->value = entry->value;
    entry->value = value_ref(op->value);
    entry->charge = own + value_bytes;
    count_bytes(shard, value_bytes, old_bytes);
    list_remove(&entry->used_link);
    list_push_front(&shard->used, &entry->used_link);
    set_fields(shard, entry, op);
    return true;
}

void shard_use_locked(struct shard *shard, struct entry *entry, uint64_t clock, uint64_t now)
{
    entry->used_at = clock;
    if (shard->used.next != &entry->used_link) {
        list_remove(&entry->used_link);
        list_push_front(&shard->used, &entry->used_link);
    }
    if (entry->idle_ms != ENGINE_NO_IDLE) {
        uint64_t due = due_time(entry->expires_ns, entry->idle_ms, now);
        /* Threads read the clock at different moments: never back. The heap
         * keeps the earlier time until that comes up. */
        if (due > entry->due_ns)
            entry->due_ns = due;
    }
}

void shard_remove_locked(struct shard *shard, struct entry *entry, struct garbage *garbage)
{
    struct space *space = entry->space;

    if (!space_stands(shard, space))
        shard->flushed_entries--;
    table_remove(&shard->entries, &entry->node);
    expiry_remove(&shard->expiry, &entry->expiry);
    list_remove(&entry->used_link);
    list_remove(&entry->space_link);
    space->count--;
    free_if_empty(shard, space);
    budget_give(shard->budget, entry->charge);
    count_bytes(shard, 0, entry->charge);
    garbage->bytes += entry->charge;
    entry->node.next = garbage->entries;
    garbage->entries = &entry->node;
}

/* ---- Making room ---- */

bool shard_collect_locked(struct shard *shard, uint64_t now, struct garbage *garbage)
{
    struct expiry_node *node;
    struct entry *entry;
    uint64_t due;

    if (!list_is_empty(&shard->flushed)) {
        struct space *space = LIST_OWNER(shard->flushed.next, struct space, link);
        shard_remove_locked(shard, LIST_OWNER(space->entries.next, struct entry, space_link), garbage);
        return true;
    }
    node = expiry_first(&shard->expiry, &due);
    if (!node || due > now)
        return false;
    entry = LIST_OWNER(node, struct entry, expiry);
    if (entry->due_ns > now) {
        expiry_set(&shard->expiry, node, entry->due_ns);
        return true;
    }
    shard->expirations++;
    shard_remove_locked(shard, entry, garbage);
    return true;
}

bool shard_evict_locked(struct shard *shard, uint64_t until, uint64_t spare, struct garbage *garbage)
{
    struct list *link = shard->used.prev;
    struct entry *entry;

    if (link != &shard->used && LIST_OWNER(link, struct entry, used_link)->node.hash == spare)
        link = link->prev;
    if (link == &shard->used)
        return false;
    entry = LIST_OWNER(link, struct entry, used_link);
    if (entry->used_at > until)
        return false;
    shard->evictions++;
    shard_remove_locked(shard, entry, garbage);
    return true;
}

/* Updates the hint shard->oldest. */
static void publish_locked(struct shard *shard)
{
    uint64_t oldest = NEVER;

    if (shard->flushed_entries > 0)
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
