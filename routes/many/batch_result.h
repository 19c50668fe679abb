/* batch_result.h - what became of an operation of a batch, as JSON.
 *
 *   get     {"status":200,"content_type":…,"bytes":…,"ttl":…,"etag":…,"value":…}, 304 where
 *           a condition says so
 *   put     {"status":201,"created":true,"bytes":…,"ttl":…,"etag":…}, or 200 and false
 *   delete  {"status":200,"deleted":true}
 *   touch   {"status":200,"bytes":…,"ttl":…,"etag":…}
 *   else    {"status":412,"error":{"type":"/problems/…","detail":…}}, with "outcome":"unknown"
 *           where a write may have happened
 * Threading: one thread. */
#pragma once

#include "routes/many/batch_op.h"
#include "routes/outcome.h"
#include "service/base/buffer.h"

/* Appends the result; the operation is done. */
void batch_result_add(struct buffer *text, struct batch_op *op);

/* Whether the engine answered none of these, which are done: each ended as its
 * failure (503, 504). `*failure` is then what the whole comes to: that of the
 * first, and `unknown` where any of the writes may have happened. No operations
 * at all: false. */
bool batch_result_all_failed(const struct batch_op *ops, size_t count, struct outcome *failure) MUST_CHECK;
