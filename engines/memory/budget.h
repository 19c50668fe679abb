/* budget.h - the byte budget of a store, shared by all its shards.
 *
 * What is counted is what the allocator really gives: the usable size of a
 * block and its header. Every allocation of the store goes through here, so
 * `used` is the sum over live blocks and never passes `max`.
 * Threading: any thread; one atomic counter. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "service/base/bytes.h"

struct budget {
    size_t max;
    _Atomic size_t used;
};

/* Counts `bytes` as used if they fit; else false and nothing changes. */
bool budget_take(struct budget *budget, size_t bytes) MUST_CHECK;
void budget_give(struct budget *budget, size_t bytes);

/* Whether `bytes` more would fit at this moment. */
bool budget_fits(struct budget *budget, size_t bytes) MUST_CHECK;

/* malloc() that counts; NULL when it does not fit or memory is short. */
void *budget_alloc(struct budget *budget, size_t bytes) MUST_CHECK;
void budget_free(struct budget *budget, void *block); /* NULL is allowed */

/* The same in two steps, for blocks that are freed after a lock is given
 * back: what budget_alloc() counted for `block`. */
size_t budget_footprint(void *block);
