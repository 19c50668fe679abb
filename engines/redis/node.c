#include <stdlib.h>

#include "engines/redis/session.h"
#include "engines/redis/topology.h"
#include "service/base/log.h"

static void log_change(const struct redis_link *link, const char *message, const char *reason)
{
    char name[REDIS_HOST_MAX + 16];

    redis_endpoint_name(&link->endpoint, name, sizeof name);
    if (reason)
        log_warn(message, LOG_STRING("server", name), LOG_STRING("reason", reason));
    else
        log_info(message, LOG_STRING("server", name));
}

static void on_link_ready(struct redis_link *link)
{
    struct redis_node *node = link->context;

    link->was_ready = true;
    atomic_fetch_add(&node->session->engine->links_ready, 1);
    atomic_fetch_add(&node->breaker->connections, 1);
    atomic_fetch_add(&node->breaker->connects, 1);
    if (redis_breaker_state(node->breaker) != BREAKER_UP)
        log_change(link, "redis connected", NULL);
    redis_breaker_up(node->breaker);
    node->session->roused = true;
}

/* The first to notice says so in the log. */
static void report_down(struct redis_node *node, struct redis_link *link, enum engine_status status,
                        const char *reason)
{
    struct redis_session *session = node->session;

    if (redis_breaker_state(node->breaker) != BREAKER_DOWN || atomic_load(&node->breaker->reason) != reason)
        log_change(link, "redis is down", reason);
    redis_breaker_down(node->breaker, loop_now(link->loop), redis_session_random(session), status, reason);
}

static void on_link_closed(struct redis_link *link, enum link_fault fault, const char *reason)
{
    struct redis_node *node = link->context;
    struct redis_session *session = node->session;

    redis_confirm_abandon(&node->unconfirmed[link - node->links]);
    atomic_fetch_sub(&session->engine->links, 1);
    if (link->was_ready) {
        atomic_fetch_sub(&session->engine->links_ready, 1);
        atomic_fetch_sub(&node->breaker->connections, 1);
    } else if (fault != LINK_DROPPED) {
        atomic_fetch_add(&node->breaker->failures, 1);
    }
    if (fault == LINK_TURNED_AWAY)
        report_down(node, link, ENGINE_REFUSED, reason);
    else if (fault == LINK_BROKE && link->was_ready) {
        if (redis_breaker_state(node->breaker) == BREAKER_UP)
            log_change(link, "redis connection lost", reason);
        redis_breaker_broke(node->breaker);
    } else if (fault != LINK_DROPPED)
        report_down(node, link, ENGINE_UNAVAILABLE, reason);
    if (fault != LINK_DROPPED) {
        atomic_store(&session->engine->reason, reason);
        session->topology->doubt(session, node);
    }
    link->was_ready = false;
    session->roused = true;
}

static const struct link_owner owner = { .ready = on_link_ready, .closed = on_link_closed };

struct redis_node *redis_node_create(struct redis_session *session, const struct redis_endpoint *endpoint)
{
    struct redis_node *node = calloc(1, sizeof *node);

    if (!node)
        return NULL;
    node->session = session;
    node->endpoint = *endpoint;
    node->breaker = redis_breakers_find(&session->engine->breakers, endpoint);
    if (!node->breaker) {
        free(node);
        return NULL;
    }
    if (atomic_fetch_add_explicit(&node->breaker->nodes, 1, memory_order_relaxed) == 0)
        redis_look_forget(&node->breaker->look);
    node->link_count = session->config->links_per_node;
    for (unsigned i = 0; i < node->link_count; i++)
        redis_link_init(&node->links[i], session->base.loop, session->config, &session->config->greeting, &owner,
                        node);
    return node;
}

void redis_node_destroy(struct redis_node *node)
{
    if (!node)
        return;
    for (unsigned i = 0; i < node->link_count; i++)
        redis_link_release(&node->links[i]);
    atomic_fetch_sub_explicit(&node->breaker->nodes, 1, memory_order_relaxed);
    free(node);
}

/* The process has a bound, whoever asks. */
static bool take_connection(struct redis_engine *engine)
{
    unsigned max = engine->config->max_connections;

    if (atomic_fetch_add(&engine->links, 1) < max || max == 0)
        return true;
    atomic_fetch_sub(&engine->links, 1);
    return false;
}

void redis_node_tick(struct redis_node *node, uint64_t now)
{
    struct redis_session *session = node->session;

    for (unsigned i = 0; i < node->link_count; i++) {
        struct redis_link *link = &node->links[i];
        if (link->state != LINK_CLOSED)
            redis_link_tick(link, now);
        else if (!session->base.detaching && !node->retired &&
                 redis_breaker_claim(node->breaker, now, session->config->connect_timeout_ns) &&
                 take_connection(session->engine))
            redis_link_connect(link, &node->endpoint, now);
    }
    redis_look_tick(node, now);
}

void redis_node_settle(struct redis_node *node)
{
    for (unsigned i = 0; i < node->link_count; i++) {
        if (node->links[i].state != LINK_CLOSED) {
            redis_confirm_seal(&node->unconfirmed[i], &node->links[i]);
            redis_link_settle(&node->links[i]);
        }
    }
}

static bool is_usable(const struct redis_link *link)
{
    return link->state == LINK_READY && !link->doomed && redis_link_has_room(link);
}

/* One link as long as it flows, so that a turn is one write; another one when
 * a large value holds it up. */
static struct redis_link *choose_link(struct redis_node *node, unsigned first, unsigned end)
{
    struct redis_link *best = NULL;

    for (unsigned i = first; i < end; i++) {
        struct redis_link *link = &node->links[i];
        if (!is_usable(link))
            continue;
        if (!(link->watched & LOOP_WRITABLE) && redis_outbox_unsent(&link->outbox) < 65536)
            return link;
        if (!best || redis_outbox_unsent(&link->outbox) < redis_outbox_unsent(&best->outbox))
            best = link;
    }
    return best;
}

struct redis_link *redis_node_link(struct redis_node *node, bool writes)
{
    unsigned last = node->link_count - 1;
    struct redis_link *link = NULL;

    /* A WAIT holds up what follows it: writes then have the last link. */
    if (node->session->config->wait_replicas > 0 && last > 0)
        link = writes ? choose_link(node, last, last + 1) : choose_link(node, 0, last);
    return link ? link : choose_link(node, 0, last + 1);
}

struct redis_link *redis_node_ordered_link(struct redis_node *node)
{
    for (unsigned i = node->link_count; i-- > 0;) {
        struct redis_link *link = &node->links[i];
        if (link->state == LINK_READY && !link->doomed)
            return redis_link_has_room(link) ? link : NULL;
    }
    return NULL;
}

bool redis_node_is_ready(const struct redis_node *node)
{
    for (unsigned i = 0; i < node->link_count; i++)
        if (node->links[i].state == LINK_READY && !node->links[i].doomed)
            return true;
    return false;
}

static bool owes_nothing(const struct redis_node *node)
{
    for (unsigned i = 0; i < node->link_count; i++)
        if (node->links[i].call_count > 0)
            return false;
    return true;
}

void redis_nodes_drop_retired(struct redis_session *session)
{
    struct redis_node **at = &session->nodes;

    while (*at) {
        struct redis_node *node = *at;
        if (!node->retired || !owes_nothing(node)) {
            at = &node->next;
            continue;
        }
        *at = node->next;
        for (struct redis_task *task = session->waiting.head; task; task = task->next)
            if (task->node == node)
                task->redirected = false; /* asked anew of those who stay */
        redis_node_destroy(node);
    }
}
