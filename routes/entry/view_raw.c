#include "routes/entry/view.h"

#include "routes/problem.h"
#include "routes/route.h"

void view_entry_fields(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);

    etag_format(state->op.entry.version, state->etag);
    ttl_format_field(state->op.entry.ttl_ms, state->ttl);
    http_reply_field(ex, "ETag", state->etag);
    http_reply_field(ex, "Cache-TTL", state->ttl);
}

static void send_part(struct http_exchange *ex, struct value *value, struct range_span span)
{
    struct route_state *state = route_state(ex);

    range_format(span, value->len, state->range);
    http_reply_field(ex, "Content-Range", state->range);
    http_send_value(ex, 206, value, span.offset, span.len);
}

static void send_unsatisfied(struct http_exchange *ex, struct value *value)
{
    struct route_state *state = route_state(ex);

    range_format_unsatisfied(value->len, state->range);
    value_unref(value);
    http_reply_field(ex, "Content-Range", state->range);
    problem_send(ex, PROBLEM_RANGE_NOT_SATISFIABLE, "the range begins beyond the end of the value");
}

/* Range is defined for GET alone (RFC 9110 section 14.2). */
static enum range_outcome choose_range(struct http_exchange *ex, const struct value *value, struct range_span *span)
{
    const struct http_request *request = http_request(ex);

    if (!request->fields[HTTP_FIELD_RANGE].ptr || request->method != HTTP_GET ||
        !etag_if_range_holds(request->fields[HTTP_FIELD_IF_RANGE], route_state(ex)->op.entry.version))
        return RANGE_WHOLE;
    return range_resolve(request->fields[HTTP_FIELD_RANGE], value->len, span);
}

void view_raw(struct http_exchange *ex, unsigned status)
{
    struct route_state *state = route_state(ex);
    struct value *value = state->op.entry.value;
    struct range_span span = { 0, 0 };
    enum range_outcome outcome = status == 200 ? choose_range(ex, value, &span) : RANGE_WHOLE;

    state->op.entry.value = NULL;
    if (outcome == RANGE_UNSATISFIABLE) {
        send_unsatisfied(ex, value);
        return;
    }
    memcpy(state->content_type, value->content_type, value->content_type_len);
    state->content_type[value->content_type_len] = '\0';
    http_reply_field(ex, "Content-Type", state->content_type);
    /* Stored bytes are anybody's: no browser may run them as this origin. */
    http_reply_field(ex, "X-Content-Type-Options", "nosniff");
    http_reply_field(ex, "Content-Security-Policy", "sandbox");
    if (outcome == RANGE_PART)
        send_part(ex, value, span);
    else
        http_send_value(ex, status, value, 0, value->len);
}
