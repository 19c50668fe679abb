#include "routes/entry/entry_request.h"

#include <sodium.h>

#include "routes/entry/entry_put.h"
#include "routes/policy.h"
#include "routes/problem.h"
#include "routes/route.h"
#include "routes/text/media_type.h"

/* Escaped values are decoded into the caller's memory, who reads them at once;
 * no value that means something is longer. */
#define DECODED_MAX 128

/* A client that sends one of these relies on it; only a PUT is judged by it. */
bool entry_request_plain(struct http_exchange *ex)
{
    const struct http_request *request = http_request(ex);
    bool fence = request->fields[HTTP_FIELD_FENCE_TOKEN].ptr != NULL;

    if (fence || request->fields[HTTP_FIELD_LEASE_TOKEN].ptr) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, fence ? BYTES("Fence-Token") : BYTES("Lease-Token"),
                           "only for PUT");
        return false;
    }
    return route_no_parameters(ex);
}

#define LEASE_MAX_MS (300 * 1000)

static bool read_lease(struct http_exchange *ex, struct bytes text)
{
    struct route_state *state = route_state(ex);
    const char *fault = ttl_parse(text, &state->op.lease_ms);

    if (!fault && (state->op.lease_ms == TTL_NONE || state->op.lease_ms > LEASE_MAX_MS))
        fault = "must be 1 ms to 300 s";
    if (!fault && http_request(ex)->method != HTTP_GET)
        fault = "only for GET";
    if (fault)
        problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("lease"), fault);
    else if (!(route_thread(ex)->session->engine->capabilities & ENGINE_CAN_LEASE))
        problem_send(ex, PROBLEM_NOT_SUPPORTED_BY_ENGINE, "this engine has no leases; see GET /capabilities");
    else
        while (state->op.lease_token == 0)
            randombytes_buf(&state->op.lease_token, sizeof state->op.lease_token);
    return state->op.lease_token != 0;
}

bool entry_request_read(struct http_exchange *ex)
{
    static const struct bytes names[] = { { "lease", 5 }, { "raw", 3 } };
    struct bytes values[2] = { BYTES_NONE, BYTES_NONE };
    char decoded[DECODED_MAX];
    struct route_state *state = route_state(ex);

    if (!http_request(ex)->query.ptr)
        return true;
    if (!route_parameters(ex, names, state->is_raw ? 1 : 2, values, (struct query_scratch){ decoded, sizeof decoded }) ||
        (values[0].ptr && !read_lease(ex, values[0])))
        return false;
    if (!values[1].ptr)
        return true;
    if (!bytes_equal(values[1], BYTES("0")) && !bytes_equal(values[1], BYTES("1"))) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, names[1], "must be 0 or 1");
        return false;
    }
    state->as_raw = values[1].ptr[0] == '1';
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
static bool choose_ttl(struct http_exchange *ex, struct bytes parameter, struct policy_write *times)
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
    int64_t found[3] = { 0 };
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
    times->ttl_given = count > 0;
    times->ttl_ms = found[0];
    return true;
}

static bool choose_idle(struct http_exchange *ex, struct bytes parameter, struct policy_write *times)
{
    times->idle_given = parameter.ptr != NULL;
    times->idle_ms = ENGINE_NO_IDLE;
    if (!parameter.ptr)
        return true;
    if (!read_ttl(ex, BYTES("idle"), parameter, &times->idle_ms))
        return false;
    if (times->idle_ms == TTL_NONE)
        times->idle_ms = ENGINE_NO_IDLE;
    return true;
}

bool entry_request_put(struct http_exchange *ex, const struct policy *policy)
{
    enum { TTL, IDLE, STALE, TAGS, NAMES };
    static const struct bytes names[NAMES] = { { "ttl", 3 }, { "idle", 4 }, { "stale", 5 }, { "tags", 4 } };
    const struct query_table table = { names, NAMES, route_state(ex)->is_raw, 1 << TAGS };
    struct bytes values[NAMES];
    char decoded[DECODED_MAX];
    struct route_state *state = route_state(ex);
    struct policy_write times;
    const char *fault;

    if (!route_query(ex, &table, values, (struct query_scratch){ decoded, sizeof decoded }) ||
        !choose_ttl(ex, values[TTL], &times) || !choose_idle(ex, values[IDLE], &times))
        return false;
    fault = policy_settle_times(policy, route_thread(ex)->settings, &times);
    if (fault) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, names[TTL], fault);
        return false;
    }
    state->ttl_ms = times.ttl_ms;
    state->idle_ms = times.idle_ms;
    return entry_put_read(ex, policy, values[STALE], values[TAGS]);
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
