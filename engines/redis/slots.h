/* slots.h - what CLUSTER SLOTS says, read with suspicion.
 *
 * The reply is an array of [first slot, last slot, [host, port, …], replicas…]
 * (redis.io, "CLUSTER SLOTS"); the first server of each is its master. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engines/redis/address.h"

struct redisReply;

struct redis_slot_range {
    unsigned first, last;
    struct redis_endpoint master;
};

/* The `index`th range. False where it is malformed, or names no host; an empty
 * host means `asked`, the server that answered. */
bool redis_slots_read(const struct redisReply *reply, size_t index, const char *asked,
                      struct redis_slot_range *out) MUST_CHECK;

size_t redis_slots_count(const struct redisReply *reply);

/* "MOVED 3999 127.0.0.1:6381", "ASK …"; the host may be empty, as above. */
bool redis_slots_read_redirect(struct bytes error, const char *asked, struct redis_endpoint *out) MUST_CHECK;
