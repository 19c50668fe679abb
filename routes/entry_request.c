#include "routes/entry_request.h"

#include "routes/media_type.h"
#include "routes/problem.h"
#include "routes/route.h"

/* Escaped values are decoded into the caller's memory, who reads them at once;
 * no value that means something is longer. */
#define DECODED_MAX 128

bool entry_request_plain(struct http_exchange *ex)
{
    return route_parameters(ex, NULL, 0, NULL, (struct query_scratch){ NULL, 0 });
}

bool entry_request_read(struct http_exchange *ex)
{
    static const struct bytes names[] = { { "raw", 3 } };
    struct bytes values[1];
    char decoded[DECODED_MAX];
    struct route_state *state = route_state(ex);

    if (!route_parameters(ex, names, state->is_raw ? 0 : 1, values, (struct query_scratch){ decoded, sizeof decoded }))
        return false;
    if (state->is_raw || !values[0].ptr)
        return true;
    if (!bytes_equal(values[0], BYTES("0")) && !bytes_equal(values[0], BYTES("1"))) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, names[0], "must be 0 or 1");
        return false;
    }
    state->as_raw = values[0].ptr[0] == '1';
    return true;
}

static bool read_ttl(struct http_exchange *ex, struct bytes name, struct bytes text, int64_t *ttl_ms)
{
    const char *fault = ttl_parse(text, ttl_ms);

    if (fault)
        problem_send_about(ex, PROBLEM_BAD_REQUEST, name, fault);
    return fault == NULL;
}

/* The TTL may stand in several places; they must agree. */
static bool choose_ttl(struct http_exchange *ex, struct bytes parameter)
{
    const struct http_request *request = http_request(ex);
    struct route_state *state = route_state(ex);
    const struct {
        struct bytes name, text;
    } places[] = {
        { BYTES("ttl"), parameter },
        { BYTES("Cache-TTL"), request->fields[HTTP_FIELD_CACHE_TTL] },
        { BYTES("X-TTL"), state->is_raw ? request->fields[HTTP_FIELD_X_TTL] : BYTES_NONE },
    };
    int64_t found[3];
    int count = 0;

    for (int i = 0; i < 3; i++) {
        if (!places[i].text.ptr)
            continue;
        if (!read_ttl(ex, places[i].name, places[i].text, &found[count]))
            return false;
        if (count > 0 && found[count] != found[0]) {
            problem_send_about(ex, PROBLEM_BAD_REQUEST, places[i].name, "another TTL than the request gives elsewhere");
            return false;
        }
        count++;
    }
    state->ttl_ms = count > 0 ? found[0] : route_thread(ex)->settings->cache_default_ttl_ms;
    return true;
}

bool entry_request_put(struct http_exchange *ex)
{
    static const struct bytes names[] = { { "ttl", 3 }, { "idle", 4 } };
    struct bytes values[2];
    char decoded[DECODED_MAX];
    struct route_state *state = route_state(ex);

    if (!route_parameters(ex, names, 2, values, (struct query_scratch){ decoded, sizeof decoded }) ||
        !choose_ttl(ex, values[0]))
        return false;
    state->idle_ms = ENGINE_NO_IDLE;
    if (!values[1].ptr)
        return true;
    if (!read_ttl(ex, names[1], values[1], &state->idle_ms))
        return false;
    if (state->idle_ms == TTL_NONE)
        state->idle_ms = ENGINE_NO_IDLE;
    return true;
}

bool entry_request_condition(struct http_exchange *ex)
{
    const struct http_request *request = http_request(ex);
    struct route_state *state = route_state(ex);
    const char *fault = etag_parse_list(request->fields[HTTP_FIELD_IF_MATCH], ETAG_STRONG, state->if_match,
                                        &state->condition.if_match);
    struct bytes name = BYTES("If-Match");

    if (!fault) {
        name = BYTES("If-None-Match");
        fault = etag_parse_list(request->fields[HTTP_FIELD_IF_NONE_MATCH], ETAG_WEAK, state->if_none_match,
                                &state->condition.if_none_match);
    }
    if (fault) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, name, fault);
        return false;
    }
    if (state->condition.if_match.given || state->condition.if_none_match.given)
        state->op.condition = &state->condition;
    return true;
}

bool entry_request_content_type(struct http_exchange *ex, struct bytes *content_type)
{
    const struct http_request *request = http_request(ex);
    struct bytes encoding = request->fields[HTTP_FIELD_CONTENT_ENCODING];
    const char *fault = NULL;

    if (encoding.len > 0 && !bytes_equal_nocase(encoding, BYTES("identity"))) {
        problem_send_about(ex, PROBLEM_UNSUPPORTED_MEDIA_TYPE, BYTES("Content-Encoding"),
                           "not kept with an entry, so an encoded body could not be told apart later");
        return false;
    }
    if (request->fields[HTTP_FIELD_CONTENT_RANGE].ptr) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("Content-Range"), "not taken: a PUT replaces the whole value");
        return false;
    }
    *content_type = request->fields[HTTP_FIELD_CONTENT_TYPE];
    if (content_type->len == 0)
        *content_type = BYTES("application/octet-stream");
    else
        fault = media_type_fault(*content_type);
    if (fault)
        problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("Content-Type"), fault);
    return fault == NULL;
}
