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
