#include "routes/text/accept.h"

#include <stdbool.h>

#include "routes/text/field.h"

/* A type that could be answered, and what the field says of it so far. */
struct offer {
    struct field_media_type media;
    struct bytes parameters; /* from its first `;` */
    unsigned specificity;    /* of the range that set `weight`; 0: none matched */
    unsigned weight;         /* thousandths */
};

/* One member of the field. */
struct media_range {
    struct field_media_type media;
    struct bytes parameters; /* up to `q` */
    unsigned weight;
};

static const struct bytes wildcard = { "*", 1 };

/* qvalue, RFC 9110 section 12.4.2: 0 to 1 with at most three decimals. */
static bool parse_weight(struct bytes text, unsigned *weight)
{
    unsigned value = 0;

    if (text.len == 0 || text.len > 5 || (text.ptr[0] != '0' && text.ptr[0] != '1'))
        return false;
    if (text.len > 1 && text.ptr[1] != '.')
        return false;
    for (size_t i = 0; i < 5; i++) {
        char c = i < text.len ? text.ptr[i] : '0';

        if (i == 1)
            continue;
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (unsigned)(c - '0');
    }
    *weight = value;
    return value <= 1000;
}

/* Takes one media-range with its weight; what follows `q` is old accept-ext,
 * well-formed but without a meaning. */
static bool take_range(struct bytes *rest, struct media_range *range)
{
    struct field_parameter parameter;
    enum field_step step;
    bool weighted = false;
    const char *end;

    if (!field_take_media_type(rest, &range->media))
        return false;
    if (bytes_equal(range->media.type, wildcard) && !bytes_equal(range->media.subtype, wildcard))
        return false;
    range->weight = 1000;
    range->parameters = bytes_of(rest->ptr, 0);
    for (end = rest->ptr; (step = field_take_parameter(rest, &parameter)) == FIELD_PARAMETER;) {
        if (weighted)
            continue;
        weighted = bytes_equal_nocase(parameter.name, BYTES("q"));
        if (!weighted)
            end = rest->ptr;
        else if (!parse_weight(parameter.value, &range->weight))
            return false;
    }
    range->parameters.len = (size_t)(end - range->parameters.ptr);
    return step == FIELD_END;
}

static bool has_parameter(struct bytes parameters, const struct field_parameter *wanted)
{
    struct field_parameter parameter;

    while (field_take_parameter(&parameters, &parameter) == FIELD_PARAMETER)
        if (bytes_equal_nocase(parameter.name, wanted->name) && bytes_equal_nocase(parameter.value, wanted->value))
            return true;
    return false;
}

/* How closely `range` names `offer`; 0: not at all (section 12.5.1). */
static unsigned specificity_of(const struct media_range *range, const struct offer *offer)
{
    struct bytes wanted = range->parameters;
    struct field_parameter parameter;
    unsigned parameters = 0;

    while (field_take_parameter(&wanted, &parameter) == FIELD_PARAMETER) {
        if (!has_parameter(offer->parameters, &parameter))
            return 0;
        parameters++;
    }
    if (bytes_equal(range->media.type, wildcard))
        return 1 + (parameters > 0);
    if (!bytes_equal_nocase(range->media.type, offer->media.type))
        return 0;
    if (bytes_equal(range->media.subtype, wildcard))
        return 3 + (parameters > 0);
    return bytes_equal_nocase(range->media.subtype, offer->media.subtype) ? 5 + parameters : 0;
}

static void weigh(struct offer *offer, const struct media_range *range)
{
    unsigned specificity = specificity_of(range, offer);

    if (specificity == 0 || specificity < offer->specificity)
        return;
    if (specificity > offer->specificity || range->weight > offer->weight)
        offer->weight = range->weight;
    offer->specificity = specificity;
}

static bool weigh_all(struct bytes accept, struct offer *offers, size_t count)
{
    while (accept.len > 0) {
        struct media_range range;

        field_skip_blanks(&accept);
        if (accept.len == 0 || field_take_char(&accept, ','))
            continue;
        if (!take_range(&accept, &range))
            return false;
        if (accept.len > 0 && !field_take_char(&accept, ','))
            return false;
        for (size_t i = 0; i < count; i++)
            weigh(&offers[i], &range);
    }
    return true;
}

/* False when `type` is not a media type; nothing then matches it. */
static bool offer_init(struct offer *offer, struct bytes type)
{
    *offer = (struct offer){ .weight = 0 };
    if (!field_take_media_type(&type, &offer->media))
        return false;
    offer->parameters = type;
    return true;
}

enum view accept_view(struct bytes accept, struct bytes stored_type)
{
    enum { JSON, BYTES_AS_SUCH, STORED, OFFERS };
    struct offer offers[OFFERS];
    size_t count = OFFERS;

    if (accept.len == 0 || bytes_equal(accept, BYTES("*/*")) || bytes_equal(accept, BYTES("application/json")))
        return VIEW_JSON;
    if (!offer_init(&offers[JSON], BYTES("application/json; charset=utf-8")) ||
        !offer_init(&offers[BYTES_AS_SUCH], BYTES("application/octet-stream")))
        return VIEW_JSON;
    if (!offer_init(&offers[STORED], stored_type))
        count--;
    if (!weigh_all(accept, offers, count))
        return VIEW_JSON;
    for (size_t i = JSON + 1; i < count; i++)
        if (offers[i].weight > offers[JSON].weight)
            return VIEW_RAW;
    return VIEW_JSON;
}
