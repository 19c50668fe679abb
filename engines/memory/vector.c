#include "engines/memory/vector.h"

#define HEAD_FIRST 4

void vector_init(struct vector *vector, struct budget *budget)
{
    *vector = (struct vector){ .head = NULL };
    segments_init(&vector->rest, budget, sizeof(void *));
}

void vector_release(struct vector *vector)
{
    budget_free(vector->rest.budget, vector->head);
    segments_release(&vector->rest);
    vector->head = NULL;
    vector->head_room = 0;
    vector->count = 0;
}

static bool grow_head(struct vector *vector)
{
    uint32_t room = vector->head_room ? vector->head_room * 2 : HEAD_FIRST;
    void **head = budget_alloc(vector->rest.budget, room * sizeof *head);

    if (!head)
        return false;
    if (vector->count > 0)
        memcpy(head, vector->head, vector->count * sizeof *head);
    budget_free(vector->rest.budget, vector->head);
    vector->head = head;
    vector->head_room = room;
    return true;
}

bool vector_reserve(struct vector *vector)
{
    size_t need = vector->count + vector->pinned + 1;

    while (need > vector->head_room && vector->head_room < VECTOR_HEAD)
        if (!grow_head(vector))
            return false;
    return need <= VECTOR_HEAD || segments_reserve(&vector->rest, need - VECTOR_HEAD);
}

void *vector_take(struct vector *vector, size_t place)
{
    void *last = vector_at(vector, --vector->count);
    size_t kept = vector->count + vector->pinned;

    if (place < vector->count)
        *vector_slot(vector, place) = last;
    /* One segment stays spare, as in the expiry heap. */
    if (vector->rest.count > 0)
        segments_trim(&vector->rest, (kept > VECTOR_HEAD ? kept - VECTOR_HEAD : 0) + SEGMENT_LENGTH);
    return place < vector->count ? last : NULL;
}
