/* list_cursor.h - where a listing goes on: pure steps, tested on their own.
 *
 * A listing walks the servers one after another with SCAN, and what it has done
 * is told by buckets (keys.h), since servers come and go: the next server is
 * the one that now holds the first bucket that is not done. A walk of a server
 * is good only for the process that began it, whose cursors those are.
 *
 * One reply to SCAN may hold more than a page may. It is then put in the order
 * of a hash of the keys, and the next page repeats the same step, leaving out
 * what lies up to the last one delivered. That is safe only if the step covers
 * the same part of the keyspace again, which it does if it ends where it ended
 * before (`end`); else nothing is left out, and some keys appear twice.
 *
 * Encoded: a version byte, the fields below big-endian, and a hash over them
 * and the listing's namespace and prefix, so that what was cut, mixed up or
 * made up is noticed. It is no secret and no signature.
 *
 * Threading: plain values. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engines/engine.h"
#include "engines/redis/keys.h"

struct redis_list_cursor {
    unsigned char done[KEYS_BUCKETS / 8]; /* one bit a bucket; bucket 0 alone where there is no cluster */
    unsigned char here[KEYS_BUCKETS / 8]; /* wholly at the server that is being walked, when that began */
    uint64_t server;                      /* names its process; 0: no walk has begun */
    uint64_t scan;                        /* SCAN's cursor of the next step */
    /* A step to repeat; count 0: none. */
    uint16_t count;     /* the COUNT it was asked with */
    uint16_t ties;      /* how many of the threshold's own hash were delivered */
    uint64_t end;       /* the cursor that the step answered */
    uint64_t threshold; /* hash of the last key that was delivered */
};

/* FNV-1a, 64 bits (Fowler, Noll, Vo), then mixed as SplitMix64's output; never 0. */
uint64_t redis_list_hash(struct bytes bytes);

/* `*out` is zero for an empty `text`. False: it cannot be a cursor of this listing. */
bool redis_list_cursor_read(struct redis_list_cursor *out, struct bytes text, bool clustered, struct bytes ns,
                            struct bytes prefix) MUST_CHECK;

size_t redis_list_cursor_write(const struct redis_list_cursor *cursor, bool clustered, struct bytes ns,
                               struct bytes prefix, char out[ENGINE_CURSOR_MAX]);

/* The first bucket that is not done; `buckets` if all are. */
unsigned redis_list_cursor_bucket(const struct redis_list_cursor *cursor, unsigned buckets);

static inline bool redis_list_bit(const unsigned char *bits, unsigned bucket)
{
    return bits[bucket / 8] >> (bucket % 8) & 1;
}

static inline void redis_list_bit_set(unsigned char *bits, unsigned bucket)
{
    bits[bucket / 8] |= (unsigned char)(1u << (bucket % 8));
}

/* ---- Repeating a step ---- */

/* What becomes of one key after another, in the order of (hash, key). */
struct redis_list_cut {
    bool repeats;  /* the step covers what it covered before */
    uint64_t hash; /* of the key looked at last */
    uint16_t ties; /* keys of that hash, up to it */
    uint64_t from; /* threshold */
    uint16_t from_ties;
};

void redis_list_cut_init(struct redis_list_cut *cut, const struct redis_list_cursor *cursor, uint64_t end);

/* Whether the next key, of `hash`, was on an earlier page. */
bool redis_list_cut_skips(struct redis_list_cut *cut, uint64_t hash);

/* ---- Patterns ---- */

enum { REDIS_LIST_COUNT_MAX = 1000 }; /* of one step */

enum { REDIS_LIST_PATTERN_MAX = 2 * KEYS_NAME_MAX };

/* The glob pattern of the names of the keys of `ns` that begin with `prefix`;
 * 0: they are longer than names may be. */
size_t redis_list_pattern(const struct redis_keys *keys, struct bytes ns, struct bytes prefix,
                          char out[REDIS_LIST_PATTERN_MAX]);
