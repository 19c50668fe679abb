#include "service/config/environment.h"

static bool ends_with(struct bytes s, struct bytes suffix)
{
    return s.len > suffix.len && bytes_equal(bytes_of(s.ptr + s.len - suffix.len, suffix.len), suffix);
}

bool environment_is_reserved(struct bytes name)
{
    static const char *const prefixes[] = { "HTTP_", "CACHE_", "MEMORY_", "REDIS_", "MEMCACHED_", "LOG_", "ADMIN_" };

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (bytes_starts_with(name, bytes_str(prefixes[i])))
            return true;
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct bytes skip(struct bytes s, size_t len)
{
    return bytes_of(s.ptr + len, s.len - len);
}

/* `tcp://10.0.0.1:6379`, `udp://[fd00::1]:53`. */
static bool is_endpoint(struct bytes value)
{
    static const char *const schemes[] = { "tcp://", "udp://", "sctp://" };

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (!bytes_starts_with(value, bytes_str(schemes[i])))
            continue;
        value = skip(value, strlen(schemes[i]));
        for (size_t j = 0; j < value.len; j++)
            if (!memchr("0123456789abcdefABCDEF.:[]", value.ptr[j], 26))
                return false;
        return value.len > 0 && is_digit(value.ptr[value.len - 1]);
    }
    return false;
}

/* What follows `_PORT_`: digits, protocol, and perhaps which part. */
static bool is_port_part(struct bytes rest)
{
    static const char *const protocols[] = { "_TCP", "_UDP", "_SCTP" };
    static const char *const parts[] = { "", "_PROTO", "_PORT", "_ADDR" };
    size_t digits = 0;

    while (digits < rest.len && is_digit(rest.ptr[digits]))
        digits++;
    if (digits == 0)
        return false;
    rest = skip(rest, digits);
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        if (!bytes_starts_with(rest, bytes_str(protocols[i])))
            continue;
        struct bytes part = skip(rest, strlen(protocols[i]));

        for (size_t j = 0; j < sizeof parts / sizeof parts[0]; j++)
            if (bytes_equal(part, bytes_str(parts[j])))
                return true;
    }
    return false;
}

/* Looks behind each `marker` in `name`, which may be part of a Service's name,
 * too. */
static bool has_behind(struct bytes name, struct bytes marker, bool (*fits)(struct bytes rest))
{
    for (size_t at = 1; at + marker.len <= name.len; at++)
        if (bytes_starts_with(skip(name, at), marker) && fits(skip(name, at + marker.len)))
            return true;
    return false;
}

static bool is_not_empty(struct bytes rest)
{
    return rest.len > 0;
}

bool environment_is_injected(struct bytes name, struct bytes value)
{
    if (ends_with(name, BYTES("_SERVICE_HOST")) || ends_with(name, BYTES("_SERVICE_PORT")))
        return true;
    if (ends_with(name, BYTES("_PORT")) && is_endpoint(value))
        return true;
    return has_behind(name, BYTES("_SERVICE_PORT_"), is_not_empty) || has_behind(name, BYTES("_PORT_"), is_port_part);
}

bool environment_is_foreign(struct bytes name)
{
    static const char *const names[] = { "HTTP_PROXY", "CACHE_DIRECTORY", "LOG_NAMESPACE", "MEMORY_PRESSURE_WATCH",
                                         "MEMORY_PRESSURE_WRITE" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (bytes_equal(name, bytes_str(names[i])))
            return true;
    return false;
}
