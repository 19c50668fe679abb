/* segments.h - an array that grows and shrinks by small segments.
 *
 * Elements never move and no step copies more than the directory of segment
 * pointers, so that a structure of millions of elements grows under a lock
 * without a pause, and its memory is taken from the budget in small pieces.
 * Threading: the owner's lock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engines/memory/budget.h"

/* Elements in a segment. */
#define SEGMENT_LENGTH 64

struct segments {
    struct budget *budget;
    size_t element_bytes;
    void **directory;
    size_t directory_room;
    size_t count; /* segments */
};

void segments_init(struct segments *segments, struct budget *budget, size_t element_bytes);
void segments_release(struct segments *segments);

/* Makes room for `elements` in all; new elements are zero. False: no memory or
 * no budget, and nothing changed. */
bool segments_reserve(struct segments *segments, size_t elements) MUST_CHECK;

/* Gives back what `elements` do not need. */
void segments_trim(struct segments *segments, size_t elements);

static inline size_t segments_room(const struct segments *segments)
{
    return segments->count * SEGMENT_LENGTH;
}

static inline void *segments_at(const struct segments *segments, size_t index)
{
    return (char *)segments->directory[index / SEGMENT_LENGTH] + index % SEGMENT_LENGTH * segments->element_bytes;
}
