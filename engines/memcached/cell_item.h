/* cell_item.h - how a counter, limit or lock is stored.
 *
 * An item's data is this header, the names where the item's own name is a
 * digest, and the cell's bytes (engines/primitives). Numbers are big-endian:
 *
 *    0  4  magic 9d 'C' 'c' 01, the last byte being the layout's number
 *    4  1  kind: enum cell_kind
 *    5  1  length of the namespace, 0 where the names are left out
 *    6  2  length of the key, 0 where the names are left out
 *    8  8  when it may be forgotten, ms since the epoch; 0: never
 *   16  2  length of the cell's bytes
 *   18     namespace, key, bytes
 *
 * Threading: plain values. */
#pragma once

#include "engines/memcached/item.h"
#include "engines/primitives/cell.h"

enum {
    CELL_HEADER_BYTES = 18,
    CELL_ITEM_MAX = CELL_HEADER_BYTES + ITEM_NAMESPACE_MAX + ITEM_KEY_MAX + CELL_BYTES_MAX,
};

/* `ns` and `key` are empty where the item's name tells. Returns the length. */
size_t cell_item_write(const struct cell *cell, enum cell_kind kind, struct bytes ns, struct bytes key,
                       char out[CELL_ITEM_MAX]);

/* Reads what a server returned, which must be of `kind` and repeat just these
 * names. False: it is not, or it is damaged. */
bool cell_item_parse(struct bytes stored, enum cell_kind kind, struct bytes ns, struct bytes key,
                     struct cell *out) MUST_CHECK;
