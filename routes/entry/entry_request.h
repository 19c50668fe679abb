/* entry_request.h - what a request for an entry asks for, read into the
 * exchange's route_state.
 *
 * Each returns false when it has answered with a problem. Threading: the
 * exchange's. */
#pragma once

#include "service/base/bytes.h"
#include "service/config/policies.h"
#include "service/http/exchange.h"

/* Query parameters of PUT; the TTL from query, Cache-TTL or (on /raw) X-TTL,
 * else the default; and, where there is any, what the op's `put` is for: tags,
 * stale window, fence, lease, the bounds of the namespace. `policy` (may be
 * NULL) is the namespace's. */
bool entry_request_put(struct http_exchange *ex, const struct policy *policy) MUST_CHECK;

/* Query parameters of GET and HEAD. */
bool entry_request_read(struct http_exchange *ex) MUST_CHECK;

/* For methods that have no query parameters, and no fence or lease. */
bool entry_request_plain(struct http_exchange *ex) MUST_CHECK;

/* If-Match and If-None-Match into state->condition. */
bool entry_request_condition(struct http_exchange *ex) MUST_CHECK;

/* The body's content type to be stored. */
bool entry_request_content_type(struct http_exchange *ex, struct bytes *content_type) MUST_CHECK;
