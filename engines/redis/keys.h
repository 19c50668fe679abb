/* keys.h - names of entries and generations, slots and buckets (see redis.h).
 *
 * Threading: a layout is read-only after redis_keys_init(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "service/base/bytes.h"

enum {
    KEYS_PREFIX_MAX = 128,
    KEYS_SLOTS = 16384,
    KEYS_BUCKETS = 256,
    KEYS_BUCKET_SLOTS = KEYS_SLOTS / KEYS_BUCKETS,
    /* prefix, bucket in braces, namespace, key, colons and words */
    KEYS_NAME_MAX = KEYS_PREFIX_MAX + 16 + 64 + 1024 + 16,
};

struct redis_keys {
    struct bytes prefix; /* borrowed, lives as long as the layout */
    bool clustered;
    uint16_t tags[KEYS_BUCKETS];  /* the decimal number that is the tag */
    uint16_t slots[KEYS_BUCKETS]; /* the slot of that tag */
};

struct redis_name {
    size_t len;
    char text[KEYS_NAME_MAX];
};

static inline struct bytes redis_name_bytes(const struct redis_name *name)
{
    return bytes_of(name->text, name->len);
}

/* A prefix may hold any byte but colons, braces, globs and controls. */
bool redis_keys_prefix_is_good(struct bytes prefix);

void redis_keys_init(struct redis_keys *keys, struct bytes prefix, bool clustered);

/* CRC16, XMODEM (Redis Cluster specification, appendix A), continued from
 * `crc`; the first call starts at 0. */
uint16_t redis_keys_crc16(uint16_t crc, struct bytes bytes);

/* The bucket of an entry; 0 in a layout that is not clustered. */
unsigned redis_keys_bucket(const struct redis_keys *keys, struct bytes ns, struct bytes key);

/* False when the names are longer than the contract allows. */
bool redis_keys_entry(const struct redis_keys *keys, unsigned bucket, struct bytes ns, struct bytes key,
                struct redis_name *out) MUST_CHECK;

/* The generation of a tag, and the two parts of the index that a bounded
 * namespace has. */
bool redis_keys_tag(const struct redis_keys *keys, unsigned bucket, struct bytes ns, struct bytes tag,
                    struct redis_name *out) MUST_CHECK;
bool redis_keys_index(const struct redis_keys *keys, unsigned bucket, struct bytes ns, struct redis_name *ends,
                      struct redis_name *sizes) MUST_CHECK;

/* `ns` of length 0: the generation of all. */
bool redis_keys_generation(const struct redis_keys *keys, unsigned bucket, struct bytes ns,
                     struct redis_name *out) MUST_CHECK;
