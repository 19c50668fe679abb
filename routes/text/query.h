/* query.h - the parameters of a query string, picked by a table of names.
 *
 * Pairs are separated by `&`, name and value by the first `=`; both are
 * percent-decoded once. `+` is a plus here too, as in the path: no parameter
 * of this service needs a space, and one rule for the whole target is easier
 * to keep than two. `;` is data. Empty pairs (`a=1&&b=2`) are skipped, a name
 * without `=` has an empty value, names compare by exact case.
 * Threading: pure. Ownership: values borrow the query where it needs no
 * decoding, else the scratch; both must outlive them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "service/base/bytes.h"

#define QUERY_PAIRS_MAX 128
#define QUERY_NAME_MAX 64

enum query_outcome {
    QUERY_OK,
    QUERY_BAD_ESCAPE, /* in the name or value of the parameter */
    QUERY_DUPLICATE,  /* a known parameter twice */
    QUERY_UNKNOWN,    /* not in the table */
    QUERY_TOO_LONG,   /* the decoded values do not fit the scratch */
    QUERY_TOO_MANY,   /* over QUERY_PAIRS_MAX parameters */
    QUERY_OUTCOMES
};

/* What a route knows. */
struct query_table {
    const struct bytes *names; /* decoded; at most QUERY_NAME_MAX bytes each */
    size_t count;
    bool ignore_unknown; /* skipped unseen, bad escapes and all */
    unsigned as_sent;    /* bit i: the value of names[i] is not decoded */
};

/* Room for decoded values. As many bytes as the query has always suffice. */
struct query_scratch {
    char *ptr;
    size_t len;
};

/* Sets `values[i]` to the value of table->names[i]; a NULL pointer means not
 * given (an empty value has a pointer). `query` may be BYTES_NONE. On failure
 * `*culprit` is the parameter's name as it was sent, still encoded, at most
 * QUERY_NAME_MAX bytes of it: it may be empty and may hold any byte, so escape
 * it before it is shown; `values` are then undefined. */
enum query_outcome query_parse(struct bytes query, const struct query_table *table, struct query_scratch scratch,
                               struct bytes *values, struct bytes *culprit) MUST_CHECK;

/* What is wrong with the culprit, to follow its name: "is not known here";
 * NULL for QUERY_OK. */
const char *query_outcome_detail(enum query_outcome outcome);
