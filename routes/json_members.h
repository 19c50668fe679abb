/* json_members.h - the members of a small JSON request body, read by a table.
 *
 * A route lists what it knows; anything else is refused by name: an unknown or
 * repeated member, a wrong type, a number that is not whole, out of its bounds
 * or beyond 64 bits. Nothing is allocated: texts are decoded where they lie in
 * the body, which must be the reader's to write to and outlive them.
 * Threading: pure, but for what takes an exchange, which is the exchange's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/base/bytes.h"
#include "service/base/value.h"
#include "service/http/exchange.h"

enum json_member_kind {
    JSON_MEMBER_INTEGER,  /* whole, as it was written: 3 but not 3.0 */
    JSON_MEMBER_DURATION, /* a number of seconds, or text as in ttl.h; milliseconds */
    JSON_MEMBER_TTL,      /* the same, up to TTL_MAX_MS, or null or "none": TTL_NONE */
    JSON_MEMBER_WORD,     /* one of `words`: its index */
    JSON_MEMBER_FLAG,     /* true or false: 1 or 0 */
    JSON_MEMBER_TEXT,     /* a string, decoded */
    JSON_MEMBER_LIST,     /* an array as it was written, its elements well-formed */
};

struct json_member {
    const char *name;
    enum json_member_kind kind;
    bool required;
    int64_t min, max;          /* INTEGER, DURATION; a duration of 0 is allowed where min is */
    const char *out_of_bounds; /* INTEGER, DURATION: what to say, "must be 1 to 10" */
    const char *const *words;  /* WORD: NULL ends them */
    int64_t *value;            /* set when it is given, else left as it was */
    struct bytes *text;        /* TEXT, LIST: instead of `value` */
};

#define JSON_MEMBERS_NAME_MAX 64
#define JSON_MEMBERS_REASON_MAX 224

/* What is wrong: with the member of that name, or with the body where `named`
 * is false. */
struct json_members_fault {
    bool named;
    size_t name_len;
    char name[JSON_MEMBERS_NAME_MAX];
    char reason[JSON_MEMBERS_REASON_MAX]; /* NUL-terminated */
};

/* Reads an object of these members, at most 16; no bytes at all are an empty
 * object. False: `*fault` says why, and the values are undefined. */
bool json_members_parse(struct bytes body, const struct json_member *members, size_t count,
                        struct json_members_fault *fault) MUST_CHECK;

/* Whether the body may be read as it comes; false when it has answered with
 * 415, because of a Content-Encoding. */
bool json_members_uncoded(struct http_exchange *ex) MUST_CHECK;

/* Takes a body of at most `max` bytes to be read as JSON, once the header
 * section is there, or answers with 415. Its content type may be missing or any:
 * what sends `-d` calls everything application/x-www-form-urlencoded. */
void json_members_accept(struct http_exchange *ex, size_t max);

/* As json_members_parse(); false when it has answered with 400. */
bool json_members_read(struct http_exchange *ex, const struct value *body, const struct json_member *members,
                       size_t count) MUST_CHECK;
