#include "routes/entry/view.h"

#include <stdlib.h>

#include "routes/entry/value_form.h"
#include "routes/problem.h"
#include "routes/route.h"
#include "routes/text/encode.h"
#include "routes/text/text.h"
#include "service/base/buffer.h"

/* ---- Pieces ---- */

static void begin_text(struct http_exchange *ex, struct buffer *text)
{
    struct routes_thread *thread = route_thread(ex);

    buffer_init_fixed(text, thread->text, sizeof thread->text);
}

static void add_names(struct buffer *text, const struct path_entry *entry)
{
    buffer_add(text, BYTES("{\"namespace\":\""));
    buffer_add(text, entry->ns);
    buffer_add_char(text, '"');
    text_add_member(text, "key", entry->key);
}

void view_add_entry(struct buffer *text, const struct engine_entry *entry)
{
    char ttl[TTL_TEXT_SIZE];

    buffer_add(text, BYTES(",\"bytes\":"));
    buffer_add_u64(text, entry->bytes);
    buffer_add(text, BYTES(",\"ttl\":"));
    buffer_add(text, bytes_of(ttl, ttl_format_json(entry->ttl_ms, ttl)));
    etag_add_member(text, entry->version);
}

static void send_json(struct http_exchange *ex, unsigned status, const struct buffer *text)
{
    http_reply_field(ex, "Content-Type", "application/json");
    http_send_copy(ex, status, buffer_bytes(text));
}

/* ---- A hit ---- */

/* Values that have to be rewritten, as base64 or an escaped string. Where only
 * the fields are sent, their length is all that is needed. */
static void send_rewritten(struct http_exchange *ex, unsigned status, struct bytes head, struct value *value,
                           bool binary)
{
    struct bytes tail = binary ? BYTES("\",\"encoding\":\"base64\"}\n") : BYTES("\"}\n");
    size_t value_len = binary ? encode_base64_length(value->len) : encode_json_text_length(value_bytes(value));
    size_t len = head.len + value_len + tail.len;
    char *text = NULL, *end;

    if (status == 304 || http_request(ex)->method == HTTP_HEAD) {
        http_reply_field(ex, "Content-Type", "application/json");
        http_send_length(ex, status, len);
    } else if (!(text = malloc(len))) {
        problem_send(ex, PROBLEM_OVERLOADED, "out of memory");
    } else {
        http_reply_field(ex, "Content-Type", "application/json");
        memcpy(text, head.ptr, head.len);
        end = binary ? encode_base64(value_bytes(value), text + head.len)
                     : encode_json_text(value_bytes(value), text + head.len);
        memcpy(end, tail.ptr, tail.len);
        http_send_owned(ex, status, text, len);
    }
    value_unref(value);
    loop_renew_now(route_thread(ex)->loop);
}

void view_json(struct http_exchange *ex, unsigned status)
{
    struct route_state *state = route_state(ex);
    struct value *value = state->op.entry.value;
    enum value_form form = value_form_of(value);
    struct buffer head;

    begin_text(ex, &head);
    add_names(&head, &state->entry);
    buffer_add(&head, BYTES(",\"content_type\":"));
    buffer_add_json_string(&head, value_content_type(value));
    view_add_entry(&head, &state->op.entry);
    buffer_add(&head, BYTES(",\"value\":"));

    state->op.entry.value = NULL;
    if (form != VALUE_FORM_JSON && form != VALUE_FORM_TEXT_PLAIN) {
        buffer_add_char(&head, '"');
        send_rewritten(ex, status, buffer_bytes(&head), value, form == VALUE_FORM_BINARY);
        return;
    }
    http_reply_field(ex, "Content-Type", "application/json");
    if (form == VALUE_FORM_TEXT_PLAIN)
        buffer_add_char(&head, '"');
    http_send_enveloped(ex, status, buffer_bytes(&head), value,
                        form == VALUE_FORM_JSON ? BYTES("}\n") : BYTES("\"}\n"));
}

/* ---- Writes ---- */

void view_json_written(struct http_exchange *ex, unsigned status, int created)
{
    struct route_state *state = route_state(ex);
    struct buffer text;

    begin_text(ex, &text);
    add_names(&text, &state->entry);
    if (created >= 0)
        buffer_add(&text, created ? BYTES(",\"created\":true") : BYTES(",\"created\":false"));
    view_add_entry(&text, &state->op.entry);
    buffer_add(&text, BYTES("}\n"));
    send_json(ex, status, &text);
}

void view_json_deleted(struct http_exchange *ex)
{
    struct buffer text;

    begin_text(ex, &text);
    add_names(&text, &route_state(ex)->entry);
    buffer_add(&text, BYTES(",\"deleted\":true}\n"));
    send_json(ex, 200, &text);
}
