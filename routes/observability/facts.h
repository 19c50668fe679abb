/* facts.h - what the engine tells of itself, gathered, and the metrics that it
 * is shown as. Ownership: a gathering owns its memory. Threading: one thread. */
#pragma once

#include "engines/engine.h"
#include "routes/observability/exposition.h"

/* Servers that are told apart; facts of more are left out. */
#define FACTS_SERVERS 100
#define FACTS_SERVER_NAME_MAX 300

struct fact {
    enum engine_fact fact;
    unsigned server; /* its number; FACTS_SERVERS: of the engine itself */
    double value;
};

struct facts {
    struct fact *items;
    size_t count, capacity;
    unsigned server_count;
    char (*servers)[FACTS_SERVER_NAME_MAX + 1];
    bool failed; /* out of memory */
};

/* Asks the engine. */
void facts_gather(struct facts *facts, struct engine *engine);
void facts_release(struct facts *facts);

/* The families of /metrics for an engine of this name. */
void facts_expose(const struct facts *facts, const char *engine, struct exposition *to);

/* For /stats: "used_bytes". */
const char *facts_name(enum engine_fact fact);
