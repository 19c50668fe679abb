/* json_text.h - is this text well-formed JSON (RFC 8259)?
 *
 * A value is kept and answered byte by byte as it came, so nothing is built
 * from it; only its grammar is checked, in one pass, without recursion and
 * without allocation. Accepted is all that the grammar allows: any value at
 * the top, numbers of any magnitude and precision, repeated names, `\u0000`
 * and lone surrogates as escapes. Refused beyond the grammar: a byte order
 * mark, text that is not UTF-8 (section 8.1), and nesting deeper than
 * JSON_TEXT_DEPTH_MAX (section 9 allows that limit).
 * Threading: pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "service/base/bytes.h"

#define JSON_TEXT_DEPTH_MAX 1024

struct json_text_fault {
    size_t offset;      /* of the byte that cannot stand there; text.len at a premature end */
    const char *reason; /* static */
};

/* `fault` is filled in on false only, and may be NULL. */
bool json_text_valid(struct bytes text, struct json_text_fault *fault);

/* The same of the value that `text` starts with, blanks before it too; what
 * follows is not looked at, and `*len` tells where it begins. */
bool json_text_value(struct bytes text, size_t *len, struct json_text_fault *fault);
