/* utf8.h - is this UTF-8, and can it stand in a JSON string as it is?
 *
 * Well-formed byte sequences are those of table 3-7 of the Unicode standard
 * (RFC 3629 section 4): no overlong forms, no surrogates, nothing above
 * U+10FFFF.
 * Threading: pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "service/base/bytes.h"

enum utf8_text {
    UTF8_INVALID,
    UTF8_PLAIN,   /* no byte that a JSON string must escape */
    UTF8_ESCAPED, /* has bytes below 0x20, quotes or backslashes (RFC 8259 section 7) */
};

/* One pass over `text`; empty text is UTF8_PLAIN. */
enum utf8_text utf8_classify(struct bytes text);

static inline bool utf8_valid(struct bytes text)
{
    return utf8_classify(text) != UTF8_INVALID;
}

/* Length, 2 to 4, of the well-formed sequence of non-ASCII bytes at the start
 * of `p`, of which `left` bytes may be read; 0 when there is none. */
size_t utf8_sequence(const char *p, size_t left);

/* Where there is none: how many bytes, 1 to 3, one U+FFFD stands for: the
 * longest beginning of a well-formed sequence (Unicode 15 section 3.9, "maximal
 * subpart"), or the one byte that begins none. */
size_t utf8_ill_formed(const char *p, size_t left);
