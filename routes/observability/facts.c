#include "routes/observability/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Gathering ---- */

static unsigned server_number(struct facts *facts, struct bytes server)
{
    size_t len = server.len < FACTS_SERVER_NAME_MAX ? server.len : FACTS_SERVER_NAME_MAX;

    for (unsigned i = 0; i < facts->server_count; i++)
        if (strlen(facts->servers[i]) == len && memcmp(facts->servers[i], server.ptr, len) == 0)
            return i;
    if (facts->server_count == FACTS_SERVERS)
        return FACTS_SERVERS;
    memcpy(facts->servers[facts->server_count], server.ptr, len);
    facts->servers[facts->server_count][len] = '\0';
    return facts->server_count++;
}

static void take(void *context, enum engine_fact fact, struct bytes server, double value)
{
    struct facts *facts = context;
    unsigned number = FACTS_SERVERS;

    if (server.len > 0) {
        number = server_number(facts, server);
        if (number == FACTS_SERVERS)
            return;
    }
    if (facts->count < facts->capacity)
        facts->items[facts->count++] = (struct fact){ fact, number, value };
}

void facts_gather(struct facts *facts, struct engine *engine)
{
    *facts = (struct facts){ .capacity = (FACTS_SERVERS + 1) * ENGINE_FACTS };
    facts->items = malloc(facts->capacity * sizeof *facts->items);
    facts->servers = malloc(FACTS_SERVERS * sizeof *facts->servers);
    facts->failed = !facts->items || !facts->servers;
    if (!facts->failed)
        engine_tell_facts(engine, take, facts);
}

void facts_release(struct facts *facts)
{
    free(facts->items);
    free(facts->servers);
}

/* ---- Showing ---- */

/* A family's name is cubby_, the engine's name, and this. */
static const struct fact_row {
    const char *name, *suffix, *help;
    enum exposition_type type;
} rows[ENGINE_FACTS] = {
    [ENGINE_FACT_USED_BYTES] = { "used_bytes", "used_bytes", "Counted against the bound: entries, tables, bookkeeping.",
                                 EXPOSITION_GAUGE },
    [ENGINE_FACT_MAX_BYTES] = { "max_bytes", "max_bytes", "The bound of memory.", EXPOSITION_GAUGE },
    [ENGINE_FACT_ENTRIES] = { "entries", "entries", "Entries that stand.", EXPOSITION_GAUGE },
    [ENGINE_FACT_CELLS] = { "cells", "cells", "Counters, limits and locks.", EXPOSITION_GAUGE },
    [ENGINE_FACT_EVICTIONS] = { "evictions", "evictions_total", "Entries removed for want of room before their time.",
                                EXPOSITION_COUNTER },
    [ENGINE_FACT_EXPIRATIONS] = { "expirations", "expirations_total", "Entries removed at their time.",
                                  EXPOSITION_COUNTER },
    [ENGINE_FACT_REDIRECTIONS] = { "redirections", "redirections_total", "Redirections to another server followed.",
                                   EXPOSITION_COUNTER },
    [ENGINE_FACT_FAILOVERS] = { "failovers", "failovers_total", "Changes of the master that this process followed.",
                                EXPOSITION_COUNTER },
    [ENGINE_FACT_CONNECTIONS] = { "connections", "connections", "Connections ready for operations.", EXPOSITION_GAUGE },
    [ENGINE_FACT_CONNECTS] = { "connects", "connects_total", "Connections that became ready.", EXPOSITION_COUNTER },
    [ENGINE_FACT_CONNECT_FAILURES] = { "connect_failures", "connect_failures_total", "Attempts to connect that failed.",
                                       EXPOSITION_COUNTER },
    [ENGINE_FACT_QUEUED] = { "queue_length", "queue_length", "Operations accepted and not answered.",
                             EXPOSITION_GAUGE },
    [ENGINE_FACT_BREAKER_OPEN] = { "breaker_open", "breaker_open",
                                   "1 while operations are answered without asking the server.", EXPOSITION_GAUGE },
    [ENGINE_FACT_SERVER_UP] = { "server_up", "server_up", "1 if the server answered the last look.", EXPOSITION_GAUGE },
    [ENGINE_FACT_SERVER_IS_MASTER] = { "is_master", "server_role", "1 for the role that the server has.",
                                       EXPOSITION_GAUGE },
    [ENGINE_FACT_SERVER_USED_BYTES] = { "server_used_memory_bytes", "server_used_memory_bytes",
                                        "Memory the server uses.", EXPOSITION_GAUGE },
    [ENGINE_FACT_SERVER_MAX_BYTES] = { "server_max_memory_bytes", "server_max_memory_bytes",
                                       "The server's bound of memory; 0: none.", EXPOSITION_GAUGE },
    [ENGINE_FACT_SERVER_EVICTIONS] = { "server_evictions", "server_evictions_total",
                                       "Keys the server evicted since its start.", EXPOSITION_COUNTER },
    [ENGINE_FACT_SERVER_REPLICAS] = { "server_connected_replicas", "server_connected_replicas",
                                      "Replicas connected to the server.", EXPOSITION_GAUGE },
    [ENGINE_FACT_SERVER_LAG] = { "server_replication_lag_seconds", "server_replication_lag_seconds",
                                 "Since the server heard of its replica furthest behind.", EXPOSITION_GAUGE },
    [ENGINE_FACT_SERVER_CONNECTIONS] = { "server_connections", "server_connections",
                                         "Connections the server has, of all its clients.", EXPOSITION_GAUGE },
    [ENGINE_FACT_SERVER_UPTIME] = { "server_uptime_seconds", "server_uptime_seconds", "Since the server's start.",
                                    EXPOSITION_GAUGE },
    [ENGINE_FACT_SERVER_ITEMS] = { "server_items", "server_items", "Items the server holds.", EXPOSITION_GAUGE },
};

const char *facts_name(enum engine_fact fact)
{
    return rows[fact].name;
}

static void expose_role(struct exposition *to, const struct exposition_label *server, double is_master)
{
    const struct exposition_label labels[] = { *server,
                                               { "role", is_master != 0 ? BYTES("master") : BYTES("replica") } };

    exposition_double(to, labels, 2, 1);
}

static void expose_family(const struct facts *facts, enum engine_fact kind, struct exposition *to, char *name)
{
    bool begun = false;

    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->items[i];
        struct exposition_label server = { "server", BYTES_NONE };

        if (fact->fact != kind)
            continue;
        if (!begun)
            exposition_family(to, name, rows[kind].type, rows[kind].help);
        begun = true;
        if (fact->server < FACTS_SERVERS)
            server.value = bytes_str(facts->servers[fact->server]);
        if (kind == ENGINE_FACT_SERVER_IS_MASTER)
            expose_role(to, &server, fact->value);
        else
            exposition_double(to, &server, fact->server < FACTS_SERVERS, fact->value);
    }
}

/* Redis' own word for what others call evictions. */
static const char *suffix_of(const char *engine, enum engine_fact fact)
{
    return fact == ENGINE_FACT_SERVER_EVICTIONS && strcmp(engine, "redis") == 0 ? "server_evicted_keys_total"
                                                                                : rows[fact].suffix;
}

void facts_expose(const struct facts *facts, const char *engine, struct exposition *to)
{
    char name[96];

    for (unsigned i = 0; i < ENGINE_FACTS; i++) {
        snprintf(name, sizeof name, "cubby_%s_%s", engine, suffix_of(engine, (enum engine_fact)i));
        expose_family(facts, (enum engine_fact)i, to, name);
    }
}
