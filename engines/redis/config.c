#include "engines/redis/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engines/redis/hiredis_compat.h"
#include "engines/redis/tls.h"
#include "service/base/clock.h"

enum { ENDPOINTS_MAX = 64, LINKS_MAX = 8 };

static bool is_set(const char *string)
{
    return string && string[0];
}

__attribute__((format(printf, 2, 3))) static bool fail(char **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(error, format, arguments) < 0)
        *error = NULL;
    va_end(arguments);
    return false;
}

/* Copies what is set; false when out of memory. */
static bool copy(char **out, const char *string)
{
    if (!is_set(string))
        return true;
    free(*out);
    *out = strdup(string);
    return *out != NULL;
}

static bool copy_strings(struct redis_config *config, const struct redis_options *options)
{
    return copy(&config->prefix, is_set(options->key_prefix) ? options->key_prefix : "cubby") &&
           copy(&config->username, options->username) && copy(&config->password, options->password) &&
           copy(&config->client_name, options->client_name) && copy(&config->master_name, options->master_name) &&
           copy(&config->sentinel_username, options->sentinel_username) &&
           copy(&config->sentinel_password, options->sentinel_password) &&
           copy(&config->tls_ca, options->tls_ca) && copy(&config->tls_cert, options->tls_cert) &&
           copy(&config->tls_key, options->tls_key) && copy(&config->tls_server_name, options->tls_server_name);
}

static struct redis_endpoint *add_endpoint(struct redis_config *config)
{
    struct redis_endpoint *grown;

    if (config->endpoint_count == ENDPOINTS_MAX)
        return NULL;
    grown = realloc(config->endpoints, (config->endpoint_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    config->endpoints = grown;
    grown += config->endpoint_count++;
    *grown = (struct redis_endpoint){ .port = 0 };
    return grown;
}

static bool take_list(struct redis_config *config, const char *name, const char *list, uint16_t port, char **error)
{
    struct bytes rest = bytes_str(list);

    if (!is_set(list))
        return fail(error, "%s must be set in this REDIS_MODE", name);
    while (rest.ptr) {
        struct bytes part = bytes_trim(bytes_cut(&rest, ','));
        struct redis_endpoint *endpoint = add_endpoint(config);
        if (!endpoint)
            return fail(error, "%s: more than %d servers", name, ENDPOINTS_MAX);
        if (!redis_endpoint_parse(part, port, endpoint))
            return fail(error, "%s: \"%.*s\" is not host:port", name, (int)part.len, part.ptr);
    }
    return true;
}

static bool take_host(struct redis_config *config, const struct redis_options *options, char **error)
{
    const char *host = is_set(options->host) ? options->host : "127.0.0.1";
    struct redis_endpoint *endpoint = add_endpoint(config);

    if (!endpoint)
        return fail(error, "out of memory");
    if (is_set(options->unix_socket)) {
        /* sun_path, see unix(7) */
        if (strlen(options->unix_socket) > 107 || !redis_endpoint_set(endpoint, bytes_str(options->unix_socket), 0))
            return fail(error, "REDIS_UNIX_SOCKET: the path is too long");
        return true;
    }
    if (!redis_endpoint_set(endpoint, bytes_str(host), options->port ? options->port : 6379))
        return fail(error, "REDIS_HOST: too long");
    return true;
}

static bool take_endpoints(struct redis_config *config, const struct redis_options *options, char **error)
{
    switch (config->mode) {
    case REDIS_SENTINEL:
        if (!is_set(options->master_name))
            return fail(error, "REDIS_MASTER_NAME must be set in REDIS_MODE=sentinel");
        return take_list(config, "REDIS_SENTINELS", options->sentinels, 26379, error);
    case REDIS_CLUSTER:
        if (config->db != 0)
            return fail(error, "REDIS_DB: a cluster has database 0 only");
        return take_list(config, "REDIS_NODES", options->nodes, 6379, error);
    case REDIS_STANDALONE:
    default:
        return take_host(config, options, error);
    }
}

static bool open_tls(struct redis_config *config, char **error)
{
    struct redis_tls_files files = { config->tls_ca, config->tls_cert, config->tls_key, config->tls_server_name,
                                     config->tls_insecure };
    const char *fault;

    if (!config->tls)
        return true;
    if (!REDIS_HAS_TLS)
        return fail(error, "REDIS_TLS=on: this build's hiredis has no TLS");
    if (is_set(config->tls_cert) != is_set(config->tls_key))
        return fail(error, "REDIS_TLS_CERT and REDIS_TLS_KEY must be set together");
    config->tls_context = redis_tls_create(&files, &fault);
    return config->tls_context || fail(error, "%s", fault);
}

/* How many connections a session keeps to one server. */
static bool share_connections(struct redis_config *config, const struct redis_options *options, char **error)
{
    unsigned sessions = options->sessions ? options->sessions : 1;

    config->max_connections = options->max_connections;
    config->links_per_node = config->mode == REDIS_CLUSTER ? 1 : 2;
    if (options->max_connections == 0)
        return true;
    if (options->max_connections < sessions)
        return fail(error, "REDIS_MAX_CONNECTIONS=%u: at least one for each of the %u threads",
                    options->max_connections, sessions);
    if (config->mode != REDIS_CLUSTER)
        config->links_per_node = options->max_connections / sessions;
    if (config->links_per_node > LINKS_MAX)
        config->links_per_node = LINKS_MAX;
    return true;
}

static bool fill(struct redis_config *config, const struct redis_options *options, char **error)
{
    struct bytes fault;

    config->mode = options->mode;
    config->db = options->db;
    config->tls = options->tls;
    config->tls_insecure = options->tls_insecure;
    config->wait_replicas = options->wait_replicas;
    config->wait_timeout_ms = options->wait_timeout_ms ? options->wait_timeout_ms : 400;
    config->connect_timeout_ns = (options->connect_timeout_ms ? options->connect_timeout_ms : 1000) * NS_PER_MS;
    if (!copy_strings(config, options))
        return fail(error, "out of memory");
    if (!redis_keys_prefix_is_good(bytes_str(config->prefix)))
        return fail(error, "CACHE_KEY_PREFIX: 1 to %d characters other than blanks and : { } * ? [ ] \\",
                    KEYS_PREFIX_MAX);
    if (!take_endpoints(config, options, error) || !open_tls(config, error) ||
        !share_connections(config, options, error))
        return false;
    if (is_set(options->allowed_addresses) &&
        !redis_allow_parse(&config->allow, bytes_str(options->allowed_addresses), &fault))
        return fail(error, "REDIS_ALLOWED_ADDRESSES: \"%.*s\" is no address, network or name", (int)fault.len,
                    fault.ptr);
    redis_keys_init(&config->keys, bytes_str(config->prefix), config->mode == REDIS_CLUSTER);
    config->greeting = (struct redis_greeting){
        .username = config->username, .password = config->password, .client_name = config->client_name,
        .db = config->db, .scripts = true, .expect_master = config->mode == REDIS_SENTINEL,
    };
    config->sentinel_greeting = (struct redis_greeting){
        .username = config->sentinel_username, .password = config->sentinel_password,
        .client_name = config->client_name,
    };
    return true;
}

struct redis_config *redis_config_create(const struct redis_options *options, char **error)
{
    struct redis_config *config = calloc(1, sizeof *config);

    *error = NULL;
    if (!config) {
        fail(error, "out of memory");
        return NULL;
    }
    if (!fill(config, options, error)) {
        redis_config_destroy(config);
        return NULL;
    }
    return config;
}

void redis_config_destroy(struct redis_config *config)
{
    if (!config)
        return;
    free(config->prefix);
    free(config->username);
    free(config->password);
    free(config->client_name);
    free(config->master_name);
    free(config->sentinel_username);
    free(config->sentinel_password);
    free(config->tls_ca);
    free(config->tls_cert);
    free(config->tls_key);
    free(config->tls_server_name);
    free(config->endpoints);
    redis_tls_destroy(config->tls_context);
    redis_allow_release(&config->allow);
    free(config);
}
