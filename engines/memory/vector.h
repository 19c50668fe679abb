/* vector.h - pointers in a row, of which each knows its own place.
 *
 * Grows at the end; what is taken out is replaced by the last one. So a walk
 * from the highest place down to the first meets everything that is there all
 * the while, whatever comes and goes between its steps: what it has not met
 * yet has a lower place than the walk has reached, and is only ever moved to a
 * lower one.
 *
 * The first places are in one small block that doubles, so that a vector of
 * few elements is small; the others are in segments, and never copied.
 * Threading: the owner's lock. */
#pragma once

#include "engines/memory/segments.h"

/* Places in the block that doubles. */
#define VECTOR_HEAD 64

struct vector {
    struct segments rest; /* places from VECTOR_HEAD on */
    void **head;
    uint32_t head_room;
    uint32_t pinned; /* places beyond `count` that stay reserved */
    size_t count;
};

void vector_init(struct vector *vector, struct budget *budget);
void vector_release(struct vector *vector);

/* Makes one vector_push() possible besides those that are pinned. False: no
 * memory or budget. */
bool vector_reserve(struct vector *vector) MUST_CHECK;

/* Takes out what is at `place`; returns what is there now, NULL: nothing. */
void *vector_take(struct vector *vector, size_t place);

static inline void **vector_slot(const struct vector *vector, size_t place)
{
    return place < VECTOR_HEAD ? &vector->head[place] : segments_at(&vector->rest, place - VECTOR_HEAD);
}

static inline void *vector_at(const struct vector *vector, size_t place)
{
    return *vector_slot(vector, place);
}

/* Returns the place of `element`. */
static inline size_t vector_push(struct vector *vector, void *element)
{
    size_t place = vector->count++;

    *vector_slot(vector, place) = element;
    return place;
}
