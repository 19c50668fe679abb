/* cluster.c - a Redis Cluster's servers and which of them holds each bucket.
 *
 * The map comes from CLUSTER SLOTS of any server that answers: at first, when
 * a redirection or a lost server shows that it is old, and now and then. A
 * MOVED corrects it at once for its bucket. Servers that a map no longer names
 * are left when what they were asked is answered.
 * Specification: redis.io, "Redis cluster specification". */
#include <stdlib.h>

#include "engines/redis/hiredis_compat.h"
#include "engines/redis/slots.h"
#include "engines/redis/topology.h"
#include "service/base/clock.h"
#include "service/base/log.h"

#define ASK_STALE_NS (100 * NS_PER_MS)
#define ASK_ANYWAY_NS (10 * NS_PER_SECOND)

struct cluster {
    struct redis_topology topology; /* first */
    struct redis_session *session;
    struct redis_node *map[KEYS_BUCKETS];
    bool known; /* a map has come */
    bool stale;
    bool asking;
    struct redis_call asked;
    struct redis_node *asked_node;
    uint64_t asked_ns;
};

static struct cluster *of(struct redis_session *session)
{
    return (struct cluster *)(void *)session->topology;
}

/* ---- Nodes ---- */

static struct redis_node *find_node(struct redis_session *session, const struct redis_endpoint *endpoint)
{
    for (struct redis_node *node = session->nodes; node; node = node->next)
        if (!node->retired && redis_endpoint_equal(&node->endpoint, endpoint))
            return node;
    return NULL;
}

static struct redis_node *take_node(struct redis_session *session, const struct redis_endpoint *endpoint)
{
    struct redis_node *node = find_node(session, endpoint);
    size_t count = 0;

    if (node)
        return node;
    for (node = session->nodes; node; node = node->next)
        count++;
    if (count >= SESSION_NODES_MAX)
        return NULL;
    node = redis_node_create(session, endpoint);
    if (!node)
        return NULL;
    node->next = session->nodes;
    session->nodes = node;
    redis_node_tick(node, loop_now(session->base.loop));
    return node;
}

static bool take_seeds(struct redis_session *session)
{
    for (size_t i = 0; i < session->config->endpoint_count; i++)
        if (!take_node(session, &session->config->endpoints[i]))
            return false;
    return true;
}

/* ---- The map ---- */

static void enter_range(struct cluster *cluster, const struct redis_slot_range *range,
                        struct redis_node *map[KEYS_BUCKETS])
{
    const struct redis_keys *keys = &cluster->session->config->keys;
    struct redis_node *node = NULL;

    for (unsigned bucket = 0; bucket < KEYS_BUCKETS; bucket++) {
        if (keys->slots[bucket] < range->first || keys->slots[bucket] > range->last)
            continue;
        if (!node)
            node = take_node(cluster->session, &range->master);
        if (!node)
            return;
        map[bucket] = node;
        node->seen = true;
    }
}

static void take_map(struct cluster *cluster, const struct redisReply *reply, const char *asked)
{
    struct redis_node *map[KEYS_BUCKETS] = { NULL };
    struct redis_slot_range range;
    bool any = false;

    for (struct redis_node *node = cluster->session->nodes; node; node = node->next)
        node->seen = false;
    for (size_t i = 0; i < redis_slots_count(reply); i++)
        if (redis_slots_read(reply, i, asked, &range))
            enter_range(cluster, &range, map);
    for (unsigned bucket = 0; bucket < KEYS_BUCKETS; bucket++)
        any = any || map[bucket];
    if (!any)
        return; /* a server that knows no one: keep what we had */
    for (struct redis_node *node = cluster->session->nodes; node; node = node->next)
        node->retired = !node->seen;
    memcpy(cluster->map, map, sizeof map);
    cluster->known = true;
    cluster->stale = false;
    cluster->session->roused = true;
}

static void on_slots(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    struct cluster *cluster = (struct cluster *)(void *)((char *)call - offsetof(struct cluster, asked));
    struct redis_node *node = cluster->asked_node;

    cluster->asking = false;
    cluster->asked_node = NULL;
    if (end != CALL_REPLIED)
        cluster->stale = true;
    else if (reply->type == REDIS_REPLY_ARRAY)
        take_map(cluster, reply, node->endpoint.host);
}

/* Another server each time, so that one that is cut off does not mislead. */
static struct redis_link *link_to_ask(struct cluster *cluster)
{
    static const unsigned tries = 2;
    unsigned skip = (unsigned)(redis_session_random(cluster->session) % 8);

    for (unsigned i = 0; i < tries; i++) {
        for (struct redis_node *node = cluster->session->nodes; node; node = node->next) {
            struct redis_link *link = node->retired ? NULL : redis_node_link(node, false);
            if (!link || (i == 0 && skip-- > 0))
                continue;
            cluster->asked_node = node;
            return link;
        }
    }
    return NULL;
}

static void ask(struct cluster *cluster, uint64_t now)
{
    struct redis_link *link = link_to_ask(cluster);

    if (!link)
        return;
    cluster->asking = true;
    cluster->asked_ns = now;
    redis_link_push(link, &cluster->asked, on_slots);
    redis_outbox_command(&link->outbox, 2);
    redis_outbox_bulk(&link->outbox, BYTES("CLUSTER"));
    redis_outbox_bulk(&link->outbox, BYTES("SLOTS"));
}

static void ask_if_due(struct cluster *cluster, uint64_t now)
{
    uint64_t age = now - cluster->asked_ns;

    if (!cluster->asking && !cluster->session->base.detaching &&
        (!cluster->known || age >= ASK_ANYWAY_NS || (cluster->stale && age >= ASK_STALE_NS)))
        ask(cluster, now);
}

/* ---- The topology ---- */

static bool all_down(const struct redis_session *session)
{
    for (const struct redis_node *node = session->nodes; node; node = node->next)
        if (!node->retired && redis_breaker_state(node->breaker) != BREAKER_DOWN)
            return false;
    return true;
}

static struct redis_node *route(struct redis_session *session, unsigned bucket, enum engine_status *status,
                                const char **detail)
{
    struct cluster *cluster = of(session);
    struct redis_node *node = cluster->map[bucket];

    if (node)
        return node;
    if (cluster->known || all_down(session)) {
        *status = ENGINE_UNAVAILABLE;
        *detail = cluster->known ? "redis: no server of the cluster holds the slot"
                                 : "redis: no server of the cluster can be reached";
    }
    return NULL;
}

static void tick(struct redis_session *session, uint64_t now)
{
    struct cluster *cluster = of(session);

    redis_nodes_drop_retired(session);
    if (all_down(session))
        (void)take_seeds(session); /* none of those we know: begin anew */
    ask_if_due(cluster, now);
}

static void settle(struct redis_session *session)
{
    ask_if_due(of(session), loop_now(session->base.loop));
}

static void doubt(struct redis_session *session, struct redis_node *node)
{
    (void)node;
    of(session)->stale = true;
}

static struct redis_node *redirect(struct redis_session *session, struct redis_task *task,
                                   const struct redis_fault *fault, struct bytes error)
{
    struct cluster *cluster = of(session);
    struct redis_endpoint endpoint;
    struct redis_node *node;

    if (!redis_slots_read_redirect(error, task->link->endpoint.host, &endpoint))
        return NULL;
    node = take_node(session, &endpoint);
    if (node && fault->action == FAULT_MOVED) {
        cluster->map[task->bucket] = node;
        cluster->stale = true;
    }
    return node;
}

static void destroy(struct redis_session *session)
{
    free(session->topology);
}

bool redis_topology_create_cluster(struct redis_session *session)
{
    struct cluster *cluster = calloc(1, sizeof *cluster);

    if (!cluster)
        return false;
    cluster->topology = (struct redis_topology){ route, tick, settle, doubt, redirect, destroy };
    cluster->session = session;
    session->topology = &cluster->topology;
    return take_seeds(session);
}
