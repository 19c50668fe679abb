/* shard.h - one shard of the store: a lock and all that it protects.
 *
 * Private to the store. The lock protocol is at the head of store.c; every
 * function with the suffix `_locked` is called with shard->lock held, and what
 * it removes goes to a struct garbage, which is freed after the lock is given
 * back.
 *
 *   shard.c  life, finding and removing entries, collecting, evicting
 *   space.c  the records of namespaces
 *   tags.c   the records of tags
 *   draft.c  writing an entry in two halves, of which only the first can fail
 *   cells.c  counters, limits and locks
 *   check.c  invariants */
#pragma once

#include <pthread.h>

#include "engines/engine.h"
#include "engines/memory/budget.h"
#include "engines/memory/expiry.h"
#include "engines/memory/list.h"
#include "engines/memory/table.h"
#include "engines/memory/tally.h"
#include "engines/memory/times.h"
#include "engines/memory/vector.h"

/* The longest names; the service's own limits are lower. */
#define STORE_NAMESPACE_MAX 255
#define STORE_KEY_MAX 4096

/* A namespace's entries in one shard. A flush takes the record out of use;
 * the next write makes a new one, so no generation is ever used twice. It is
 * freed with its last entry. */
struct space {
    struct table_node node; /* in shard->spaces, until it is freed */
    struct list link;       /* in shard->standing, or shard->flushed */
    struct vector entries;  /* markers as well */
    struct tally *tally;    /* where its entries are counted; NULL once it was flushed by name */
    uint64_t epoch;         /* of the shard, when it was made */
    uint64_t id;            /* no other space of the shard ever has it */
    size_t markers;
    size_t bytes; /* of all values */
    bool flushed;
    uint8_t name_len;
    char name[];
};

/* A tag's entries in one shard, as a space; it is shared by all spaces of the
 * namespace's name, flushed or not. */
struct group {
    struct table_node node; /* in shard->groups, until it is freed */
    struct list link;       /* in shard->flushed_groups, when flushed */
    struct vector members;
    bool flushed;
    uint16_t name_len;
    char name[]; /* length of the namespace, namespace, tag */
};

struct membership {
    struct group *group;
    size_t place; /* in group->members */
};

/* What few entries have, in a block of its own. */
struct extra {
    uint64_t fence;    /* the highest seen; 0: none */
    uint64_t fresh_ns; /* with stale_ms: the end of the TTL; entry->expires_ns is the end of the stale window */
    int64_t stale_ms;
    uint64_t lease; /* token, 0: none; out until lease_until */
    uint64_t lease_until;
    uint32_t tag_count;
    struct membership tags[];
};

/* An entry, or a marker: a record without a value that says that nothing
 * stands under its name but a lease is out. */
struct entry {
    struct table_node node;    /* in shard->entries */
    struct expiry_node expiry; /* in shard->expiry, at due_ns or sooner */
    struct list used_link;     /* in shard->used */
    struct space *space;
    struct value *value;    /* NULL: a marker */
    engine_version version; /* 0: a marker */
    uint64_t used_at;       /* logical time of the last use */
    uint64_t expires_ns;    /* the absolute bound, or NEVER */
    uint64_t due_ns;        /* gone from then on: expires_ns, or sooner if it slides */
    int64_t idle_ms;
    size_t charge; /* bytes counted for entry, extra and value */
    struct extra *extra;
    uint32_t key_len;
    uint32_t place; /* in space->entries */
    char key[];
};

/* A name and its hashes. */
struct entry_name {
    struct bytes ns, key;
    uint64_t hash;
    uint64_t ns_hash;
};

/* Removed, uncounted, and still to be freed. */
struct garbage {
    struct table_node *entries; /* chained by node.next */
    size_t bytes;               /* that the entries were counted with */
};

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct budget *budget;
    struct tallies *tallies;
    const unsigned char *hash_key;
    struct table entries;
    struct table spaces;
    struct list standing, flushed; /* spaces */
    struct list used;              /* entries; the last used is first */
    struct expiry expiry;
    struct table groups;
    struct list flushed_groups;
    struct table cells;
    struct expiry cell_expiry;
    uint64_t epoch;    /* of the last flush of everything */
    uint64_t space_id; /* of the last space that was made */
    size_t flushed_entries;
    size_t markers; /* in standing spaces */
    uint64_t evictions, expirations;
    /* Read without the lock, as hints: when the entry that is next to be
     * evicted was last used (NEVER: the shard is empty, 0: there is something
     * to collect), and the bytes of all entries. */
    _Atomic uint64_t oldest;
    _Atomic size_t entry_bytes;
};

/* What the shards of a store share. */
struct shard_surroundings {
    struct budget *budget;
    struct tallies *tallies;
    const unsigned char *hash_key;
    uint64_t first_id; /* of spaces */
};

bool shard_init(struct shard *shard, const struct shard_surroundings *around) MUST_CHECK;
/* Frees the entries as well. */
void shard_release(struct shard *shard);

void garbage_free(struct garbage *garbage);

static inline void shard_lock(struct shard *shard)
{
    pthread_mutex_lock(&shard->lock);
}

/* Gives the lock back and then frees what was removed under it. */
void shard_unlock(struct shard *shard, struct garbage *garbage);

/* ---- Entries (shard.c) ---- */

static inline bool space_stands(const struct shard *shard, const struct space *space)
{
    return !space->flushed && space->epoch == shard->epoch;
}

/* Neither its namespace nor one of its tags was flushed. */
bool entry_stands(const struct shard *shard, const struct entry *entry);

/* What stands under `name` at `now`: an entry, a marker, or NULL. A flushed or
 * expired one of that name is removed on the way; an expired one with a lease
 * still out becomes a marker. */
struct entry *shard_find_locked(struct shard *shard, const struct entry_name *name, uint64_t now,
                                struct garbage *garbage);

/* Sets the TTL anew; false when it does not fit. The idle step and the stale
 * window keep their length; a lease is void from now on. */
bool shard_retime_locked(struct shard *shard, struct entry *entry, int64_t ttl_ms, uint64_t now);

/* Marks the use of an entry by a read at logical time `clock`. */
void shard_use_locked(struct shard *shard, struct entry *entry, uint64_t clock, uint64_t now);

void shard_remove_locked(struct shard *shard, struct entry *entry, struct garbage *garbage);

/* One step of collecting what was flushed or has expired; false: there is
 * nothing to do. A step removes at most one entry. */
bool shard_collect_locked(struct shard *shard, uint64_t now, struct garbage *garbage);

/* Hashes that eviction passes over, in ascending order. */
struct spared {
    const uint64_t *hashes;
    size_t count;
};

/* Removes the least recently used entry that is not spared, unless it was used
 * after `until`; false: there is none. */
bool shard_evict_locked(struct shard *shard, uint64_t until, const struct spared *spared, struct garbage *garbage);

/* Enters an entry's time; needs room in the heap, see expiry_reserve(). */
void shard_set_due_locked(struct shard *shard, struct entry *entry, uint64_t due);

/* Updates shard->entry_bytes. */
static inline void shard_count_bytes_locked(struct shard *shard, size_t added, size_t removed)
{
    size_t bytes = atomic_load_explicit(&shard->entry_bytes, memory_order_relaxed);

    atomic_store_explicit(&shard->entry_bytes, bytes + added - removed, memory_order_relaxed);
}

/* ---- Namespaces (space.c) ---- */

struct space *space_find_locked(struct shard *shard, struct bytes ns, uint64_t ns_hash);

/* The record of a namespace, made if need be. NULL: no room. */
struct space *space_get_locked(struct shard *shard, const struct entry_name *name) MUST_CHECK;

void space_free_if_empty_locked(struct shard *shard, struct space *space);

/* Counts entries that come (or go), and bytes of values. */
static inline void space_count_locked(struct space *space, int entries, int64_t bytes)
{
    space->bytes += (uint64_t)bytes;
    tally_count(space->tally, entries, bytes);
}

/* Takes an entry out of its space, which is freed when it was the last. */
void space_leave_locked(struct shard *shard, struct entry *entry);

/* Drops the entries of one namespace, or of all, in O(1). */
void shard_flush_locked(struct shard *shard, const struct entry_name *name);
void shard_flush_all_locked(struct shard *shard);

/* ---- Tags (tags.c) ---- */

/* The record of a tag, made if need be, with a place in it pinned. NULL: no
 * room. */
struct group *group_pin_locked(struct shard *shard, struct bytes ns, struct bytes tag) MUST_CHECK;
/* Gives the place back unused. */
void group_unpin_locked(struct shard *shard, struct group *group);

/* Puts an entry into the pinned groups of its extra, or out of all groups. */
void groups_join_locked(struct entry *entry);
void groups_leave_locked(struct shard *shard, struct extra *extra);

bool groups_stand(const struct extra *extra);

/* Drops the entries with a tag in O(1). */
void shard_flush_tag_locked(struct shard *shard, struct bytes ns, struct bytes tag);

/* ---- Counters, limits and locks (cells.c) ---- */

/* One step of collecting what has expired; false: nothing to do. */
bool cells_collect_locked(struct shard *shard, uint64_t now);
void cells_free_all(struct shard *shard);
const char *cells_check_locked(struct shard *shard, size_t *bytes);

/* What store_check() checks, for one shard; adds to `*bytes` what it holds,
 * and to `*spaces` the number of its namespace records that have a tally. */
const char *shard_check_locked(struct shard *shard, size_t *bytes, size_t *spaces);
