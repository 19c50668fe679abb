/* lock_wait.h - requests that wait for a lock another holds.
 *
 * A waiting request holds no thread: it stands in a queue of its service
 * thread and a timer of the loop wakes it. Of those that wait for one lock on
 * one thread only the first asks the engine, soon at first, then every 50 to
 * 100 ms, and when the holder's time is over; the others look only whether it
 * is their turn, their time is over, their client has gone or the service
 * drains. So what a lock costs the engine grows with the threads, not with the
 * requests that wait for it. A release that this replica sees wakes the first
 * of each of its threads at once.
 *
 * No order is promised: a request that comes as the lock becomes free may have
 * it before those that wait, and replicas know nothing of each other's queues.
 *
 * Threading: the service thread's. Ownership: the wait is its creator's, who
 * destroys it before the exchange ends. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "routes/route.h"

/* How the request goes on; each is called from the loop, never from a function
 * here. After `give_up` the wait is no longer queued. */
typedef void lock_wait_fn(struct http_exchange *ex);

/* For a request that was refused at `until_ns` at the latest: `again` is to
 * try once more, `give_up` to answer that the lock is held. NULL when out of
 * memory. */
struct lock_wait *lock_wait_create(struct http_exchange *ex, uint64_t until_ns, lock_wait_fn *again,
                                   lock_wait_fn *give_up) MUST_CHECK;

/* Out of the queue; the next in it takes over. NULL is allowed. */
void lock_wait_destroy(struct lock_wait *wait);

/* Another holds the lock for `held_ms` more: sleeps until the next try. False:
 * the time is over. */
bool lock_wait_sleep(struct lock_wait *wait, int64_t held_ms) MUST_CHECK;

/* A lock was released through this thread: wakes the first that waits for it
 * here, and on each other thread. */
void lock_wait_wake(struct routes_thread *thread, const struct path_entry *lock);

/* The loop has ended: all who sleep give up. */
void lock_wait_abandon(struct routes_thread *thread);
