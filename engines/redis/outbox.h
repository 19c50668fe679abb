/* outbox.h - bytes on their way to one server, and the commands in them.
 *
 * Small pieces are gathered in chunks, a large value is referenced and never
 * copied; redis_outbox_peek() lays the front out for writev(). Commands are encoded
 * as RESP arrays of bulk strings (Redis protocol specification, "Sending
 * commands to a Redis server").
 *
 * An append that finds no memory marks the outbox failed: half a command may
 * be in it, so its connection must be given up. Threading: one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "service/base/bytes.h"
#include "service/base/value.h"

struct outbox_chunk;

struct outbox {
    struct outbox_chunk *head, *tail;
    struct outbox_chunk *spare; /* one is kept for the next turn */
    size_t head_sent;           /* of the head chunk */
    uint64_t appended;          /* bytes, ever */
    uint64_t sent;
    bool failed;
};

void redis_outbox_init(struct outbox *outbox);
void redis_outbox_release(struct outbox *outbox);

static inline size_t redis_outbox_unsent(const struct outbox *outbox)
{
    return (size_t)(outbox->appended - outbox->sent);
}

void redis_outbox_add(struct outbox *outbox, struct bytes bytes);

/* The whole of `value`; takes a reference where it does not copy. */
void redis_outbox_add_value(struct outbox *outbox, struct value *value);

/* Up to `max` pieces of what is unsent; returns how many. */
size_t redis_outbox_peek(const struct outbox *outbox, struct iovec *pieces, size_t max);

/* `len` bytes of the front have been written. */
void redis_outbox_consume(struct outbox *outbox, size_t len);

/* ---- Commands ---- */

/* Begins a command of `count` arguments, its name included. */
void redis_outbox_command(struct outbox *outbox, size_t count);

void redis_outbox_bulk(struct outbox *outbox, struct bytes argument);
void redis_outbox_bulk_number(struct outbox *outbox, int64_t number);

/* An argument made of pieces: announce the whole length, add the pieces with
 * redis_outbox_add*(), then end it. */
void redis_outbox_bulk_begin(struct outbox *outbox, size_t len);
void redis_outbox_bulk_end(struct outbox *outbox);
