/* namespaces.h - which namespaces there are.
 *
 * Redis has no list of them, so the engine keeps one: a sorted set of equal
 * scores, which Redis orders by name and gives out in pages.
 *
 *   <prefix>::namespaces, in a cluster <prefix>:{<tag>}::namespaces of bucket 0
 *
 * A session enters a namespace when it first writes there, and again after a
 * while, should the set have been lost; nobody waits for it. Names stay there:
 * that a namespace is empty now is not known without a walk of all keys. A
 * process that ends between a write and its next turn may leave one out.
 *
 * Threading: a session's thread. */
#pragma once

#include "engines/engine.h"

struct redis_session;

enum { NAMESPACES_NOTED = 1024, NAMESPACES_WAYS = 4, NAMESPACES_BUSY_MAX = 64 };

/* What a session has entered already: a small cache, all zero in the beginning. */
struct redis_namespaces {
    struct redis_noted {
        uint64_t hash;
        uint64_t until_ns; /* monotonic; entered anew from then on */
    } noted[NAMESPACES_NOTED];
    unsigned busy; /* entries under way */
};

/* An entry is being written to `ns`. From anywhere, also while a command is
 * being put together: what is to be sent goes with the next look around. */
void redis_namespaces_note(struct redis_session *session, struct bytes ns);

/* As redis_list_start() and redis_list_cancel(), for ENGINE_NAMESPACES. */
enum engine_progress redis_namespaces_start(struct redis_session *session, struct engine_op *op);
enum engine_status redis_namespaces_cancel(struct engine_op *op);
