/* view.h - the two ways to show an entry, and the answers to writes.
 *
 * Those that take an exchange end the app's part of it and work from
 * route_state's op.
 * Threading: the exchange's. */
#pragma once

#include "engines/engine.h"
#include "service/base/buffer.h"
#include "service/http/exchange.h"

/* ETag and Cache-TTL of the entry in the op's results. */
void view_entry_fields(struct http_exchange *ex);

/* A hit as JSON, 200 or 304 (whose fields are those of 200, RFC 9110 section
 * 8.6); takes the value over. The envelope is written around the stored bytes,
 * no tree is built. */
void view_json(struct http_exchange *ex, unsigned status);

/* A hit as the stored bytes, 200 or 304, or the range asked for; takes the
 * value over. */
void view_raw(struct http_exchange *ex, unsigned status);

/* Appends what each JSON answer about an entry has: ,"bytes":17,"ttl":60.0,"etag":"\"…\"" */
void view_add_entry(struct buffer *text, const struct engine_entry *entry);

/* The answer to a write on /cache. `created`: -1 leaves the member out. */
void view_json_written(struct http_exchange *ex, unsigned status, int created);

/* The answer to DELETE on /cache. */
void view_json_deleted(struct http_exchange *ex);
