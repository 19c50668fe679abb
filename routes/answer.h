/* answer.h - a JSON answer that no cache on the way is to keep.
 *
 * Each ends the app's part of the exchange. Threading: the exchange's. */
#pragma once

#include <jansson.h>

#include "service/http/exchange.h"

/* `body` is copied. */
void answer_json(struct http_exchange *ex, unsigned status, struct bytes body);

/* `body` lives for ever. */
void answer_json_static(struct http_exchange *ex, unsigned status, struct bytes body);

/* `body` is from malloc(), and freed once it is sent. */
void answer_json_owned(struct http_exchange *ex, unsigned status, char *body, size_t len);

/* 200 with `document`, which is let go of, as json_dumps() writes it by `flags`.
 * NULL: there was no memory for it, and that is answered. */
void answer_json_document(struct http_exchange *ex, json_t *document, size_t flags);
