#include "engines/memory/expiry.h"

#define ARITY 4

/* The time stands beside the pointer: sifting then reads no node. */
struct expiry_slot {
    uint64_t due_ns;
    struct expiry_node *node;
};

void expiry_init(struct expiry *expiry, struct budget *budget)
{
    expiry->count = expiry->pinned = 0;
    segments_init(&expiry->segments, budget, sizeof(struct expiry_slot));
}

void expiry_release(struct expiry *expiry)
{
    segments_release(&expiry->segments);
    expiry->count = 0;
}

bool expiry_reserve(struct expiry *expiry)
{
    return segments_reserve(&expiry->segments, expiry->count + expiry->pinned + 1);
}

static struct expiry_slot *slot_at(const struct expiry *expiry, size_t index)
{
    return segments_at(&expiry->segments, index);
}

static void place(struct expiry *expiry, size_t index, struct expiry_slot slot)
{
    *slot_at(expiry, index) = slot;
    slot.node->place = index + 1;
}

static void sift_up(struct expiry *expiry, size_t index, struct expiry_slot slot)
{
    while (index > 0) {
        size_t parent = (index - 1) / ARITY;
        if (slot_at(expiry, parent)->due_ns <= slot.due_ns)
            break;
        place(expiry, index, *slot_at(expiry, parent));
        index = parent;
    }
    place(expiry, index, slot);
}

static size_t soonest_child(const struct expiry *expiry, size_t index)
{
    size_t first = index * ARITY + 1, best = first;

    for (size_t i = first + 1; i < first + ARITY && i < expiry->count; i++)
        if (slot_at(expiry, i)->due_ns < slot_at(expiry, best)->due_ns)
            best = i;
    return best;
}

static void sift_down(struct expiry *expiry, size_t index, struct expiry_slot slot)
{
    while (index * ARITY + 1 < expiry->count) {
        size_t child = soonest_child(expiry, index);
        if (slot_at(expiry, child)->due_ns >= slot.due_ns)
            break;
        place(expiry, index, *slot_at(expiry, child));
        index = child;
    }
    place(expiry, index, slot);
}

static void settle(struct expiry *expiry, size_t index, struct expiry_slot slot)
{
    if (index > 0 && slot_at(expiry, (index - 1) / ARITY)->due_ns > slot.due_ns)
        sift_up(expiry, index, slot);
    else
        sift_down(expiry, index, slot);
}

void expiry_set(struct expiry *expiry, struct expiry_node *node, uint64_t due_ns)
{
    struct expiry_slot slot = { due_ns, node };

    if (node->place == 0)
        sift_up(expiry, expiry->count++, slot);
    else
        settle(expiry, node->place - 1, slot);
}

void expiry_remove(struct expiry *expiry, struct expiry_node *node)
{
    size_t index = node->place - 1;

    if (node->place == 0)
        return;
    node->place = 0;
    expiry->count--;
    if (index < expiry->count)
        settle(expiry, index, *slot_at(expiry, expiry->count));
    /* One segment stays spare, so that a heap at the edge of one does not
     * allocate with every step. */
    segments_trim(&expiry->segments, expiry->count + expiry->pinned + SEGMENT_LENGTH);
}

uint64_t expiry_due(const struct expiry *expiry, const struct expiry_node *node)
{
    return slot_at(expiry, node->place - 1)->due_ns;
}

struct expiry_node *expiry_first(const struct expiry *expiry, uint64_t *due_ns)
{
    if (expiry->count == 0)
        return NULL;
    *due_ns = slot_at(expiry, 0)->due_ns;
    return slot_at(expiry, 0)->node;
}
