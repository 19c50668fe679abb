/* view.h - the two ways to show an entry, and the answers to writes.
 *
 * Each ends the app's part of the exchange and works from route_state's op.
 * Threading: the exchange's. */
#pragma once

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

/* The answer to a write on /cache. `created`: -1 leaves the member out. */
void view_json_written(struct http_exchange *ex, unsigned status, int created);

/* The answer to DELETE on /cache. */
void view_json_deleted(struct http_exchange *ex);
