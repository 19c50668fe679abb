/* arena.h - small pieces of memory that are all freed together.
 *
 * Ownership: the arena owns what it gives out. Threading: one thread. */
#pragma once

#include <stddef.h>

#include "service/base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* the newest first */
    size_t used;                /* of the newest */
};

/* Zeroed memory is an empty arena. Aligned for any type; NULL when out of
 * memory. */
void *arena_take(struct arena *arena, size_t bytes) MUST_CHECK;

/* Frees everything; the arena is empty afterwards. */
void arena_release(struct arena *arena);
