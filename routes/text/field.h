/* field.h - the grammar that header fields share: tokens, quoted strings and
 * parameters (RFC 9110 section 5.6).
 *
 * Each call takes something off the front of borrowed text; nothing is
 * unescaped or copied.
 * Threading: pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "service/base/bytes.h"

/* Skips SP and HTAB at the front of `*rest`. */
void field_skip_blanks(struct bytes *rest);

/* Takes `c` off the front, or leaves `*rest` alone and returns false. */
bool field_take_char(struct bytes *rest, char c);

/* Takes the longest token off the front; empty when there is none. */
struct bytes field_take_token(struct bytes *rest);

/* Takes a quoted string; `*inside` is the text between the quotes, its
 * backslashes still in it. False when it is malformed. */
bool field_take_quoted(struct bytes *rest, struct bytes *inside) MUST_CHECK;

enum field_step {
    FIELD_PARAMETER, /* one was taken */
    FIELD_END,       /* `*rest` does not go on with a `;` */
    FIELD_MALFORMED,
};

struct field_parameter {
    struct bytes name;
    struct bytes value; /* without its quotes */
};

/* Takes OWS ";" OWS name "=" (token / quoted-string) off the front, and empty
 * parameters before it (section 5.6.6). */
enum field_step field_take_parameter(struct bytes *rest, struct field_parameter *parameter) MUST_CHECK;

/* Takes `type "/" subtype` off the front (section 8.3.1), wildcards included,
 * which are tokens. */
struct field_media_type {
    struct bytes type;
    struct bytes subtype;
};
bool field_take_media_type(struct bytes *rest, struct field_media_type *media) MUST_CHECK;
