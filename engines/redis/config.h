/* config.h - options, validated and owned; read-only while the engine lives. */
#pragma once

#include "engines/redis/address.h"
#include "engines/redis/keys.h"
#include "engines/redis/redis.h"

/* How one connection introduces itself. Strings may be NULL. */
struct redis_greeting {
    const char *username, *password, *client_name;
    unsigned db;
    bool scripts;       /* load them */
    bool expect_master; /* ROLE must say so */
};

struct redis_config {
    enum redis_mode mode;
    char *prefix, *username, *password, *client_name;
    char *master_name, *sentinel_username, *sentinel_password;
    char *tls_ca, *tls_cert, *tls_key, *tls_server_name;
    bool tls, tls_insecure;
    struct redis_tls *tls_context; /* NULL without TLS */
    unsigned db;
    struct redis_keys keys;
    /* The server, the Sentinels or the cluster's seeds. */
    struct redis_endpoint *endpoints;
    size_t endpoint_count;
    struct redis_allow allow;
    struct redis_greeting greeting;          /* of data servers */
    struct redis_greeting sentinel_greeting; /* of Sentinels */
    unsigned links_per_node;  /* connections of a session to one server */
    unsigned max_connections; /* of the process; 0: not bounded by a setting */
    uint64_t connect_timeout_ns;
    unsigned wait_replicas;
    uint64_t wait_timeout_ms;
};

/* NULL: `*error` is a text to free(). */
struct redis_config *redis_config_create(const struct redis_options *options, char **error) MUST_CHECK;
void redis_config_destroy(struct redis_config *config); /* NULL is allowed */
