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

enum json_pick { JSON_PICK_OK, JSON_PICK_FAULT, JSON_PICK_UNKNOWN, JSON_PICK_DUPLICATE };

/* Reads all members of an object into `items` by their place in `names`; one
 * that is not there has a NULL span. No name may stand twice, and each must be
 * one of `names`, at most 64 of them; `*culprit` is the one that is not. */
enum json_pick json_reader_pick(struct json_reader *reader, const struct bytes *names, size_t count,
                                struct json_item *items, struct bytes *culprit) MUST_CHECK;

/* Decodes the string `span`, quotes included, into `out`, which must hold
 * span.len bytes and may be where the span lies. False for a lone surrogate,
 * which stands for no character (RFC 8259 section 8.2). */
bool json_string_decode(struct bytes span, char *out, size_t *len) MUST_CHECK;

/* The inside of a string span without escapes needs no decoding. */
bool json_string_is_plain(struct bytes span);
static inline struct bytes json_string_inside(struct bytes span)
{
    return bytes_of(span.ptr + 1, span.len - 2);
}

/* A number that is an integer as written, `-?[0-9]+`, of 64 bits. */
bool json_number_i64(struct bytes span, int64_t *number) MUST_CHECK;

/* The nearest double; infinite beyond its range. False for more than 128
 * characters. */
bool json_number_double(struct bytes span, double *number) MUST_CHECK;
