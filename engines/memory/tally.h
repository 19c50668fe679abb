/* tally.h - how many entries and bytes each namespace holds, over all shards.
 *
 * A record per namespace, which its records in the shards point to and count
 * in with relaxed atomic additions, under their shard's lock: so a total is
 * exact whenever nobody writes, and reading it takes no lock. A flush of all
 * begins a new epoch with new records; the old ones go with the last entry
 * that was counted in them.
 *
 * Threading: `lock` protects the table, the vector and `refs`. It is the
 * innermost lock of the store: whoever holds it takes none but the
 * allocator's. It is taken when a shard meets a namespace for the first time
 * or loses its last entry, and by listings; not by other reads and writes. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "engines/memory/table.h"
#include "engines/memory/vector.h"

struct tally {
    struct table_node node;
    size_t place; /* in tallies->all */
    uint64_t epoch;
    _Atomic uint64_t entries;
    _Atomic uint64_t bytes; /* of the values */
    unsigned refs;
    uint8_t name_len;
    char name[];
};

struct tallies {
    pthread_mutex_t lock;
    struct budget *budget;
    struct table table;
    struct vector all;
};

bool tallies_init(struct tallies *tallies, struct budget *budget) MUST_CHECK;
/* Nobody holds a reference any more. */
void tallies_release(struct tallies *tallies);

/* A reference to the record of a namespace in an epoch, made if need be; NULL:
 * no room. */
struct tally *tally_get(struct tallies *tallies, struct bytes name, uint64_t hash, uint64_t epoch) MUST_CHECK;
void tally_unref(struct tallies *tallies, struct tally *tally); /* NULL is allowed */

/* Adds to the counts, or takes from them. NULL is allowed. */
static inline void tally_count(struct tally *tally, int64_t entries, int64_t bytes)
{
    if (!tally)
        return;
    if (entries != 0)
        atomic_fetch_add_explicit(&tally->entries, (uint64_t)entries, memory_order_relaxed);
    if (bytes != 0)
        atomic_fetch_add_explicit(&tally->bytes, (uint64_t)bytes, memory_order_relaxed);
}

/* What a namespace holds in an epoch; zeros where it has no record. */
void tallies_find(struct tallies *tallies, struct bytes name, uint64_t hash, uint64_t epoch, uint64_t *entries,
                  uint64_t *bytes);

/* Calls `see` for some records from `*place` on downwards, and moves it; start
 * with SIZE_MAX. False: that was all. What stands all the while is seen. */
typedef void tally_see_fn(const struct tally *tally, void *context);
bool tallies_walk(struct tallies *tallies, size_t *place, tally_see_fn *see, void *context) MUST_CHECK;
