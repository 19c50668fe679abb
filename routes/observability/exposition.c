#include "routes/observability/exposition.h"

#include "service/base/clock.h"

void exposition_family(struct exposition *to, const char *name, enum exposition_type type, const char *help)
{
    static const char *const types[] = {
        [EXPOSITION_COUNTER] = "counter",
        [EXPOSITION_GAUGE] = "gauge",
        [EXPOSITION_HISTOGRAM] = "histogram",
    };

    to->family = name;
    buffer_add_format(to->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

static void add_escaped(struct buffer *out, struct bytes value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\n') {
            buffer_add_string(out, "\\n");
            continue;
        }
        if (value.ptr[i] == '\\' || value.ptr[i] == '"')
            buffer_add_char(out, '\\');
        buffer_add_char(out, value.ptr[i]);
    }
}

/* The part before the value; `bound`: of a bucket, or NULL. */
static void begin_sample(struct exposition *to, const char *suffix, const struct exposition_label *labels,
                         size_t count, const char *bound)
{
    struct buffer *out = to->out;

    buffer_add_string(out, to->family);
    buffer_add_string(out, suffix);
    if (count > 0 || bound)
        buffer_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_add_char(out, ',');
        buffer_add_string(out, labels[i].name);
        buffer_add_string(out, "=\"");
        add_escaped(out, labels[i].value);
        buffer_add_char(out, '"');
    }
    if (bound)
        buffer_add_format(out, "%sle=\"%s\"", count > 0 ? "," : "", bound);
    if (count > 0 || bound)
        buffer_add_char(out, '}');
    buffer_add_char(out, ' ');
}

static void end_u64(struct buffer *out, uint64_t value)
{
    buffer_add_u64(out, value);
    buffer_add_char(out, '\n');
}

/* Beyond, a double may stand for a neighbour, too. */
#define EXACT_MAX 9007199254740992.0

/* Whole numbers without an exponent, as people read them. */
static void end_double(struct buffer *out, double value)
{
    bool exact = value > -EXACT_MAX && value < EXACT_MAX;

    buffer_add_format(out, exact && (double)(int64_t)value == value ? "%.0f\n" : "%.15g\n", value);
}

void exposition_u64(struct exposition *to, const struct exposition_label *labels, size_t count, uint64_t value)
{
    begin_sample(to, "", labels, count, NULL);
    end_u64(to->out, value);
}

void exposition_double(struct exposition *to, const struct exposition_label *labels, size_t count, double value)
{
    begin_sample(to, "", labels, count, NULL);
    end_double(to->out, value);
}

void exposition_histogram(struct exposition *to, const struct exposition_label *labels, size_t count,
                          const struct histogram_sum *sum)
{
    uint64_t below = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += sum->buckets[i];
        begin_sample(to, "_bucket", labels, count, histogram_bound_text(i));
        end_u64(to->out, below);
    }
    begin_sample(to, "_sum", labels, count, NULL);
    end_double(to->out, (double)sum->sum_ns / (double)NS_PER_SECOND);
    begin_sample(to, "_count", labels, count, NULL);
    end_u64(to->out, sum->count);
}

void exposition_one(struct exposition *to, const char *name, enum exposition_type type, const char *help,
                    double value)
{
    exposition_family(to, name, type, help);
    exposition_double(to, NULL, 0, value);
}
