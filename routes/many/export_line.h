/* export_line.h - one entry as a line that an import takes back, made piece by
 * piece.
 *
 *   {"key":"a","ttl":59.2,"value":{"n":1}}
 *
 * The value stands as JSON where the entry is JSON in one line; as a string
 * with its content_type where it is text of another type; else, and where that
 * is shorter, as value_base64 with its content_type. Bytes and content type
 * come back exactly. `idle` stands where the entry slides. What the engine does
 * not tell is not there: tags, fences, stale windows, and of a sliding entry
 * the end that its reads cannot move.
 *
 * Ownership: borrows key and value while the line is made. Threading: one
 * thread. */
#pragma once

#include "engines/engine.h"
#include "service/base/buffer.h"

/* The longest piece: a key of 1,024 bytes and a content type of 255, each byte
 * escaped to six, and the member names. */
#define EXPORT_PIECE_MAX ((size_t)12 * 1024)

enum export_form { EXPORT_JSON, EXPORT_TEXT, EXPORT_BASE64 };

struct export_line {
    const struct engine_op *op;
    enum export_form form;
    bool begun;
    bool ended;
    size_t at; /* bytes of the value that are written */
};

void export_line_init(struct export_line *line, const struct engine_op *op);

/* Appends the next piece to `text`, which has room for EXPORT_PIECE_MAX bytes.
 * False: there is none, the line is complete. */
bool export_line_next(struct export_line *line, struct buffer *text) MUST_CHECK;
