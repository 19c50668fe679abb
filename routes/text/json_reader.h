/* json_reader.h - the members of one JSON object, or the elements of one
 * array, one after the other.
 *
 * Nothing is built and nothing allocated: each item tells its name, its kind
 * and the span of its value in the text, so that a value can be kept with its
 * bytes as they came (1e400, long integers, blanks and all). What is inside of
 * a value is checked by json_text.h, whose grammar this is, and skipped; to go
 * in, open another reader on the span. Nesting is counted for each item by
 * itself, at most JSON_TEXT_DEPTH_MAX.
 *
 * Ownership: spans borrow the text; a name without escapes too, else it lies
 * in the reader until the next call. Threading: pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "routes/text/json_text.h"
#include "service/base/bytes.h"

enum json_kind { JSON_KIND_NULL, JSON_KIND_BOOL, JSON_KIND_NUMBER, JSON_KIND_STRING, JSON_KIND_ARRAY, JSON_KIND_OBJECT };

/* Decoded names of more bytes are no names that anybody knows; they are told
 * as they were written, with their escapes. */
#define JSON_NAME_MAX 64

struct json_item {
    struct bytes name; /* decoded; BYTES_NONE in an array */
    struct bytes span; /* of the value, quotes and brackets included */
    enum json_kind kind;
};

struct json_reader {
    const char *start, *at, *end;
    bool is_object;
    bool first;
    struct json_text_fault fault; /* after JSON_FAULT; the offset is that in the text */
    char name[JSON_NAME_MAX];
};

enum json_step { JSON_ITEM, JSON_END, JSON_FAULT };

/* Begins an object or array at the front of `text`, blanks before it too. False
 * with reader->fault when it starts with something else. */
bool json_reader_open(struct json_reader *reader, struct bytes text) MUST_CHECK;

/* The next item. JSON_END: the closing bracket was taken. */
enum json_step json_reader_next(struct json_reader *reader, struct json_item *item) MUST_CHECK;

/* After JSON_END: whether only blanks follow, else there is a fault. */
bool json_reader_close(struct json_reader *reader) MUST_CHECK;

enum json_pick { JSON_PICK_OK, JSON_PICK_FAULT, JSON_PICK_NO_OBJECT, JSON_PICK_UNKNOWN, JSON_PICK_DUPLICATE };

/* Reads the object that is all of `text`: its members into `items` by their
 * place in `names`; one that is not there has a NULL span. No name may stand
 * twice, and each must be one of `names`; `*culprit` is the one that is not.
 * FAULT: see reader->fault. */
enum json_pick json_reader_pick(struct json_reader *reader, struct bytes text, const struct bytes *names,
                                size_t count, struct json_item *items, struct bytes *culprit) MUST_CHECK;

/* ---- Values. What is no good is told in a static text, else NULL ---- */

/* A string, decoded where it lies: the text must be the caller's to write to. */
const char *json_item_text(const struct json_item *item, struct bytes *text) MUST_CHECK;

/* A time to live: a number of seconds, a text as in ttl.h, or null: TTL_NONE. */
const char *json_item_ttl(const struct json_item *item, int64_t *ttl_ms) MUST_CHECK;

/* Decodes the string `span`, quotes included, into `out`, which must hold
 * span.len bytes and may be where the span lies. False for a lone surrogate,
 * which stands for no character (RFC 8259 section 8.2). */
bool json_string_decode(struct bytes span, char *out, size_t *len) MUST_CHECK;

/* A number that is an integer as written, `-?[0-9]+`, of 64 bits. */
bool json_number_i64(struct bytes span, int64_t *number) MUST_CHECK;

/* The nearest double; infinite beyond its range. False for more than 128
 * characters. */
bool json_number_double(struct bytes span, double *number) MUST_CHECK;
