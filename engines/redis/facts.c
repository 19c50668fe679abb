/* facts.c - what this process and the servers tell of the servers.
 *
 * As long as someone has asked lately, one session looks at each server every
 * few seconds, by INFO on a connection that is open anyway; what was found is
 * kept with the server's breaker. A server whose user may not say INFO is not up
 * here, and has no facts; nothing else comes of it.
 *
 * Threading: redis_tell_facts() on any thread, the rest on a session's. */
#include "engines/redis/hiredis_compat.h"
#include "engines/redis/session.h"
#include "service/base/clock.h"

/* ---- Looking ---- */

static struct bytes cut_line(struct bytes *text)
{
    struct bytes line = bytes_cut(text, '\n');

    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* The value of a line "name:value\r\n". */
static struct bytes line_of(struct bytes text, struct bytes name)
{
    while (text.ptr) {
        struct bytes line = cut_line(&text);
        if (bytes_starts_with(line, name))
            return bytes_of(line.ptr + name.len, line.len - name.len);
    }
    return BYTES_NONE;
}

/* The longest that a replica has not been heard of, from "slave0:ip=...,lag=0" and so on. */
static uint64_t greatest_lag(struct bytes info)
{
    uint64_t greatest = LOOK_NONE;

    while (info.ptr) {
        struct bytes line = cut_line(&info), name = bytes_cut(&line, ':');
        unsigned long long lag;

        if (!line.ptr || !bytes_starts_with(name, BYTES("slave")))
            continue;
        while (line.ptr) {
            struct bytes field = bytes_cut(&line, ',');
            if (bytes_starts_with(field, BYTES("lag=")) &&
                bytes_to_u64(bytes_of(field.ptr + 4, field.len - 4), UINT32_MAX, &lag) &&
                (greatest == LOOK_NONE || lag > greatest))
                greatest = lag;
        }
    }
    return greatest;
}

bool redis_look_read(struct redis_look *look, struct bytes info)
{
    static const struct bytes names[LOOK_FACTS] = {
        [LOOK_USED_BYTES] = { "used_memory:", 12 },       [LOOK_MAX_BYTES] = { "maxmemory:", 10 },
        [LOOK_EVICTIONS] = { "evicted_keys:", 13 },       [LOOK_REPLICAS] = { "connected_slaves:", 17 },
        [LOOK_CONNECTIONS] = { "connected_clients:", 18 }, [LOOK_UPTIME] = { "uptime_in_seconds:", 18 },
    };
    struct bytes role = line_of(info, BYTES("role:"));
    unsigned long long number;

    if (role.len == 0)
        return false;
    for (int i = 0; i < LOOK_FACTS; i++)
        if (names[i].len > 0)
            atomic_store_explicit(&look->facts[i],
                                  bytes_to_u64(line_of(info, names[i]), LOOK_NONE - 1, &number) ? number : LOOK_NONE,
                                  memory_order_relaxed);
    atomic_store_explicit(&look->facts[LOOK_IS_MASTER], bytes_equal(role, BYTES("master")), memory_order_relaxed);
    atomic_store_explicit(&look->facts[LOOK_LAG], greatest_lag(info), memory_order_relaxed);
    return true;
}

static void on_look(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    struct redis_node *node = (struct redis_node *)(void *)((char *)call - offsetof(struct redis_node, look));
    struct redis_look *look = &node->breaker->look;
    bool answered = end == CALL_REPLIED && reply->type == REDIS_REPLY_STRING &&
                    redis_look_read(look, bytes_of(reply->str, reply->len));

    node->looking = false;
    atomic_store_explicit(&look->answered_ns, answered ? loop_now(node->session->base.loop) : 0,
                          memory_order_release);
    atomic_store_explicit(&look->failed, !answered, memory_order_relaxed);
}

void redis_look_tick(struct redis_node *node, uint64_t now)
{
    struct redis_look *look = &node->breaker->look;
    uint64_t asked_ns = atomic_load_explicit(&node->session->engine->asked_ns, memory_order_relaxed);
    uint64_t next_ns = atomic_load_explicit(&look->next_ns, memory_order_relaxed);
    struct redis_link *link;

    if (asked_ns == 0 || now > asked_ns + ENGINE_ASKED_WITHIN_NS || now < next_ns || node->looking || node->retired)
        return;
    link = redis_node_link(node, false);
    /* One of the sessions does it for all. */
    if (!link || !atomic_compare_exchange_strong(&look->next_ns, &next_ns, now + ENGINE_LOOK_EVERY_NS))
        return;
    atomic_store_explicit(&look->sent_ns, now, memory_order_relaxed);
    node->looking = true;
    redis_link_push(link, &node->look, on_look);
    redis_outbox_command(&link->outbox, 1);
    redis_outbox_bulk(&link->outbox, BYTES("INFO"));
}

/* ---- Telling ---- */

/* A look whose answer is due for longer than this has failed. */
#define ANSWERS_WITHIN_NS ENGINE_LOOK_EVERY_NS

enum look_state { LOOK_UNKNOWN, LOOK_GOOD, LOOK_BAD };

static enum look_state state_of(const struct redis_breaker *breaker, uint64_t now)
{
    const struct redis_look *look = &breaker->look;
    uint64_t sent_ns = atomic_load_explicit(&look->sent_ns, memory_order_relaxed);
    uint64_t answered_ns = atomic_load_explicit(&look->answered_ns, memory_order_acquire);

    if (redis_breaker_state(breaker) != BREAKER_UP)
        return LOOK_BAD;
    if (atomic_load_explicit(&look->failed, memory_order_relaxed))
        return LOOK_BAD;
    if (sent_ns > answered_ns && now > sent_ns + ANSWERS_WITHIN_NS)
        return LOOK_BAD;
    return answered_ns > 0 && now <= answered_ns + ENGINE_KNOWN_FOR_NS ? LOOK_GOOD : LOOK_UNKNOWN;
}

static void tell_look(const struct redis_breaker *breaker, uint64_t now, struct bytes server, engine_fact_fn *fn,
                      void *context)
{
    static const enum engine_fact facts[LOOK_FACTS] = {
        [LOOK_IS_MASTER] = ENGINE_FACT_SERVER_IS_MASTER,     [LOOK_USED_BYTES] = ENGINE_FACT_SERVER_USED_BYTES,
        [LOOK_MAX_BYTES] = ENGINE_FACT_SERVER_MAX_BYTES,     [LOOK_EVICTIONS] = ENGINE_FACT_SERVER_EVICTIONS,
        [LOOK_REPLICAS] = ENGINE_FACT_SERVER_REPLICAS,       [LOOK_LAG] = ENGINE_FACT_SERVER_LAG,
        [LOOK_CONNECTIONS] = ENGINE_FACT_SERVER_CONNECTIONS, [LOOK_UPTIME] = ENGINE_FACT_SERVER_UPTIME,
    };
    enum look_state state = state_of(breaker, now);

    if (state != LOOK_UNKNOWN)
        fn(context, ENGINE_FACT_SERVER_UP, server, state == LOOK_GOOD);
    for (int i = 0; state == LOOK_GOOD && i < LOOK_FACTS; i++) {
        uint64_t value = atomic_load_explicit(&breaker->look.facts[i], memory_order_relaxed);
        if (value != LOOK_NONE)
            fn(context, facts[i], server, (double)value);
    }
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
        if (atomic_load_explicit(&breaker->nodes, memory_order_relaxed) > 0)
            tell_server(breaker, now, fn, context);
    pthread_mutex_unlock(&engine->breakers.lock);
}
