#include "routes/many/batch_result.h"

#include "routes/entry/etag.h"
#include "routes/entry/value_form.h"
#include "routes/outcome.h"
#include "routes/text/encode.h"
#include "service/base/ttl.h"

void batch_result_add_value(struct buffer *text, struct value *value)
{
    enum value_form form = value_form_of(value);
    struct bytes bytes = value_bytes(value);
    size_t len = form == VALUE_FORM_BINARY ? encode_base64_length(bytes.len) : encode_json_text_length(bytes);
    char *room;

    buffer_add(text, BYTES("\"value\":"));
    if (form == VALUE_FORM_JSON) {
        buffer_add(text, bytes);
        return;
    }
    buffer_add_char(text, '"');
    room = buffer_extend(text, len);
    if (room && form == VALUE_FORM_BINARY)
        encode_base64(bytes, room);
    else if (room)
        encode_json_text(bytes, room);
    buffer_add(text, form == VALUE_FORM_BINARY ? BYTES("\",\"encoding\":\"base64\"") : BYTES("\""));
}

static void add_status(struct buffer *text, unsigned status)
{
    buffer_add(text, BYTES("{\"status\":"));
    buffer_add_u64(text, status);
}

static void add_etag(struct buffer *text, engine_version version)
{
    char digits[16];

    etag_format_digits(version, digits);
    buffer_add(text, BYTES(",\"etag\":\"\\\""));
    buffer_add(text, bytes_of(digits, sizeof digits));
    buffer_add(text, BYTES("\\\"\""));
}

static void add_entry(struct buffer *text, const struct engine_entry *entry)
{
    char ttl[TTL_TEXT_SIZE];

    buffer_add(text, BYTES(",\"bytes\":"));
    buffer_add_u64(text, entry->bytes);
    buffer_add(text, BYTES(",\"ttl\":"));
    buffer_add(text, bytes_of(ttl, ttl_format_json(entry->ttl_ms, ttl)));
    if (entry->stale)
        buffer_add(text, BYTES(",\"stale\":true"));
    add_etag(text, entry->version);
}

static void add_error(struct buffer *text, enum problem problem, const char *detail, bool unknown)
{
    add_status(text, problem_status(problem));
    buffer_add(text, BYTES(",\"error\":{\"type\":\"/problems/"));
    buffer_add_string(text, problem_slug(problem));
    buffer_add(text, BYTES("\",\"detail\":"));
    buffer_add_json_string(text, bytes_str(detail));
    buffer_add_char(text, '}');
    if (unknown)
        buffer_add(text, BYTES(",\"outcome\":\"unknown\""));
}

static void add_mismatch(struct buffer *text, const struct engine_op *op)
{
    if (op->entry.version == 0 && op->verb != ENGINE_PUT) {
        /* As for one request, where 404 goes before the condition. */
        add_error(text, PROBLEM_NOT_FOUND, "no entry under this key", false);
    } else if (op->entry.version == 0) {
        add_error(text, PROBLEM_PRECONDITION_FAILED, "no entry stands under this key", false);
    } else {
        add_error(text, PROBLEM_PRECONDITION_FAILED, "the entry's ETag does not meet the condition", false);
        add_etag(text, op->entry.version);
    }
}

/* RFC 9110 section 13.2.2, for a read. */
static unsigned judge(const struct batch_op *op)
{
    struct engine_condition if_match = { .if_match = op->condition.if_match };

    if (!op->conditional)
        return 200;
    if (!engine_condition_holds(&if_match, op->op.entry.version))
        return 412;
    return engine_condition_holds(&op->condition, op->op.entry.version) ? 200 : 304;
}

static void add_hit(struct buffer *text, struct batch_op *op)
{
    struct value *value = op->op.entry.value;
    unsigned status = judge(op);

    if (status == 412) {
        add_error(text, PROBLEM_PRECONDITION_FAILED, "the entry's ETag does not meet if_match", false);
        add_etag(text, op->op.entry.version);
        return;
    }
    add_status(text, status);
    if (status == 200) {
        buffer_add(text, BYTES(",\"content_type\":"));
        buffer_add_json_string(text, value_content_type(value));
    }
    add_entry(text, &op->op.entry);
    if (status == 200) {
        buffer_add_char(text, ',');
        batch_result_add_value(text, value);
    }
}

static void add_success(struct buffer *text, struct batch_op *op)
{
    bool created = op->op.status == ENGINE_CREATED;

    if (op->op.verb == ENGINE_GET) {
        add_hit(text, op);
        return;
    }
    add_status(text, created ? 201 : 200);
    if (op->op.verb == ENGINE_DELETE) {
        buffer_add(text, BYTES(",\"deleted\":true"));
        return;
    }
    if (op->op.verb == ENGINE_PUT)
        buffer_add(text, created ? BYTES(",\"created\":true") : BYTES(",\"created\":false"));
    add_entry(text, &op->op.entry);
}

void batch_result_add(struct buffer *text, struct batch_op *op)
{
    enum engine_status status = op->op.status;

    if (status == ENGINE_OK || status == ENGINE_CREATED) {
        add_success(text, op);
    } else if (status == ENGINE_MISMATCH) {
        add_mismatch(text, &op->op);
    } else {
        struct outcome outcome = outcome_of(&op->op);
        add_error(text, outcome.problem, outcome.detail, outcome.unknown);
    }
    buffer_add_char(text, '}');
}
