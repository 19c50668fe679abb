/* answer.h - a small JSON answer that no cache on the way is to keep.
 *
 * Ends the app's part of the exchange. Threading: the exchange's. */
#pragma once

#include "service/http/exchange.h"

/* `body` is copied. */
void answer_json(struct http_exchange *ex, unsigned status, struct bytes body);
