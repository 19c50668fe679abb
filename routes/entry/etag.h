/* etag.h - entity tags: an entry's version in quotes (RFC 9110 section 8.8.3).
 *
 * A tag of ours is strong and always sixteen lower-case hexadecimal digits:
 * "00000000000004d2". Any other tag is well-formed but names no entry.
 * Threading: pure. Ownership: writes to the caller's memory only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engines/engine.h"
#include "service/base/buffer.h"
#include "service/base/bytes.h"

#define ETAG_LEN 18                   /* with its quotes */
#define ETAG_TEXT_SIZE (ETAG_LEN + 1) /* and a NUL */
#define ETAG_LIST_MAX 64

/* Writes the tag of `version` with its quotes, NUL-terminated. */
void etag_format(engine_version version, char out[ETAG_TEXT_SIZE]);

/* The version that one strong tag, quotes included, names; 0 for a weak,
 * foreign or malformed tag. */
engine_version etag_parse(struct bytes tag);

/* Appends `,"etag":"\"…\""`. */
void etag_add_member(struct buffer *text, engine_version version);

/* How a condition compares (RFC 9110 section 8.8.3.2): If-Match strongly, so
 * weak tags match nothing, If-None-Match weakly, so `W/` is overlooked. */
enum etag_comparison { ETAG_STRONG, ETAG_WEAK };

/* Reads If-Match or If-None-Match (RFC 9110 sections 13.1.1, 13.1.2): `*`, or
 * a list whose empty members are skipped and whose commas inside quotes are
 * data. The versions named by tags of ours go to `versions`, which holds
 * ETAG_LIST_MAX of them and must stay as long as `*tags` is used; other tags
 * count as members and match nothing. An absent field (NULL pointer) gives
 * tags->given false. NULL on success; else a static sentence, and `*tags` is
 * as if the field were absent. */
const char *etag_parse_list(struct bytes field, enum etag_comparison comparison,
                            engine_version versions[ETAG_LIST_MAX], struct engine_tags *tags) MUST_CHECK;

/* The status that the conditions of a read make of an entry that stands: 200,
 * 304, or 412 (RFC 9110 section 13.2.2). */
unsigned etag_judge_read(const struct engine_condition *condition, engine_version version);

/* Whether a Range may be served to a request with this If-Range (RFC 9110
 * section 13.1.5): absent, or one strong tag that names `version`. A date never
 * holds: entries have no modification date. */
bool etag_if_range_holds(struct bytes if_range, engine_version version);
