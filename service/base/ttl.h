/* ttl.h - times to live as clients write and read them.
 *
 *   ttl  = "none" / 1*DIGIT [ "." 1*DIGIT ] [ unit ]
 *   unit = "ms" / "s" / "m" / "h" / "d"          ; "s" when absent
 *
 * Lower case, no sign, no blanks, no exponent. Inside the service a TTL is a
 * count of milliseconds; a fraction of one is rounded up, so that no entry
 * ends before its time and no positive TTL becomes zero.
 * Threading: pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "service/base/bytes.h"

/* Never expires; the same number as ENGINE_NO_EXPIRY. */
#define TTL_NONE INT64_C(-1)

/* Ten years of 365 days: the longest TTL, itself allowed. */
#define TTL_MAX_MS (INT64_C(10) * 365 * 24 * 3600 * 1000)

/* Reads a TTL (trimmed) into `*ttl_ms`: 1 to TTL_MAX_MS, or TTL_NONE. NULL on
 * success; else `*ttl_ms` is untouched and the result a static sentence that
 * says what is wrong. Fraction digits after the eleventh only round up. */
const char *ttl_parse(struct bytes text, int64_t *ttl_ms) MUST_CHECK;

/* The same for a number of seconds from a JSON body; rounded to the nearest
 * millisecond, but at least one. */
const char *ttl_from_seconds(double seconds, int64_t *ttl_ms) MUST_CHECK;

/* Room for a formatted TTL with its NUL. */
#define TTL_TEXT_SIZE 24

/* Remaining milliseconds as seconds with one to three decimals ("60.0",
 * "0.25", "59.999"), NUL-terminated; returns the length without the NUL.
 * TTL_NONE gives "null" in JSON and "none" in the field Cache-TTL; another
 * negative number counts as 0. */
size_t ttl_format_json(int64_t ttl_ms, char out[TTL_TEXT_SIZE]);
size_t ttl_format_field(int64_t ttl_ms, char out[TTL_TEXT_SIZE]);
