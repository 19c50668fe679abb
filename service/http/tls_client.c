#include "service/http/tls_client.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

#include "service/http/tls.h"

struct tls_client {
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
};

static bool is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static int prepare(struct tls_client *client, int fd, const char *host, const char *cert, const char *key)
{
    /* Its one certificate is shown whatever authorities the server names. */
    int code = gnutls_init(&client->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL | GNUTLS_FORCE_CLIENT_CERT);

    if (code == 0)
        code = gnutls_certificate_allocate_credentials(&client->credentials);
    if (code == 0 && cert)
        code = gnutls_certificate_set_x509_key_file2(client->credentials, cert, key, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (code >= 0)
        code = gnutls_priority_set_direct(client->session, HTTP_TLS_PRIORITIES, NULL);
    if (code == 0)
        code = gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->credentials);
    /* An address is no server name (RFC 6066 section 3). */
    if (code == 0 && !is_address(host))
        code = gnutls_server_name_set(client->session, GNUTLS_NAME_DNS, host, strlen(host));
    if (code == 0)
        gnutls_transport_set_int(client->session, fd);
    return code;
}

struct tls_client *tls_client_create(int fd, const char *host, const char *cert, const char *key, const char **error)
{
    struct tls_client *client = calloc(1, sizeof *client);
    int code = client ? prepare(client, fd, host, cert, key) : GNUTLS_E_MEMORY_ERROR;

    if (code == 0)
        return client;
    *error = gnutls_strerror(code);
    tls_client_destroy(client);
    return NULL;
}

/* What the other side said goes before what the library makes of it. */
static const char *reason(const struct tls_client *client, ssize_t code)
{
    const char *alert = NULL;

    if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
        alert = gnutls_alert_get_name(gnutls_alert_get(client->session));
    return alert ? alert : gnutls_strerror((int)code);
}

static bool goes_on(ssize_t code)
{
    return code < 0 && !gnutls_error_is_fatal((int)code);
}

bool tls_client_open(struct tls_client *client, const char **error)
{
    int code;

    do
        code = gnutls_handshake(client->session);
    while (goes_on(code));
    if (code < 0)
        *error = reason(client, code);
    return code == 0;
}

bool tls_client_send(struct tls_client *client, struct bytes bytes, const char **error)
{
    while (bytes.len > 0) {
        ssize_t code = gnutls_record_send(client->session, bytes.ptr, bytes.len);

        if (code < 0 && !goes_on(code)) {
            *error = reason(client, code);
            return false;
        }
        if (code > 0)
            bytes = bytes_of(bytes.ptr + code, bytes.len - (size_t)code);
    }
    return true;
}

ssize_t tls_client_receive(struct tls_client *client, char *out, size_t size, const char **error)
{
    ssize_t code;

    do
        code = gnutls_record_recv(client->session, out, size);
    while (goes_on(code));
    if (code < 0)
        *error = reason(client, code);
    return code;
}

void tls_client_destroy(struct tls_client *client)
{
    if (!client)
        return;
    if (client->session)
        gnutls_deinit(client->session);
    if (client->credentials)
        gnutls_certificate_free_credentials(client->credentials);
    free(client);
}
