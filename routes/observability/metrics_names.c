#include "routes/observability/metrics_names.h"

#include <string.h>

_Static_assert(METRICS_NAMESPACES < 255, "a place and one more fit a byte");

void metrics_names_init(struct metrics_names *names)
{
    memset(names, 0, sizeof *names);
    pthread_mutex_init(&names->lock, NULL);
}

void metrics_names_release(struct metrics_names *names)
{
    pthread_mutex_destroy(&names->lock);
}

/* FNV-1a (draft-eastlake-fnv). Who makes names collide slows a search through
 * 100 places down, no more. */
static unsigned hash_of(struct bytes ns)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < ns.len; i++)
        hash = (hash ^ (unsigned char)ns.ptr[i]) * 16777619u;
    return hash ^ hash >> 16;
}

/* The place, or METRICS_OTHER with the free slot where a search for it ended. */
static unsigned find(const struct metrics_names *names, struct bytes ns, unsigned *slot)
{
    for (*slot = hash_of(ns) % METRICS_NAME_SLOTS;; *slot = (*slot + 1) % METRICS_NAME_SLOTS) {
        unsigned taken = atomic_load_explicit(&names->slots[*slot], memory_order_acquire);

        if (taken == 0)
            return METRICS_OTHER;
        if (names->places[taken - 1].len == ns.len && memcmp(names->places[taken - 1].text, ns.ptr, ns.len) == 0)
            return taken - 1;
    }
}

static unsigned add(struct metrics_names *names, struct bytes ns)
{
    unsigned slot, place, count;

    pthread_mutex_lock(&names->lock);
    place = find(names, ns, &slot); /* another thread may have been first */
    count = atomic_load_explicit(&names->count, memory_order_relaxed);
    if (place == METRICS_OTHER && count < METRICS_NAMESPACES) {
        place = count;
        names->places[place].len = (uint8_t)ns.len;
        memcpy(names->places[place].text, ns.ptr, ns.len);
        atomic_store_explicit(&names->count, count + 1, memory_order_release);
        atomic_store_explicit(&names->slots[slot], (uint8_t)(place + 1), memory_order_release);
    }
    pthread_mutex_unlock(&names->lock);
    return place;
}

unsigned metrics_names_place(struct metrics_names *names, struct bytes ns)
{
    unsigned slot, place;

    if (ns.len == 0 || ns.len > METRICS_NAME_MAX || bytes_equal(ns, BYTES("other")))
        return METRICS_OTHER;
    place = find(names, ns, &slot);
    if (place == METRICS_OTHER && atomic_load_explicit(&names->count, memory_order_relaxed) < METRICS_NAMESPACES)
        place = add(names, ns);
    return place;
}
