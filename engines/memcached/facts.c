/* facts.c - what a lane and its server tell of themselves.
 *
 * As long as someone has asked lately, the lane's first thread looks at the
 * server every few seconds, by `stats` on its own connection, between two
 * batches. Other threads go on with jobs meanwhile. A server that does not
 * answer is found out by this as by an operation.
 *
 * Threading: lane_tell() on any thread, the rest on the lane's. */
#include <stdio.h>
#include <string.h>

#include "engines/memcached/lane.h"
#include "service/base/clock.h"

/* The most that a lane with one thread lets its jobs wait for a look. */
#define LOOK_PATIENCE_MS 200

/* ---- Looking ---- */

uint64_t lane_look_time(const struct lane *lane, uint64_t now)
{
    uint64_t asked_ns = atomic_load_explicit(&lane->look.asked_ns, memory_order_relaxed);

    if (asked_ns == 0 || now > asked_ns + ENGINE_ASKED_WITHIN_NS)
        return now + ENGINE_LOOK_EVERY_NS;
    return atomic_load_explicit(&lane->look.next_ns, memory_order_relaxed);
}

void lane_look_forget(struct lane *lane)
{
    /* After a look that failed the next one waits: it may be what brought the server down here. */
    if (atomic_exchange_explicit(&lane->look.answered_ns, 0, memory_order_relaxed) != 0)
        atomic_store_explicit(&lane->look.next_ns, 0, memory_order_relaxed);
}

static enum peer_result look_once(struct worker *worker, uint64_t facts[PEER_FACTS])
{
    uint64_t patience_ms = worker->lane->address.connect_timeout_ms;
    enum peer_result result;

    if (!worker_connect(worker))
        return PEER_LOST;
    peer_set_patience(worker->peer, patience_ms < LOOK_PATIENCE_MS ? patience_ms : LOOK_PATIENCE_MS);
    result = peer_look(worker->peer, facts);
    worker_note_failure(worker, result);
    return result;
}

void worker_look(struct worker *worker)
{
    struct lane_look *look = &worker->lane->look;
    bool was_open = peer_is_open(worker->peer);
    uint64_t facts[PEER_FACTS];
    enum peer_result result;

    result = look_once(worker, facts);
    /* A connection may have broken while nobody used it. */
    if (result == PEER_LOST && was_open)
        result = look_once(worker, facts);
    atomic_store_explicit(&look->next_ns, clock_monotonic_ns() + ENGINE_LOOK_EVERY_NS, memory_order_relaxed);
    if (result != PEER_OK) {
        atomic_store_explicit(&look->answered_ns, 0, memory_order_relaxed);
        return;
    }
    for (int i = 0; i < PEER_FACTS; i++)
        atomic_store_explicit(&look->facts[i], facts[i], memory_order_relaxed);
    atomic_store_explicit(&look->answered_ns, clock_monotonic_ns(), memory_order_release);
}

/* ---- Telling ---- */

static void tell_look(struct lane_look *look, uint64_t now, struct bytes server, engine_fact_fn *fn, void *context)
{
    static const enum engine_fact facts[PEER_FACTS] = {
        [PEER_USED_BYTES] = ENGINE_FACT_SERVER_USED_BYTES,   [PEER_MAX_BYTES] = ENGINE_FACT_SERVER_MAX_BYTES,
        [PEER_EVICTIONS] = ENGINE_FACT_SERVER_EVICTIONS,     [PEER_ITEMS] = ENGINE_FACT_SERVER_ITEMS,
        [PEER_CONNECTIONS] = ENGINE_FACT_SERVER_CONNECTIONS, [PEER_UPTIME] = ENGINE_FACT_SERVER_UPTIME,
    };
    uint64_t answered_ns = atomic_load_explicit(&look->answered_ns, memory_order_acquire);

    if (answered_ns == 0 || now > answered_ns + ENGINE_KNOWN_FOR_NS)
        return;
    for (int i = 0; i < PEER_FACTS; i++) {
        uint64_t value = atomic_load_explicit(&look->facts[i], memory_order_relaxed);
        if (value != PEER_UNTOLD)
            fn(context, facts[i], server, (double)value);
    }
}

/* Wakes the first thread where nobody had asked lately; without the lock, so
 * it may miss that, and then comes by itself a little later. */
static void ask(struct lane *lane, uint64_t now)
{
    uint64_t before_ns = atomic_exchange_explicit(&lane->look.asked_ns, now, memory_order_relaxed);

    if (before_ns == 0 || now > before_ns + ENGINE_ASKED_WITHIN_NS)
        pthread_cond_broadcast(&lane->wake);
}

static void tell_connections(const struct lane *lane, struct bytes server, engine_fact_fn *fn, void *context)
{
    unsigned connections = 0;

    for (unsigned i = 0; i < lane->worker_count; i++)
        connections += peer_is_connected(lane->workers[i].peer);
    fn(context, ENGINE_FACT_CONNECTIONS, server, connections);
    fn(context, ENGINE_FACT_CONNECT_FAILURES, server,
       (double)atomic_load_explicit(&lane->connect_failures, memory_order_relaxed));
}

void lane_tell(struct lane *lane, engine_fact_fn *fn, void *context)
{
    const struct peer_address *address = &lane->address;
    bool v6 = strchr(address->host, ':') != NULL;
    char name[sizeof address->host + 16];
    enum lane_state state = lane_state(lane);
    uint64_t now = clock_monotonic_ns();
    struct bytes server = { name, 0 };

    snprintf(name, sizeof name, v6 ? "[%s]:%u" : "%s:%u", address->host, (unsigned)address->port);
    server.len = strlen(name);
    tell_connections(lane, server, fn, context);
    fn(context, ENGINE_FACT_QUEUED, server, atomic_load_explicit(&lane->held, memory_order_relaxed));
    fn(context, ENGINE_FACT_BREAKER_OPEN, server, state == LANE_DOWN);
    /* Not known: it has just been silent, or was never tried. */
    if (state != LANE_UNKNOWN)
        fn(context, ENGINE_FACT_SERVER_UP, server, state == LANE_UP);
    if (state == LANE_UP)
        tell_look(&lane->look, now, server, fn, context);
    ask(lane, now);
}
