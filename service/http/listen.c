/* listen.c - the sockets that are listened on.
 * Threading: the acceptor's. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/http/private.h"

/* How often a free port is looked for that is free at all addresses. */
#define TRIES 16

/* ---- One address ---- */

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons(port);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

/* `alone`: no other address is listened on beside it; else one of version 6
 * leaves version 4 to the others. -1 with errno. */
static int listen_at(const struct addrinfo *info, uint16_t port, bool alone)
{
    struct sockaddr_storage address = { 0 };
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, info->ai_protocol);
    int on = 1;

    if (fd < 0)
        return -1;
    memcpy(&address, info->ai_addr, info->ai_addrlen);
    set_port(&address, port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!alone && info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, info->ai_addrlen) == 0 && listen(fd, HTTP_BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* ---- All of a name ---- */

static bool is_there_before(const struct addrinfo *first, const struct addrinfo *at)
{
    for (; first != at; first = first->ai_next)
        if (first->ai_addrlen == at->ai_addrlen && memcmp(first->ai_addr, at->ai_addr, at->ai_addrlen) == 0)
            return true;
    return false;
}

static bool is_not_here(int code)
{
    return code == EAFNOSUPPORT || code == EADDRNOTAVAIL;
}

/* False: `*why` is why, and `*at` the address. */
static bool listen_at_all(struct http_listener *listener, const struct addrinfo *addresses, uint16_t port,
                          const struct addrinfo **at, int *why)
{
    *why = EADDRNOTAVAIL;
    listener->port = port;
    for (*at = addresses; *at; *at = (*at)->ai_next) {
        int fd;

        if (listener->count == HTTP_SOCKETS_MAX || is_there_before(addresses, *at))
            continue;
        fd = listen_at(*at, listener->port, !addresses->ai_next);
        if (fd >= 0) {
            listener->sockets[listener->count++] = (struct http_socket){ .listener = listener, .fd = fd };
            listener->port = port_of(fd);
        } else if (!is_not_here(errno)) {
            *why = errno;
            return false;
        } else {
            *why = errno;
        }
    }
    *at = addresses;
    return listener->count > 0;
}

static char *say(const char *host, uint16_t port, const struct addrinfo *at, const char *why)
{
    char address[NI_MAXHOST] = "", *text;

    if (at && getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST) != 0)
        address[0] = '\0';
    if (address[0] == '\0' || strcmp(address, host) == 0)
        return asprintf(&text, "cannot listen on %s port %u: %s", host, port, why) < 0 ? NULL : text;
    return asprintf(&text, "cannot listen on %s (%s) port %u: %s", host, address, port, why) < 0 ? NULL : text;
}

bool http_listen(struct http_listener *listener, const char *host, uint16_t port, char **error)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    const struct addrinfo *at = NULL;
    struct addrinfo *addresses = NULL;
    int failure = getaddrinfo(host, NULL, &hints, &addresses), why = 0, tries = port == 0 ? TRIES : 1;
    bool good = false;

    while (failure == 0 && !good && tries-- > 0) {
        good = listen_at_all(listener, addresses, port, &at, &why);
        if (!good)
            http_listen_close(listener);
        if (why != EADDRINUSE)
            break;
    }
    if (!good)
        *error = say(host, port, at, failure != 0 ? gai_strerror(failure) : strerror(why));
    if (addresses)
        freeaddrinfo(addresses);
    return good;
}

void http_listen_close(struct http_listener *listener)
{
    for (unsigned i = 0; i < listener->count; i++) {
        loop_io_remove(listener->sockets[i].io);
        close(listener->sockets[i].fd);
    }
    listener->count = 0;
}
