#include "engines/memory/draft.h"

#include <stdlib.h>

static bool needs_extra(const struct content *content)
{
    return content->fence != 0 || content->stale_ms > 0 || content->lease != 0 || content->tag_count > 0;
}

static size_t value_charge(const struct entry *entry)
{
    size_t own = budget_footprint((void *)(uintptr_t)entry);

    return entry->charge - own - (entry->extra ? budget_footprint(entry->extra) : 0);
}

size_t draft_need(const struct entry *entry, const struct entry_name *name, const struct content *content)
{
    size_t old = entry ? value_charge(entry) : 0;
    size_t need = content->value_bytes > old ? content->value_bytes - old : 0;

    if (!entry)
        need += sizeof *entry + name->key.len;
    if (needs_extra(content))
        need += sizeof(struct extra) + content->tag_count * sizeof(struct membership);
    return need;
}

/* ---- The first half ---- */

static bool prepare_extra(struct draft *draft, struct shard *shard, const struct entry_name *name,
                          const struct content *content)
{
    struct extra *extra;

    if (!needs_extra(content))
        return true;
    extra = budget_alloc(shard->budget, sizeof *extra + content->tag_count * sizeof extra->tags[0]);
    if (!extra)
        return false;
    *extra = (struct extra){ .fence = content->fence, .stale_ms = content->stale_ms, .lease = content->lease };
    draft->extra = extra;
    for (size_t i = 0; i < content->tag_count; i++) {
        struct group *group = group_pin_locked(shard, name->ns, content->tags[i]);
        if (!group)
            return false;
        extra->tags[extra->tag_count++].group = group;
    }
    return true;
}

static bool prepare_place(struct draft *draft, struct shard *shard, const struct entry_name *name)
{
    struct space *space;

    if (!table_reserve(&shard->entries))
        return false;
    space = space_get_locked(shard, name);
    if (!space)
        return false;
    if (!vector_reserve(&space->entries)) {
        space_free_if_empty_locked(shard, space);
        return false;
    }
    space->entries.pinned++;
    draft->space = space;
    draft->added = budget_alloc(shard->budget, sizeof *draft->added + name->key.len);
    return draft->added != NULL;
}

static bool prepare_time(struct draft *draft, struct shard *shard, const struct entry *entry,
                         const struct content *content)
{
    bool never = content->ttl_ms == ENGINE_NO_EXPIRY && content->idle_ms == ENGINE_NO_IDLE;

    if (never || (entry && entry->expiry.place != 0))
        return true;
    if (!expiry_reserve(&shard->expiry))
        return false;
    shard->expiry.pinned++;
    draft->timed = true;
    return true;
}

static bool prepare(struct draft *draft, struct shard *shard, const struct entry_name *name, struct entry *entry,
                    const struct content *content)
{
    size_t more;

    draft->old_bytes = entry ? value_charge(entry) : 0;
    more = content->value_bytes > draft->old_bytes ? content->value_bytes - draft->old_bytes : 0;
    if (!prepare_time(draft, shard, entry, content))
        return false;
    if (!entry && !prepare_place(draft, shard, name))
        return false;
    if (!prepare_extra(draft, shard, name, content))
        return false;
    if (more > 0 && !budget_take(shard->budget, more))
        return false;
    draft->taken = more;
    return true;
}

bool draft_prepare_locked(struct draft *draft, struct shard *shard, const struct entry_name *name,
                          struct entry *entry, const struct content *content)
{
    draft_init(draft);
    draft->prepared = true;
    if (prepare(draft, shard, name, entry, content))
        return true;
    draft_abandon_locked(draft, shard);
    return false;
}

void draft_abandon_locked(struct draft *draft, struct shard *shard)
{
    if (!draft->prepared)
        return;
    draft->prepared = false;
    budget_give(shard->budget, draft->taken);
    for (uint32_t i = 0; draft->extra && i < draft->extra->tag_count; i++)
        group_unpin_locked(shard, draft->extra->tags[i].group);
    budget_free(shard->budget, draft->extra);
    budget_free(shard->budget, draft->added);
    if (draft->space) {
        draft->space->entries.pinned--;
        space_free_if_empty_locked(shard, draft->space);
    }
    if (draft->timed)
        shard->expiry.pinned--;
}

/* ---- The second half ---- */

/* A record of nothing in all structures but the heap, counted as a marker; its
 * bytes are not counted yet. */
static struct entry *add_entry(struct draft *draft, struct shard *shard, const struct entry_name *name)
{
    struct entry *entry = draft->added;
    struct space *space = draft->space;

    entry->node.hash = name->hash;
    entry->expiry.place = 0;
    entry->space = space;
    entry->value = NULL;
    entry->extra = NULL;
    entry->charge = budget_footprint(entry);
    entry->key_len = (uint32_t)name->key.len;
    if (name->key.len > 0)
        memcpy(entry->key, name->key.ptr, name->key.len);
    space->entries.pinned--;
    entry->place = (uint32_t)vector_push(&space->entries, entry);
    space->markers++;
    shard->markers++;
    table_insert(&shard->entries, &entry->node);
    list_push_front(&shard->used, &entry->used_link);
    return entry;
}

static void count_value(struct shard *shard, struct entry *entry, const struct value *old)
{
    const struct value *value = entry->value;
    int64_t more = (int64_t)(value ? value->len : 0) - (int64_t)(old ? old->len : 0);

    if (!old != !value) {
        size_t markers = old ? 1 : (size_t)-1;
        entry->space->markers += markers;
        shard->markers += markers;
        space_count_locked(entry->space, old ? -1 : 1, more);
    } else if (more != 0) {
        space_count_locked(entry->space, 0, more);
    }
}

static void swap_extra(struct draft *draft, struct shard *shard, struct entry *entry)
{
    struct extra *old = entry->extra;

    if (old) {
        size_t bytes = budget_footprint(old);
        groups_leave_locked(shard, old);
        budget_give(shard->budget, bytes);
        entry->charge -= bytes;
    }
    draft->old_extra = old;
    entry->extra = draft->extra;
    if (entry->extra) {
        entry->charge += budget_footprint(entry->extra);
        groups_join_locked(entry);
    }
}

static void swap_contents(struct draft *draft, struct shard *shard, struct entry *entry,
                          const struct content *content)
{
    size_t before = draft->added ? 0 : entry->charge;

    if (content->value_bytes < draft->old_bytes)
        budget_give(shard->budget, draft->old_bytes - content->value_bytes);
    draft->old_value = entry->value;
    entry->value = content->value ? value_ref(content->value) : NULL;
    entry->charge += content->value_bytes - draft->old_bytes;
    if (entry->extra || draft->extra)
        swap_extra(draft, shard, entry);
    count_value(shard, entry, draft->old_value);
    if (entry->charge != before)
        shard_count_bytes_locked(shard, entry->charge, before);
}

static void set_times(struct draft *draft, struct shard *shard, struct entry *entry, const struct content *content)
{
    uint64_t fresh = time_after(content->now, content->ttl_ms);

    if (draft->timed)
        shard->expiry.pinned--;
    entry->idle_ms = content->idle_ms;
    entry->expires_ns = fresh;
    if (entry->extra) {
        entry->extra->fresh_ns = fresh;
        entry->extra->lease_until = fresh;
        if (content->stale_ms > 0)
            entry->expires_ns = time_after(fresh, content->stale_ms);
    }
    shard_set_due_locked(shard, entry, time_due(entry->expires_ns, content->idle_ms, content->now));
}

struct entry *draft_commit_locked(struct draft *draft, struct shard *shard, const struct entry_name *name,
                                  struct entry *entry, const struct content *content)
{
    if (!entry)
        entry = add_entry(draft, shard, name);
    swap_contents(draft, shard, entry, content);
    entry->version = content->version;
    entry->used_at = content->used_at;
    if (shard->used.next != &entry->used_link) {
        list_remove(&entry->used_link);
        list_push_front(&shard->used, &entry->used_link);
    }
    set_times(draft, shard, entry, content);
    draft->prepared = false;
    return entry;
}

void draft_free(struct draft *draft)
{
    value_unref(draft->old_value);
    free(draft->old_extra);
    draft->old_value = NULL;
    draft->old_extra = NULL;
}
