#include "engines/registry.h"

#include "engines/memcached/memcached.h"
#include "engines/memory/memory.h"
#include "engines/redis/redis.h"
#include "engines/trace.h"
#include "service/base/log.h"

static struct engine *open_memory(const struct settings *settings)
{
    const struct memory_options options = { .max_bytes = settings->memory_max_bytes };

    return memory_open(&options);
}

static enum redis_mode redis_mode_of(const struct settings *settings)
{
    switch ((enum settings_redis_mode)settings->redis_mode) {
    case REDIS_MODE_SENTINEL:
        return REDIS_SENTINEL;
    case REDIS_MODE_CLUSTER:
        return REDIS_CLUSTER;
    case REDIS_MODE_AUTO: /* settled when the settings were made */
    case REDIS_MODE_STANDALONE:
        break;
    }
    return REDIS_STANDALONE;
}

static struct engine *open_redis(const struct settings *settings, unsigned threads, char **error)
{
    const struct redis_options options = {
        .mode = redis_mode_of(settings),
        .key_prefix = settings->cache_key_prefix,
        .host = settings->redis_host,
        .port = (uint16_t)settings->redis_port,
        .unix_socket = settings->redis_unix_socket,
        .username = settings->redis_username,
        .password = settings->redis_password,
        .db = (unsigned)settings->redis_db,
        .client_name = settings->redis_client_name,
        .sentinels = settings->redis_sentinels,
        .master_name = settings->redis_master_name,
        .sentinel_username = settings->redis_sentinel_username,
        .sentinel_password = settings->redis_sentinel_password,
        .nodes = settings->redis_nodes,
        .allowed_addresses = settings->redis_allowed_addresses,
        .sessions = threads,
        .max_connections = (unsigned)settings->redis_max_connections,
        .connect_timeout_ms = settings->redis_connect_timeout_ms,
        .wait_replicas = (unsigned)settings->redis_wait_replicas,
        /* Time is left to bring the answer back. */
        .wait_timeout_ms = settings->cache_deadline_ms * 4 / 5,
        .tls = settings->redis_tls,
        .tls_ca = settings->redis_tls_ca,
        .tls_cert = settings->redis_tls_cert,
        .tls_key = settings->redis_tls_key,
        .tls_server_name = settings->redis_tls_server_name,
        .tls_insecure = !settings->redis_tls_verify,
    };

    return redis_open(&options, error);
}

static struct engine *open_memcached(const struct settings *settings, char **error)
{
    const struct memcached_options options = {
        .servers = settings->memcached_servers,
        .username = settings->memcached_username,
        .password = settings->memcached_password,
        .key_prefix = settings->cache_key_prefix,
        .threads = (unsigned)settings->memcached_threads,
        .connect_timeout_ms = settings->memcached_connect_timeout_ms,
        .dead_server_is_miss = settings->memcached_dead_server == MEMCACHED_DEAD_SERVER_MISS,
        .max_value_bytes = settings->cache_max_value_bytes,
    };

    return memcached_open(&options, error);
}

static struct engine *open_chosen(const struct settings *settings, unsigned threads, char **error)
{
    switch ((enum settings_cache_engine)settings->cache_engine) {
    case CACHE_ENGINE_REDIS:
        return open_redis(settings, threads, error);
    case CACHE_ENGINE_MEMCACHED:
        return open_memcached(settings, error);
    case CACHE_ENGINE_AUTO: /* settled when the settings were made */
    case CACHE_ENGINE_MEMORY:
        break;
    }
    return open_memory(settings);
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

    *error = NULL;
    engine = open_chosen(settings, threads, error);
    if (engine && settings->log_level == LOG_LEVEL_DEBUG)
        engine = trace_open(engine, &trace);
    return engine;
}
