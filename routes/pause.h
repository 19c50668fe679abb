/* pause.h - a request of many steps that lets others have the thread between
 * two of them.
 *
 * Threading: the service thread's. Ownership: the pause is its creator's, who
 * destroys it before the exchange ends. */
#pragma once

#include "routes/route.h"

struct pause;

/* Both are called from the loop, or when it has ended, never from a function
 * here but pause_abandon(): `next` is to go on, `give_up` to answer, for the
 * process stops. NULL when out of memory. */
struct pause *pause_create(struct http_exchange *ex, route_fn *next, route_fn *give_up) MUST_CHECK;

/* Goes on in the loop's next turn: others have theirs before. */
void pause_take(struct pause *pause);

/* NULL is allowed. */
void pause_destroy(struct pause *pause);

/* The loop has ended: all that are paused give up. */
void pause_abandon(struct routes_thread *thread);
