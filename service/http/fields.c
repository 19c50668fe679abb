#include "service/http/fields.h"

#include "service/base/tchar.h"

bool http_is_token(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_tchar(text.ptr[i]))
            return false;
    return text.len > 0;
}

bool http_is_field_value(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool http_is_target(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= 0x20 || c == 0x7f || c == '#')
            return false;
    }
    return text.len > 0;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* reg-name, IPv4address: RFC 3986 section 3.2.2, escapes included. */
static bool is_reg_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!is_alnum(name.ptr[i]) && !memchr("-._~!$&'()*+,;=%", name.ptr[i], 16))
            return false;
    return true;
}

static bool is_ip_literal(struct bytes literal)
{
    if (literal.len < 4)
        return false;
    for (size_t i = 1; i < literal.len - 1; i++)
        if (!is_alnum(literal.ptr[i]) && !memchr(":.-_~%", literal.ptr[i], 6))
            return false;
    return true;
}

bool http_is_host(struct bytes text)
{
    struct bytes host = text, port;
    const char *end = text.len > 0 && text.ptr[0] == '[' ? memchr(text.ptr, ']', text.len) : NULL;
    unsigned long long number;

    if (text.len > 0 && text.ptr[0] == '[') {
        if (!end || !is_ip_literal(bytes_of(text.ptr, (size_t)(end - text.ptr) + 1)))
            return false;
        port = bytes_of(end + 1, text.len - (size_t)(end + 1 - text.ptr));
        if (port.len == 0)
            return true;
        if (port.ptr[0] != ':')
            return false;
        port = bytes_of(port.ptr + 1, port.len - 1);
    } else {
        port = text;
        host = bytes_cut(&port, ':');
        if (!is_reg_name(host))
            return false;
        if (!port.ptr)
            return true;
        if (host.len == 0)
            return false;
    }
    return port.len == 0 || bytes_to_u64(port, 65535, &number);
}

bool http_parse_content_length(struct bytes text, uint64_t *length)
{
    unsigned long long number;

    if (!bytes_to_u64(text, INT64_MAX, &number))
        return false;
    *length = number;
    return true;
}

static const struct bytes method_names[HTTP_METHODS] = {
    [HTTP_GET] = { "GET", 3 },         [HTTP_HEAD] = { "HEAD", 4 },   [HTTP_PUT] = { "PUT", 3 },
    [HTTP_POST] = { "POST", 4 },       [HTTP_DELETE] = { "DELETE", 6 }, [HTTP_PATCH] = { "PATCH", 5 },
    [HTTP_OPTIONS] = { "OPTIONS", 7 }, [HTTP_METHOD_OTHER] = { "other", 5 },
};

enum http_method http_method_of(struct bytes name)
{
    for (int i = 0; i < HTTP_METHOD_OTHER; i++)
        if (bytes_equal(name, method_names[i]))
            return (enum http_method)i;
    return HTTP_METHOD_OTHER;
}

const char *http_method_name(enum http_method method)
{
    return method_names[method].ptr;
}

static const struct field_row {
    struct bytes name;
    bool list;
} field_rows[HTTP_FIELDS] = {
    [HTTP_FIELD_HOST] = { { "host", 4 }, false },
    [HTTP_FIELD_CONTENT_LENGTH] = { { "content-length", 14 }, false },
    [HTTP_FIELD_TRANSFER_ENCODING] = { { "transfer-encoding", 17 }, false },
    [HTTP_FIELD_CONTENT_TYPE] = { { "content-type", 12 }, false },
    [HTTP_FIELD_CONTENT_ENCODING] = { { "content-encoding", 16 }, true },
    [HTTP_FIELD_CONTENT_RANGE] = { { "content-range", 13 }, false },
    [HTTP_FIELD_EXPECT] = { { "expect", 6 }, true },
    [HTTP_FIELD_ACCEPT] = { { "accept", 6 }, true },
    [HTTP_FIELD_ACCEPT_ENCODING] = { { "accept-encoding", 15 }, true },
    [HTTP_FIELD_IF_MATCH] = { { "if-match", 8 }, true },
    [HTTP_FIELD_IF_NONE_MATCH] = { { "if-none-match", 13 }, true },
    [HTTP_FIELD_IF_RANGE] = { { "if-range", 8 }, false },
    [HTTP_FIELD_RANGE] = { { "range", 5 }, true },
    [HTTP_FIELD_CACHE_TTL] = { { "cache-ttl", 9 }, false },
    [HTTP_FIELD_X_TTL] = { { "x-ttl", 5 }, false },
    [HTTP_FIELD_REQUEST_ID] = { { "x-request-id", 12 }, false },
    [HTTP_FIELD_TRACEPARENT] = { { "traceparent", 11 }, true },
    [HTTP_FIELD_AUTHORIZATION] = { { "authorization", 13 }, false },
    [HTTP_FIELD_SEC_FETCH_SITE] = { { "sec-fetch-site", 14 }, false },
    [HTTP_FIELD_ORIGIN] = { { "origin", 6 }, false },
    [HTTP_FIELD_CACHE_GROUPS] = { { "cache-groups", 12 }, true },
    [HTTP_FIELD_FENCE_TOKEN] = { { "fence-token", 11 }, false },
    [HTTP_FIELD_LEASE_TOKEN] = { { "lease-token", 11 }, false },
    [HTTP_FIELD_LOCK_TOKEN] = { { "lock-token", 10 }, false },
};

enum http_field http_field_of(struct bytes name)
{
    for (int i = 0; i < HTTP_FIELDS; i++) {
        struct bytes known = field_rows[i].name;
        /* Bit 5 apart, the first letters must agree: most rows end here. */
        if (known.len == name.len && ((known.ptr[0] ^ name.ptr[0]) | 0x20) == 0x20 && bytes_equal_nocase(known, name))
            return (enum http_field)i;
    }
    return HTTP_FIELDS;
}

bool http_field_is_list(enum http_field field)
{
    return field_rows[field].list;
}
