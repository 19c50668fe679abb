/* record.h - the header of a stored entry.
 *
 * An entry is one Redis string: this header, the content type, the tags, the
 * value. Numbers are big-endian. Offsets are fixed, because the scripts compare
 * and patch fields in place (script_lib.h); count from 0:
 *
 *    0  4  magic 9d 'C' 'b' 02, the last byte being the layout's number
 *    4  1  flags: 1 absent, 2 tagged, 4 indexed
 *    5  1  length of the content type
 *    6  2  length of the tags
 *    8  8  version, what the ETag names; never 0
 *   16  8  generation of the namespace
 *   24  8  generation of all
 *   32  8  end: ms since the epoch by Redis' clock; 0: never
 *   40  8  sliding step in ms; 0: does not slide
 *   48  8  fence, the highest seen; 0: none
 *   56  8  stale window in ms, the last part of the time until the end; 0: none
 *   64  8  token of the lease that is out; 0: none
 *   72  8  until when, ms since the epoch
 *   80     content type; for each tag its length (1), itself, its generation
 *          (8); then the value
 *
 * Absent: nothing stands here, only a lease to fill it (no content type, no
 * value). Indexed: the entry counts for its namespace's bounds (script_lib.h).
 *
 * A record that carries generations which no longer stand, its tags' included,
 * is nothing. So is an absent one, and one whose end has passed: Redis has
 * removed it then, unless a lease won on the stale entry outlives it.
 *
 * A string without the magic was written by another client: its bytes are the
 * value, and its version comes from their SHA-1 (script_lib.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engines/engine.h"
#include "service/base/bytes.h"
#include "service/base/value.h"

#define RECORD_HEADER_BYTES 80
#define RECORD_GENERATIONS_BYTES 16
#define RECORD_TAGS_MAX (ENGINE_TAGS_MAX * (1 + ENGINE_TAG_BYTES_MAX + 8))
#define RECORD_HEAD_MAX (RECORD_HEADER_BYTES + VALUE_CONTENT_TYPE_MAX + RECORD_TAGS_MAX)

enum record_flag { RECORD_ABSENT = 1, RECORD_TAGGED = 2, RECORD_INDEXED = 4 };

struct redis_record {
    uint64_t version;
    unsigned char generations[RECORD_GENERATIONS_BYTES]; /* the namespace's, then all's */
    unsigned flags;                                      /* enum record_flag */
    uint64_t end_ms;
    uint64_t idle_ms;
    uint64_t fence;
    uint64_t stale_ms;
    struct bytes content_type; /* all three point into what was parsed */
    struct bytes tags;
    struct bytes data;
};

enum record_kind {
    RECORD_OURS,
    RECORD_FOREIGN, /* no header: all bytes are the value */
    RECORD_BROKEN,  /* our magic, but the header does not hold together */
};

/* Writes the tags of a new record, whose generations the script fills in;
 * returns their length. */
size_t redis_record_write_tags(const struct bytes *tags, size_t count, char out[RECORD_TAGS_MAX]);

/* Writes what comes before the value, with RECORD_TAGGED where there are tags;
 * returns its length. */
size_t redis_record_write_head(const struct redis_record *record, char out[RECORD_HEAD_MAX]);

enum record_kind redis_record_parse(struct bytes stored, struct redis_record *out);

/* Whether a record of ours is an entry at `now_ms` by Redis' clock, as far as
 * it says so itself: generations are for the caller to compare. */
bool redis_record_is_entry(const struct redis_record *record, uint64_t now_ms);

/* Big-endian numbers, as in the header and in script arguments. */
void redis_record_put_u64(char *out, uint64_t number);
uint64_t redis_record_get_u64(const char *in);
