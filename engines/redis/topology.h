/* topology.h - which server an operation goes to.
 *
 * One topology a session: a fixed server, the master that Sentinel names, or
 * a cluster's slot map. Threading: the session's thread. */
#pragma once

#include "engines/redis/fault.h"
#include "engines/redis/session.h"

struct redis_topology {
    /* The node for a bucket, or NULL: not known; `*status` and `*detail` then
     * say how to answer, or ENGINE_STATUSES: wait. */
    struct redis_node *(*route)(struct redis_session *session, unsigned bucket, enum engine_status *status,
                                const char **detail);
    void (*tick)(struct redis_session *session, uint64_t now);
    void (*settle)(struct redis_session *session);
    /* A node was lost, or said that it does not serve us. */
    void (*doubt)(struct redis_session *session, struct redis_node *node);
    /* An error reply that names another node. Returns it, or NULL: refused or
     * not understood. */
    struct redis_node *(*redirect)(struct redis_session *session, struct redis_task *task,
                                   const struct redis_fault *fault, struct bytes error);
    void (*destroy)(struct redis_session *session);
};

/* Sets session->topology; false when out of memory. */
bool redis_topology_create_standalone(struct redis_session *session) MUST_CHECK;
bool redis_topology_create_sentinel(struct redis_session *session) MUST_CHECK;
bool redis_topology_create_cluster(struct redis_session *session) MUST_CHECK;
