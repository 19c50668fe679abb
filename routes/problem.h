/* problem.h - error answers as application/problem+json (RFC 9457).
 *
 * Each ends the app's part of the exchange. Threading: the exchange's. */
#pragma once

#include "service/http/exchange.h"

/* The kinds of problem; their slugs are stable, clients may compare them. */
enum problem {
    PROBLEM_BAD_REQUEST,
    PROBLEM_UNAUTHORIZED,
    PROBLEM_FORBIDDEN,
    PROBLEM_NO_ROUTE,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD_NOT_ALLOWED,
    PROBLEM_COUNTER_BOUND,
    PROBLEM_LOCK_HELD,
    PROBLEM_LENGTH_REQUIRED,
    PROBLEM_REQUEST_TIMEOUT,
    PROBLEM_PRECONDITION_FAILED,
    PROBLEM_CONTENT_TOO_LARGE,
    PROBLEM_URI_TOO_LONG,
    PROBLEM_UNSUPPORTED_MEDIA_TYPE,
    PROBLEM_RANGE_NOT_SATISFIABLE,
    PROBLEM_EXPECTATION_FAILED,
    PROBLEM_RATE_LIMITED,
    PROBLEM_HEADERS_TOO_LARGE,
    PROBLEM_INTERNAL,
    PROBLEM_NOT_SUPPORTED_BY_ENGINE,
    PROBLEM_NOT_READY,
    PROBLEM_OVERLOADED,
    PROBLEM_ENGINE_UNAVAILABLE,
    PROBLEM_ENGINE_TIMEOUT,
    PROBLEM_ENGINE_FULL,
    PROBLEMS
};

/* `detail` says what was wrong with this request, in a sentence without a
 * full stop; static or scratch. */
void problem_send(struct http_exchange *ex, enum problem problem, const char *detail);

/* The same about a name from the request, which comes first and is escaped:
 * `"colour": unknown parameter`. */
void problem_send_about(struct http_exchange *ex, enum problem problem, struct bytes name, const char *detail);

/* The same with `"outcome":"unknown"`: the write may have happened. */
void problem_send_unknown(struct http_exchange *ex, enum problem problem, const char *detail);

/* The same with members of the problem's own: JSON without the braces, such as
 * `"value":5,"ttl":null`, at most PROBLEM_EXTRA_MAX bytes. */
#define PROBLEM_EXTRA_MAX 1024
void problem_send_with(struct http_exchange *ex, enum problem problem, const char *detail, struct bytes members);

/* The kind's HTTP status, and its slug, for answers that hold several. */
unsigned problem_status(enum problem problem);
const char *problem_slug(enum problem problem);

/* The kind for a status that http_app.refuse is given. */
enum problem problem_refused(unsigned status);

/* For http_app.refuse. */
void problem_refuse(struct http_exchange *ex, unsigned status, const char *detail);
