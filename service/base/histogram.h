/* histogram.h - how long things took, in fixed buckets from 50 us to 10 s.
 *
 * One thread writes a histogram, with plain relaxed stores; any thread may read
 * it meanwhile. What is read is then no single moment's state, but each bucket
 * only grows, and the count is the sum of the buckets, so what a reader derives
 * is always consistent. Recording costs some nanoseconds: no lock, no logarithm,
 * no memory.
 *
 * Ownership: embedded in its owner, all zeros at first. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* The bounds: 1, 2.5 and 5 in each decade. One more bucket takes the rest. */
#define HISTOGRAM_BOUNDS 17
#define HISTOGRAM_BUCKETS (HISTOGRAM_BOUNDS + 1)

struct histogram {
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS]; /* not cumulative */
    _Atomic uint64_t sum_ns;
};

/* The sum of one or more histograms, for readers. All zeros at first. */
struct histogram_sum {
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t sum_ns;
};

/* The upper bound of a bucket, inclusive, ns; UINT64_MAX for the last. */
uint64_t histogram_bound_ns(unsigned bucket);

/* The same in seconds, as Prometheus writes it; "+Inf" for the last. */
const char *histogram_bound_text(unsigned bucket);

/* The bucket that takes a duration. */
unsigned histogram_bucket(uint64_t ns);

/* The histogram's own thread. */
void histogram_record(struct histogram *histogram, uint64_t ns);

/* Any thread. */
void histogram_add_to(const struct histogram *histogram, struct histogram_sum *sum);

/* The duration, ns, that a share `q` (0 to 1) of those recorded did not exceed,
 * by linear interpolation inside its bucket, as Prometheus' histogram_quantile();
 * in the last bucket its lower bound. 0 when nothing was recorded. */
uint64_t histogram_quantile(const struct histogram_sum *sum, double q);

/* One more on a counter that one thread writes and any may read. */
static inline void tally_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t tally_read(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}
