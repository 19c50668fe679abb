#include "engines/memcached/guard.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "service/base/clock.h"

enum opcode {
    OP_SET = 0x01,
    OP_ADD = 0x02,
    OP_REPLACE = 0x03,
    OP_NOOP = 0x0a,
    OP_VERSION = 0x0b,
    OP_GETKQ = 0x0d,
    OP_STAT = 0x10,
    OP_SASL_MECHS = 0x20,
    OP_SASL_AUTH = 0x21,
    OP_SASL_STEP = 0x22,
};

#define MAGIC_REPLY 0x81

struct reply {
    unsigned opcode;
    size_t key_len;
    size_t extras_len;
    unsigned status;
    uint64_t body_len;
};

static _Thread_local struct reply_guard *watched;

void guard_watch(struct reply_guard *guard)
{
    watched = guard;
}

void guard_expect(struct reply_guard *guard, enum guard_mode mode, uint64_t deadline_ns)
{
    *guard = (struct reply_guard){ .mode = mode, .max_value = guard->max_value, .deadline_ns = deadline_ns };
}

static const char *check_greeting(struct reply_guard *guard, const struct reply *reply)
{
    if (++guard->replies > GUARD_GREETING_REPLIES)
        return "a greeting without end";
    if (reply->extras_len != 0)
        return "a greeting with extras";
    switch (reply->opcode) {
    case OP_VERSION:
        return reply->status == GUARD_STATUS_OK && reply->key_len == 0 && reply->body_len <= GUARD_VERSION_MAX
                   ? NULL : "a bad version";
    case OP_STAT:
    case OP_SASL_MECHS:
    case OP_SASL_AUTH:
    case OP_SASL_STEP:
        return reply->body_len <= GUARD_TEXT_MAX && (reply->opcode == OP_STAT || reply->key_len == 0)
                   ? NULL : "a greeting that is too long";
    default:
        return "not a greeting";
    }
}

static const char *check_read(struct reply_guard *guard, const struct reply *reply)
{
    if (reply->status != GUARD_STATUS_OK)
        return "an error in place of a hit";
    if (reply->opcode == OP_NOOP) {
        guard->last = true;
        return reply->body_len == 0 ? NULL : "an end with a body";
    }
    if (reply->opcode != OP_GETKQ)
        return "not a hit";
    if (reply->extras_len != 4 || reply->key_len == 0 || reply->key_len > GUARD_KEY_MAX)
        return "a malformed hit";
    return reply->body_len - reply->extras_len - reply->key_len <= guard->max_value ? NULL : "a hit that is too long";
}

static const char *check_store(struct reply_guard *guard, const struct reply *reply)
{
    guard->last = true;
    if (reply->opcode != OP_SET && reply->opcode != OP_ADD && reply->opcode != OP_REPLACE)
        return "not the answer to a write";
    if (reply->extras_len != 0 || reply->key_len != 0)
        return "a malformed answer to a write";
    return reply->body_len <= (reply->status == GUARD_STATUS_OK ? 0 : GUARD_TEXT_MAX)
               ? NULL : "an answer to a write that is too long";
}

static const char *check_header(struct reply_guard *guard)
{
    const unsigned char *h = guard->header;
    struct reply reply = {
        .opcode = h[1],
        .key_len = (size_t)h[2] << 8 | h[3],
        .extras_len = h[4],
        .status = (unsigned)h[6] << 8 | h[7],
        .body_len = (uint64_t)h[8] << 24 | (uint64_t)h[9] << 16 | (uint64_t)h[10] << 8 | h[11],
    };

    if (h[0] != MAGIC_REPLY)
        return "not a reply";
    if (reply.key_len + reply.extras_len > reply.body_len)
        return "lengths that contradict each other";
    if (reply.status != GUARD_STATUS_OK && reply.status != GUARD_STATUS_AUTH_CONTINUE)
        guard->status = reply.status;
    guard->body_left = reply.body_len;
    switch (guard->mode) {
    case GUARD_GREETING:
        return check_greeting(guard, &reply);
    case GUARD_READS:
        return check_read(guard, &reply);
    case GUARD_STORE:
        return check_store(guard, &reply);
    case GUARD_NOTHING:
        break;
    }
    return "a reply that nobody asked for";
}

/* Takes what belongs to the header, or to the body; returns how much. */
static size_t take(struct reply_guard *guard, const unsigned char *data, size_t len)
{
    size_t n = GUARD_HEADER_BYTES - guard->header_len;

    if (n > len)
        n = len;
    if (n > 0) {
        memcpy(guard->header + guard->header_len, data, n);
        guard->header_len += n;
        if (guard->header_len == GUARD_HEADER_BYTES)
            guard->fault = check_header(guard);
    } else {
        n = guard->body_left < len ? (size_t)guard->body_left : len;
        guard->body_left -= n;
    }
    if (guard->header_len == GUARD_HEADER_BYTES && guard->body_left == 0) {
        guard->header_len = 0;
        guard->ended = guard->last;
    }
    return n;
}

bool guard_feed(struct reply_guard *guard, const unsigned char *data, size_t len)
{
    while (len > 0 && !guard->fault) {
        size_t n;
        if (guard->ended) {
            guard->fault = "more than was asked for";
            break;
        }
        n = take(guard, data, len);
        data += n;
        len -= n;
    }
    return !guard->fault;
}

/* In place of the C library's, for libmemcached: its calls are bound here by
 * the dynamic linker, because the program comes first in its search order. */
ssize_t recv(int fd, void *buffer, size_t length, int flags)
{
    struct reply_guard *guard = watched;
    ssize_t n;

    if (guard && clock_monotonic_ns() > guard->deadline_ns) {
        guard->fault = "too slow";
        errno = EPROTO;
        return -1;
    }
    n = recvfrom(fd, buffer, length, flags, NULL, NULL);
    if (guard && n > 0 && !guard_feed(guard, buffer, (size_t)n)) {
        errno = EPROTO;
        return -1;
    }
    return n;
}
