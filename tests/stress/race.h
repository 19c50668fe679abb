/* race.h - threads that race on one store, for the stress programs of the
 * memory engine: each part opens a store of its own, starts its threads at one
 * barrier, and closes the store with a check of every structure. */
#pragma once

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/memory/store.h"
#include "service/base/clock.h"

#define THREADS 4

static struct store *store;
static pthread_barrier_t barrier;
static unsigned long factor = 1;
static atomic_ulong faults;

static inline void complain(const char *part, const char *what)
{
    if (atomic_fetch_add(&faults, 1) < 20)
        fprintf(stderr, "%s: %s\n", part, what);
}

/* xorshift64* (Marsaglia; Vigna): one state per thread. */
static inline uint64_t draw(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

struct racer {
    pthread_t thread;
    unsigned number;
    uint64_t seed;
    unsigned long outcomes[ENGINE_STATUSES];
};

static inline void open_store(size_t max_bytes, unsigned shards)
{
    struct memory_options options = { .max_bytes = max_bytes, .shards = shards };

    store = store_create(&options);
    if (!store)
        exit(2);
}

static inline void close_store(const char *part)
{
    const char *fault = store_check(store);
    struct memory_stats stats;

    store_stats(store, &stats);
    printf("%s: %lu entries, %lu bytes, %lu evictions, %lu expirations\n", part, (unsigned long)stats.entries,
           (unsigned long)stats.bytes, (unsigned long)stats.evictions, (unsigned long)stats.expirations);
    if (fault)
        complain(part, fault);
    store_destroy(store);
}

static inline void race(struct racer *racers, void *(*fn)(void *))
{
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){ .number = i, .seed = 88172645463325252u + i };
        if (pthread_create(&racers[i].thread, NULL, fn, &racers[i]) != 0)
            exit(2);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(racers[i].thread, NULL);
    pthread_barrier_destroy(&barrier);
}

static inline struct engine_op op_for(enum engine_verb verb, struct bytes ns, struct bytes key)
{
    return (struct engine_op){ .verb = verb,
                               .ns = ns,
                               .key = key,
                               .ttl_ms = ENGINE_NO_EXPIRY,
                               .now_ns = clock_monotonic_ns(),
                               .status = ENGINE_FAILED };
}
