/* entry_put.h - what a PUT may ask for besides value and times: tags, a stale
 * window, a fence, a lease, and the bounds of the namespace's policy.
 *
 * A PUT without any of it is not slowed: op.put stays NULL and nothing is
 * allocated. Threading: the exchange's. */
#pragma once

#include <stdint.h>

#include "service/base/bytes.h"
#include "service/config/policies.h"
#include "service/http/exchange.h"

/* The highest Fence-Token. */
#define ENTRY_FENCE_MAX (UINT64_C(1) << 63)

/* A lease's token, 16 hexadecimal digits of either case; never 0. What is none
 * gives a random one, which nobody was given: a void lease like any other. */
uint64_t entry_lease_token_read(struct bytes text) MUST_CHECK;

/* `stale` is the decoded parameter, `tags` as it was sent; BYTES_NONE where not
 * given. The times stand in the state already. False: answered. */
bool entry_put_read(struct http_exchange *ex, const struct policy *policy, struct bytes stale,
                    struct bytes tags) MUST_CHECK;
