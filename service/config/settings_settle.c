/* settings_settle.c - what depends on several settings, Redis apart.
 * Threading: the thread that makes the settings. */
#include "service/config/settings_private.h"

static const char *const engine_words[] = { "auto", "memory", "redis", "memcached" };

static bool redis_is_named(const struct settings *s)
{
    return settings_given(s, OPT_redis_host) || settings_given(s, OPT_redis_url) ||
           settings_given(s, OPT_redis_unix_socket) || settings_given(s, OPT_redis_sentinels) ||
           settings_given(s, OPT_redis_nodes);
}

static void settle_engine(struct settings *s, struct settings_report *report)
{
    bool redis = redis_is_named(s), memcached = settings_given(s, OPT_memcached_servers);

    if (s->cache_engine != CACHE_ENGINE_AUTO)
        return;
    if (redis && memcached)
        settings_report_fault(report, "CACHE_ENGINE: both Redis and Memcached servers are set; "
                                      "choose with CACHE_ENGINE=redis or CACHE_ENGINE=memcached");
    if (redis)
        s->cache_engine = CACHE_ENGINE_REDIS;
    else if (memcached)
        s->cache_engine = CACHE_ENGINE_MEMCACHED;
    else
        s->cache_engine = CACHE_ENGINE_MEMORY;
}

/* A value takes at most half of the memory: one that evicts everything else is
 * no use. Only what was not asked for gives way. */
static void settle_value_limit_memory(struct settings *s, struct settings_report *report)
{
    if (s->cache_engine != CACHE_ENGINE_MEMORY || s->cache_max_value_bytes <= s->memory_max_bytes / 2)
        return;
    if (!settings_given(s, OPT_cache_max_value_bytes)) {
        s->cache_max_value_bytes = s->memory_max_bytes / 2;
        settings_report_note(report, "CACHE_MAX_VALUE_BYTES: lowered to %llu, half of MEMORY_MAX_BYTES",
                             (unsigned long long)s->cache_max_value_bytes);
    } else if (s->cache_max_value_bytes >= s->memory_max_bytes) {
        settings_report_fault(report, "CACHE_MAX_VALUE_BYTES: %llu is not below MEMORY_MAX_BYTES, %llu",
                              (unsigned long long)s->cache_max_value_bytes, (unsigned long long)s->memory_max_bytes);
    }
}

/* A value has to fit into what may be buffered. */
static void settle_value_limit_buffered(struct settings *s, struct settings_report *report)
{
    if (s->cache_max_value_bytes <= s->http_max_buffered_bytes)
        return;
    if (!settings_given(s, OPT_cache_max_value_bytes)) {
        s->cache_max_value_bytes = s->http_max_buffered_bytes;
        settings_report_note(report, "CACHE_MAX_VALUE_BYTES: lowered to %llu, HTTP_MAX_BUFFERED_BYTES",
                             (unsigned long long)s->cache_max_value_bytes);
    } else if (!settings_given(s, OPT_http_max_buffered_bytes)) {
        s->http_max_buffered_bytes = s->cache_max_value_bytes;
        settings_report_note(report, "HTTP_MAX_BUFFERED_BYTES: raised to %llu, CACHE_MAX_VALUE_BYTES",
                             (unsigned long long)s->http_max_buffered_bytes);
    } else {
        settings_report_fault(report, "CACHE_MAX_VALUE_BYTES: %llu is above HTTP_MAX_BUFFERED_BYTES, %llu",
                              (unsigned long long)s->cache_max_value_bytes,
                              (unsigned long long)s->http_max_buffered_bytes);
    }
}

static void check_memcached(const struct settings *s, struct settings_report *report)
{
    if (settings_given(s, OPT_memcached_username) != settings_given(s, OPT_memcached_password))
        settings_report_fault(report, "MEMCACHED_USERNAME, MEMCACHED_PASSWORD: one needs the other");
}

static void settle_access(struct settings *s, struct settings_report *report)
{
    s->has_admin_port = settings_given(s, OPT_admin_port);
    if (s->has_admin_port && s->admin_port != 0 && s->admin_port == s->http_port)
        settings_report_fault(report, "ADMIN_PORT: the same as HTTP_PORT, %llu", (unsigned long long)s->admin_port);
    if (!s->cache_auth && s->cache_tokens_file)
        settings_report_fault(report, "CACHE_AUTH: off together with CACHE_TOKENS_FILE; leave one of them out");
    if (settings_given(s, OPT_http_tls_cert) != settings_given(s, OPT_http_tls_key))
        settings_report_fault(report, "HTTP_TLS_CERT, HTTP_TLS_KEY: one needs the other");
    if (settings_given(s, OPT_http_tls_client_ca) && !settings_given(s, OPT_http_tls_cert))
        settings_report_fault(report, "HTTP_TLS_CLIENT_CA: needs HTTP_TLS_CERT");
    if (settings_given(s, OPT_admin_host) && !s->has_admin_port)
        settings_report_note(report, "ADMIN_HOST: no effect without ADMIN_PORT");
}

bool settings_is_other_engines(const struct settings *s, enum option_id id)
{
    struct bytes name = bytes_str(option_rows[id].name);

    return (bytes_starts_with(name, BYTES("MEMORY_")) && s->cache_engine != CACHE_ENGINE_MEMORY) ||
           (bytes_starts_with(name, BYTES("REDIS_")) && s->cache_engine != CACHE_ENGINE_REDIS) ||
           (bytes_starts_with(name, BYTES("MEMCACHED_")) && s->cache_engine != CACHE_ENGINE_MEMCACHED);
}

static void note_without_effect(const struct settings *s, struct settings_report *report)
{
    for (int id = 0; id < OPTION_COUNT; id++)
        if (settings_given(s, (enum option_id)id) && settings_is_other_engines(s, (enum option_id)id))
            settings_report_note(report, "%s: no effect with the %s engine", option_rows[id].name,
                                 engine_words[s->cache_engine]);
}

void settings_settle(struct settings *s, struct settings_report *report)
{
    settle_engine(s, report);
    settings_settle_redis_url(s, report);
    if (s->cache_engine == CACHE_ENGINE_REDIS)
        settings_settle_redis(s, report);
    if (s->cache_engine == CACHE_ENGINE_MEMCACHED)
        check_memcached(s, report);
    settle_access(s, report);
    settle_value_limit_memory(s, report);
    settle_value_limit_buffered(s, report);
    note_without_effect(s, report);
}
