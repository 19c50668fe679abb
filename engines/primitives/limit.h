/* limit.h - rate limits: fixed window, sliding window, token bucket.
 *
 * All arithmetic is on whole numbers below 2^53, so that a script whose numbers are doubles
 * computes the same. Times are microseconds since the epoch; window_us = window_ms * 1000.
 * "ms(x)" is ceil(x / 1000): who waits as long as he is told has waited long enough.
 *
 * ---- Common to the three ----
 *
 * Nothing stands where there is no record, where its algorithm or window_ms is another than
 * asked for, where its newest time lies more than window_us ahead of now_us (the clock was set
 * back), or where it is over (below). A newest time that is ahead by less is taken as the time
 * that it is: now = max(now_us, newest). Newest is start_us, the last group's last_us, or at_us.
 *
 * A take of `cost` is allowed if used + cost <= limit, with `used` as the algorithm defines it.
 *   granted  OK, allowed, retry_ms 0; the record is stored with the cost in it.
 *   refused  LIMITED, not allowed, retry_ms > 0; nothing is taken, and the record is stored
 *            only if it is a token bucket under a changed limit.
 *   shadow   as refused, but the status is OK.
 *   cost 0   OK, allowed, retry_ms 0, whatever stands; nothing is stored, and where nothing
 *            stands nothing begins.
 * remaining = max(0, limit - used), used after the take (of a refused one: as it stands).
 * reset_ms  = ms(time until nothing is used any more, if no more is taken); 0: nothing is used.
 * retry_ms  = ms(time until this cost would be granted, if no more is taken).
 * cell.expires_ms = ceil(end / 1000), end being now + the time that reset_ms rounds.
 *
 * A changed `limit` keeps what is used. Where that is more than the new limit, nothing remains
 * until enough has left.
 *
 * Record, big-endian:
 *   0      'R'
 *   1      algorithm: 0 fixed window, 1 sliding window, 2 token bucket
 *   2..5   window_ms
 *
 * ---- Fixed window ----
 *
 *   6..13  start_us: the take that began the window
 *   14..17 count
 * Over when now - start_us >= window_us. used = count. The next take begins a new window at its
 * own time (windows are not aligned to the clock). reset and retry: start_us + window_us - now.
 *
 * ---- Sliding window ----
 *
 * Never more than `limit` in any window_us, wherever it begins; a log of what was granted
 * (cf. the "sliding log") with grants near each other put together, so that it stays small.
 *   6      n: groups, 1 to 16
 *   7..14  first_us: the first grant of the last group
 *   then n times, oldest first, 12 bytes each:
 *   0..7   last_us: the last grant of the group; 8..11 count: granted in it
 * 1. Groups with now - last_us >= window_us leave, oldest first. Each stays until its last grant
 *    is that old, so what is counted is never less than what was granted in the window.
 * 2. used = sum of the counts. Over when no group is left.
 * 3. A grant joins the last group if there is one and now - first_us < ceil(window_us / 15):
 *    last_us = now, count += cost. Else it begins a new group: first_us = last_us = now.
 * Groups begin at least window_us / 15 apart and span less than that, and all that are
 * kept have a grant within the window: they begin within 16/15 of it, so 16 are enough.
 * reset: last_us of the last group + window_us - now.
 * retry: last_us of group j + window_us - now, j the first with used - (sum of counts of groups
 * 1 to j) + cost <= limit.
 *
 * ---- Token bucket ----
 *
 * The virtual-scheduling form of the generic cell rate algorithm (ITU-T I.371, annex A): a
 * capacity of `limit`, refilled evenly over the window. What is used is kept as a debt, in
 * units of time so small that rounding does not matter:
 *   S = the greatest power of two with window_us * S < 2^52          (units in a microsecond)
 *   T = ceil(window_us * S / limit)                                  (units for one)
 *   B = limit * T                                                    (a full debt; < 2^53)
 *   6..13  at_us: when the debt was reckoned
 *   14..21 debt, in units, at most the B of its limit
 *   22..25 limit it was reckoned with
 * 1. debt = max(0, debt - (now - at_us) * S).
 * 2. If the record's limit is another: debt = min(ceil(debt / T of the record's limit), limit) * T.
 * 3. Allowed if debt + cost * T <= B; then debt += cost * T.
 * Stored as at_us = now, the debt and the limit; also when refused, if step 2 was done.
 * Over when debt is 0. used = ceil(debt / T), so remaining = floor((B - debt) / T).
 * reset: ceil(debt / S). retry: ceil((debt + cost * T - B) / S).
 * A full refill takes window_us and at most 1/2^21 of it more, never less.
 *
 * ----
 *
 * Parameters out of their bounds (engine.h), and a damaged record: FAILED.
 *
 * Threading: a pure function; time is an argument. */
#pragma once

#include "engines/primitives/cell.h"

#define LIMIT_MAX UINT64_C(1000000000)
#define LIMIT_WINDOW_MS_MAX (INT64_C(30) * 24 * 3600 * 1000)
#define LIMIT_GROUPS_MAX 16

/* As counter_apply(). */
enum cell_change limit_apply(struct engine_op *op, const struct cell *stands, struct cell *cell,
                             uint64_t now_us) MUST_CHECK;
