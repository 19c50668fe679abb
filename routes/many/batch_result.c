#include "routes/many/batch_result.h"

#include "routes/entry/etag.h"
#include "routes/entry/value_form.h"
#include "routes/entry/view.h"
#include "routes/text/encode.h"
#include "routes/text/text.h"

/* As the JSON view of an entry has it, with `encoding` where it is base64. */
static void add_value(struct buffer *text, struct value *value)
{
    enum value_form form = value_form_of(value);
    struct bytes bytes = value_bytes(value);
    char *room;

    if (form == VALUE_FORM_JSON) {
        buffer_add(text, BYTES("\"value\":"));
        buffer_add(text, bytes);
        return;
    }
    buffer_add(text, BYTES("\"value\":\""));
    if (form == VALUE_FORM_BINARY) {
        text_add_base64(text, bytes);
        buffer_add(text, BYTES("\",\"encoding\":\"base64\""));
        return;
    }
    room = buffer_extend(text, encode_json_text_length(bytes));
    if (room)
        encode_json_text(bytes, room);
    buffer_add_char(text, '"');
}

static void add_status(struct buffer *text, unsigned status)
{
    buffer_add(text, BYTES("{\"status\":"));
    buffer_add_u64(text, status);
}

static void add_entry(struct buffer *text, const struct engine_entry *entry)
{
    view_add_entry(text, entry);
    if (entry->stale)
        buffer_add(text, BYTES(",\"stale\":true"));
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
        etag_add_member(text, op->entry.version);
    }
}

static void add_hit(struct buffer *text, struct batch_op *op)
{
    struct value *value = op->op.entry.value;
    unsigned status = etag_judge_read(&op->condition, op->op.entry.version);

    if (status == 412) {
        add_error(text, PROBLEM_PRECONDITION_FAILED, "the entry's ETag does not meet if_match", false);
        etag_add_member(text, op->op.entry.version);
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
        add_value(text, value);
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

static bool is_engine_failure(enum problem problem)
{
    return problem == PROBLEM_OVERLOADED || problem == PROBLEM_ENGINE_UNAVAILABLE ||
           problem == PROBLEM_ENGINE_TIMEOUT;
}

bool batch_result_all_failed(const struct batch_op *ops, size_t count, struct outcome *failure)
{
    bool unknown = false;

    for (size_t i = 0; i < count; i++) {
        struct outcome outcome = outcome_of(&ops[i].op);

        if (!is_engine_failure(outcome.problem))
            return false;
        if (i == 0)
            *failure = outcome;
        unknown |= outcome.unknown;
    }
    if (count > 0)
        failure->unknown = unknown;
    return count > 0;
}
