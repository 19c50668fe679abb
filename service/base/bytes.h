/* bytes.h - a borrowed run of bytes: pointer and length, never a terminator.
 *
 * Keys, header fields and content types may hold any byte, NUL included, so
 * no length is ever recovered with strlen(). A `struct bytes` owns nothing;
 * whoever hands one out says how long the bytes stay valid.
 * Threading: plain values, no shared state. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bytes {
    const char *ptr;
    size_t len;
};

/* The bytes of a string literal, without its terminator. */
#define BYTES(literal) ((struct bytes){ (literal), sizeof(literal) - 1 })
#define BYTES_NONE ((struct bytes){ NULL, 0 })

/* The result must be looked at. */
#define MUST_CHECK __attribute__((warn_unused_result))

static inline struct bytes bytes_of(const char *ptr, size_t len)
{
    return (struct bytes){ ptr, len };
}

/* The bytes of a NUL-terminated string; NULL gives no bytes. */
static inline struct bytes bytes_str(const char *string)
{
    return (struct bytes){ string, string ? strlen(string) : 0 };
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool bytes_starts_with(struct bytes s, struct bytes prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* Equality that ignores the case of A-Z only, as HTTP tokens compare. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

/* `s` without leading and trailing SP and HTAB (RFC 9110 section 5.6.3, OWS). */
struct bytes bytes_trim(struct bytes s);

/* Cuts the part of `*rest` before the first `separator` off and returns it;
 * `*rest` keeps what follows the separator, or becomes BYTES_NONE (NULL
 * pointer) when there was none. Loop while rest.ptr is not NULL. */
struct bytes bytes_cut(struct bytes *rest, char separator);

/* Reads all of `s` as a decimal number without sign or blanks. False on an
 * empty run, another character, or a number above `max`; `*out` is then
 * untouched. */
bool bytes_to_u64(struct bytes s, unsigned long long max, unsigned long long *out) MUST_CHECK;
