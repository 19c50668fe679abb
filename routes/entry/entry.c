/* entry.c - /cache/{ns}/{key} and /raw/{ns}/{key}: reading, storing, removing an
 * entry, and changing its TTL.
 *
 * The two routes differ in what they refuse (entry_request.h) and in how they
 * answer (view.h). Threading: the exchange's. */
#include <stdio.h>

#include "routes/entry/entry_lease.h"
#include "routes/entry/entry_request.h"
#include "routes/entry/value_form.h"
#include "routes/entry/view.h"
#include "routes/json_members.h"
#include "routes/outcome.h"
#include "routes/policy.h"
#include "routes/problem.h"
#include "routes/route.h"
#include "routes/text/json_text.h"
#include "routes/text/media_type.h"

#define PATCH_BODY_MAX 4096

/* ---- Reading ---- */

void entry_read_begin(struct http_exchange *ex)
{
    if (entry_request_read(ex))
        (void)!entry_request_condition(ex);
}

static bool shows_raw(struct http_exchange *ex)
{
    const struct route_state *state = route_state(ex);

    return state->is_raw || state->as_raw ||
           accept_view(http_request(ex)->fields[HTTP_FIELD_ACCEPT], value_content_type(state->op.entry.value)) ==
               VIEW_RAW;
}

/* RFC 9211. */
static const char *cache_status(const struct engine_op *op)
{
    if (op->status != ENGINE_OK)
        return "cubby; fwd=miss";
    return op->entry.stale ? "cubby; hit; detail=stale" : "cubby; hit";
}

static void finish_read(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    bool hit = state->op.status == ENGINE_OK;
    unsigned status;

    if (hit || state->op.status == ENGINE_MISS) {
        http_reply_field(ex, "Cache-Control", "no-cache");
        http_reply_field(ex, "Cache-Status", cache_status(&state->op));
        if (state->op.lease_ms > 0)
            entry_lease_fields(ex);
    }
    if (!state->is_raw)
        http_reply_field(ex, "Vary", "Accept");
    if (!hit) {
        outcome_send(ex, &state->op);
        return;
    }
    view_entry_fields(ex);
    status = etag_judge_read(&state->condition, state->op.entry.version);
    if (status == 412)
        problem_send(ex, PROBLEM_PRECONDITION_FAILED, "the entry's ETag does not meet If-Match");
    else if (shows_raw(ex))
        view_raw(ex, status);
    else
        view_json(ex, status);
}

void entry_read(struct http_exchange *ex)
{
    route_submit(ex, ENGINE_GET, finish_read);
}

/* ---- Storing ---- */

void entry_put_begin(struct http_exchange *ex)
{
    const struct routes_thread *thread = route_thread(ex);
    const struct http_request *request = http_request(ex);
    const struct policy *policy = policy_of(thread->settings, route_state(ex)->entry.ns);
    struct bytes content_type;

    if (!request->has_length && !request->has_body) {
        problem_send(ex, PROBLEM_LENGTH_REQUIRED, "PUT needs a Content-Length, 0 included, or Transfer-Encoding: chunked");
        return;
    }
    if (entry_request_put(ex, policy) && entry_request_condition(ex) && entry_request_content_type(ex, &content_type))
        http_accept_body(ex, policy_value_max(policy, thread->settings, thread->session->engine), content_type);
}

/* A failed condition, with the tag of what stands. */
static void send_mismatch(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);

    if (state->op.entry.version == 0) {
        problem_send(ex, PROBLEM_PRECONDITION_FAILED, "no entry stands under this key");
        return;
    }
    etag_format(state->op.entry.version, state->etag);
    http_reply_field(ex, "ETag", state->etag);
    problem_send(ex, PROBLEM_PRECONDITION_FAILED, "the entry's ETag does not meet the condition");
}

/* Also where a condition failed for want of an entry. */
static bool nothing_stood(const struct engine_op *op)
{
    return op->status == ENGINE_MISS || (op->status == ENGINE_MISMATCH && op->entry.version == 0);
}

static void finish_put(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    bool created = state->op.status == ENGINE_CREATED;

    if (state->op.status == ENGINE_MISMATCH) {
        send_mismatch(ex);
        return;
    }
    if (!created && state->op.status != ENGINE_OK) {
        outcome_send(ex, &state->op);
        return;
    }
    view_entry_fields(ex);
    if (state->is_raw)
        http_send_empty(ex, created ? 201 : 200);
    else
        view_json_written(ex, created ? 201 : 200, created);
}

static bool body_is_fit(struct http_exchange *ex)
{
    struct value *value = http_body(ex);
    struct json_text_fault fault = { 0, NULL };
    char *detail;

    if (route_state(ex)->is_raw || !media_type_is_json(value_content_type(value)) ||
        value_form_of(value) == VALUE_FORM_JSON)
        return true;
    (void)json_text_valid(value_bytes(value), &fault);
    detail = http_scratch(ex, 160);
    if (detail)
        snprintf(detail, 160, "the body is not well-formed JSON: %s at byte %zu", fault.reason, fault.offset);
    problem_send(ex, PROBLEM_BAD_REQUEST, detail ? detail : "the body is not well-formed JSON");
    return false;
}

void entry_put(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);

    if (!body_is_fit(ex))
        return;
    state->op.value = http_body(ex);
    state->op.ttl_ms = state->ttl_ms;
    state->op.idle_ms = state->idle_ms;
    route_submit(ex, ENGINE_PUT, finish_put);
}

/* ---- Removing ---- */

void entry_delete_begin(struct http_exchange *ex)
{
    if (entry_request_plain(ex))
        (void)!entry_request_condition(ex);
}

static void finish_delete(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    bool gone = nothing_stood(&state->op);

    /* Where nothing stands, /cache would answer 404, so the condition is not
     * looked at (RFC 9110 section 13.2.1); /raw would answer 204, so it is. */
    if (gone && !state->is_raw)
        problem_send(ex, PROBLEM_NOT_FOUND, "no entry under this key");
    else if (state->op.status == ENGINE_MISMATCH)
        send_mismatch(ex);
    else if (state->op.status != ENGINE_OK && state->op.status != ENGINE_MISS)
        outcome_send(ex, &state->op);
    else if (state->is_raw)
        http_send_empty(ex, 204);
    else
        view_json_deleted(ex);
}

void entry_delete(struct http_exchange *ex)
{
    route_submit(ex, ENGINE_DELETE, finish_delete);
}

/* ---- Changing the TTL ---- */

void entry_patch_begin(struct http_exchange *ex)
{
    if (entry_request_plain(ex) && entry_request_condition(ex))
        json_members_accept(ex, PATCH_BODY_MAX);
}

static void finish_patch(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    bool gone = nothing_stood(&state->op);

    if (gone) {
        problem_send(ex, PROBLEM_NOT_FOUND, "no entry under this key");
    } else if (state->op.status == ENGINE_MISMATCH) {
        send_mismatch(ex);
    } else if (state->op.status != ENGINE_OK) {
        outcome_send(ex, &state->op);
    } else {
        view_entry_fields(ex);
        view_json_written(ex, 200, -1);
    }
}

void entry_patch(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    const struct json_member ttl = { .name = "ttl", JSON_MEMBER_TTL, .required = true, .value = &state->ttl_ms };
    const char *fault;

    if (!json_members_read(ex, http_body(ex), &ttl, 1))
        return;
    fault = policy_check_ttl(policy_of(route_thread(ex)->settings, state->entry.ns), state->ttl_ms);
    if (fault) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("ttl"), fault);
        return;
    }
    state->op.ttl_ms = state->ttl_ms;
    route_submit(ex, ENGINE_TOUCH, finish_patch);
}
