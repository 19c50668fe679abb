/* accept.h - which view of an entry does `GET /cache` answer with?
 *
 * Proactive negotiation (RFC 9110 section 12.5.1) between the JSON view and
 * the stored bytes. It never fails: what cannot be served or understood gets
 * JSON, so 406 does not exist here.
 * Threading: pure. */
#pragma once

#include "service/base/bytes.h"

enum view { VIEW_JSON, VIEW_RAW };

/* VIEW_RAW when `accept` gives `application/octet-stream` or the entry's own
 * `stored_type` a higher weight than `application/json`; a tie is JSON, also
 * for JSON entries. The most specific range that matches a type decides its
 * weight; parameters of a range must be among the type's (the JSON view counts
 * as `charset=utf-8`). An absent (NULL pointer), empty or malformed field is
 * JSON. What browsers send, text/html at 1 and all else at 0.8, is therefore
 * JSON unless the entry is one of the types they name. */
enum view accept_view(struct bytes accept, struct bytes stored_type);
