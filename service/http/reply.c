#include "service/http/private.h"

#include <stdlib.h>

void http_reply_field(struct http_exchange *ex, const char *name, const char *value)
{
    if (ex->field_count >= HTTP_REPLY_FIELDS)
        return;
    ex->fields[ex->field_count].name = name;
    ex->fields[ex->field_count].value = value;
    ex->field_count++;
}

bool http_reply_has(const struct http_exchange *ex, const char *name)
{
    for (unsigned i = 0; i < ex->field_count; i++)
        if (strcmp(ex->fields[i].name, name) == 0)
            return true;
    return false;
}

char *http_scratch(struct http_exchange *ex, size_t len)
{
    char *room = ex->scratch + ex->scratch_used;

    if (len > sizeof ex->scratch - ex->scratch_used)
        return NULL;
    ex->scratch_used += len;
    return room;
}

void http_reply_close(struct http_exchange *ex)
{
    ex->close = true;
}

/* Gives `response` the prepared fields and, if the exchange waits for it, has
 * MHD ask for it. A NULL response closes it. */
static void prepared(struct http_exchange *ex, unsigned status, struct MHD_Response *response, size_t bytes)
{
    ex->status = status;
    ex->response = response;
    ex->response_bytes = bytes;
    for (unsigned i = 0; response && i < ex->field_count; i++)
        (void)MHD_add_response_header(response, ex->fields[i].name, ex->fields[i].value);
    if (response)
        (void)MHD_add_response_header(response, "X-Request-Id", ex->request_id);
    if (ex->phase == HTTP_PHASE_WAITING)
        ex->thread->runnable = true;
    if (ex->phase != HTTP_PHASE_SUSPENDED)
        return;
    ex->phase = HTTP_PHASE_COMPLETED;
    ex->thread->runnable = true;
    MHD_resume_connection(ex->mhd);
}

void http_send_empty(struct http_exchange *ex, unsigned status)
{
    prepared(ex, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT), 0);
}

/* MHD takes the bytes as void * and only reads them. */
static void *unconst(const void *bytes)
{
    return (void *)(uintptr_t)bytes;
}

void http_send_copy(struct http_exchange *ex, unsigned status, struct bytes body)
{
    prepared(ex, status, MHD_create_response_from_buffer(body.len, unconst(body.ptr), MHD_RESPMEM_MUST_COPY),
             body.len);
}

void http_send_static(struct http_exchange *ex, unsigned status, struct bytes body)
{
    prepared(ex, status, MHD_create_response_from_buffer(body.len, unconst(body.ptr), MHD_RESPMEM_PERSISTENT),
             body.len);
}

static void unref_value(void *value)
{
    value_unref(value);
}

void http_send_value(struct http_exchange *ex, unsigned status, struct value *value, size_t offset, size_t len)
{
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        len, unconst(value->data + offset), unref_value, value);

    if (!response)
        value_unref(value);
    prepared(ex, status, response, len);
}

/* What surrounds an enveloped value while it is sent. */
struct envelope {
    struct value *value;
    char text[];
};

static void envelope_destroy(void *envelope)
{
    value_unref(((struct envelope *)envelope)->value);
    free(envelope);
}

/* MHD sends a gathered body in a system call of its own after the header, and
 * one buffer together with the header. Below this size copying the value costs
 * less than that call. */
#define GATHER_FROM ((size_t)32 * 1024)

static void send_joined(struct http_exchange *ex, unsigned status, struct bytes head, struct value *value,
                        struct bytes tail)
{
    size_t len = head.len + value->len + tail.len;
    char *text = malloc(len ? len : 1);
    struct MHD_Response *response = NULL;

    if (text) {
        memcpy(text, head.ptr, head.len);
        memcpy(text + head.len, value->data, value->len);
        memcpy(text + head.len + value->len, tail.ptr, tail.len);
        response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
        if (!response)
            free(text);
    }
    value_unref(value);
    prepared(ex, status, response, len);
}

void http_send_enveloped(struct http_exchange *ex, unsigned status, struct bytes head, struct value *value,
                         struct bytes tail)
{
    struct MHD_Response *response = NULL;
    struct envelope *envelope;

    if (value->len < GATHER_FROM) {
        send_joined(ex, status, head, value, tail);
        return;
    }
    envelope = malloc(sizeof *envelope + head.len + tail.len);
    if (envelope) {
        const struct MHD_IoVec parts[] = {
            { envelope->text, head.len },
            { value->data, value->len },
            { envelope->text + head.len, tail.len },
        };
        envelope->value = value;
        memcpy(envelope->text, head.ptr, head.len);
        memcpy(envelope->text + head.len, tail.ptr, tail.len);
        response = MHD_create_response_from_iovec(parts, 3, envelope_destroy, envelope);
        if (!response)
            free(envelope);
    }
    if (!response)
        value_unref(value);
    prepared(ex, status, response, head.len + value->len + tail.len);
}

enum MHD_Result http_reply_queue(struct http_exchange *ex)
{
    enum MHD_Result result = MHD_NO;

    if (!ex->response)
        return MHD_NO;
    if (ex->close || ex->thread->draining)
        (void)MHD_add_response_header(ex->response, "Connection", "close");
    result = MHD_queue_response(ex->mhd, ex->status, ex->response);
    MHD_destroy_response(ex->response);
    ex->response = NULL;
    ex->phase = HTTP_PHASE_ANSWERED;
    return result;
}
