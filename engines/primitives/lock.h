/* lock.h - locks with a time limit and a fencing token.
 *
 * A lock that ends by time cannot stop a holder that was paused: what it guards must
 * refuse the late one. So every grant carries a fence that is higher than that of every
 * earlier grant (M. Kleppmann, "How to do distributed locking", 2016; C. Gray and
 * D. Cheriton, "Leases", SOSP 1989).
 *
 * Record, 33 bytes, big-endian:
 *   0       'K'
 *   1..8    fence of the last grant, below 2^53
 *   9..16   until_ms, since the epoch: held while now_ms < until_ms; 0: released
 *   17..32  token of the last grant; zeroes once released
 * The record outlives the grant by LOCK_KEEP_MS (expires_ms = until_ms + LOCK_KEEP_MS, on
 * release now_ms + LOCK_KEEP_MS), so that the fence grows also between clocks that differ.
 *
 * Times are whole milliseconds: now_ms = floor(now_us / 1000).
 *
 * ACQUIRE  Free (no record, released, or now_ms >= until_ms): OK, until_ms = now_ms + ttl_ms,
 *          fence = max(last fence + 1, now_us), with no record now_us. Held: HELD, also
 *          where the same token holds it; nothing changes.
 * RENEW    Held with this token: OK, until_ms = now_ms + ttl_ms (which may shorten it), the
 *          fence stays. Else MISMATCH; an ended grant cannot be renewed.
 * RELEASE  Held with this token: OK, until_ms = 0, the fence stays in the record. Else MISMATCH.
 * GET      OK where held, else MISS.
 *
 * Results: ttl_ms is as given after OK of ACQUIRE and RENEW, 0 after RELEASE; after OK of GET,
 * after HELD and MISMATCH it is until_ms - now_ms of whoever holds it, 0 where nobody does, and 0
 * after MISS. fence is that of the grant after OK (RELEASE: of the one that ended), else 0. The
 * token is never written.
 *
 * A damaged record: FAILED. So is a fence that would reach 2^53.
 *
 * Threading: a pure function; time is an argument. */
#pragma once

#include "engines/primitives/cell.h"

#define LOCK_BYTES 33
#define LOCK_KEEP_MS UINT64_C(3600000)

/* As counter_apply(). */
enum cell_change lock_apply(struct engine_op *op, const struct cell *stands, struct cell *cell,
                            uint64_t now_us) MUST_CHECK;
