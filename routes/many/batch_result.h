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
#include "service/base/buffer.h"

/* Appends the result; the operation is done. */
void batch_result_add(struct buffer *text, struct batch_op *op);

/* Appends `"value":…`, and `,"encoding":"base64"` where it is that, as the JSON
 * view of an entry has it. */
void batch_result_add_value(struct buffer *text, struct value *value);
