/* tls_client.h - the client's side of TLS, for `cubby --probe`; the only
 * includer of gnutls is tls_client.c, beside tls.c.
 *
 * Whom it speaks to is not verified: a probe asks whether somebody answers, and
 * has nothing to keep from him.
 *
 * Ownership: the client is its caller's, and so is the descriptor.
 * Threading: none; calls block. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "service/base/bytes.h"

struct tls_client;

/* A client on `fd`, connected and blocking, which outlives it, to talk to
 * `host`, a name or an address. `cert` and `key` are PEM files with what is
 * shown to a server that asks for a certificate; NULL: none is. NULL when out
 * of memory or when the files cannot be read, and `*error` a static text. */
struct tls_client *tls_client_create(int fd, const char *host, const char *cert, const char *key,
                                     const char **error) MUST_CHECK;

/* Shakes hands. False: `*error` says what came instead. */
bool tls_client_open(struct tls_client *client, const char **error) MUST_CHECK;

/* All of `bytes`. */
bool tls_client_send(struct tls_client *client, struct bytes bytes, const char **error) MUST_CHECK;

/* How many bytes came, up to `size`; 0: the end; below: `*error` says why. With
 * TLS 1.3 a server says only here that it does not take the certificate. */
ssize_t tls_client_receive(struct tls_client *client, char *out, size_t size, const char **error) MUST_CHECK;

void tls_client_destroy(struct tls_client *client); /* NULL is allowed */
