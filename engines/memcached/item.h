/* item.h - the header of a stored entry.
 *
 * An item's data is this header, the names where the item's own name is a
 * digest, the tags, the content type, the value. Numbers are big-endian:
 *
 *    0  4  magic 9d 'C' 'm' 02, the last byte being the layout's number
 *    4  1  length of the namespace, 0 where the names are left out
 *    5  1  length of the content type
 *    6  2  length of the key, 0 where the names are left out
 *    8  8  length of the value
 *   16  8  version, what the ETag names; never 0
 *   24  8  generation of the namespace
 *   32  8  generation of all
 *   40  8  expiry that nothing extends, ms since the epoch; 0: never
 *   48  8  when the entry is gone unless it is read before; 0: never
 *   56  8  sliding step in ms; 0: does not slide
 *   64  8  stale window in ms: the entry is stale that long before its expiry
 *   72  8  highest fence that the entry has seen; 0: none
 *   80  8  token of the lease that is out; 0: none
 *   88  8  until when it is, ms since the epoch
 *   96  2  length of the tags
 *   98  1  flags: 1, a marker: there is no entry, only a lease
 *   99  5  zeroes
 *  104     namespace, key, tags, content type, value
 *
 * A tag is a length of one byte, the name, and the generation (8 bytes) that
 * it had when the entry was written.
 *
 * Memcached counts whole seconds and may be late; the header is what decides.
 * Threading: plain values. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engines/engine.h"
#include "service/base/bytes.h"
#include "service/base/value.h"

enum {
    ITEM_HEADER_BYTES = 104,
    ITEM_NAMESPACE_MAX = 64,
    ITEM_KEY_MAX = 1024,
    ITEM_TAGS_MAX = ENGINE_TAGS_MAX * (1 + ENGINE_TAG_BYTES_MAX + 8),
    ITEM_HEAD_MAX =
        ITEM_HEADER_BYTES + ITEM_NAMESPACE_MAX + ITEM_KEY_MAX + ITEM_TAGS_MAX + VALUE_CONTENT_TYPE_MAX,
};

/* Generations that hold, or that an item carries; 0: none. */
struct item_stamp {
    uint64_t ns;
    uint64_t all;
};

struct item {
    struct item_stamp stamp;
    uint64_t version;
    uint64_t expires_ms; /* since the epoch; 0: never */
    uint64_t due_ms;     /* at most expires_ms, where that is not 0 */
    uint64_t idle_ms;    /* 0: does not slide */
    uint64_t stale_ms;
    uint64_t fence;
    uint64_t lease_token; /* 0: none */
    uint64_t lease_until_ms;
    bool absent;         /* a marker */
    struct bytes ns;     /* none where the item's name tells */
    struct bytes key;
    struct bytes tags;   /* as they are stored */
    struct bytes content_type;
    struct bytes data;
};

/* Writes all that stands before the value; returns its length. */
size_t item_write_head(const struct item *item, char out[ITEM_HEAD_MAX]);

/* Reads what a server returned; the item's bytes point into `stored`. False:
 * not an item of ours, or a damaged one. */
bool item_parse(struct bytes stored, struct item *out) MUST_CHECK;

struct item_tag {
    struct bytes name;
    uint64_t generation;
};

/* Writes one tag of at most ENGINE_TAG_BYTES_MAX; returns its length. */
size_t item_write_tag(const struct item_tag *tag, char *out);

/* The next tag of `*rest`; false at the end, or where it is damaged and
 * `*rest` is not empty. */
bool item_next_tag(struct bytes *rest, struct item_tag *out) MUST_CHECK;

/* Sets expiry, due time, step and window from `now_ms` on; `ttl_ms` < 0: never.
 * The window comes after the TTL. */
void item_set_time(struct item *item, int64_t ttl_ms, uint64_t idle_ms, uint64_t stale_ms, uint64_t now_ms);

/* Whether both generations that the item carries still hold: else neither it
 * nor its lease counts. Its tags are looked at elsewhere. */
bool item_holds(const struct item *item, const struct item_stamp *stamp);

/* Whether an item that holds is an entry at `now_ms`, stale ones included. */
bool item_stands(const struct item *item, uint64_t now_ms);

/* Whether an entry that stands is in its stale window. */
bool item_is_stale(const struct item *item, uint64_t now_ms);

/* Milliseconds that the lease of an item that holds is still out; 0: none is. */
int64_t item_lease_left_ms(const struct item *item, uint64_t now_ms);

/* The due time after a read at `now_ms`; never earlier than it was. */
uint64_t item_slide(const struct item *item, uint64_t now_ms);

/* Remaining milliseconds of freshness; -1: never ends. */
int64_t item_remaining_ms(const struct item *item, uint64_t now_ms);

/* What to tell Memcached of something that ends at `end_ms` (0: never):
 * seconds from now, or since the epoch where that is more than 30 days away.
 * Always later, so that the server's coarse clock never decides. */
int64_t item_expiry_at(uint64_t end_ms, uint64_t now_ms);

/* The same for an item: it stays for as long as its lease is out. */
int64_t item_server_expiry(const struct item *item, uint64_t now_ms);

/* An expiry that has always passed: storing with it removes the item. */
#define ITEM_EXPIRED_ALREADY (INT64_C(30) * 24 * 3600 + 1)

void item_put_u64(char *out, uint64_t number);
uint64_t item_get_u64(const char *in);
