/* sentinel.c - the master that Sentinel names, and its changes.
 *
 * A session keeps two links to one Sentinel: one asks for the master, at once
 * when it is in doubt and every few seconds otherwise; the other is subscribed
 * to +switch-master. A Sentinel that fails or does not know the master is left
 * for the next. A server is used only after its ROLE said master (greet.c).
 * Protocol: redis.io, "High availability with Redis Sentinel" and "Guidelines
 * for Redis clients with support for Redis Sentinel". */
#include <stdlib.h>

#include "engines/redis/hiredis_compat.h"
#include "engines/redis/topology.h"
#include "service/base/clock.h"
#include "service/base/log.h"

#define ASK_IN_DOUBT_NS (250 * NS_PER_MS)
#define ASK_ANYWAY_NS (5 * NS_PER_SECOND)
#define PING_NS NS_PER_SECOND

struct sentinel {
    struct redis_topology topology; /* first */
    struct redis_session *session;
    struct redis_link query;
    struct redis_link watch;
    struct redis_call asked;
    struct redis_call subscribed;
    bool asking;
    bool doubtful; /* whether the master still is one */
    uint64_t asked_ns, pinged_ns;
    size_t current;         /* of config->endpoints */
    size_t failed;          /* Sentinels in a row that were of no use */
    struct redis_node *master; /* NULL: not known yet */
};

static struct sentinel *of(struct redis_session *session)
{
    return (struct sentinel *)(void *)session->topology;
}

/* ---- Following the master ---- */

static void retire(struct redis_node *node)
{
    node->retired = true;
    for (unsigned i = 0; i < node->link_count; i++)
        redis_link_doom(&node->links[i], LINK_DROPPED, "another server is the master now");
}

/* Each session follows; the first one counts. */
static void note_failover(struct redis_engine *engine, struct redis_breaker *master)
{
    struct redis_breaker *before = atomic_exchange(&engine->master, master);

    if (before && before != master)
        atomic_fetch_add(&engine->failovers, 1);
}

static void follow(struct sentinel *sentinel, struct bytes host, struct bytes port_text)
{
    struct redis_session *session = sentinel->session;
    struct redis_endpoint endpoint;
    struct redis_node *node;
    unsigned long long port;

    if (!bytes_to_u64(port_text, UINT16_MAX, &port) || port == 0 ||
        !redis_endpoint_set(&endpoint, host, (unsigned)port))
        return;
    endpoint.told = true;
    sentinel->failed = 0;
    if (sentinel->master && redis_endpoint_equal(&sentinel->master->endpoint, &endpoint))
        return;
    node = redis_node_create(session, &endpoint);
    if (!node)
        return;
    log_info("redis master", LOG_STRING("host", endpoint.host), LOG_U64("port", endpoint.port));
    if (sentinel->master)
        retire(sentinel->master);
    node->next = session->nodes;
    session->nodes = node;
    note_failover(session->engine, node->breaker);
    sentinel->master = node;
    session->roused = true;
    redis_node_tick(node, loop_now(session->base.loop));
}

/* ---- Asking ---- */

static void on_asked(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    struct sentinel *sentinel = (struct sentinel *)(void *)((char *)call - offsetof(struct sentinel, asked));

    sentinel->asking = false;
    if (end != CALL_REPLIED)
        return;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[0]->type == REDIS_REPLY_STRING &&
        reply->element[1]->type == REDIS_REPLY_STRING)
        follow(sentinel, bytes_of(reply->element[0]->str, reply->element[0]->len),
               bytes_of(reply->element[1]->str, reply->element[1]->len));
    else
        redis_link_doom(&sentinel->query, LINK_NOT_SERVING, "this Sentinel does not know REDIS_MASTER_NAME");
}

static void ask(struct sentinel *sentinel, uint64_t now)
{
    struct outbox *outbox = &sentinel->query.outbox;

    sentinel->asking = true;
    sentinel->asked_ns = now;
    redis_link_push(&sentinel->query, &sentinel->asked, on_asked);
    redis_outbox_command(outbox, 3);
    redis_outbox_bulk(outbox, BYTES("SENTINEL"));
    redis_outbox_bulk(outbox, BYTES("get-master-addr-by-name"));
    redis_outbox_bulk(outbox, bytes_str(sentinel->session->config->master_name));
}

/* ---- Watching ---- */

static void on_subscribed(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    struct sentinel *sentinel = (struct sentinel *)(void *)((char *)call - offsetof(struct sentinel, subscribed));

    if (end == CALL_REPLIED && reply->type != REDIS_REPLY_ARRAY)
        redis_link_doom(&sentinel->watch, LINK_NOT_SERVING, "this Sentinel refuses the subscription");
}

/* "<name> <old host> <old port> <new host> <new port>" */
static void on_pushed(struct redis_link *link, struct redisReply *reply)
{
    struct sentinel *sentinel = link->context;
    struct bytes rest, name, host;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 || reply->element[2]->type != REDIS_REPLY_STRING)
        return; /* a pong */
    rest = bytes_of(reply->element[2]->str, reply->element[2]->len);
    name = bytes_cut(&rest, ' ');
    (void)bytes_cut(&rest, ' ');
    (void)bytes_cut(&rest, ' ');
    host = bytes_cut(&rest, ' ');
    if (rest.ptr && bytes_equal(name, bytes_str(sentinel->session->config->master_name)))
        follow(sentinel, host, rest);
}

static void subscribe(struct sentinel *sentinel)
{
    struct outbox *outbox = &sentinel->watch.outbox;

    redis_link_push(&sentinel->watch, &sentinel->subscribed, on_subscribed);
    redis_outbox_command(outbox, 2);
    redis_outbox_bulk(outbox, BYTES("SUBSCRIBE"));
    redis_outbox_bulk(outbox, BYTES("+switch-master"));
}

/* A subscription is alive if it answers PING, which comes as a push. */
static void keep_watch(struct sentinel *sentinel, uint64_t now)
{
    struct redis_link *watch = &sentinel->watch;

    if (watch->state != LINK_READY || now - sentinel->pinged_ns < PING_NS)
        return;
    if (now - watch->received_ns > 3 * PING_NS) {
        redis_link_doom(watch, LINK_BROKE, "this Sentinel does not answer");
        return;
    }
    sentinel->pinged_ns = now;
    redis_outbox_command(&watch->outbox, 1);
    redis_outbox_bulk(&watch->outbox, BYTES("PING"));
}

/* ---- Links to a Sentinel ---- */

static void on_ready(struct redis_link *link)
{
    struct sentinel *sentinel = link->context;
    struct redis_breaker *breaker = redis_breakers_find(&sentinel->session->engine->breakers, &link->endpoint);

    if (breaker)
        redis_breaker_up(breaker);
    if (link == &sentinel->query)
        ask(sentinel, loop_now(link->loop));
    else
        subscribe(sentinel);
}

static void on_closed(struct redis_link *link, enum link_fault fault, const char *reason)
{
    struct sentinel *sentinel = link->context;
    struct redis_session *session = sentinel->session;
    struct redis_breaker *breaker = redis_breakers_find(&session->engine->breakers, &link->endpoint);

    if (fault == LINK_DROPPED)
        return;
    if (breaker && fault == LINK_BROKE)
        redis_breaker_broke(breaker);
    else if (breaker)
        redis_breaker_down(breaker, loop_now(link->loop), redis_session_random(session), ENGINE_UNAVAILABLE,
                           reason);
    if (link != &sentinel->query)
        return;
    sentinel->failed++;
    sentinel->current = (sentinel->current + 1) % session->config->endpoint_count;
    redis_link_doom(&sentinel->watch, LINK_DROPPED, "another Sentinel is asked");
    if (sentinel->failed >= session->config->endpoint_count && !sentinel->master)
        atomic_store(&session->engine->reason, "no Sentinel names the master");
    session->roused = true;
}

static const struct link_owner query_owner = { .ready = on_ready, .closed = on_closed };
static const struct link_owner watch_owner = { .ready = on_ready, .closed = on_closed, .pushed = on_pushed };

static void tick_link(struct sentinel *sentinel, struct redis_link *link, uint64_t now)
{
    struct redis_session *session = sentinel->session;
    const struct redis_endpoint *endpoint = &session->config->endpoints[sentinel->current];
    struct redis_breaker *breaker;

    if (link->state != LINK_CLOSED) {
        redis_link_tick(link, now);
        return;
    }
    if (session->base.detaching)
        return;
    breaker = redis_breakers_find(&session->engine->breakers, endpoint);
    if (breaker && redis_breaker_claim(breaker, now, session->config->connect_timeout_ns))
        redis_link_connect(link, endpoint, now);
    else if (link == &sentinel->query)
        sentinel->current = (sentinel->current + 1) % session->config->endpoint_count;
}

/* ---- The topology ---- */

static struct redis_node *route(struct redis_session *session, unsigned bucket, enum engine_status *status,
                                const char **detail)
{
    struct sentinel *sentinel = of(session);

    (void)bucket;
    if (!sentinel->master && sentinel->failed >= session->config->endpoint_count) {
        *status = ENGINE_UNAVAILABLE;
        *detail = "no Sentinel names the master";
    }
    return sentinel->master;
}

static void tick(struct redis_session *session, uint64_t now)
{
    struct sentinel *sentinel = of(session);
    bool settled = sentinel->master && redis_node_is_ready(sentinel->master);

    redis_nodes_drop_retired(session);
    if (settled)
        sentinel->doubtful = false;
    tick_link(sentinel, &sentinel->query, now);
    if (sentinel->query.state == LINK_READY)
        tick_link(sentinel, &sentinel->watch, now);
    keep_watch(sentinel, now);
    if (sentinel->query.state == LINK_READY && !sentinel->query.doomed && !sentinel->asking &&
        now - sentinel->asked_ns >= (settled ? ASK_ANYWAY_NS : ASK_IN_DOUBT_NS))
        ask(sentinel, now);
}

static void settle(struct redis_session *session)
{
    struct sentinel *sentinel = of(session);

    /* In doubt: ask in this very turn. */
    if (sentinel->doubtful && sentinel->query.state == LINK_READY && !sentinel->query.doomed && !sentinel->asking) {
        sentinel->doubtful = false;
        ask(sentinel, loop_now(session->base.loop));
    }
    if (sentinel->query.state != LINK_CLOSED)
        redis_link_settle(&sentinel->query);
    if (sentinel->watch.state != LINK_CLOSED)
        redis_link_settle(&sentinel->watch);
}

static void doubt(struct redis_session *session, struct redis_node *node)
{
    struct sentinel *sentinel = of(session);

    if (node == sentinel->master)
        sentinel->doubtful = true;
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
    struct sentinel *sentinel = of(session);

    redis_link_release(&sentinel->query);
    redis_link_release(&sentinel->watch);
    free(sentinel);
}

bool redis_topology_create_sentinel(struct redis_session *session)
{
    struct sentinel *sentinel = calloc(1, sizeof *sentinel);
    const struct redis_config *config = session->config;

    if (!sentinel)
        return false;
    sentinel->topology = (struct redis_topology){ route, tick, settle, doubt, redirect, destroy };
    sentinel->session = session;
    redis_link_init(&sentinel->query, session->base.loop, config, &config->sentinel_greeting, &query_owner,
                    sentinel);
    redis_link_init(&sentinel->watch, session->base.loop, config, &config->sentinel_greeting, &watch_owner,
                    sentinel);
    session->topology = &sentinel->topology;
    return true;
}
