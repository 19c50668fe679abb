/* session.h - one event loop's access, and the engine they share.
 *
 * Jobs come home through `home`, a list that lanes' threads append to under
 * `lock`, and one message to the loop for as long as that list is not empty.
 * A session is freed with its last reference: its own, and one for each job
 * that a lane holds. Once `closed` is set nothing is posted any more. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "engines/engine.h"
#include "engines/memcached/lane.h"

enum { SERVERS_MAX = 64 };

struct memcached_engine {
    struct engine base;
    char *prefix, *username, *password;
    size_t lane_count;
    struct lane *lanes[SERVERS_MAX];
};

struct memcached_session;

/* Lanes' threads. Gives a chain of `count` answered jobs of this session back,
 * with the references that they hold. */
void session_deliver(struct memcached_session *session, struct job *head, struct job *tail, unsigned count);

engine_attach_fn memcached_attach;
engine_detach_fn memcached_detach;
engine_submit_fn memcached_submit;
engine_cancel_fn memcached_cancel;
