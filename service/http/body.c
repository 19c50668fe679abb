#include "service/http/private.h"

/* A body of declared length gets room for all of it at once up to this size;
 * beyond, and for chunked ones, room grows with what has really arrived, so
 * that a promise alone costs nothing. */
#define BODY_FIRST_CAPACITY ((size_t)64 * 1024)
#define BODY_CHUNKED_CAPACITY ((size_t)1024)

static const struct http_verdict too_large = { 413, "the body is longer than the limit" };
static const struct http_verdict no_room = { 503, "too many request bodies in memory" };

void http_accept_body(struct http_exchange *ex, size_t max, struct bytes content_type)
{
    ex->want_body = true;
    ex->body_max = max;
    ex->body_type = content_type;
}

struct value *http_body(struct http_exchange *ex)
{
    return ex->body;
}

bool http_body_charge(struct http_exchange *ex, size_t bytes)
{
    struct http_server *server = ex->thread->server;
    size_t before = atomic_fetch_add_explicit(&server->buffered_bytes, bytes, memory_order_relaxed);

    if (before + bytes > server->options.max_buffered_bytes) {
        atomic_fetch_sub_explicit(&server->buffered_bytes, bytes, memory_order_relaxed);
        return false;
    }
    ex->body_charged += bytes;
    return true;
}

bool http_hold_bytes(struct http_exchange *ex, size_t bytes)
{
    return http_body_charge(ex, bytes);
}

void http_release_bytes(struct http_exchange *ex, size_t bytes)
{
    atomic_fetch_sub_explicit(&ex->thread->server->buffered_bytes, bytes, memory_order_relaxed);
    ex->body_charged -= bytes;
}

static size_t first_capacity(const struct http_exchange *ex, size_t need)
{
    size_t capacity = BODY_CHUNKED_CAPACITY;

    if (ex->request.has_length)
        capacity = ex->request.content_length < BODY_FIRST_CAPACITY ? (size_t)ex->request.content_length
                                                                    : BODY_FIRST_CAPACITY;
    return capacity < need ? need : capacity;
}

static size_t next_capacity(const struct http_exchange *ex, size_t need)
{
    size_t ceiling = ex->request.has_length ? (size_t)ex->request.content_length : ex->body_max;
    size_t capacity = ex->body_capacity * 2;

    if (capacity < need)
        capacity = need;
    return capacity > ceiling ? ceiling : capacity;
}

static bool make_room(struct http_exchange *ex, size_t need)
{
    size_t capacity = ex->body ? next_capacity(ex, need) : first_capacity(ex, need);
    struct value *value;

    if (!http_body_charge(ex, capacity - ex->body_capacity))
        return false;
    value = ex->body ? value_resize(ex->body, capacity) : value_create(ex->body_type, capacity);
    if (!value)
        return false;
    ex->body = value;
    ex->body_capacity = capacity;
    return true;
}

static bool drop_piece(struct http_exchange *ex, struct bytes piece, struct http_verdict *verdict)
{
    ex->body_dropped += piece.len;
    if (ex->body_dropped <= HTTP_UNWANTED_BODY_MAX)
        return true;
    *verdict = too_large;
    return false;
}

bool http_body_add(struct http_exchange *ex, struct bytes piece, struct http_verdict *verdict)
{
    if (!ex->want_body)
        return drop_piece(ex, piece, verdict);
    if (piece.len > ex->body_max - ex->body_len) {
        *verdict = too_large;
        return false;
    }
    if (ex->body_len + piece.len > ex->body_capacity && !make_room(ex, ex->body_len + piece.len)) {
        *verdict = no_room;
        return false;
    }
    memcpy(value_writable(ex->body) + ex->body_len, piece.ptr, piece.len);
    ex->body_len += piece.len;
    return true;
}

bool http_body_finish(struct http_exchange *ex)
{
    struct value *value;

    if (!ex->want_body || (ex->body && ex->body_len == ex->body_capacity))
        return true;
    value = ex->body ? value_resize(ex->body, ex->body_len) : value_create(ex->body_type, 0);
    if (!value)
        return false;
    ex->body = value;
    ex->body_capacity = ex->body_len;
    return true;
}

void http_body_release(struct http_exchange *ex)
{
    if (ex->body_charged > 0)
        atomic_fetch_sub_explicit(&ex->thread->server->buffered_bytes, ex->body_charged, memory_order_relaxed);
    ex->body_charged = 0;
    value_unref(ex->body);
    ex->body = NULL;
}
