/* space.c - the records of namespaces in a shard. */
#include "engines/memory/shard.h"

#define SPACE_OF_NODE(n) LIST_OWNER(n, struct space, node)

struct space *space_find_locked(struct shard *shard, struct bytes ns, uint64_t ns_hash)
{
    struct table_node *node;

    for (node = table_first(&shard->spaces, ns_hash); node; node = table_next(node)) {
        struct space *space = SPACE_OF_NODE(node);
        if (space_stands(shard, space) && bytes_equal(bytes_of(space->name, space->name_len), ns))
            return space;
    }
    return NULL;
}

static void fill_space(struct shard *shard, struct space *space, const struct entry_name *name)
{
    vector_init(&space->entries, shard->budget);
    space->epoch = shard->epoch;
    space->id = ++shard->space_id;
    space->markers = space->bytes = 0;
    space->flushed = false;
    space->name_len = (uint8_t)name->ns.len;
    if (name->ns.len > 0)
        memcpy(space->name, name->ns.ptr, name->ns.len);
    space->node.hash = name->ns_hash;
}

struct space *space_get_locked(struct shard *shard, const struct entry_name *name)
{
    struct space *space = space_find_locked(shard, name->ns, name->ns_hash);

    if (space)
        return space;
    if (!table_reserve(&shard->spaces))
        return NULL;
    space = budget_alloc(shard->budget, sizeof *space + name->ns.len);
    if (!space)
        return NULL;
    fill_space(shard, space, name);
    space->tally = tally_get(shard->tallies, name->ns, name->ns_hash, shard->epoch);
    if (!space->tally) {
        budget_free(shard->budget, space);
        return NULL;
    }
    table_insert(&shard->spaces, &space->node);
    list_push_front(&shard->standing, &space->link);
    return space;
}

void space_free_if_empty_locked(struct shard *shard, struct space *space)
{
    if (space->entries.count + space->entries.pinned > 0)
        return;
    table_remove(&shard->spaces, &space->node);
    list_remove(&space->link);
    tally_unref(shard->tallies, space->tally);
    vector_release(&space->entries);
    budget_free(shard->budget, space);
}

void space_leave_locked(struct shard *shard, struct entry *entry)
{
    struct space *space = entry->space;
    struct entry *moved = vector_take(&space->entries, entry->place);

    if (moved)
        moved->place = entry->place;
    if (entry->value) {
        space_count_locked(space, -1, -(int64_t)entry->value->len);
    } else {
        space->markers--;
        if (space_stands(shard, space))
            shard->markers--;
    }
    space_free_if_empty_locked(shard, space);
}

void shard_flush_locked(struct shard *shard, const struct entry_name *name)
{
    struct space *space = space_find_locked(shard, name->ns, name->ns_hash);

    if (!space)
        return;
    tally_count(space->tally, -(int64_t)(space->entries.count - space->markers), -(int64_t)space->bytes);
    tally_unref(shard->tallies, space->tally);
    space->tally = NULL;
    space->flushed = true;
    shard->flushed_entries += space->entries.count;
    shard->markers -= space->markers;
    list_remove(&space->link);
    list_push_front(&shard->flushed, &space->link);
}

void shard_flush_all_locked(struct shard *shard)
{
    shard->epoch++;
    shard->flushed_entries = shard->entries.count;
    shard->markers = 0;
    list_append_all(&shard->flushed, &shard->standing);
}
