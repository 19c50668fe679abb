/* tls.h - TLS settings of the engine, shared by all its connections.
 *
 * A thin face over hiredis_ssl; without it (hiredis 0.14) there is nothing to
 * create, and redis_config_create() has refused REDIS_TLS=on already.
 * Threading: read-only after creation. */
#pragma once

#include <stdbool.h>

struct redisContext;
struct redis_tls;

struct redis_tls_files {
    const char *ca, *cert, *key; /* NULL: the system's authorities; no client certificate */
    const char *server_name;     /* NULL: the host that is connected to */
    bool insecure;
};

/* NULL: `*error` is a static text. */
struct redis_tls *redis_tls_create(const struct redis_tls_files *files, const char **error);
void redis_tls_destroy(struct redis_tls *tls); /* NULL is allowed */

/* Begins the handshake on a connected context; it goes on as bytes are read
 * and written. */
bool redis_tls_start(struct redis_tls *tls, struct redisContext *redis, const char *host);
