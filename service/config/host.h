/* host.h - host names, addresses, and lists of them, as settings hold them.
 * Threading: pure. */
#pragma once

#include <stdint.h>

#include "service/base/buffer.h"
#include "service/base/bytes.h"

/* The most entries a list may have. */
#define HOST_LIST_MAX 64

/* A host name (letters, digits, `-`, `_`, dots between), an IPv4 address, or
 * an IPv6 address without brackets. What ends in a number must be an address. */
bool host_is_valid(struct bytes host) MUST_CHECK;

/* Reads `host`, `host:port`, `[v6]` or `[v6]:port`. `*host` is without
 * brackets; `*port` is untouched when none is given. On a fault false, and
 * `*why` is a static text that fits behind the value. */
bool host_port_parse(struct bytes text, struct bytes *host, uint64_t *port, const char **why) MUST_CHECK;

/* Appends host and port, an IPv6 address in brackets. */
void host_port_write(struct buffer *out, struct bytes host, uint64_t port);

/* Reads a comma-separated list of host_port_parse() entries and appends it
 * with blanks gone and `default_port` where none was given. */
bool host_list_normalise(struct bytes text, uint64_t default_port, struct buffer *out, const char **why) MUST_CHECK;

/* Checks a comma-separated list of addresses, networks (`10.0.0.0/8`) and host
 * names, and appends it with blanks gone. */
bool net_list_normalise(struct bytes text, struct buffer *out, const char **why) MUST_CHECK;
