/* range.h - one byte range of a value (RFC 9110 section 14).
 *
 * Only what the service answers with one part is a range here; everything a
 * server may overlook (other units, several ranges, malformed fields) means
 * the whole representation.
 * Threading: pure. */
#pragma once

#include <stddef.h>

#include "service/base/bytes.h"

enum range_outcome {
    RANGE_WHOLE,         /* 200: no range, or one that is overlooked */
    RANGE_PART,          /* 206 */
    RANGE_UNSATISFIABLE, /* 416 */
};

struct range_span {
    size_t offset;
    size_t len; /* at least 1 */
};

/* Resolves the field Range against a representation of `total` bytes; `*span`
 * is set on RANGE_PART only. `bytes=-n` of an empty representation is
 * RANGE_WHOLE: satisfiable, but without a byte that Content-Range could name. */
enum range_outcome range_resolve(struct bytes field, size_t total, struct range_span *span) MUST_CHECK;

/* Room for a Content-Range with its NUL. */
#define RANGE_TEXT_SIZE 72

/* `bytes 0-4/10`, NUL-terminated; returns the length without the NUL. */
size_t range_format(struct range_span span, size_t total, char out[RANGE_TEXT_SIZE]);

/* The same for 416: "bytes", a blank, an asterisk, a slash, the total. */
size_t range_format_unsatisfied(size_t total, char out[RANGE_TEXT_SIZE]);
