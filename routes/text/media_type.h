/* media_type.h - the values of Content-Type (RFC 9110 section 8.3.1).
 * Threading: pure. */
#pragma once

#include <stdbool.h>

#include "service/base/bytes.h"

/* NULL when `value` (trimmed) may be stored as an entry's content type, else a
 * static sentence that says what is wrong: over VALUE_CONTENT_TYPE_MAX bytes,
 * control bytes (HTAB too), not `type/subtype` with parameters, or bytes above
 * 0x7F that are not UTF-8 (they could not be shown in JSON). */
const char *media_type_fault(struct bytes value) MUST_CHECK;

/* `application/json` or any subtype that ends in `+json` (RFC 6839 section
 * 3.1), in any case and whatever the parameters. Any bytes may be asked about. */
bool media_type_is_json(struct bytes value);
