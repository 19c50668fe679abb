/* decode.h - base64 from clients. Threading: pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "service/base/bytes.h"

/* RFC 4648 section 4, with or without its padding, and nothing else between:
 * no line breaks, and no bits set that no byte has. `out` holds text.len / 4 *
 * 3 + 2 bytes and may be where the text lies. */
bool decode_base64(struct bytes text, char *out, size_t *len) MUST_CHECK;
