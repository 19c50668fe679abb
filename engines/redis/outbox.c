#include "engines/redis/outbox.h"

#include <stdlib.h>

#include "service/base/buffer.h"

/* A chunk holds what one turn usually brings; from VALUE_REFERENCED bytes on,
 * the copy costs more than another piece in the writev. */
enum { CHUNK_BYTES = 16 * 1024 - 64, VALUE_REFERENCED = 4096 };

enum { LENGTH_MAX = 1 + FORMAT_U64_MAX + 2 };

struct outbox_chunk {
    struct outbox_chunk *next;
    struct value *value; /* NULL: the bytes are inline */
    const char *data;
    size_t len;
    size_t capacity;
    char bytes[];
};

void redis_outbox_init(struct outbox *outbox)
{
    *outbox = (struct outbox){ .head = NULL };
}

static void chunk_destroy(struct outbox_chunk *chunk)
{
    if (chunk)
        value_unref(chunk->value);
    free(chunk);
}

void redis_outbox_release(struct outbox *outbox)
{
    while (outbox->head) {
        struct outbox_chunk *chunk = outbox->head;
        outbox->head = chunk->next;
        chunk_destroy(chunk);
    }
    chunk_destroy(outbox->spare);
    redis_outbox_init(outbox);
}

static struct outbox_chunk *chunk_append(struct outbox *outbox, size_t capacity)
{
    struct outbox_chunk *chunk = outbox->spare;

    if (chunk && capacity == CHUNK_BYTES)
        outbox->spare = NULL;
    else
        chunk = malloc(sizeof *chunk + capacity);
    if (!chunk) {
        outbox->failed = true;
        return NULL;
    }
    chunk->next = NULL;
    chunk->value = NULL;
    chunk->data = chunk->bytes;
    chunk->len = 0;
    chunk->capacity = capacity;
    *(outbox->tail ? &outbox->tail->next : &outbox->head) = chunk;
    outbox->tail = chunk;
    return chunk;
}

void redis_outbox_add(struct outbox *outbox, struct bytes bytes)
{
    while (bytes.len > 0 && !outbox->failed) {
        struct outbox_chunk *chunk = outbox->tail;
        size_t room, part;

        if (!chunk || chunk->value || chunk->len == chunk->capacity)
            chunk = chunk_append(outbox, CHUNK_BYTES);
        if (!chunk)
            return;
        room = chunk->capacity - chunk->len;
        part = bytes.len < room ? bytes.len : room;
        memcpy(chunk->bytes + chunk->len, bytes.ptr, part);
        chunk->len += part;
        outbox->appended += part;
        bytes.ptr += part;
        bytes.len -= part;
    }
}

void redis_outbox_add_value(struct outbox *outbox, struct value *value)
{
    struct outbox_chunk *chunk;

    if (value->len < VALUE_REFERENCED) {
        redis_outbox_add(outbox, value_bytes(value));
        return;
    }
    if (outbox->failed)
        return;
    chunk = chunk_append(outbox, 0);
    if (!chunk)
        return;
    chunk->value = value_ref(value);
    chunk->data = value->data;
    chunk->len = value->len;
    outbox->appended += value->len;
}

size_t redis_outbox_peek(const struct outbox *outbox, struct iovec *pieces, size_t max)
{
    size_t count = 0, skip = outbox->head_sent;

    for (const struct outbox_chunk *chunk = outbox->head; chunk && count < max; chunk = chunk->next) {
        if (chunk->len > skip) {
            pieces[count].iov_base = (void *)(uintptr_t)(chunk->data + skip);
            pieces[count].iov_len = chunk->len - skip;
            count++;
        }
        skip = 0;
    }
    return count;
}

/* The emptied head goes; a full-sized chunk stays as the spare. */
static void drop_head(struct outbox *outbox)
{
    struct outbox_chunk *chunk = outbox->head;

    outbox->head = chunk->next;
    outbox->head_sent = 0;
    if (!outbox->head)
        outbox->tail = NULL;
    if (!outbox->spare && chunk->capacity == CHUNK_BYTES)
        outbox->spare = chunk;
    else
        chunk_destroy(chunk);
}

void redis_outbox_consume(struct outbox *outbox, size_t len)
{
    outbox->sent += len;
    while (outbox->head && len >= outbox->head->len - outbox->head_sent) {
        len -= outbox->head->len - outbox->head_sent;
        drop_head(outbox);
    }
    if (outbox->head)
        outbox->head_sent += len;
}

/* ---- Commands ---- */

/* '$' or '*', a number, CRLF: at most LENGTH_MAX bytes. Returns their end. */
static char *put_length(char *at, char kind, size_t length)
{
    *at++ = kind;
    at += format_u64(at, length);
    return (char *)memcpy(at, "\r\n", 2) + 2;
}

static void add_length(struct outbox *outbox, char kind, size_t length)
{
    char text[LENGTH_MAX];

    redis_outbox_add(outbox, bytes_of(text, (size_t)(put_length(text, kind, length) - text)));
}

void redis_outbox_command(struct outbox *outbox, size_t count)
{
    add_length(outbox, '*', count);
}

void redis_outbox_bulk_begin(struct outbox *outbox, size_t len)
{
    add_length(outbox, '$', len);
}

void redis_outbox_bulk_end(struct outbox *outbox)
{
    redis_outbox_add(outbox, BYTES("\r\n"));
}

void redis_outbox_bulk(struct outbox *outbox, struct bytes argument)
{
    struct outbox_chunk *chunk = outbox->tail;
    char *begin, *at;

    /* Nearly always: it fits as a whole, and is written at once. */
    if (!chunk || chunk->value || chunk->capacity - chunk->len < argument.len + LENGTH_MAX + 2) {
        redis_outbox_bulk_begin(outbox, argument.len);
        redis_outbox_add(outbox, argument);
        redis_outbox_bulk_end(outbox);
        return;
    }
    if (outbox->failed)
        return;
    begin = chunk->bytes + chunk->len;
    at = put_length(begin, '$', argument.len);
    if (argument.len > 0)
        memcpy(at, argument.ptr, argument.len);
    at += argument.len;
    memcpy(at, "\r\n", 2);
    chunk->len += (size_t)(at + 2 - begin);
    outbox->appended += (size_t)(at + 2 - begin);
}

void redis_outbox_bulk_number(struct outbox *outbox, int64_t number)
{
    char text[FORMAT_I64_MAX];

    redis_outbox_bulk(outbox, bytes_of(text, format_i64(text, number)));
}
