#include "routes/many/export_line.h"

#include "routes/entry/value_form.h"
#include "routes/text/encode.h"
#include "routes/text/media_type.h"
#include "routes/text/text.h"
#include "service/base/ttl.h"

/* Bytes of a value in one piece: a multiple of three, for base64, and short
 * enough when each is escaped to six. */
#define STEP_BYTES ((size_t)1536)
_Static_assert(STEP_BYTES % 3 == 0 && 6 * STEP_BYTES + 64 < EXPORT_PIECE_MAX, "a piece holds a step");

static enum export_form choose_form(struct value *value)
{
    struct bytes bytes = value_bytes(value);

    switch (value_form_of(value)) {
    case VALUE_FORM_JSON:
        return bytes.len > 0 && (memchr(bytes.ptr, '\n', bytes.len) || memchr(bytes.ptr, '\r', bytes.len))
                   ? EXPORT_BASE64
                   : EXPORT_JSON;
    case VALUE_FORM_TEXT_PLAIN:
    case VALUE_FORM_TEXT:
        /* A string goes with a type that is not JSON only. */
        return media_type_is_json(value_content_type(value)) ||
                       encode_json_text_length(bytes) > encode_base64_length(bytes.len)
                   ? EXPORT_BASE64
                   : EXPORT_TEXT;
    default:
        return EXPORT_BASE64;
    }
}

void export_line_init(struct export_line *line, const struct engine_op *op)
{
    *line = (struct export_line){ .op = op, .form = choose_form(op->entry.value) };
}

static void add_duration(struct buffer *text, struct bytes name, int64_t ms)
{
    char digits[TTL_TEXT_SIZE];

    buffer_add(text, name);
    buffer_add(text, bytes_of(digits, ttl_format_json(ms, digits)));
}

static void add_head(const struct export_line *line, struct buffer *text)
{
    const struct engine_op *op = line->op;
    struct bytes type = value_content_type(op->entry.value);

    buffer_add_char(text, '{');
    text_add_first(text, "key", op->key);
    add_duration(text, BYTES(",\"ttl\":"), op->entry.ttl_ms);
    if (op->entry.idle_ms != ENGINE_NO_IDLE)
        add_duration(text, BYTES(",\"idle\":"), op->entry.idle_ms);
    if (line->form != EXPORT_JSON || !bytes_equal(type, BYTES("application/json"))) {
        buffer_add(text, BYTES(",\"content_type\":"));
        buffer_add_json_string(text, type);
    }
    buffer_add(text, line->form == EXPORT_JSON   ? BYTES(",\"value\":")
                     : line->form == EXPORT_TEXT ? BYTES(",\"value\":\"")
                                                 : BYTES(",\"value_base64\":\""));
}

static void add_step(struct export_line *line, struct buffer *text)
{
    struct bytes all = value_bytes(line->op->entry.value);
    size_t left = all.len - line->at;
    struct bytes step = bytes_of(all.ptr + line->at, left < STEP_BYTES ? left : STEP_BYTES);
    char *room;

    line->at += step.len;
    if (line->form == EXPORT_JSON) {
        buffer_add(text, step);
    } else if (line->form == EXPORT_BASE64) {
        text_add_base64(text, step);
    } else {
        room = buffer_extend(text, encode_json_text_length(step));
        if (room)
            encode_json_text(step, room);
    }
}

bool export_line_next(struct export_line *line, struct buffer *text)
{
    if (line->ended)
        return false;
    if (!line->begun) {
        line->begun = true;
        add_head(line, text);
    } else if (line->at < line->op->entry.value->len) {
        add_step(line, text);
    } else {
        line->ended = true;
        buffer_add(text, line->form == EXPORT_JSON ? BYTES("}\n") : BYTES("\"}\n"));
    }
    return true;
}
