/* record.h - the header of a stored entry.
 *
 * An entry is one Redis string: this header, the content type, the value.
 * Numbers are big-endian. Offsets are fixed, because the scripts compare and
 * patch fields in place (script.c); count from 0:
 *
 *    0  4  magic 9d 'C' 'b' 01, the last byte being the layout's number
 *    4  1  flags, 0 for now
 *    5  1  length of the content type
 *    6  2  0, room
 *    8  8  version, what the ETag names; never 0
 *   16  8  generation of the namespace
 *   24  8  generation of all
 *   32  8  expiry, ms since the epoch by Redis' clock; 0: never
 *   40  8  sliding step in ms; 0: does not slide
 *   48  8  fence; 0: none seen
 *   56     content type, then the value
 *
 * A string without the magic was written by another client: its bytes are the
 * value, and its version comes from their SHA-1 (script.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "service/base/bytes.h"
#include "service/base/value.h"

#define RECORD_HEADER_BYTES 56
#define RECORD_GENERATIONS_BYTES 16
#define RECORD_HEAD_MAX (RECORD_HEADER_BYTES + VALUE_CONTENT_TYPE_MAX)

struct redis_record {
    uint64_t version;
    unsigned char generations[RECORD_GENERATIONS_BYTES]; /* the namespace's, then all's */
    uint64_t expires_ms;
    uint64_t idle_ms;
    uint64_t fence;
    struct bytes content_type; /* both point into what was parsed */
    struct bytes data;
};

enum record_kind {
    RECORD_OURS,
    RECORD_FOREIGN, /* no header: all bytes are the value */
    RECORD_BROKEN,  /* our magic, but the header does not hold together */
};

/* Writes the header and the content type; returns their length. */
size_t redis_record_write_head(const struct redis_record *record, char out[RECORD_HEAD_MAX]);

enum record_kind redis_record_parse(struct bytes stored, struct redis_record *out);

/* Big-endian numbers, as in the header and in script arguments. */
void redis_record_put_u64(char *out, uint64_t number);
uint64_t redis_record_get_u64(const char *in);
