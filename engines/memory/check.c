/* check.c - the shard's invariants, for tests and torture runs. */
#include "engines/memory/shard.h"

static size_t segments_bytes(const struct segments *segments)
{
    size_t bytes = segments->directory ? budget_footprint(segments->directory) : 0;

    for (size_t i = 0; i < segments->count; i++)
        bytes += budget_footprint(segments->directory[i]);
    return bytes;
}

static bool table_has(const struct table *table, const struct table_node *wanted)
{
    struct table_node *node = table_first(table, wanted->hash);

    while (node && node != wanted)
        node = table_next(node);
    return node != NULL;
}

static const char *check_entry(const struct shard *shard, struct entry *entry)
{
    if (!table_has(&shard->entries, &entry->node))
        return "an entry of the recency list is not in the table";
    if (!table_has(&shard->spaces, &entry->space->node))
        return "an entry's namespace is not in the table";
    if (entry->due_ns > entry->expires_ns)
        return "an entry lives longer than its TTL";
    if ((entry->due_ns == NEVER) != (entry->expiry.place == 0))
        return "an entry that expires is not in the heap, or one that does not is";
    if (entry->expiry.place != 0 && expiry_due(&shard->expiry, &entry->expiry) > entry->due_ns)
        return "an entry is in the heap under too late a time";
    if (entry->charge != budget_footprint(entry) + value_footprint(entry->value))
        return "an entry is counted with the wrong number of bytes";
    return NULL;
}

static const char *check_entries(const struct shard *shard, size_t *bytes)
{
    size_t count = 0, expiring = 0, own = 0;

    for (struct list *link = shard->used.next; link != &shard->used; link = link->next) {
        struct entry *entry = LIST_OWNER(link, struct entry, used_link);
        const char *fault = check_entry(shard, entry);
        if (fault)
            return fault;
        count++;
        expiring += entry->expiry.place != 0;
        own += entry->charge;
    }
    *bytes += own;
    if (count != shard->entries.count)
        return "table and recency list have different numbers of entries";
    if (expiring != shard->expiry.count)
        return "the heap holds what is no entry";
    if (own != atomic_load(&shard->entry_bytes))
        return "entry_bytes is not the sum of the entries";
    return NULL;
}

/* Adds the number of entries of all spaces of `spaces` to `*count`. */
static const char *check_spaces(const struct list *spaces, size_t *count, size_t *spaces_count, size_t *bytes)
{
    for (struct list *link = spaces->next; link != spaces; link = link->next) {
        struct space *space = LIST_OWNER(link, struct space, link);
        size_t own = 0;
        for (struct list *e = space->entries.next; e != &space->entries; e = e->next)
            own++;
        if (own == 0 || own != space->count)
            return "a namespace record is empty or miscounted";
        *count += own;
        ++*spaces_count;
        *bytes += budget_footprint(space);
    }
    return NULL;
}

const char *shard_check_locked(struct shard *shard, size_t *bytes)
{
    size_t standing = 0, flushed = 0, spaces = 0;
    const char *fault = check_entries(shard, bytes);

    if (!fault)
        fault = check_spaces(&shard->standing, &standing, &spaces, bytes);
    if (!fault)
        fault = check_spaces(&shard->flushed, &flushed, &spaces, bytes);
    if (fault)
        return fault;
    if (spaces != shard->spaces.count || standing + flushed != shard->entries.count)
        return "the namespace records do not hold all entries";
    if (flushed != shard->flushed_entries)
        return "flushed_entries is miscounted";
    *bytes += segments_bytes(&shard->entries.segments) + segments_bytes(&shard->spaces.segments) +
              segments_bytes(&shard->expiry.segments);
    return NULL;
}
