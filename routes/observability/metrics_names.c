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

struct name_words {
    unsigned count;
    uint64_t of[METRICS_NAME_WORDS];
};

static uint64_t load(const char *from, size_t bytes)
{
    uint64_t word = 0;

    memcpy(&word, from, bytes);
    return word;
}

/* Words that, with the length, are the name: whole ones, of which the last two
 * may overlap. Every copy has a fixed size, which is one instruction. */
static void read_words(struct bytes ns, struct name_words *words)
{
    const char *last = ns.ptr + ns.len;

    words->count = 0;
    if (ns.len >= 8) {
        for (size_t i = 0; i + 8 < ns.len; i += 8)
            words->of[words->count++] = load(ns.ptr + i, 8);
        words->of[words->count++] = load(last - 8, 8);
    } else if (ns.len >= 4) {
        words->of[words->count++] = load(ns.ptr, 4) | load(last - 4, 4) << 32;
    } else {
        words->of[words->count++] = load(ns.ptr, 1) | load(ns.ptr + ns.len / 2, 1) << 8 | load(last - 1, 1) << 16;
    }
}

/* Multiply and fold, with a constant of SplitMix64 (Steele, Lea, Flood 2014).
 * Who makes names collide slows a search through 100 places down, no more. */
static unsigned hash_of(const struct name_words *words, size_t len)
{
    uint64_t hash = len;

    for (unsigned i = 0; i < words->count; i++) {
        hash = (hash ^ words->of[i]) * UINT64_C(0xbf58476d1ce4e5b9);
        hash ^= hash >> 32;
    }
    return (unsigned)hash;
}

static bool is_at(const struct metrics_names *names, unsigned place, const struct name_words *words, size_t len)
{
    if (names->places[place].len != len)
        return false;
    for (unsigned i = 0; i < words->count; i++)
        if (names->places[place].words[i] != words->of[i])
            return false;
    return true;
}

/* The place, or METRICS_OTHER with the free slot where a search for it ended. */
static unsigned find(const struct metrics_names *names, const struct name_words *words, size_t len, unsigned *slot)
{
    for (*slot = hash_of(words, len) % METRICS_NAME_SLOTS;; *slot = (*slot + 1) % METRICS_NAME_SLOTS) {
        unsigned taken = atomic_load_explicit(&names->slots[*slot], memory_order_acquire);

        if (taken == 0)
            return METRICS_OTHER;
        if (is_at(names, taken - 1, words, len))
            return taken - 1;
    }
}

static unsigned add(struct metrics_names *names, struct bytes ns, const struct name_words *words)
{
    unsigned slot, place, count;

    pthread_mutex_lock(&names->lock);
    place = find(names, words, ns.len, &slot); /* another thread may have been first */
    count = atomic_load_explicit(&names->count, memory_order_relaxed);
    if (place == METRICS_OTHER && count < METRICS_NAMESPACES) {
        place = count;
        names->places[place].len = (uint8_t)ns.len;
        memcpy(names->places[place].text, ns.ptr, ns.len);
        memcpy(names->places[place].words, words->of, words->count * sizeof words->of[0]);
        atomic_store_explicit(&names->count, count + 1, memory_order_release);
        atomic_store_explicit(&names->slots[slot], (uint8_t)(place + 1), memory_order_release);
    }
    pthread_mutex_unlock(&names->lock);
    return place;
}

unsigned metrics_names_place(struct metrics_names *names, struct bytes ns)
{
    struct name_words words;
    unsigned slot, place;

    if (ns.len == 0 || ns.len > METRICS_NAME_MAX)
        return METRICS_OTHER;
    read_words(ns, &words);
    place = find(names, &words, ns.len, &slot);
    if (place == METRICS_OTHER && atomic_load_explicit(&names->count, memory_order_relaxed) < METRICS_NAMESPACES &&
        !bytes_equal(ns, BYTES("other")))
        place = add(names, ns, &words);
    return place;
}
