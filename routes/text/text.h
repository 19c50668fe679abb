/* text.h - pieces of JSON answers that several resources write.
 * Threading: pure. */
#pragma once

#include "service/base/buffer.h"
#include "service/base/bytes.h"

/* Appends `bytes` in base64. */
void text_add_base64(struct buffer *text, struct bytes bytes);

/* `"name":"value"` as the first member of an object. Bytes that are not UTF-8
 * have no JSON string: they go as `"name_base64":"..."`. */
void text_add_first(struct buffer *text, const char *name, struct bytes value);

/* The same after another member, with its comma. */
void text_add_member(struct buffer *text, const char *name, struct bytes value);
