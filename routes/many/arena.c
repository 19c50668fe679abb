#include "routes/many/arena.h"

#include <stdlib.h>

#define BLOCK_BYTES ((size_t)4096)
#define ALIGN ((size_t)16)

struct arena_block {
    struct arena_block *next;
    size_t size;
    _Alignas(16) char memory[];
};

void *arena_take(struct arena *arena, size_t bytes)
{
    size_t rounded = (bytes + ALIGN - 1) & ~(ALIGN - 1);
    struct arena_block *block = arena->blocks;

    if (rounded < bytes)
        return NULL;
    if (!block || rounded > block->size - arena->used) {
        size_t size = rounded > BLOCK_BYTES ? rounded : BLOCK_BYTES;

        block = malloc(sizeof *block + size);
        if (!block)
            return NULL;
        block->next = arena->blocks;
        block->size = size;
        arena->blocks = block;
        arena->used = 0;
    }
    arena->used += rounded;
    return block->memory + arena->used - rounded;
}

void arena_release(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->next;
        free(block);
    }
    arena->used = 0;
}
