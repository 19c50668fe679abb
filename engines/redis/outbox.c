#include "engines/redis/outbox.h"

#include <stdio.h>
#include <stdlib.h>

/* A chunk holds what one turn usually brings; from VALUE_REFERENCED bytes on,
 * the copy costs more than another piece in the writev. */
enum { CHUNK_BYTES = 16 * 1024 - 64, VALUE_REFERENCED = 4096 };

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

static void add_length(struct outbox *outbox, char kind, size_t length)
{
    char text[24];
    size_t at = sizeof text;

    text[--at] = '\n';
    text[--at] = '\r';
    do {
        text[--at] = (char)('0' + length % 10);
        length /= 10;
    } while (length > 0);
    text[--at] = kind;
    redis_outbox_add(outbox, bytes_of(text + at, sizeof text - at));
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
    redis_outbox_bulk_begin(outbox, argument.len);
    redis_outbox_add(outbox, argument);
    redis_outbox_bulk_end(outbox);
}

void redis_outbox_bulk_number(struct outbox *outbox, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)number);

    redis_outbox_bulk(outbox, bytes_of(text, (size_t)len));
}
