/* fields.h - the grammar of field names and values, and which this service reads.
 * Threading: pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "service/http/exchange.h"

/* A method or field name: one or more tchar (RFC 9110 section 5.6.2). */
bool http_is_token(struct bytes text);

/* A field value: no control byte but HTAB (RFC 9110 section 5.5). */
bool http_is_field_value(struct bytes text);

/* A request target: no blank, no control byte, no fragment. */
bool http_is_target(struct bytes text);

/* The Host field: uri-host [":" port], or empty (RFC 9112 section 3.2). */
bool http_is_host(struct bytes text);

/* Content-Length: digits only (RFC 9110 section 8.6). */
bool http_parse_content_length(struct bytes text, uint64_t *length) MUST_CHECK;

enum http_method http_method_of(struct bytes name);

/* Which of the fields this service reads has this name, HTTP_FIELDS for none. */
enum http_field http_field_of(struct bytes name);

/* Whether lines of this field may be joined with a comma. */
bool http_field_is_list(enum http_field field);
