#include "service/base/histogram.h"

static const struct {
    uint64_t ns;
    const char *text;
} bounds[HISTOGRAM_BUCKETS] = {
    { 50000, "5e-05" },
    { 100000, "0.0001" },
    { 250000, "0.00025" },
    { 500000, "0.0005" },
    { 1000000, "0.001" },
    { 2500000, "0.0025" },
    { 5000000, "0.005" },
    { 10000000, "0.01" },
    { 25000000, "0.025" },
    { 50000000, "0.05" },
    { 100000000, "0.1" },
    { 250000000, "0.25" },
    { 500000000, "0.5" },
    { 1000000000, "1" },
    { 2500000000, "2.5" },
    { 5000000000, "5" },
    { 10000000000, "10" },
    { UINT64_MAX, "+Inf" },
};

/* By the length of a duration in bits: how many bounds are shorter. Bounds lie
 * at least a factor of 2 apart, so at most one has the same length. */
static const uint8_t shorter[65] = {
    [17] = 1,  [18] = 2,  [19] = 3,  [20] = 4,  [21] = 5,  [22] = 5,  [23] = 6,  [24] = 7,  [25] = 8,
    [26] = 9,  [27] = 10, [28] = 11, [29] = 12, [30] = 13, [31] = 14, [32] = 14, [33] = 15, [34] = 16,
    [35] = 17, [36] = 17, [37] = 17, [38] = 17, [39] = 17, [40] = 17, [41] = 17, [42] = 17, [43] = 17,
    [44] = 17, [45] = 17, [46] = 17, [47] = 17, [48] = 17, [49] = 17, [50] = 17, [51] = 17, [52] = 17,
    [53] = 17, [54] = 17, [55] = 17, [56] = 17, [57] = 17, [58] = 17, [59] = 17, [60] = 17, [61] = 17,
    [62] = 17, [63] = 17, [64] = 17,
};

uint64_t histogram_bound_ns(unsigned bucket)
{
    return bounds[bucket].ns;
}

const char *histogram_bound_text(unsigned bucket)
{
    return bounds[bucket].text;
}

unsigned histogram_bucket(uint64_t ns)
{
    unsigned length = ns == 0 ? 0 : 64 - (unsigned)__builtin_clzll(ns);
    unsigned bucket = shorter[length];

    return bucket + (ns > bounds[bucket].ns);
}

void histogram_record(struct histogram *histogram, uint64_t ns)
{
    tally_add(&histogram->buckets[histogram_bucket(ns)], 1);
    tally_add(&histogram->sum_ns, ns);
}

void histogram_add_to(const struct histogram *histogram, struct histogram_sum *sum)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t n = tally_read(&histogram->buckets[i]);
        sum->buckets[i] += n;
        sum->count += n;
    }
    sum->sum_ns += tally_read(&histogram->sum_ns);
}

uint64_t histogram_quantile(const struct histogram_sum *sum, double q)
{
    double rank = q * (double)sum->count, below = 0;

    if (sum->count == 0)
        return 0;
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        double n = (double)sum->buckets[i];
        uint64_t lower = i == 0 ? 0 : bounds[i - 1].ns;
        if (n > 0 && below + n >= rank)
            return lower + (uint64_t)((double)(bounds[i].ns - lower) * (rank - below) / n);
        below += n;
    }
    return bounds[HISTOGRAM_BOUNDS - 1].ns;
}
