/* body.h - small JSON request bodies, read with jansson.
 *
 * Duplicate and unknown members are refused by name. Each returns false when
 * it has answered with a problem. Threading: the exchange's. */
#pragma once

#include "service/base/bytes.h"
#include "service/base/value.h"
#include "service/http/exchange.h"

/* PATCH: {"ttl":60}, {"ttl":"90s"} or {"ttl":null}. */
bool body_patch_ttl(struct http_exchange *ex, const struct value *body, int64_t *ttl_ms) MUST_CHECK;

/* POST /flush: nothing, {} or {"namespace":"users"}; also "tag" and "prefix".
 * What is not given is BYTES_NONE; the rest is copied to the scratch. */
struct body_flush {
    struct bytes ns, tag, prefix;
};
bool body_read_flush(struct http_exchange *ex, const struct value *body, struct body_flush *flush) MUST_CHECK;
