#include "routes/text/query.h"

#include "routes/text/percent.h"

/* One `name=value` pair as it was sent. */
struct pair {
    struct bytes name;
    struct bytes value;
};

static struct pair split_pair(struct bytes text)
{
    struct pair pair = { .value = text };

    pair.name = bytes_cut(&pair.value, '=');
    if (!pair.value.ptr) /* given, but empty */
        pair.value = bytes_of(pair.name.ptr + pair.name.len, 0);
    return pair;
}

/* Finds the table's index of an encoded name, or table->count. */
static enum query_outcome find_name(const struct query_table *table, struct bytes name, size_t *index)
{
    char decoded[QUERY_NAME_MAX];
    size_t len = 0;

    *index = table->count;
    if (percent_escaped(name)) {
        switch (percent_decode(name, decoded, sizeof decoded, &len)) {
        case PERCENT_OK:
            break;
        case PERCENT_BAD_ESCAPE:
            return QUERY_BAD_ESCAPE;
        case PERCENT_TOO_LONG:
            return QUERY_UNKNOWN;
        }
        name = bytes_of(decoded, len);
    }
    for (size_t i = 0; i < table->count; i++)
        if (bytes_equal(table->names[i], name)) {
            *index = i;
            return QUERY_OK;
        }
    return QUERY_UNKNOWN;
}

static enum query_outcome take_value(struct bytes value, struct query_scratch *scratch, struct bytes *out)
{
    size_t len = 0;

    if (!percent_escaped(value)) {
        *out = value;
        return QUERY_OK;
    }
    switch (percent_decode(value, scratch->ptr, scratch->len, &len)) {
    case PERCENT_OK:
        break;
    case PERCENT_BAD_ESCAPE:
        return QUERY_BAD_ESCAPE;
    case PERCENT_TOO_LONG:
        return QUERY_TOO_LONG;
    }
    *out = bytes_of(scratch->ptr, len);
    *scratch = (struct query_scratch){ scratch->ptr + len, scratch->len - len };
    return QUERY_OK;
}

static enum query_outcome take_pair(const struct query_table *table, struct pair pair, struct query_scratch *scratch,
                                    struct bytes *values)
{
    size_t index = 0;
    enum query_outcome outcome = find_name(table, pair.name, &index);

    if (outcome != QUERY_OK)
        return table->ignore_unknown ? QUERY_OK : outcome;
    if (values[index].ptr)
        return QUERY_DUPLICATE;
    if (table->as_sent >> index & 1) {
        values[index] = pair.value;
        return QUERY_OK;
    }
    return take_value(pair.value, scratch, &values[index]);
}

enum query_outcome query_parse(struct bytes query, const struct query_table *table, struct query_scratch scratch,
                               struct bytes *values, struct bytes *culprit)
{
    size_t pairs = 0;

    for (size_t i = 0; i < table->count; i++)
        values[i] = BYTES_NONE;
    while (query.ptr) {
        struct bytes text = bytes_cut(&query, '&');
        enum query_outcome outcome = QUERY_TOO_MANY;
        struct pair pair;

        if (text.len == 0)
            continue;
        pair = split_pair(text);
        if (++pairs <= QUERY_PAIRS_MAX)
            outcome = take_pair(table, pair, &scratch, values);
        if (outcome != QUERY_OK) {
            *culprit = bytes_of(pair.name.ptr, pair.name.len < QUERY_NAME_MAX ? pair.name.len : QUERY_NAME_MAX);
            return outcome;
        }
    }
    return QUERY_OK;
}

const char *query_outcome_detail(enum query_outcome outcome)
{
    static const char *const details[QUERY_OUTCOMES] = {
        [QUERY_BAD_ESCAPE] = "percent sign not followed by two hexadecimal digits",
        [QUERY_DUPLICATE] = "given more than once",
        [QUERY_UNKNOWN] = "unknown parameter",
        [QUERY_TOO_LONG] = "too long",
        [QUERY_TOO_MANY] = "more than 128 parameters",
    };

    return details[outcome];
}
