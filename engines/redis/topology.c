#include "engines/redis/topology.h"

#include <stdlib.h>

/* ---- Standalone: one server, for good ---- */

static struct redis_node *route(struct redis_session *session, unsigned bucket, enum engine_status *status,
                                const char **detail)
{
    (void)bucket;
    (void)status;
    (void)detail;
    return session->nodes;
}

static void tick(struct redis_session *session, uint64_t now)
{
    (void)session;
    (void)now;
}

static void settle(struct redis_session *session)
{
    (void)session;
}

static void doubt(struct redis_session *session, struct redis_node *node)
{
    (void)session;
    (void)node;
}

static struct redis_node *redirect(struct redis_session *session, struct redis_task *task,
                                   const struct redis_fault *fault, struct bytes error)
{
    (void)session;
    (void)task;
    (void)fault;
    (void)error;
    return NULL;
}

static void destroy(struct redis_session *session)
{
    free(session->topology);
}

bool redis_topology_create_standalone(struct redis_session *session)
{
    session->topology = malloc(sizeof *session->topology);
    if (!session->topology)
        return false;
    *session->topology = (struct redis_topology){ route, tick, settle, doubt, redirect, destroy };
    session->nodes = redis_node_create(session, &session->config->endpoints[0]);
    return session->nodes != NULL;
}
