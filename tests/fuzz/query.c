/* Fuzzes routes/text/query.h; what the strict table takes, the lenient one takes alike. */
#include "routes/text/query.h"

#include "routes/text/percent.h"
#include "tests/fuzz/fuzz.h"

enum { NAMES = 3 };

static const struct bytes names[NAMES] = { { "ttl", 3 }, { "idle", 4 }, { "r&=", 3 } };

static bool contains(struct bytes whole, struct bytes part)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static enum query_outcome parse(struct bytes query, bool lenient, char *scratch, size_t len, struct bytes *values)
{
    struct query_table table = { names, NAMES, lenient, 0 };
    struct bytes culprit = BYTES_NONE;
    enum query_outcome outcome = query_parse(query, &table, (struct query_scratch){ scratch, len }, values, &culprit);

    REQUIRE((outcome == QUERY_OK) == (query_outcome_detail(outcome) == NULL));
    REQUIRE((outcome == QUERY_OK) == (culprit.ptr == NULL));
    REQUIRE(culprit.len <= QUERY_NAME_MAX && contains(query, culprit));
    REQUIRE(!lenient || outcome != QUERY_UNKNOWN);
    for (size_t i = 0; outcome == QUERY_OK && i < NAMES; i++)
        REQUIRE(contains(query, values[i]) || contains(bytes_of(scratch, len), values[i]));
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes query = fuzz_bytes(data, size), strict[NAMES], lenient[NAMES], none[NAMES];
    char *first = malloc(size + 1), *second = malloc(size + 1);
    enum query_outcome outcome;

    REQUIRE(first && second);
    outcome = parse(query, false, first, size, strict);
    REQUIRE(outcome != QUERY_TOO_LONG);
    if (outcome == QUERY_OK) {
        REQUIRE(parse(query, true, second, size, lenient) == QUERY_OK);
        for (size_t i = 0; i < NAMES; i++)
            REQUIRE((strict[i].ptr == NULL) == (lenient[i].ptr == NULL) && bytes_equal(strict[i], lenient[i]));
        outcome = parse(query, false, NULL, 0, none);
        REQUIRE(outcome == (percent_escaped(query) ? outcome : QUERY_OK));
    } else {
        (void)parse(query, true, second, size, lenient);
    }
    free(first);
    free(second);
    return 0;
}
