/* item.h - the header of a stored entry.
 *
 * An item's data is this header, the names where the item's own name is a
 * digest, the content type, the value. Numbers are big-endian:
 *
 *    0  4  magic 9d 'C' 'm' 01, the last byte being the layout's number
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
 *   64     namespace, key, content type, value
 *
 * Memcached counts whole seconds and may be late; the header is what decides.
 * Threading: plain values. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "service/base/bytes.h"
#include "service/base/value.h"

enum {
    ITEM_HEADER_BYTES = 64,
    ITEM_NAMESPACE_MAX = 64,
    ITEM_KEY_MAX = 1024,
    ITEM_HEAD_MAX = ITEM_HEADER_BYTES + ITEM_NAMESPACE_MAX + ITEM_KEY_MAX + VALUE_CONTENT_TYPE_MAX,
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
    struct bytes ns;     /* none where the item's name tells */
    struct bytes key;
    struct bytes content_type;
    struct bytes data;
};

/* Writes all that stands before the value; returns its length. */
size_t item_write_head(const struct item *item, char out[ITEM_HEAD_MAX]);

/* Reads what a server returned; the item's bytes point into `stored`. False:
 * not an item of ours, or a damaged one. */
bool item_parse(struct bytes stored, struct item *out) MUST_CHECK;

/* Sets expiry, due time and step from `now_ms` on; `ttl_ms` < 0: never. */
void item_set_time(struct item *item, int64_t ttl_ms, uint64_t idle_ms, uint64_t now_ms);

/* Whether the item stands at `now_ms` while `stamp` holds. */
bool item_stands(const struct item *item, const struct item_stamp *stamp, uint64_t now_ms);

/* The due time after a read at `now_ms`; never earlier than it was. */
uint64_t item_slide(const struct item *item, uint64_t now_ms);

/* Remaining milliseconds; -1: never expires. */
int64_t item_remaining_ms(const struct item *item, uint64_t now_ms);

/* What to tell Memcached: seconds from now, or since the epoch where that is
 * more than 30 days away; 0: never. Always later than the due time, so that
 * the server's coarse clock never decides. */
int64_t item_server_expiry(const struct item *item, uint64_t now_ms);

/* An expiry that has always passed: storing with it removes the item. */
#define ITEM_EXPIRED_ALREADY (INT64_C(30) * 24 * 3600 + 1)

void item_put_u64(char *out, uint64_t number);
uint64_t item_get_u64(const char *in);
