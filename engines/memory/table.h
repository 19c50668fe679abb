/* table.h - a hash table that grows and shrinks one bucket at a time.
 *
 * Linear hashing with chains (W. Litwin, "Linear hashing: a new tool for file
 * and table addressing", VLDB 1980; P.-A. Larson, "Dynamic hash tables", CACM
 * 31(4), 1988): an insertion splits at most one bucket and a removal merges at
 * most TABLE_MERGES, so no operation pauses however many nodes there are.
 * Growth is optional: without memory for it the chains grow longer.
 *
 * Nodes are embedded in their owners. Several nodes may have one hash; which
 * of them is meant the caller finds out along the chain.
 * Threading: the owner's lock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engines/memory/segments.h"

struct table_node {
    struct table_node *next;
    uint64_t hash; /* the table uses the low bits */
};

struct table {
    struct segments segments; /* of struct table_node *: the buckets */
    size_t buckets;           /* 0 until the first reservation */
    size_t low_mask;          /* 2^level - 1, with 2^level <= buckets < 2^(level+1) */
    size_t count;
};

#define TABLE_MERGES 4

void table_init(struct table *table, struct budget *budget);
/* The nodes are the owner's to free. */
void table_release(struct table *table);

/* Makes the next table_insert() possible. False: no memory or budget. */
bool table_reserve(struct table *table) MUST_CHECK;
void table_insert(struct table *table, struct table_node *node);
void table_remove(struct table *table, struct table_node *node);

/* The first node with this hash, and the next one after `node`; or NULL. */
struct table_node *table_first(const struct table *table, uint64_t hash);
struct table_node *table_next(const struct table_node *node);

/* Calls `fn` for each node, which may free it but not insert or remove any. */
void table_each(const struct table *table, void (*fn)(struct table_node *node, void *context), void *context);
