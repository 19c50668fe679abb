/* encode.h - large values as text of the JSON view: base64 and escaped UTF-8.
 *
 * These run on the thread that serves everybody, over values of megabytes, so
 * they write into memory of exactly the right size, without a check per byte.
 * (libsodium's base64 takes the same time for every input, which is for secrets
 * and ten times slower.) Threading: pure. */
#pragma once

#include <stddef.h>

#include "service/base/bytes.h"

/* Length of encode_base64()'s output. */
size_t encode_base64_length(size_t len);

/* RFC 4648 section 4, with padding; no NUL. Returns the end of what it wrote. */
char *encode_base64(struct bytes bytes, char *out);

/* Length of encode_json_text()'s output. */
size_t encode_json_text_length(struct bytes text);

/* The inside of a JSON string for valid UTF-8 (RFC 8259 section 7): quotation
 * mark, backslash and the controls below U+0020 and U+007F are escaped. Returns
 * the end of what it wrote. */
char *encode_json_text(struct bytes text, char *out);
