/* shard.h - one shard of the store: a lock and all that it protects.
 *
 * Private to the store. The lock protocol is at the head of store.c; every
 * function with the suffix `_locked` is called with shard->lock held, and what
 * it removes goes to a struct garbage, which is freed after the lock is given
 * back. */
#pragma once

#include <pthread.h>

#include "engines/engine.h"
#include "engines/memory/budget.h"
#include "engines/memory/expiry.h"
#include "engines/memory/list.h"
#include "engines/memory/table.h"

#define NEVER UINT64_MAX

/* The longest names; the service's own limits are lower. */
#define STORE_NAMESPACE_MAX 255
#define STORE_KEY_MAX 4096

/* A namespace's entries in one shard. A flush takes the record out of use;
 * the next write makes a new one, so no generation is ever used twice. It is
 * freed with its last entry. */
struct space {
    struct table_node node; /* in shard->spaces, until it is freed */
    struct list link;       /* in shard->standing, or shard->flushed */
    struct list entries;
    size_t count;
    uint64_t epoch; /* of the shard, when it was made */
    bool flushed;
    uint8_t name_len;
    char name[];
};

struct entry {
    struct table_node node;    /* in shard->entries */
    struct expiry_node expiry; /* in shard->expiry, at due_ns or sooner */
    struct list used_link;     /* in shard->used */
    struct list space_link;    /* in space->entries */
    struct space *space;
    struct value *value;
    engine_version version;
    uint64_t used_at;    /* logical time of the last use */
    uint64_t expires_ns; /* the absolute bound, or NEVER */
    uint64_t due_ns;     /* gone from then on: expires_ns, or sooner if it slides */
    int64_t idle_ms;
    size_t charge; /* bytes counted for entry and value */
    uint32_t key_len;
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
    struct value *value;
    size_t bytes; /* that the entries were counted with */
};

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct budget *budget;
    struct table entries;
    struct table spaces;
    struct list standing, flushed; /* spaces */
    struct list used;              /* entries; the last used is first */
    struct expiry expiry;
    uint64_t epoch; /* of the last flush of everything */
    size_t flushed_entries;
    uint64_t evictions, expirations;
    /* Read without the lock, as hints: when the entry that is next to be
     * evicted was last used (NEVER: the shard is empty, 0: there is something
     * to collect), and the bytes of all entries. */
    _Atomic uint64_t oldest;
    _Atomic size_t entry_bytes;
};

bool shard_init(struct shard *shard, struct budget *budget) MUST_CHECK;
/* Frees the entries as well. */
void shard_release(struct shard *shard);

void garbage_free(struct garbage *garbage);

static inline void shard_lock(struct shard *shard)
{
    pthread_mutex_lock(&shard->lock);
}

/* Gives the lock back and then frees what was removed under it. */
void shard_unlock(struct shard *shard, struct garbage *garbage);

/* The entry that stands under `name` at `now`, or NULL. A flushed or expired
 * one of that name is removed on the way. */
struct entry *shard_find_locked(struct shard *shard, const struct entry_name *name, uint64_t now,
                                struct garbage *garbage);

/* A new entry for `op`; NULL when it does not fit, and nothing changed. */
struct entry *shard_add_locked(struct shard *shard, const struct entry_name *name, const struct engine_op *op,
                               size_t value_bytes) MUST_CHECK;

/* Gives `entry` the value of `op`; false when it does not fit. */
bool shard_replace_locked(struct shard *shard, struct entry *entry, const struct engine_op *op, size_t value_bytes,
                          struct garbage *garbage) MUST_CHECK;

/* Sets the TTL of `op`; false when it does not fit. `idle_ms` is kept. */
bool shard_retime_locked(struct shard *shard, struct entry *entry, const struct engine_op *op) MUST_CHECK;

/* Marks the use of an entry by a read at logical time `clock`. */
void shard_use_locked(struct shard *shard, struct entry *entry, uint64_t clock, uint64_t now);

void shard_remove_locked(struct shard *shard, struct entry *entry, struct garbage *garbage);

/* Drops the entries of one namespace, or of all, in O(1). */
void shard_flush_locked(struct shard *shard, const struct entry_name *name);
void shard_flush_all_locked(struct shard *shard);

/* One step of collecting what was flushed or has expired; false: there is
 * nothing to do. A step removes at most one entry. */
bool shard_collect_locked(struct shard *shard, uint64_t now, struct garbage *garbage);

/* Removes the least recently used entry, unless it was used after `until` or
 * has the hash `spare`; false: there is none. */
bool shard_evict_locked(struct shard *shard, uint64_t until, uint64_t spare, struct garbage *garbage);

/* What store_check() checks, for one shard; adds to `*bytes` what it holds. */
const char *shard_check_locked(struct shard *shard, size_t *bytes);
