/* room.h - the store's inside, and how room is made in it.
 *
 * Private to the store; the lock protocol is at the head of store.c. */
#pragma once

#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engines/memory/shard.h"

#define STORE_SHARDS_MAX 4096

struct store {
    struct budget budget;
    unsigned shard_count;
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
    struct shard *shards;
    struct tallies tallies;
    uint64_t epoch_offset_ns; /* wall time minus monotonic time, when the store was made */
    _Alignas(64) _Atomic uint64_t versions;
    _Alignas(64) _Atomic unsigned evict_cursor;
    _Atomic unsigned sweep_cursor;
    _Atomic unsigned quota_cursor;
    _Atomic uint64_t flushes; /* of everything, that have ended: the epoch that listings show */
};

/* What a write that did not fit needs. */
struct room {
    size_t need;          /* bytes that must fit */
    size_t kept;          /* bytes of the entries that are not to be evicted; 0: none stands */
    struct spared spared; /* their hashes */
    uint64_t now;
};

/* Evicts until there is room, one lock at a time: what was flushed or has
 * expired first, then the least recently used of a sample of shards. The
 * caller holds no lock. False: not even evicting all would do (nothing is
 * then evicted, if that is known before), or there is nothing left. */
bool room_make(struct store *store, const struct room *room) MUST_CHECK;

/* The next shard of a round that all threads share. */
static inline struct shard *store_next_shard(struct store *store, _Atomic unsigned *cursor)
{
    return &store->shards[atomic_fetch_add_explicit(cursor, 1, memory_order_relaxed) % store->shard_count];
}

/* The part of store_check() that is about namespaces: `spaces` of them refer
 * to tallies. */
const char *store_check_tallies(struct store *store, size_t *bytes, size_t spaces);
