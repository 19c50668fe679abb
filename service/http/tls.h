/* tls.h - certificates for the server's side of TLS; the only includer of
 * gnutls is tls.c.
 *
 * libmicrohttpd makes a session for each connection and drives it; which
 * certificate it shows and which clients it takes is given to the session when
 * the connection is new. A change of the files makes a new struct http_tls;
 * sessions that have begun keep the one that they began with.
 *
 * Ownership: counted references. Threading: immutable but for the count. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "service/base/bytes.h"

/* TLS 1.2 and 1.3 (RFC 9325 section 3.1.1). */
#define HTTP_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

struct http_tls;

/* Reads PEM files: the chain, its key, and the authorities of which every
 * client must show a certificate (NULL: none is asked for). NULL, and `*error`
 * a text to free() or NULL for want of memory, when one of them cannot be read
 * or the key is not the certificate's. */
struct http_tls *http_tls_read(const char *cert, const char *key, const char *client_ca, char **error) MUST_CHECK;

struct http_tls *http_tls_ref(struct http_tls *tls);
void http_tls_unref(struct http_tls *tls); /* NULL is allowed */

/* Gives a new session, libmicrohttpd's, what it needs for its handshake. `tls`
 * must outlive the handshake. */
void http_tls_equip(struct http_tls *tls, void *session);

/* Sends a short text on a session whose handshake is over and that has nothing
 * else to send; else nothing. */
void http_tls_send(void *session, const char *text, size_t len);

/* For libmicrohttpd, which asks for a source of certificates; never called. */
int http_tls_no_certificate(void);
