/* address.h - where servers are, and where we let ourselves be sent.
 *
 * Threading: plain values; an allow list is read-only once parsed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "service/base/bytes.h"

#define REDIS_HOST_MAX 255

struct redis_endpoint {
    char host[REDIS_HOST_MAX + 1]; /* a name, an address, or the path of a socket */
    uint16_t port;                 /* 0: `host` is a path */
    bool told; /* a server told us, it was not configured: must be allowed */
};

/* "host", "host:port", "[v6]", "[v6]:port", or a bare IPv6 address. False on
 * anything else, or a host too long for an endpoint. */
bool redis_endpoint_parse(struct bytes text, uint16_t default_port, struct redis_endpoint *out) MUST_CHECK;

bool redis_endpoint_set(struct redis_endpoint *endpoint, struct bytes host, unsigned port) MUST_CHECK;

bool redis_endpoint_equal(const struct redis_endpoint *a, const struct redis_endpoint *b);

/* "host:port" for logs, cut where it does not fit. */
void redis_endpoint_name(const struct redis_endpoint *endpoint, char *out, size_t size);

/* ---- Allowed addresses ---- */

struct redis_network {
    int family;
    unsigned char address[16];
    unsigned bits;
};

struct redis_allow {
    struct redis_network *networks;
    size_t network_count;
    char **names; /* lower case; a leading or trailing '*' stands for anything */
    size_t name_count;
};

/* A list of addresses, networks (10.0.0.0/8) and names separated by commas.
 * False: out of memory, or `*fault` is the part that is wrong. */
bool redis_allow_parse(struct redis_allow *allow, struct bytes list, struct bytes *fault) MUST_CHECK;
void redis_allow_release(struct redis_allow *allow);

/* An empty list allows everything. `host` is what the server told, `address`
 * what it resolved to. */
bool redis_allow_permits(const struct redis_allow *allow, const char *host, const struct sockaddr *address);
