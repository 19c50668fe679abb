/* cursor.h - where a listing goes on, as clients carry it.
 *
 * An engine's cursor with a check in front that binds it to what was listed,
 * as base64url (RFC 4648 section 5) without padding. The check finds slips, not
 * forgers: an engine looks at every cursor again. The same on all replicas.
 * Threading: pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engines/engine.h"
#include "service/base/bytes.h"

#define CURSOR_CHECK_BYTES 8

/* Room for a written cursor; no NUL. */
#define CURSOR_TEXT_MAX ((ENGINE_CURSOR_MAX + CURSOR_CHECK_BYTES + 2) / 3 * 4)

/* `kind` is the listing's own letter; `ns` and `prefix` what it is of.
 * `engine_cursor` has at most ENGINE_CURSOR_MAX bytes. Returns the length. */
size_t cursor_write(char out[CURSOR_TEXT_MAX], char kind, struct bytes ns, struct bytes prefix,
                    struct bytes engine_cursor);

/* False where `text` is no cursor of such a listing. */
bool cursor_read(struct bytes text, char kind, struct bytes ns, struct bytes prefix, char out[ENGINE_CURSOR_MAX],
                 size_t *len) MUST_CHECK;
