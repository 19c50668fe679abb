/* Tests of service/base/histogram.h. */
#include "service/base/histogram.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* What histogram_bucket() must agree with, told simply. */
static unsigned slow_bucket(uint64_t ns)
{
    unsigned bucket = 0;

    while (ns > histogram_bound_ns(bucket))
        bucket++;
    return bucket;
}

Test(histogram, bounds_grow_from_50_us_to_10_s)
{
    cr_assert_eq(histogram_bound_ns(0), 50000);
    cr_assert_eq(histogram_bound_ns(HISTOGRAM_BOUNDS - 1), UINT64_C(10000000000));
    cr_assert_eq(histogram_bound_ns(HISTOGRAM_BOUNDS), UINT64_MAX);
    for (unsigned i = 1; i < HISTOGRAM_BUCKETS; i++)
        cr_assert_geq(histogram_bound_ns(i), 2 * histogram_bound_ns(i - 1), "%u", i);
}

Test(histogram, texts_are_the_bounds_in_seconds)
{
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++)
        cr_assert_float_eq(strtod(histogram_bound_text(i), NULL) * 1e9, (double)histogram_bound_ns(i), 0.5, "%u", i);
    cr_assert_str_eq(histogram_bound_text(HISTOGRAM_BOUNDS), "+Inf");
}

Test(histogram, a_bound_belongs_to_its_bucket_and_one_more_to_the_next)
{
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        cr_assert_eq(histogram_bucket(histogram_bound_ns(i)), i);
        cr_assert_eq(histogram_bucket(histogram_bound_ns(i) + 1), i + 1);
        cr_assert_eq(histogram_bucket(histogram_bound_ns(i) - 1), i);
    }
    cr_assert_eq(histogram_bucket(0), 0);
    cr_assert_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BOUNDS);
}

Test(histogram, the_bucket_is_the_first_whose_bound_is_not_exceeded)
{
    for (unsigned bit = 0; bit < 64; bit++)
        for (int64_t around = -2; around <= 2; around++) {
            uint64_t ns = (UINT64_C(1) << bit) + (uint64_t)around;
            cr_assert_eq(histogram_bucket(ns), slow_bucket(ns), "%llu", (unsigned long long)ns);
        }
    for (uint64_t ns = 1; ns < UINT64_C(40000000000); ns += ns / 37 + 1)
        cr_assert_eq(histogram_bucket(ns), slow_bucket(ns), "%llu", (unsigned long long)ns);
}

Test(histogram, sums_of_two_are_exact)
{
    struct histogram a = { 0 }, b = { 0 };
    struct histogram_sum sum = { .count = 0 };

    histogram_record(&a, 10);
    histogram_record(&a, 60000);
    histogram_record(&b, 60000);
    histogram_record(&b, UINT64_C(20000000000));
    histogram_add_to(&a, &sum);
    histogram_add_to(&b, &sum);
    cr_assert_eq(sum.count, 4);
    cr_assert_eq(sum.sum_ns, UINT64_C(20000120010));
    cr_assert_eq(sum.buckets[0], 1);
    cr_assert_eq(sum.buckets[1], 2);
    cr_assert_eq(sum.buckets[HISTOGRAM_BOUNDS], 1);
}

Test(histogram, quantiles_lie_inside_their_bucket)
{
    struct histogram histogram = { 0 };
    struct histogram_sum sum = { .count = 0 };

    cr_assert_eq(histogram_quantile(&sum, 0.5), 0);
    for (int i = 0; i < 98; i++)
        histogram_record(&histogram, 200000);
    histogram_record(&histogram, 40000000);
    histogram_record(&histogram, 40000000);
    histogram_add_to(&histogram, &sum);
    cr_assert_eq(histogram_quantile(&sum, 0.49), 175000); /* the middle of 100 to 250 us */
    cr_assert_eq(histogram_quantile(&sum, 0.98), 250000);
    cr_assert_eq(histogram_quantile(&sum, 0.99), 37500000); /* the middle of 25 to 50 ms */
    histogram_record(&histogram, UINT64_MAX / 2);
    sum = (struct histogram_sum){ .count = 0 };
    histogram_add_to(&histogram, &sum);
    cr_assert_eq(histogram_quantile(&sum, 1), UINT64_C(10000000000));
}
