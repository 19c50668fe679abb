/* path.h - from a raw request path to a namespace and a key.
 *
 * The path is taken as it came over the wire and decoded exactly once. `.`,
 * `..` and `//` stay as they are and `+` is a plus; the first slash of the raw
 * text ends the namespace, so an escaped slash cannot, and every later one is
 * part of the key. A key may hold any byte, NUL included.
 * Threading: pure. Ownership: results borrow the raw path where it needs no
 * decoding, else the scratch; both must outlive them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "service/base/bytes.h"

#define PATH_NAMESPACE_MAX 64
#define PATH_KEY_MAX 1024 /* decoded bytes */

enum path_outcome {
    PATH_OK,
    PATH_BAD_NAMESPACE, /* empty, too long, or a character it may not have: 400 */
    PATH_BAD_ESCAPE,    /* in the namespace or the key: 400 */
    PATH_NO_KEY,        /* no slash after the namespace: the path names the namespace itself */
    PATH_EMPTY_KEY,     /* a slash and nothing after it: 400 */
    PATH_KEY_TOO_LONG,  /* over PATH_KEY_MAX bytes decoded: 414 */
    PATH_OUTCOMES
};

/* Where decoded text goes; not cleared, and untouched without escapes. */
struct path_scratch {
    char ns[PATH_NAMESPACE_MAX];
    char key[PATH_KEY_MAX];
};

struct path_entry {
    struct bytes ns;
    struct bytes key;
};

/* Whether `path` starts with `prefix` ("/cache/"); `*rest` is what follows. */
bool path_under(struct bytes path, struct bytes prefix, struct bytes *rest) MUST_CHECK;

/* Reads `{ns}/{key}`, what follows "/cache/" or "/raw/". entry->ns is set on
 * PATH_OK and on the outcomes that concern the key (PATH_NO_KEY and below, and
 * a bad escape in the key), else it is BYTES_NONE; entry->key on PATH_OK only. */
enum path_outcome path_parse_entry(struct bytes rest, struct path_scratch *scratch,
                                   struct path_entry *entry) MUST_CHECK;

/* Reads one segment that must be a namespace (`/namespaces/{ns}`): PATH_OK,
 * PATH_BAD_NAMESPACE or PATH_BAD_ESCAPE. */
enum path_outcome path_parse_namespace(struct bytes segment, struct path_scratch *scratch,
                                       struct bytes *ns) MUST_CHECK;

/* 1 to 64 of A-Z a-z 0-9 . _ - and no dot in front; `ns` is already decoded. */
bool path_namespace_valid(struct bytes ns);

/* A static sentence for the answer; NULL for PATH_OK. */
const char *path_outcome_detail(enum path_outcome outcome);
