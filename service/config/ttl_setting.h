/* ttl_setting.h - times to live as settings hold them.
 * Threading: pure. */
#pragma once

#include <stdint.h>

#include "service/base/bytes.h"

/* Never expires; the same number as ENGINE_NO_EXPIRY. */
#define SETTINGS_TTL_NONE INT64_C(-1)
/* Ten years of 365 days, the longest there is. */
#define SETTINGS_TTL_MAX_MS (INT64_C(10) * 365 * 24 * 3600 * 1000)

/* Reads seconds with or without decimals ("60", "0.25"), a number with one of
 * the units ms s m h d ("90s", "1.5h"), or "none"; no sign, no blanks. False
 * for another form, for zero, and above SETTINGS_TTL_MAX_MS; `*ttl_ms` is then
 * untouched. Fractions of a millisecond round up, so that no positive time
 * becomes zero. */
bool ttl_setting_parse(struct bytes text, int64_t *ttl_ms) MUST_CHECK;
