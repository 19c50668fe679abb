/* draft.h - writing an entry in two halves, of which only the first can fail.
 *
 * draft_prepare_locked() takes all memory and all places that the write needs,
 * and pins them; draft_commit_locked() changes what stands. Both run within
 * one hold of the shard's lock, so several drafts, in several shards, can be
 * prepared first and then be committed or abandoned together.
 *
 * Threading: shard->lock; draft_free() without. */
#pragma once

#include "engines/memory/shard.h"

/* What is to stand under a name. */
struct content {
    struct value *value; /* a reference is taken with the commit; NULL: a marker */
    size_t value_bytes;  /* its footprint */
    engine_version version;
    uint64_t used_at;
    uint64_t now;
    int64_t ttl_ms, idle_ms, stale_ms;
    uint64_t fence;
    uint64_t lease; /* a marker's, out for ttl_ms */
    const struct bytes *tags;
    size_t tag_count;
};

struct draft {
    bool prepared;
    struct entry *added; /* NULL: a record that is there is written anew */
    struct space *space; /* with `added`: a place in it is pinned */
    struct extra *extra;
    size_t old_bytes; /* that the value to be replaced is counted with */
    size_t taken;     /* for the new value's bytes beyond that */
    bool timed;       /* a place in the heap is pinned */
    /* What was replaced. */
    struct value *old_value;
    struct extra *old_extra;
};

/* Nothing prepared. Field by field: the compiler's filling of a block that
 * small with zeros costs more than all of the rest. */
static inline void draft_init(struct draft *draft)
{
    draft->prepared = draft->timed = false;
    draft->added = NULL;
    draft->space = NULL;
    draft->extra = draft->old_extra = NULL;
    draft->old_bytes = draft->taken = 0;
    draft->old_value = NULL;
}

/* About how many bytes the write needs besides what `entry` holds. */
size_t draft_need(const struct entry *entry, const struct entry_name *name, const struct content *content);

/* `entry` is what shard_find_locked() returned for `name`. False: no room, and
 * nothing changed. */
bool draft_prepare_locked(struct draft *draft, struct shard *shard, const struct entry_name *name,
                          struct entry *entry, const struct content *content) MUST_CHECK;

/* `entry` and `content` as before, but for the version. Returns the entry. */
struct entry *draft_commit_locked(struct draft *draft, struct shard *shard, const struct entry_name *name,
                                  struct entry *entry, const struct content *content);

/* Gives back what was prepared. Nothing happens to a draft of zeros. */
void draft_abandon_locked(struct draft *draft, struct shard *shard);

/* Frees what was replaced; after the lock was given back. */
void draft_free(struct draft *draft);
