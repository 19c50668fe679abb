#include "service/config/host.h"

#include <arpa/inet.h>

#define HOST_NAME_MAX_LEN 255

/* Bits of an address of that family, 0 when `text` is none. */
static unsigned address_bits(struct bytes text)
{
    char copy[INET6_ADDRSTRLEN + 1];
    unsigned char address[16];

    if (text.len >= sizeof copy || memchr(text.ptr, '\0', text.len))
        return 0;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, address) == 1)
        return 32;
    return inet_pton(AF_INET6, copy, address) == 1 ? 128 : 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

static bool label_is_valid(struct bytes label)
{
    if (label.len == 0 || label.len > 63 || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!is_name_char(label.ptr[i]))
            return false;
    return true;
}

static bool all_digits(struct bytes label)
{
    for (size_t i = 0; i < label.len; i++)
        if (!is_digit(label.ptr[i]))
            return false;
    return true;
}

bool host_is_valid(struct bytes host)
{
    struct bytes rest = host, label = BYTES_NONE;

    if (host.len == 0 || host.len > HOST_NAME_MAX_LEN)
        return false;
    if (address_bits(host) > 0)
        return true;
    if (host.ptr[host.len - 1] == '.')
        rest.len--; /* the root, written out */
    while (rest.ptr) {
        label = bytes_cut(&rest, '.');
        if (!label_is_valid(label))
            return false;
    }
    return !all_digits(label);
}

static bool read_port(struct bytes text, uint64_t *port, const char **why)
{
    unsigned long long n;

    if (!bytes_to_u64(text, 65535, &n) || n == 0) {
        *why = "has a port that is not between 1 and 65535";
        return false;
    }
    *port = n;
    return true;
}

static bool read_bracketed(struct bytes text, struct bytes *host, uint64_t *port, const char **why)
{
    struct bytes rest = bytes_of(text.ptr + 1, text.len - 1);

    *host = bytes_cut(&rest, ']');
    if (!rest.ptr || address_bits(*host) != 128) {
        *why = "has brackets around something else than an IPv6 address";
        return false;
    }
    if (rest.len == 0)
        return true;
    if (rest.ptr[0] != ':') {
        *why = "has something else than a port behind the brackets";
        return false;
    }
    return read_port(bytes_of(rest.ptr + 1, rest.len - 1), port, why);
}

bool host_port_parse(struct bytes text, struct bytes *host, uint64_t *port, const char **why)
{
    struct bytes rest = text;

    if (text.len > 0 && text.ptr[0] == '[')
        return read_bracketed(text, host, port, why);
    *host = bytes_cut(&rest, ':');
    if (rest.ptr && memchr(rest.ptr, ':', rest.len)) {
        *why = "has more than one colon (an IPv6 address needs brackets)";
        return false;
    }
    if (!host_is_valid(*host)) {
        *why = "has a host that is neither a name nor an address";
        return false;
    }
    return !rest.ptr || read_port(rest, port, why);
}

void host_port_write(struct buffer *out, struct bytes host, uint64_t port)
{
    bool bracket = memchr(host.ptr, ':', host.len) != NULL;

    buffer_add_string(out, bracket ? "[" : "");
    buffer_add(out, host);
    buffer_add_string(out, bracket ? "]:" : ":");
    buffer_add_u64(out, port);
}

/* The next entry of a list, trimmed; false at the end or on a fault (*why). */
static bool next_entry(struct bytes *rest, struct bytes *entry, unsigned *count, const char **why)
{
    if (!rest->ptr)
        return false;
    *entry = bytes_trim(bytes_cut(rest, ','));
    if (entry->len == 0)
        *why = "has an empty entry";
    else if (++*count > HOST_LIST_MAX)
        *why = "has more than 64 entries";
    return *why == NULL;
}

bool host_list_normalise(struct bytes text, uint64_t default_port, struct buffer *out, const char **why)
{
    struct bytes rest = text, entry, host;
    unsigned count = 0;

    *why = NULL;
    while (next_entry(&rest, &entry, &count, why)) {
        uint64_t port = default_port;

        if (!host_port_parse(entry, &host, &port, why))
            return false;
        if (count > 1)
            buffer_add_char(out, ',');
        host_port_write(out, host, port);
    }
    return *why == NULL;
}

static bool net_is_valid(struct bytes entry)
{
    struct bytes rest = entry, address = bytes_cut(&rest, '/');
    unsigned bits = address_bits(address);
    unsigned long long prefix;

    if (!rest.ptr)
        return host_is_valid(entry);
    return bits > 0 && bytes_to_u64(rest, bits, &prefix);
}

bool net_list_normalise(struct bytes text, struct buffer *out, const char **why)
{
    struct bytes rest = text, entry;
    unsigned count = 0;

    *why = NULL;
    while (next_entry(&rest, &entry, &count, why)) {
        if (!net_is_valid(entry)) {
            *why = "has an entry that is neither an address, a network nor a host name";
            return false;
        }
        if (count > 1)
            buffer_add_char(out, ',');
        buffer_add(out, entry);
    }
    return *why == NULL;
}
