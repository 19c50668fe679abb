#include "engines/registry.h"

#include <stdio.h>
#include <string.h>

#include "engines/memory/memory.h"
#include "engines/trace.h"
#include "service/base/log.h"

static struct engine *open_memory(const struct settings *settings)
{
    const struct memory_options options = { .max_bytes = settings->memory_max_bytes };

    return memory_open(&options);
}

static struct engine *open_chosen(const struct settings *settings, char **error)
{
    switch ((enum settings_cache_engine)settings->cache_engine) {
    case CACHE_ENGINE_MEMORY:
        return open_memory(settings);
    case CACHE_ENGINE_REDIS:
    case CACHE_ENGINE_MEMCACHED:
    case CACHE_ENGINE_AUTO:
        break;
    }
    *error = strdup("this build has no such engine");
    return NULL;
}

static void log_operation(void *context, const struct engine_op *op, uint64_t duration_ns)
{
    (void)context;
    log_debug("engine operation", LOG_STRING("verb", engine_verb_name(op->verb)), LOG_BYTES("namespace", op->ns),
              LOG_STRING("status", engine_status_name(op->status)), LOG_U64("duration_us", duration_ns / 1000));
}

struct engine *registry_open(const struct settings *settings, unsigned threads, char **error)
{
    static const struct trace_options trace = { .sink = log_operation };
    struct engine *engine;

    (void)threads;
    *error = NULL;
    engine = open_chosen(settings, error);
    if (engine && settings->log_level == LOG_LEVEL_DEBUG)
        engine = trace_open(engine, &trace);
    return engine;
}
