/* counter.h - signed 64-bit counters.
 *
 * Record, 9 bytes:
 *   0     'C'
 *   1..8  the value, two's complement, big-endian
 * The cell's expires_ms is the counter's own end; 0: it has none.
 *
 * Times are whole milliseconds: now_ms = floor(now_us / 1000). A counter that is
 * created with a TTL ends at now_ms + ttl_ms, stands while now_ms is below that, and
 * tells the difference as its remaining ttl_ms (ENGINE_NO_EXPIRY where it has none).
 *
 * ADD     What stands keeps its TTL; ttl_ms of the operation counts only where nothing
 *         stood. The result is value + by, or initial + by where nothing stood. It
 *         must be a 64-bit number with min <= result <= max, whatever the sign of `by`:
 *         a value that is already outside can only be brought back inside. OK: value
 *         is the result, ttl_ms remains, created tells whether nothing stood.
 *         BOUND: nothing changes, and nothing is created. value is what stands, or
 *         initial; ttl_ms remains, or ENGINE_NO_EXPIRY; created is false.
 * GET     OK with value and ttl_ms; MISS: both untouched. created is false.
 * SET     OK: value and TTL stand as given, without regard to bounds; a counter without
 *         ttl_ms (ENGINE_NO_EXPIRY) loses the TTL it had. created tells whether nothing
 *         stood; ttl_ms is as given.
 * DELETE  OK where one stood, else MISS. Tells nothing else.
 *
 * The status is never CREATED. A damaged record: FAILED, for every verb.
 *
 * Threading: a pure function; time is an argument. */
#pragma once

#include "engines/primitives/cell.h"

#define COUNTER_BYTES 9

/* As cell_apply(); `stands` is NULL where nothing stands, `cell` is written with
 * CELL_STORE and may be the same. */
enum cell_change counter_apply(struct engine_op *op, const struct cell *stands, struct cell *cell,
                               uint64_t now_us) MUST_CHECK;
