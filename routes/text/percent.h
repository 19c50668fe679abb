/* percent.h - percent-decoding (RFC 3986 section 2.1), each escape once.
 *
 * `+` is a plus, never a space: form encoding has no place here.
 * Threading: pure. Ownership: writes to the caller's memory only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "service/base/bytes.h"

enum percent_outcome {
    PERCENT_OK,
    PERCENT_BAD_ESCAPE, /* `%` without two hexadecimal digits after it */
    PERCENT_TOO_LONG,   /* more than `max` decoded bytes */
};

/* Decodes `text` into `out`, which holds `max` bytes; `*len` is set on
 * PERCENT_OK only. The fault that comes first in `text` is the one reported. */
enum percent_outcome percent_decode(struct bytes text, char *out, size_t max, size_t *len) MUST_CHECK;

/* Whether `text` holds a `%`, so that its decoded form differs from it. */
static inline bool percent_escaped(struct bytes text)
{
    return text.len > 0 && memchr(text.ptr, '%', text.len) != NULL;
}
