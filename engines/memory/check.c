/* check.c - the store's invariants, for tests and torture runs. */
#include "engines/memory/room.h"

static size_t segments_bytes(const struct segments *segments)
{
    size_t bytes = segments->directory ? budget_footprint(segments->directory) : 0;

    for (size_t i = 0; i < segments->count; i++)
        bytes += budget_footprint(segments->directory[i]);
    return bytes;
}

static size_t vector_bytes(const struct vector *vector)
{
    return segments_bytes(&vector->rest) + (vector->head ? budget_footprint(vector->head) : 0);
}

static bool table_has(const struct table *table, const struct table_node *wanted)
{
    struct table_node *node = table_first(table, wanted->hash);

    while (node && node != wanted)
        node = table_next(node);
    return node != NULL;
}

static bool vector_has(const struct vector *vector, size_t place, const void *element)
{
    return place < vector->count && vector_at(vector, place) == element;
}

/* ---- Entries ---- */

static const char *check_extra(const struct shard *shard, const struct entry *entry)
{
    const struct extra *extra = entry->extra;

    if (!extra)
        return entry->value ? NULL : "a marker has no lease";
    for (uint32_t i = 0; i < extra->tag_count; i++) {
        if (!table_has(&shard->groups, &extra->tags[i].group->node))
            return "an entry's tag is not in the table";
        if (!vector_has(&extra->tags[i].group->members, extra->tags[i].place, entry))
            return "an entry is not where it thinks among those of its tag";
    }
    if (extra->stale_ms > 0 && extra->fresh_ns > entry->expires_ns)
        return "an entry is fresh for longer than it stands";
    if (!entry->value &&
        (extra->tag_count > 0 || extra->fence != 0 || extra->lease == 0 || extra->lease_until != entry->due_ns))
        return "a marker is more or less than a lease";
    return NULL;
}

static const char *check_entry(const struct shard *shard, struct entry *entry)
{
    size_t bytes = budget_footprint(entry);

    if (!table_has(&shard->entries, &entry->node))
        return "an entry of the recency list is not in the table";
    if (!table_has(&shard->spaces, &entry->space->node))
        return "an entry's namespace is not in the table";
    if (!vector_has(&entry->space->entries, entry->place, entry))
        return "an entry is not where it thinks in its namespace";
    if ((entry->value == NULL) != (entry->version == 0))
        return "a marker has a version, or an entry has none";
    if (entry->due_ns > entry->expires_ns)
        return "an entry lives longer than its TTL";
    if ((entry->due_ns == NEVER) != (entry->expiry.place == 0))
        return "an entry that expires is not in the heap, or one that does not is";
    if (entry->expiry.place != 0 && expiry_due(&shard->expiry, &entry->expiry) > entry->due_ns)
        return "an entry is in the heap under too late a time";
    bytes += entry->value ? value_footprint(entry->value) : 0;
    bytes += entry->extra ? budget_footprint(entry->extra) : 0;
    if (entry->charge != bytes)
        return "an entry is counted with the wrong number of bytes";
    return check_extra(shard, entry);
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
    if (shard->expiry.pinned != 0 || shard->cell_expiry.pinned != 0)
        return "a place in a heap stayed pinned";
    if (own != atomic_load(&shard->entry_bytes))
        return "entry_bytes is not the sum of the entries";
    return NULL;
}

/* ---- Namespaces ---- */

struct spaces_seen {
    size_t entries, markers, spaces, tallied, bytes;
};

static const char *check_space(const struct space *space, struct spaces_seen *seen)
{
    size_t markers = 0, value_bytes = 0;

    for (size_t i = 0; i < space->entries.count; i++) {
        const struct entry *entry = vector_at(&space->entries, i);
        if (entry->space != space || entry->place != i)
            return "a namespace record holds an entry of another";
        markers += entry->value == NULL;
        value_bytes += entry->value ? entry->value->len : 0;
    }
    if (space->entries.count == 0 || space->entries.pinned != 0)
        return "a namespace record is empty, or a place in it stayed pinned";
    if (markers != space->markers || value_bytes != space->bytes)
        return "a namespace record is miscounted";
    seen->entries += space->entries.count;
    seen->markers += markers;
    seen->spaces++;
    seen->tallied += space->tally != NULL;
    seen->bytes += budget_footprint((void *)(uintptr_t)space) + vector_bytes(&space->entries);
    return NULL;
}

static const char *check_spaces(const struct list *spaces, struct spaces_seen *seen)
{
    for (struct list *link = spaces->next; link != spaces; link = link->next) {
        const char *fault = check_space(LIST_OWNER(link, struct space, link), seen);
        if (fault)
            return fault;
    }
    return NULL;
}

/* ---- Tags ---- */

struct groups_seen {
    size_t bytes, flushed;
    bool wrong;
};

static void see_group(struct table_node *node, void *context)
{
    struct group *group = LIST_OWNER(node, struct group, node);
    struct groups_seen *seen = context;

    if (group->members.count == 0 || group->members.pinned != 0)
        seen->wrong = true;
    for (size_t i = 0; i < group->members.count; i++) {
        const struct entry *entry = vector_at(&group->members, i);
        bool found = false;
        for (uint32_t tag = 0; entry->extra && tag < entry->extra->tag_count; tag++)
            found = found || (entry->extra->tags[tag].group == group && entry->extra->tags[tag].place == i);
        if (!found)
            seen->wrong = true;
    }
    seen->flushed += group->flushed;
    seen->bytes += budget_footprint(group) + vector_bytes(&group->members);
}

static const char *check_groups(const struct shard *shard, size_t *bytes)
{
    struct groups_seen seen = { .bytes = 0 };
    size_t flushed = 0;

    table_each(&shard->groups, see_group, &seen);
    for (struct list *link = shard->flushed_groups.next; link != &shard->flushed_groups; link = link->next)
        flushed++;
    *bytes += seen.bytes;
    if (seen.wrong)
        return "a tag's record is empty, pinned, or holds what does not have the tag";
    return flushed == seen.flushed ? NULL : "the list of flushed tags is miscounted";
}

/* ---- A shard ---- */

static const char *check_records(const struct shard *shard, size_t *bytes, size_t *spaces)
{
    struct spaces_seen standing = { .entries = 0 }, flushed = { .entries = 0 };
    const char *fault = check_spaces(&shard->standing, &standing);

    if (!fault)
        fault = check_spaces(&shard->flushed, &flushed);
    if (fault)
        return fault;
    *bytes += standing.bytes + flushed.bytes;
    *spaces += standing.tallied + flushed.tallied;
    if (standing.spaces + flushed.spaces != shard->spaces.count ||
        standing.entries + flushed.entries != shard->entries.count)
        return "the namespace records do not hold all entries";
    if (standing.tallied != standing.spaces)
        return "a namespace record that stands has no tally";
    if (flushed.entries != shard->flushed_entries)
        return "flushed_entries is miscounted";
    return standing.markers == shard->markers ? NULL : "the markers are miscounted";
}

const char *shard_check_locked(struct shard *shard, size_t *bytes, size_t *spaces)
{
    const char *fault = check_entries(shard, bytes);

    if (!fault)
        fault = check_records(shard, bytes, spaces);
    if (!fault)
        fault = check_groups(shard, bytes);
    if (!fault)
        fault = cells_check_locked(shard, bytes);
    *bytes += segments_bytes(&shard->entries.segments) + segments_bytes(&shard->spaces.segments) +
              segments_bytes(&shard->expiry.segments) + segments_bytes(&shard->groups.segments) +
              segments_bytes(&shard->cells.segments) + segments_bytes(&shard->cell_expiry.segments);
    return fault;
}

/* ---- Tallies ---- */

/* What the shards' records that refer to a tally hold. */
static bool tally_is_right(struct store *store, const struct tally *tally)
{
    size_t entries = 0, bytes = 0, refs = 0;

    for (unsigned i = 0; i < store->shard_count; i++) {
        const struct list *lists[] = { &store->shards[i].standing, &store->shards[i].flushed };
        for (int list = 0; list < 2; list++) {
            for (struct list *link = lists[list]->next; link != lists[list]; link = link->next) {
                const struct space *space = LIST_OWNER(link, struct space, link);
                if (space->tally != tally)
                    continue;
                entries += space->entries.count - space->markers;
                bytes += space->bytes;
                refs++;
            }
        }
    }
    return refs == tally->refs && entries == atomic_load(&tally->entries) && bytes == atomic_load(&tally->bytes);
}

const char *store_check_tallies(struct store *store, size_t *bytes, size_t spaces)
{
    struct tallies *tallies = &store->tallies;
    size_t refs = 0;

    for (size_t i = 0; i < tallies->all.count; i++) {
        struct tally *tally = vector_at(&tallies->all, i);
        if (tally->place != i || !table_has(&tallies->table, &tally->node) || tally->refs == 0)
            return "a tally is misplaced, or nobody's";
        if (!tally_is_right(store, tally))
            return "a tally is not the sum of its namespace's records";
        refs += tally->refs;
        *bytes += budget_footprint(tally);
    }
    *bytes += segments_bytes(&tallies->table.segments) + vector_bytes(&tallies->all);
    if (tallies->table.count != tallies->all.count || refs != spaces)
        return "the tallies are not those of the namespaces' records";
    return NULL;
}
