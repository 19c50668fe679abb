#include "engines/redis/tls.h"

#include <stdlib.h>

#include "engines/redis/hiredis_compat.h"

#if REDIS_HAS_TLS

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct redis_tls {
    SSL_CTX *context;
    struct redis_tls_files files; /* strings are the configuration's */
};

static const char *configure(SSL_CTX *context, const struct redis_tls_files *files)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, files->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (files->ca ? !SSL_CTX_load_verify_locations(context, files->ca, NULL)
                  : !SSL_CTX_set_default_verify_paths(context))
        return "REDIS_TLS_CA: cannot be read";
    if (!files->cert)
        return NULL;
    if (SSL_CTX_use_certificate_chain_file(context, files->cert) != 1)
        return "REDIS_TLS_CERT: cannot be read";
    if (SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return "REDIS_TLS_KEY: cannot be read, or is not the certificate's";
    return NULL;
}

struct redis_tls *redis_tls_create(const struct redis_tls_files *files, const char **error)
{
    struct redis_tls *tls = calloc(1, sizeof *tls);

    *error = "out of memory";
    if (!tls)
        return NULL;
    tls->files = *files;
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context)
        *error = configure(tls->context, files);
    if (*error) {
        redis_tls_destroy(tls);
        return NULL;
    }
    return tls;
}

void redis_tls_destroy(struct redis_tls *tls)
{
    if (tls)
        SSL_CTX_free(tls->context);
    free(tls);
}

/* hiredis verifies the chain only; the name is OpenSSL's part. */
static bool expect_name(SSL *ssl, const char *name)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
        return true;
    return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

bool redis_tls_start(struct redis_tls *tls, struct redisContext *redis, const char *host)
{
    SSL *ssl = SSL_new(tls->context);

    if (!ssl)
        return false;
    /* hiredis takes `ssl` over when it succeeds, and only then. */
    if (expect_name(ssl, tls->files.server_name ? tls->files.server_name : host) &&
        redisInitiateSSL(redis, ssl) == REDIS_OK)
        return true;
    SSL_free(ssl);
    return false;
}

#else

struct redis_tls *redis_tls_create(const struct redis_tls_files *files, const char **error)
{
    (void)files;
    *error = "this build's hiredis has no TLS";
    return NULL;
}

void redis_tls_destroy(struct redis_tls *tls)
{
    (void)tls;
}

bool redis_tls_start(struct redis_tls *tls, struct redisContext *redis, const char *host)
{
    (void)tls;
    (void)redis;
    (void)host;
    return false;
}

#endif
