/* expiry.h - what expires next: a 4-ary heap over embedded nodes.
 *
 * (D. B. Johnson, "Priority queues with update and finding minimum spanning
 * trees", 1975: d-ary heaps.) Its array grows by segments, so an insertion
 * under a lock never copies the heap.
 * Threading: the owner's lock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engines/memory/segments.h"

struct expiry_node {
    size_t place; /* 1 + index in the heap; 0: not in it */
};

struct expiry {
    struct segments segments; /* of struct expiry_slot */
    size_t count;
    size_t pinned; /* places beyond `count` that stay reserved */
};

void expiry_init(struct expiry *expiry, struct budget *budget);
void expiry_release(struct expiry *expiry);

/* Makes an expiry_set() of a new node possible besides those that are pinned. */
bool expiry_reserve(struct expiry *expiry) MUST_CHECK;

/* Enters `node`, or moves it to another time. */
void expiry_set(struct expiry *expiry, struct expiry_node *node, uint64_t due_ns);

/* Nothing happens when it is not in the heap. */
void expiry_remove(struct expiry *expiry, struct expiry_node *node);

/* The time a node was entered under; it must be in the heap. */
uint64_t expiry_due(const struct expiry *expiry, const struct expiry_node *node);

/* The soonest, NULL when empty. */
struct expiry_node *expiry_first(const struct expiry *expiry, uint64_t *due_ns);
