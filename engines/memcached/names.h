/* names.h - under which names items stand at the servers (see memcached.h).
 *
 * Names are 1 to 250 printable ASCII characters without blanks, whatever bytes
 * a key has: nothing of a client's can be taken for a part of the protocol, by
 * a server, a proxy or a tool. Threading: pure functions. */
#pragma once

#include <stdbool.h>

#include "service/base/bytes.h"

enum {
    NAMES_MAX = 250, /* KEY_MAX_LENGTH of memcached */
    NAMES_PREFIX_MAX = 32,
};

struct item_name {
    size_t len;
    bool digested; /* the item must repeat namespace and key */
    char text[NAMES_MAX];
};

/* 1 to NAMES_PREFIX_MAX printable characters without colon. */
bool names_prefix_is_good(struct bytes prefix) MUST_CHECK;

/* Each kind has names of its own, also where they are digests. */
enum name_kind {
    NAME_ENTRY,
    NAME_TAG, /* the generation of a tag, which takes the key's place */
    NAME_COUNTER,
    NAME_LIMIT,
    NAME_LOCK,
};

/* False: namespace or key is longer than the contract allows, or empty. */
bool names_item(struct bytes prefix, enum name_kind kind, struct bytes ns, struct bytes key,
                struct item_name *out) MUST_CHECK;

/* `ns` of length 0: the generation of all. False: too long. */
bool names_generation(struct bytes prefix, struct bytes ns, struct item_name *out) MUST_CHECK;
