#include "service/base/bytes.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

struct bytes bytes_trim(struct bytes s)
{
    while (s.len > 0 && is_ows(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_ows(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct bytes bytes_cut(struct bytes *rest, char separator)
{
    struct bytes part = *rest;
    const char *at = part.len > 0 ? memchr(part.ptr, separator, part.len) : NULL;

    if (!at) {
        *rest = BYTES_NONE;
        return part;
    }
    part.len = (size_t)(at - part.ptr);
    *rest = bytes_of(at + 1, rest->len - part.len - 1);
    return part;
}

bool bytes_to_u64(struct bytes s, unsigned long long max, unsigned long long *out)
{
    unsigned long long n = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        unsigned digit = (unsigned)(s.ptr[i] - '0');
        if (digit > max || n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}
