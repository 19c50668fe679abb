#include "routes/text/range.h"

#include <stdbool.h>
#include <stdint.h>

#include "service/base/buffer.h"

/* One range-spec of section 14.1.2. */
struct spec {
    bool has_first;
    bool has_last;
    size_t first;
    size_t last; /* without first: the suffix length */
};

/* Reads one or more digits; numbers beyond size_t stop at its end, which no value reaches. */
static bool parse_position(struct bytes text, size_t *position)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        size_t digit = (size_t)(text.ptr[i] - '0');

        n = n > (SIZE_MAX - digit) / 10 ? SIZE_MAX : n * 10 + digit;
    }
    *position = n;
    return true;
}

static bool parse_spec(struct bytes text, struct spec *spec)
{
    struct bytes last = text, first = bytes_cut(&last, '-');

    if (!last.ptr)
        return false;
    spec->has_first = first.len > 0;
    spec->has_last = last.len > 0;
    if (spec->has_first && !parse_position(first, &spec->first))
        return false;
    if (spec->has_last && !parse_position(last, &spec->last))
        return false;
    if (!spec->has_first)
        return spec->has_last;
    return !spec->has_last || spec->first <= spec->last;
}

/* Finds the one range of the set; false on none, several, or a malformed one. */
static bool parse_set(struct bytes set, struct spec *spec)
{
    bool found = false;

    while (set.ptr) {
        struct bytes member = bytes_trim(bytes_cut(&set, ','));

        if (member.len == 0)
            continue;
        if (found || !parse_spec(member, spec))
            return false;
        found = true;
    }
    return found;
}

static enum range_outcome resolve_suffix(size_t wanted, size_t total, struct range_span *span)
{
    if (wanted == 0)
        return RANGE_UNSATISFIABLE;
    if (total == 0)
        return RANGE_WHOLE;
    span->len = wanted < total ? wanted : total;
    span->offset = total - span->len;
    return RANGE_PART;
}

enum range_outcome range_resolve(struct bytes field, size_t total, struct range_span *span)
{
    struct spec spec = { .has_first = false };
    struct bytes set = field, unit = bytes_cut(&set, '=');

    if (!bytes_equal_nocase(unit, BYTES("bytes")) || !parse_set(set, &spec))
        return RANGE_WHOLE;
    if (!spec.has_first)
        return resolve_suffix(spec.last, total, span);
    if (spec.first >= total)
        return RANGE_UNSATISFIABLE;
    if (!spec.has_last || spec.last >= total)
        spec.last = total - 1;
    *span = (struct range_span){ spec.first, spec.last - spec.first + 1 };
    return RANGE_PART;
}

size_t range_format(struct range_span span, size_t total, char out[RANGE_TEXT_SIZE])
{
    size_t len = sizeof "bytes " - 1;

    memcpy(out, "bytes ", len);
    len += format_u64(out + len, span.offset);
    out[len++] = '-';
    len += format_u64(out + len, span.offset + span.len - 1);
    out[len++] = '/';
    len += format_u64(out + len, total);
    out[len] = '\0';
    return len;
}

size_t range_format_unsatisfied(size_t total, char out[RANGE_TEXT_SIZE])
{
    size_t len = sizeof "bytes */" - 1;

    memcpy(out, "bytes */", len);
    len += format_u64(out + len, total);
    out[len] = '\0';
    return len;
}
