/* metrics_names.h - the namespaces that metrics tell apart.
 *
 * The first METRICS_NAMESPACES have a place each, for good. Finding one takes
 * no lock: places are only ever added, and published by an atomic store.
 *
 * Threading: any thread. Ownership: embedded in struct metrics. */
#pragma once

#include <pthread.h>

#include "routes/observability/metrics.h"

#define METRICS_NAME_MAX 64
#define METRICS_NAME_WORDS (METRICS_NAME_MAX / 8)
/* More than twice the places, a power of two: searches are short. */
#define METRICS_NAME_SLOTS 256

struct metrics_names {
    pthread_mutex_t lock; /* to add */
    _Atomic unsigned count;
    _Atomic uint8_t slots[METRICS_NAME_SLOTS]; /* place + 1; 0: free */
    struct {
        uint8_t len;
        uint64_t words[METRICS_NAME_WORDS]; /* the text, for comparing: as many as its length needs */
        char text[METRICS_NAME_MAX];
    } places[METRICS_NAMESPACES];
};

void metrics_names_init(struct metrics_names *names);
void metrics_names_release(struct metrics_names *names);

/* The place of `ns`, which gets one if there is one left; else METRICS_OTHER. */
unsigned metrics_names_place(struct metrics_names *names, struct bytes ns);
