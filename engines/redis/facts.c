/* facts.c - what this process and the servers tell of the servers.
 *
 * As long as someone has asked within the last minute, one session looks at
 * each server every five seconds, by INFO on a connection that is open anyway;
 * what was found is kept with the server's breaker. A server whose user may not
 * say INFO is not up here, and has no facts; nothing else comes of it.
 *
 * Threading: redis_tell_facts() on any thread, the rest on a session's. */
#include "engines/redis/hiredis_compat.h"
#include "engines/redis/session.h"
#include "service/base/clock.h"

#define LOOK_EVERY_NS (5 * NS_PER_SECOND)
#define ASKED_WITHIN_NS (60 * NS_PER_SECOND)
#define KNOWN_FOR_NS (30 * NS_PER_SECOND)

/* ---- Looking ---- */

/* The value of a line "name:value\r\n". */
static struct bytes line_of(struct bytes text, struct bytes name)
{
    while (text.ptr) {
        struct bytes line = bytes_cut(&text, '\n');
        if (!bytes_starts_with(line, name))
            continue;
        line = bytes_of(line.ptr + name.len, line.len - name.len);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        return line;
    }
    return BYTES_NONE;
}

bool redis_look_read(struct redis_look *look, struct bytes info)
{
    static const struct bytes names[LOOK_FACTS] = {
        [LOOK_USED_BYTES] = { "used_memory:", 12 },
        [LOOK_MAX_BYTES] = { "maxmemory:", 10 },
        [LOOK_EVICTIONS] = { "evicted_keys:", 13 },
        [LOOK_REPLICAS] = { "connected_slaves:", 17 },
    };
    unsigned long long values[LOOK_FACTS];

    for (int i = 0; i < LOOK_FACTS; i++)
        if (i != LOOK_IS_MASTER && !bytes_to_u64(line_of(info, names[i]), UINT64_MAX, &values[i]))
            return false;
    values[LOOK_IS_MASTER] = bytes_equal(line_of(info, BYTES("role:")), BYTES("master"));
    for (int i = 0; i < LOOK_FACTS; i++)
        atomic_store_explicit(&look->facts[i], values[i], memory_order_relaxed);
    return true;
}

static void on_look(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    struct redis_node *node = (struct redis_node *)(void *)((char *)call - offsetof(struct redis_node, look));
    struct redis_look *look = &node->breaker->look;
    bool up = end == CALL_REPLIED && reply->type == REDIS_REPLY_STRING &&
              redis_look_read(look, bytes_of(reply->str, reply->len));

    node->looking = false;
    if (up)
        atomic_store_explicit(&look->answered_ns, loop_now(node->session->base.loop), memory_order_relaxed);
    atomic_store_explicit(&look->up, up, memory_order_relaxed);
}

void redis_look_tick(struct redis_node *node, uint64_t now)
{
    struct redis_look *look = &node->breaker->look;
    uint64_t asked_ns = atomic_load_explicit(&node->session->engine->asked_ns, memory_order_relaxed);
    uint64_t next_ns = atomic_load_explicit(&look->next_ns, memory_order_relaxed);
    struct redis_link *link;

    if (asked_ns == 0 || now > asked_ns + ASKED_WITHIN_NS || now < next_ns || node->looking || node->retired)
        return;
    link = redis_node_link(node, false);
    /* One of the sessions does it for all. */
    if (!link || !atomic_compare_exchange_strong(&look->next_ns, &next_ns, now + LOOK_EVERY_NS))
        return;
    node->looking = true;
    redis_link_push(link, &node->look, on_look);
    redis_outbox_command(&link->outbox, 1);
    redis_outbox_bulk(&link->outbox, BYTES("INFO"));
}

/* ---- Telling ---- */

static void tell_look(const struct redis_breaker *breaker, uint64_t now, struct bytes server, engine_fact_fn *fn,
                      void *context)
{
    static const enum engine_fact facts[LOOK_FACTS] = {
        [LOOK_IS_MASTER] = ENGINE_FACT_SERVER_IS_MASTER,   [LOOK_USED_BYTES] = ENGINE_FACT_SERVER_USED_BYTES,
        [LOOK_MAX_BYTES] = ENGINE_FACT_SERVER_MAX_BYTES,   [LOOK_EVICTIONS] = ENGINE_FACT_SERVER_EVICTIONS,
        [LOOK_REPLICAS] = ENGINE_FACT_SERVER_REPLICAS,
    };
    const struct redis_look *look = &breaker->look;
    uint64_t answered_ns = atomic_load_explicit(&look->answered_ns, memory_order_relaxed);
    bool up = atomic_load_explicit(&look->up, memory_order_relaxed) && redis_breaker_state(breaker) == BREAKER_UP;

    if (atomic_load_explicit(&look->next_ns, memory_order_relaxed) == 0 && redis_breaker_state(breaker) == BREAKER_UP)
        return; /* not looked at yet */
    fn(context, ENGINE_FACT_SERVER_UP, server, up);
    if (answered_ns == 0 || now > answered_ns + KNOWN_FOR_NS)
        return;
    for (int i = 0; i < LOOK_FACTS; i++)
        fn(context, facts[i], server, (double)atomic_load_explicit(&look->facts[i], memory_order_relaxed));
}

static void tell_server(const struct redis_breaker *breaker, uint64_t now, engine_fact_fn *fn, void *context)
{
    char name[REDIS_HOST_MAX + 16];
    struct bytes server;

    redis_endpoint_name(&breaker->endpoint, name, sizeof name);
    server = bytes_str(name);
    fn(context, ENGINE_FACT_CONNECTIONS, server, atomic_load(&breaker->connections));
    fn(context, ENGINE_FACT_CONNECTS, server, (double)atomic_load(&breaker->connects));
    fn(context, ENGINE_FACT_CONNECT_FAILURES, server, (double)atomic_load(&breaker->failures));
    fn(context, ENGINE_FACT_BREAKER_OPEN, server, redis_breaker_state(breaker) == BREAKER_DOWN);
    tell_look(breaker, now, server, fn, context);
}

void redis_tell_facts(struct engine *base, engine_fact_fn *fn, void *context)
{
    struct redis_engine *engine = (struct redis_engine *)(void *)base;
    uint64_t now = clock_monotonic_ns();

    atomic_store_explicit(&engine->asked_ns, now, memory_order_relaxed);
    fn(context, ENGINE_FACT_REDIRECTIONS, BYTES_NONE, (double)atomic_load(&engine->redirections));
    fn(context, ENGINE_FACT_FAILOVERS, BYTES_NONE, (double)atomic_load(&engine->failovers));
    /* The lock is for adding servers, which no operation waits for. */
    pthread_mutex_lock(&engine->breakers.lock);
    for (const struct redis_breaker *breaker = engine->breakers.head; breaker; breaker = breaker->next)
        if (atomic_load_explicit(&breaker->serves, memory_order_relaxed))
            tell_server(breaker, now, fn, context);
    pthread_mutex_unlock(&engine->breakers.lock);
}
