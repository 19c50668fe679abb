/* store.h - the entries of the memory engine: everything behind its lock.
 *
 * The rest of the engine knows only this interface, so layout and eviction
 * can be replaced behind it. Threading: any thread may call anything but
 * store_destroy() at any time; nothing blocks for longer than a short critical
 * section (see the protocol at the head of store.c). */
#pragma once

#include "engines/engine.h"
#include "engines/memory/memory.h"

struct store;

/* NULL when out of memory or without a source of random numbers. */
struct store *store_create(const struct memory_options *options) MUST_CHECK;
void store_destroy(struct store *store); /* NULL is allowed */

/* Carries `op` out at op->now_ns and fills in its results. */
void store_get(struct store *store, struct engine_op *op);
void store_put(struct store *store, struct engine_op *op);
void store_delete(struct store *store, struct engine_op *op);
void store_touch(struct store *store, struct engine_op *op);
void store_flush(struct store *store, struct engine_op *op);
void store_list(struct store *store, struct engine_op *op);
void store_namespaces(struct store *store, struct engine_op *op);
void store_step_cell(struct store *store, struct engine_op *op); /* counters, limits and locks */
void store_atomic(struct store *store, struct engine_op *op);

/* What a PUT has yet to push out of its namespace: until it is within its
 * bounds, or a bounded number is gone that makes more room than the PUT took. */
struct quota_debt {
    bool owed;
    struct engine_put bounds; /* max_entries and max_bytes alone */
    uint64_t ns_hash;
    uint64_t epoch;      /* of the namespace's records that are meant */
    engine_version kept; /* the entry that was just written */
    uint64_t now;
    uint64_t seed;
    size_t evictions, bytes; /* to go before it may end */
    uint8_t ns_len;
    char ns[255];
};

/* As store_put(), which pays at once: here the caller does. */
void store_put_owing(struct store *store, struct engine_op *op, struct quota_debt *debt);

/* Evicts up to `most` entries; true: nothing is owed any more. No operation is
 * looked at: the PUT may be gone. */
bool quota_pay(struct store *store, struct quota_debt *debt, size_t most) MUST_CHECK;

/* Whichever of these op->verb says. */
void store_do(struct store *store, struct engine_op *op);

/* Background work: collects what was flushed or has expired by `now_ns` in
 * the next `shards` shards of the round, up to a bound of about half a
 * millisecond. True when there is more to do. */
bool store_sweep(struct store *store, unsigned shards, uint64_t now_ns) MUST_CHECK;
unsigned store_shards(const struct store *store);

void store_stats(struct store *store, struct memory_stats *stats);

/* For tests: walks every structure under the locks and checks that all of
 * them agree with each other and with the budget. The store must be quiet.
 * Returns NULL, or what is wrong. */
const char *store_check(struct store *store) MUST_CHECK;
