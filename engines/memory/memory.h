/* memory.h - the engine that keeps entries in this process's memory.
 *
 * Each operation finishes inside submit, but for a PUT that pushes very many
 * entries out of a bounded namespace. Least recently used entries give way
 * when `max_bytes` is reached; what has expired or was flushed gives way
 * first, and is collected in the background by the sessions' timers. Counters,
 * limits and locks never give way. Where an entry's namespace has bounds of its
 * own, the least recently used of a sample of 16 of its entries gives way,
 * which is exact for namespaces of no more than 16. */
#pragma once

#include <stdint.h>

#include "engines/engine.h"

struct memory_options {
    /* For everything the engine holds: entries, values, tables, bookkeeping,
     * allocator overhead included. Too little for that bookkeeping: every
     * write is answered ENGINE_FULL. */
    size_t max_bytes;
    unsigned shards; /* locks; 0: the default, 64 (32 under ThreadSanitizer) */
};

struct memory_stats {
    uint64_t entries;    /* standing; may include some that expired just now or were flushed by tag */
    uint64_t flushed;    /* flushed and not yet collected */
    uint64_t namespaces; /* records held, one per namespace and shard */
    uint64_t markers;    /* leases of keys where nothing stands */
    uint64_t cells;      /* counters, limits and locks */
    uint64_t bytes;      /* counted against max_bytes */
    uint64_t max_bytes;
    uint64_t evictions;   /* since the start */
    uint64_t expirations; /* since the start */
};

/* NULL when out of memory or without a source of random numbers. */
struct engine *memory_open(const struct memory_options *options) MUST_CHECK;

/* Any thread; `engine` is one of memory_open(). */
void memory_stats(struct engine *engine, struct memory_stats *stats);
