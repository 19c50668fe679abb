/* exposition.h - the Prometheus text format, version 0.0.4 (Prometheus'
 * documentation, "Exposition formats"): writing families and samples.
 *
 * A family is begun with its name, type and help; the samples that follow are
 * its. Threading: a writer belongs to one thread. */
#pragma once

#include "service/base/buffer.h"
#include "service/base/histogram.h"

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

struct exposition {
    struct buffer *out;
    const char *family;
};

struct exposition_label {
    const char *name;
    struct bytes value; /* any bytes; escaped */
};

void exposition_family(struct exposition *to, const char *name, enum exposition_type type, const char *help);

/* `labels` may be NULL where `count` is 0. */
void exposition_u64(struct exposition *to, const struct exposition_label *labels, size_t count, uint64_t value);
void exposition_double(struct exposition *to, const struct exposition_label *labels, size_t count, double value);

/* Buckets, sum in seconds and count. */
void exposition_histogram(struct exposition *to, const struct exposition_label *labels, size_t count,
                          const struct histogram_sum *sum);

/* A family of one sample without labels. */
void exposition_one(struct exposition *to, const char *name, enum exposition_type type, const char *help,
                    double value);
