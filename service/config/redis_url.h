/* redis_url.h - REDIS_URL in its parts.
 *
 *   redis://[[user]:password@]host[:port][/db]      rediss:// for TLS
 *   unix://[[user]:password@]/path[?db=n]
 *
 * as IANA's provisional registration of the scheme "redis" has it; user,
 * password and path are percent-decoded (RFC 3986 section 2.1).
 * Threading: pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "service/base/bytes.h"

struct redis_url {
    bool tls;
    bool has_db;
    uint64_t port; /* 0: not given */
    uint64_t db;
    char *username; /* NULL where not given, as the following */
    char *password;
    char *host;
    char *socket; /* unix:// only, and then no host */
};

/* False on a fault, with a static text that holds nothing of the URL and fits
 * behind "the value". redis_url_release() is due either way. */
bool redis_url_parse(const char *text, struct redis_url *url, const char **why) MUST_CHECK;

/* Wipes and frees the parts. */
void redis_url_release(struct redis_url *url);
