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

void http_reply_prepared(struct http_exchange *ex, unsigned status, struct MHD_Response *response, size_t bytes)
{
    bool whole = response && MHD_add_response_header(response, "X-Request-Id", ex->request_id) == MHD_YES;

    for (unsigned i = 0; whole && i < ex->field_count; i++)
        whole = MHD_add_response_header(response, ex->fields[i].name, ex->fields[i].value) == MHD_YES;
    if (response && !whole) {
        MHD_destroy_response(response); /* an answer without one of its fields is another answer */
        response = NULL;
    }
    ex->status = status;
    ex->answered_ns = loop_now(ex->thread->loop);
    ex->response = response;
    ex->response_bytes = bytes;
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
    http_reply_prepared(ex, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT), 0);
}

/* MHD takes the bytes as void * and only reads them. */
static void *unconst(const void *bytes)
{
    return (void *)(uintptr_t)bytes;
}

void http_send_copy(struct http_exchange *ex, unsigned status, struct bytes body)
{
    if (http_intake_is_open(ex)) {
        http_intake_answer(ex, status, body);
        return;
    }
    http_reply_prepared(
        ex, status, MHD_create_response_from_buffer(body.len, unconst(body.ptr), MHD_RESPMEM_MUST_COPY), body.len);
}

static ssize_t never_read(void *context, uint64_t at, char *out, size_t max)
{
    (void)context;
    (void)at;
    (void)out;
    (void)max;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

void http_send_length(struct http_exchange *ex, unsigned status, size_t len)
{
    http_reply_prepared(ex, status, MHD_create_response_from_callback(len, 1, never_read, NULL, NULL), len);
}

void http_send_static(struct http_exchange *ex, unsigned status, struct bytes body)
{
    http_reply_prepared(
        ex, status, MHD_create_response_from_buffer(body.len, unconst(body.ptr), MHD_RESPMEM_PERSISTENT), body.len);
}

/* ---- Memory that answers hold ----
 *
 * A client that does not read keeps what it asked for in memory, also when the
 * engine has long replaced it. A value that is being sent counts once, however
 * many answers send it; a text made for one answer counts for itself. Small
 * ones are bounded by the requests in flight. */
#define HELD_FROM ((size_t)64 * 1024)

static bool hold_bytes(struct http_server *server, size_t bytes)
{
    size_t before = atomic_fetch_add_explicit(&server->answer_bytes, bytes, memory_order_relaxed);

    return before + bytes <= server->options.max_buffered_bytes;
}

static void drop_bytes(struct http_server *server, size_t bytes)
{
    atomic_fetch_sub_explicit(&server->answer_bytes, bytes, memory_order_relaxed);
}

/* What an answer holds until it is sent. */
struct held {
    struct http_server *server;
    struct value *value; /* one reference, or NULL */
    char *text;          /* malloc'd, or NULL */
    size_t text_len;
    char around[]; /* what surrounds an enveloped value */
};

static void held_release(void *context)
{
    struct held *held = context;

    if (held->value && held->value->len >= HELD_FROM && atomic_fetch_sub(&held->value->sending, 1) == 1)
        drop_bytes(held->server, held->value->len);
    if (held->text)
        drop_bytes(held->server, held->text_len);
    value_unref(held->value);
    free(held->text);
    free(held);
}

/* Takes over `value` or `text`. NULL: answered already, 503. */
static struct held *hold(struct http_exchange *ex, struct value *value, char *text, size_t text_len, size_t around)
{
    struct http_server *server = ex->thread->server;
    struct held *held = malloc(sizeof *held + around);
    bool fits = true;

    if (!held) {
        value_unref(value);
        free(text);
    } else {
        *held = (struct held){ server, value, text, text_len };
        if (value && value->len >= HELD_FROM && atomic_fetch_add(&value->sending, 1) == 0)
            fits = hold_bytes(server, value->len);
        if (text)
            fits = hold_bytes(server, text_len);
        if (fits)
            return held;
        held_release(held);
    }
    ex->field_count = 0;
    http_count_refusal(ex->thread, 503);
    server->app->refuse(ex, 503, "too many large answers in memory");
    return NULL;
}

void http_send_owned(struct http_exchange *ex, unsigned status, char *body, size_t len)
{
    struct held *held = hold(ex, NULL, body, len, 0);
    struct MHD_Response *response;

    if (!held)
        return;
    response = MHD_create_response_from_buffer_with_free_callback_cls(len, body, held_release, held);
    if (!response)
        held_release(held);
    http_reply_prepared(ex, status, response, len);
}

static void unref_value(void *value)
{
    value_unref(value);
}

void http_send_value(struct http_exchange *ex, unsigned status, struct value *value, size_t offset, size_t len)
{
    struct held *held = value->len < HELD_FROM ? NULL : hold(ex, value, NULL, 0, 0);
    struct MHD_Response *response;

    if (!held && value->len >= HELD_FROM)
        return;
    response = MHD_create_response_from_buffer_with_free_callback_cls(
        len, unconst(value->data + offset), held ? held_release : unref_value, held ? (void *)held : (void *)value);
    if (!response && held)
        held_release(held);
    else if (!response)
        value_unref(value);
    http_reply_prepared(ex, status, response, len);
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
    http_reply_prepared(ex, status, response, len);
}

void http_send_enveloped(struct http_exchange *ex, unsigned status, struct bytes head, struct value *value,
                         struct bytes tail)
{
    struct MHD_Response *response;
    struct held *held;
    size_t len;

    if (value->len < GATHER_FROM) {
        send_joined(ex, status, head, value, tail);
        return;
    }
    held = hold(ex, value, NULL, 0, head.len + tail.len);
    if (!held)
        return;
    memcpy(held->around, head.ptr, head.len);
    memcpy(held->around + head.len, tail.ptr, tail.len);
    const struct MHD_IoVec parts[] = {
        { held->around, head.len },
        { value->data, value->len },
        { held->around + head.len, tail.len },
    };
    response = MHD_create_response_from_iovec(parts, 3, held_release, held);
    len = head.len + value->len + tail.len;
    if (!response)
        held_release(held);
    http_reply_prepared(ex, status, response, len);
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
