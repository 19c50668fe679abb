#include "service/http/tls.h"

#include <gnutls/gnutls.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct http_tls {
    _Atomic unsigned refs;
    gnutls_certificate_credentials_t credentials;
    bool asks_clients;
};

static bool fail(char **error, const char *name, const char *path, int code)
{
    if (asprintf(error, "%s: %s: %s", name, path, code == 0 ? "holds no certificate" : gnutls_strerror(code)) < 0)
        *error = NULL;
    return false;
}

static bool fill(struct http_tls *tls, const char *cert, const char *key, const char *client_ca, char **error)
{
    int code = gnutls_certificate_set_x509_key_file2(tls->credentials, cert, key, GNUTLS_X509_FMT_PEM, NULL, 0);

    if (code < 0)
        return fail(error, "HTTP_TLS_CERT, HTTP_TLS_KEY", cert, code);
    if (!client_ca)
        return true;
    tls->asks_clients = true;
    code = gnutls_certificate_set_x509_trust_file(tls->credentials, client_ca, GNUTLS_X509_FMT_PEM);
    return code > 0 || fail(error, "HTTP_TLS_CLIENT_CA", client_ca, code);
}

struct http_tls *http_tls_read(const char *cert, const char *key, const char *client_ca, char **error)
{
    struct http_tls *tls = calloc(1, sizeof *tls);

    *error = NULL;
    if (!tls)
        return NULL;
    atomic_init(&tls->refs, 1);
    if (gnutls_certificate_allocate_credentials(&tls->credentials) != 0) {
        free(tls);
        return NULL;
    }
    if (fill(tls, cert, key, client_ca, error))
        return tls;
    http_tls_unref(tls);
    return NULL;
}

struct http_tls *http_tls_ref(struct http_tls *tls)
{
    atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
    return tls;
}

void http_tls_unref(struct http_tls *tls)
{
    if (!tls || atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) != 1)
        return;
    gnutls_certificate_free_credentials(tls->credentials);
    free(tls);
}

void http_tls_equip(struct http_tls *tls, void *opaque)
{
    gnutls_session_t session = opaque;

    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
    if (!tls->asks_clients)
        return;
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
    gnutls_session_set_verify_cert(session, NULL, 0);
}

void http_tls_send(void *opaque, const char *text, size_t len)
{
    (void)!gnutls_record_send((gnutls_session_t)opaque, text, len);
}

int http_tls_no_certificate(void)
{
    return -1;
}
