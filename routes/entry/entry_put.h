/* entry_put.h - what a PUT may ask for besides value and times: tags, a stale
 * window, a fence, a lease, and the bounds of the namespace's policy.
 *
 * A PUT without any of it is not slowed: op.put stays NULL and nothing is
 * allocated. Threading: the exchange's. */
#pragma once

#include "service/base/bytes.h"
#include "service/config/policies.h"
#include "service/http/exchange.h"

/* `stale` is the decoded parameter, `tags` as it was sent; BYTES_NONE where not
 * given. The times stand in the state already. False: answered. */
bool entry_put_read(struct http_exchange *ex, const struct policy *policy, struct bytes stale,
                    struct bytes tags) MUST_CHECK;
