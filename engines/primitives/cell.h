/* cell.h - counters, limits and locks as pure steps on a small record.
 *
 * A cell is what one counter, limit or lock keeps. An engine that can do
 * "read, compute, store if nothing came between" has all primitives with
 * this: the memory engine under a shard's lock, memcached with a CAS token.
 * Redis computes the same in scripts (engines/redis/primitive_script.c), and one suite
 * (tests/contract) holds for all.
 *
 *   counter.c  limit.c  lock.c   the steps; their headers describe the records
 *
 * Threading: pure functions; time is an argument. */
#pragma once

#include "engines/engine.h"

#define CELL_BYTES_MAX 320

/* The key spaces that are not entries. */
enum cell_kind { CELL_COUNTER, CELL_LIMIT, CELL_LOCK };

struct cell {
    size_t len; /* 0: nothing stands */
    unsigned char bytes[CELL_BYTES_MAX];
    uint64_t expires_ms; /* since the epoch; from then on it may be forgotten; 0: never */
};

enum cell_change { CELL_KEEP, CELL_STORE, CELL_REMOVE };

/* Which space a verb belongs to; only for the verbs of counters, limits and locks. */
enum cell_kind cell_kind_of(enum engine_verb verb);

/* Carries out `op` on what stands at `now_us` (microseconds since the epoch, of
 * a clock that all who share the cell agree on): fills in op->status and the
 * results, and says what becomes of the cell, which is changed only with
 * CELL_STORE. An expired cell is looked at as nothing, a damaged one gives
 * ENGINE_FAILED. May be called again with another cell when a race was lost. */
enum cell_change cell_apply(struct engine_op *op, struct cell *cell, uint64_t now_us) MUST_CHECK;
