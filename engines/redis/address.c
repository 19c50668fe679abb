#include "engines/redis/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* ---- Endpoints ---- */

bool redis_endpoint_set(struct redis_endpoint *endpoint, struct bytes host, unsigned port)
{
    if (host.len == 0 || host.len > REDIS_HOST_MAX || port > UINT16_MAX || memchr(host.ptr, 0, host.len))
        return false;
    *endpoint = (struct redis_endpoint){ .port = (uint16_t)port };
    memcpy(endpoint->host, host.ptr, host.len);
    return true;
}

static bool parse_port(struct bytes text, unsigned long long *port)
{
    return bytes_to_u64(text, UINT16_MAX, port) && *port > 0;
}

bool redis_endpoint_parse(struct bytes text, uint16_t default_port, struct redis_endpoint *out)
{
    struct bytes host = text, rest = BYTES_NONE;
    unsigned long long port = default_port;
    const char *colon;

    if (text.len > 0 && text.ptr[0] == '[') {
        const char *end = memchr(text.ptr, ']', text.len);
        if (!end)
            return false;
        host = bytes_of(text.ptr + 1, (size_t)(end - text.ptr) - 1);
        rest = bytes_of(end + 1, text.len - host.len - 2);
        if (rest.len > 0 && rest.ptr[0] != ':')
            return false;
    } else if (text.len > 0 && (colon = memchr(text.ptr, ':', text.len)) != NULL) {
        size_t before = (size_t)(colon - text.ptr);
        /* Two colons without brackets: an IPv6 address and no port. */
        if (!memchr(colon + 1, ':', text.len - before - 1)) {
            host.len = before;
            rest = bytes_of(colon, text.len - before);
        }
    }
    if (rest.len > 0 && !parse_port(bytes_of(rest.ptr + 1, rest.len - 1), &port))
        return false;
    for (size_t i = 0; i < host.len; i++)
        if ((unsigned char)host.ptr[i] <= ' ' || strchr("/@?#\\", host.ptr[i]))
            return false;
    return redis_endpoint_set(out, host, (unsigned)port);
}

bool redis_endpoint_equal(const struct redis_endpoint *a, const struct redis_endpoint *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

void redis_endpoint_name(const struct redis_endpoint *endpoint, char *out, size_t size)
{
    if (endpoint->port == 0)
        snprintf(out, size, "%s", endpoint->host);
    else if (strchr(endpoint->host, ':'))
        snprintf(out, size, "[%s]:%u", endpoint->host, (unsigned)endpoint->port);
    else
        snprintf(out, size, "%s:%u", endpoint->host, (unsigned)endpoint->port);
}

/* ---- Allowed addresses ---- */

static bool parse_network(struct bytes text, struct redis_network *out)
{
    char buffer[64];
    struct bytes rest = text, address = bytes_cut(&rest, '/');
    unsigned long long bits = 0;
    unsigned most;

    if (address.len >= sizeof buffer)
        return false;
    memcpy(buffer, address.ptr, address.len);
    buffer[address.len] = 0;
    *out = (struct redis_network){ .family = AF_INET };
    if (inet_pton(AF_INET, buffer, out->address) != 1) {
        out->family = AF_INET6;
        if (inet_pton(AF_INET6, buffer, out->address) != 1)
            return false;
    }
    most = out->family == AF_INET ? 32 : 128;
    if (rest.ptr && !bytes_to_u64(rest, most, &bits))
        return false;
    out->bits = rest.ptr ? (unsigned)bits : most;
    return true;
}

static bool name_is_good(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool star = c == '*' && (i == 0 || i == name.len - 1);
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!star && !letter && c != '.' && c != '-' && c != '_')
            return false;
    }
    return name.len > 0 && name.len <= REDIS_HOST_MAX;
}

static bool add_part(struct redis_allow *allow, struct bytes part)
{
    struct redis_network network;

    if (parse_network(part, &network)) {
        struct redis_network *grown =
            realloc(allow->networks, (allow->network_count + 1) * sizeof *allow->networks);
        if (!grown)
            return false;
        allow->networks = grown;
        allow->networks[allow->network_count++] = network;
        return true;
    }
    if (!name_is_good(part))
        return false;
    char **names = realloc(allow->names, (allow->name_count + 1) * sizeof *names);
    if (!names)
        return false;
    allow->names = names;
    names[allow->name_count] = strndup(part.ptr, part.len);
    if (!names[allow->name_count])
        return false;
    allow->name_count++;
    return true;
}

bool redis_allow_parse(struct redis_allow *allow, struct bytes list, struct bytes *fault)
{
    *allow = (struct redis_allow){ .networks = NULL };
    while (list.ptr && list.len > 0) {
        struct bytes part = bytes_trim(bytes_cut(&list, ','));
        if (!add_part(allow, part)) {
            *fault = part;
            redis_allow_release(allow);
            return false;
        }
    }
    return true;
}

void redis_allow_release(struct redis_allow *allow)
{
    for (size_t i = 0; i < allow->name_count; i++)
        free(allow->names[i]);
    free(allow->names);
    free(allow->networks);
    *allow = (struct redis_allow){ .networks = NULL };
}

static bool name_matches(const char *pattern, const char *host)
{
    size_t pattern_len = strlen(pattern), host_len = strlen(host);

    if (pattern[0] == '*') {
        pattern_len--;
        return host_len >= pattern_len && strcasecmp(pattern + 1, host + host_len - pattern_len) == 0;
    }
    if (pattern_len > 0 && pattern[pattern_len - 1] == '*')
        return strncasecmp(pattern, host, pattern_len - 1) == 0;
    return strcasecmp(pattern, host) == 0;
}

static bool network_holds(const struct redis_network *network, const struct sockaddr *address)
{
    const unsigned char *bytes;
    unsigned whole = network->bits / 8, left = network->bits % 8;

    if (address->sa_family != network->family)
        return false;
    if (network->family == AF_INET)
        bytes = (const unsigned char *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    else
        bytes = (const unsigned char *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (memcmp(bytes, network->address, whole) != 0)
        return false;
    return left == 0 || (bytes[whole] ^ network->address[whole]) >> (8 - left) == 0;
}

bool redis_allow_permits(const struct redis_allow *allow, const char *host, const struct sockaddr *address)
{
    if (allow->network_count == 0 && allow->name_count == 0)
        return true;
    for (size_t i = 0; i < allow->name_count; i++)
        if (name_matches(allow->names[i], host))
            return true;
    for (size_t i = 0; i < allow->network_count; i++)
        if (address && network_holds(&allow->networks[i], address))
            return true;
    return false;
}
