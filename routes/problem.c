#include "routes/problem.h"

#include "service/base/buffer.h"

#define PROBLEM_BODY_MAX (2048 + PROBLEM_EXTRA_MAX)

static const struct problem_row {
    unsigned status;
    const char *slug;
    const char *title;
} rows[PROBLEMS] = {
    [PROBLEM_BAD_REQUEST] = { 400, "bad-request", "Bad Request" },
    [PROBLEM_UNAUTHORIZED] = { 401, "unauthorized", "Unauthorized" },
    [PROBLEM_FORBIDDEN] = { 403, "forbidden", "Forbidden" },
    [PROBLEM_NO_ROUTE] = { 404, "no-route", "No Such Route" },
    [PROBLEM_NOT_FOUND] = { 404, "not-found", "Not Found" },
    [PROBLEM_METHOD_NOT_ALLOWED] = { 405, "method-not-allowed", "Method Not Allowed" },
    [PROBLEM_COUNTER_BOUND] = { 409, "counter-bound", "Counter Bound" },
    [PROBLEM_LOCK_HELD] = { 409, "lock-held", "Lock Held" },
    [PROBLEM_LENGTH_REQUIRED] = { 411, "length-required", "Length Required" },
    [PROBLEM_REQUEST_TIMEOUT] = { 408, "request-timeout", "Request Timeout" },
    [PROBLEM_PRECONDITION_FAILED] = { 412, "precondition-failed", "Precondition Failed" },
    [PROBLEM_CONTENT_TOO_LARGE] = { 413, "content-too-large", "Content Too Large" },
    [PROBLEM_URI_TOO_LONG] = { 414, "uri-too-long", "URI Too Long" },
    [PROBLEM_UNSUPPORTED_MEDIA_TYPE] = { 415, "unsupported-media-type", "Unsupported Media Type" },
    [PROBLEM_RANGE_NOT_SATISFIABLE] = { 416, "range-not-satisfiable", "Range Not Satisfiable" },
    [PROBLEM_EXPECTATION_FAILED] = { 417, "expectation-failed", "Expectation Failed" },
    [PROBLEM_RATE_LIMITED] = { 429, "rate-limited", "Rate Limited" },
    [PROBLEM_HEADERS_TOO_LARGE] = { 431, "header-fields-too-large", "Request Header Fields Too Large" },
    [PROBLEM_INTERNAL] = { 500, "internal-error", "Internal Error" },
    [PROBLEM_NOT_SUPPORTED_BY_ENGINE] = { 501, "not-supported-by-engine", "Not Supported By Engine" },
    [PROBLEM_NOT_READY] = { 503, "not-ready", "Not Ready" },
    [PROBLEM_OVERLOADED] = { 503, "overloaded", "Overloaded" },
    [PROBLEM_ENGINE_UNAVAILABLE] = { 503, "engine-unavailable", "Engine Unavailable" },
    [PROBLEM_ENGINE_TIMEOUT] = { 504, "engine-timeout", "Engine Timeout" },
    [PROBLEM_ENGINE_FULL] = { 507, "engine-full", "Engine Full" },
};

static void send_problem(struct http_exchange *ex, enum problem problem, struct bytes name, const char *detail,
                         struct bytes members)
{
    const struct problem_row *row = &rows[problem];
    char memory[PROBLEM_BODY_MAX];
    struct buffer body;

    buffer_init_fixed(&body, memory, sizeof memory);
    buffer_add_format(&body, "{\"type\":\"/problems/%s\",\"title\":\"%s\",\"status\":%u,\"detail\":\"", row->slug,
                      row->title, row->status);
    if (name.ptr) {
        buffer_add_string(&body, "\\\"");
        buffer_add_json_escaped(&body, name);
        buffer_add_string(&body, "\\\": ");
    }
    buffer_add_json_escaped(&body, bytes_str(detail));
    buffer_add_string(&body, "\",\"request_id\":");
    buffer_add_json_string(&body, http_request(ex)->id);
    if (members.len > 0) {
        buffer_add_char(&body, ',');
        buffer_add(&body, members);
    }
    buffer_add_string(&body, "}\n");

    http_reply_field(ex, "Content-Type", "application/problem+json");
    if (!http_reply_has(ex, "Cache-Control"))
        http_reply_field(ex, "Cache-Control", "no-store");
    if (row->status == 503)
        http_reply_field(ex, "Retry-After", "1");
    http_send_copy(ex, row->status, buffer_bytes(&body));
}

void problem_send(struct http_exchange *ex, enum problem problem, const char *detail)
{
    send_problem(ex, problem, BYTES_NONE, detail, BYTES_NONE);
}

/* Long enough to recognise, short enough for the body's buffer. */
#define NAME_SHOWN_MAX 64

void problem_send_about(struct http_exchange *ex, enum problem problem, struct bytes name, const char *detail)
{
    if (name.len > NAME_SHOWN_MAX)
        name.len = NAME_SHOWN_MAX;
    send_problem(ex, problem, name, detail, BYTES_NONE);
}

void problem_send_unknown(struct http_exchange *ex, enum problem problem, const char *detail)
{
    send_problem(ex, problem, BYTES_NONE, detail, BYTES("\"outcome\":\"unknown\""));
}

void problem_send_with(struct http_exchange *ex, enum problem problem, const char *detail, struct bytes members)
{
    send_problem(ex, problem, BYTES_NONE, detail, members);
}

unsigned problem_status(enum problem problem)
{
    return rows[problem].status;
}

const char *problem_slug(enum problem problem)
{
    return rows[problem].slug;
}

enum problem problem_refused(unsigned status)
{
    /* 503 has several rows; what the HTTP box turns down is overload. */
    enum problem problem = status == 503 ? PROBLEM_OVERLOADED : PROBLEM_BAD_REQUEST;

    for (int i = 0; status != 503 && i < PROBLEMS; i++)
        if (rows[i].status == status)
            problem = (enum problem)i;
    return problem;
}

void problem_refuse(struct http_exchange *ex, unsigned status, const char *detail)
{
    problem_send(ex, problem_refused(status), detail);
}
