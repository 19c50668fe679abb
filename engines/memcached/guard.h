/* guard.h - checks a server's replies before libmemcached reads them.
 *
 * libmemcached 1.1 believes the lengths in a reply: a long VERSION, a key of
 * more than 250 bytes or a length that wraps around makes it write beyond its
 * buffers. It reads through recv(2) only, which this box defines in its place:
 * on a thread with a guard, what arrives is walked header by header, and a
 * reply that is malformed, oversized or not what was asked for ends the read
 * with EPROTO before a byte of it is interpreted. Other threads get what the
 * kernel gives.
 *
 * The format is memcached's binary protocol (doc/protocol-binary.txt).
 * Threading: a guard belongs to the thread it is set for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum guard_mode {
    GUARD_NOTHING,  /* no reply is due: any byte is a fault */
    GUARD_GREETING, /* version, statistics, authentication: a few replies */
    GUARD_READS,    /* hits of a multi-get, ended by one NOOP */
    GUARD_STORE,    /* one reply to one write */
};

enum {
    GUARD_HEADER_BYTES = 24,
    GUARD_KEY_MAX = 250,
    GUARD_TEXT_MAX = 340,          /* statistics, messages: below libmemcached's buffer */
    GUARD_VERSION_MAX = 24,        /* it has 32 bytes, and parses beyond the text */
    GUARD_GREETING_REPLIES = 1024, /* bounds a server that never ends its statistics */
};

/* Statuses of the protocol that are told apart. */
enum guard_status {
    GUARD_STATUS_OK = 0x00,
    GUARD_STATUS_TOO_LARGE = 0x03,
    GUARD_STATUS_AUTH = 0x20,
    GUARD_STATUS_AUTH_CONTINUE = 0x21,
    GUARD_STATUS_UNKNOWN_COMMAND = 0x81,
    GUARD_STATUS_NO_MEMORY = 0x82,
};

struct reply_guard {
    enum guard_mode mode;
    size_t max_value;     /* the longest value of a hit */
    uint64_t deadline_ns; /* monotonic; nothing is read after it. Bounds a server that trickles */
    unsigned replies;
    bool ended;           /* the last reply that was due has arrived in full */
    bool last;            /* the reply being read is the last one due */
    unsigned status;      /* the newest that was not OK; 0: none */
    const char *fault;    /* what was wrong; NULL: nothing so far */
    size_t header_len;
    uint64_t body_left;
    unsigned char header[GUARD_HEADER_BYTES];
};

/* From now on these replies are due. */
void guard_expect(struct reply_guard *guard, enum guard_mode mode, uint64_t deadline_ns);

/* Walks over what has arrived. False: a fault, as `guard->fault` says. */
bool guard_feed(struct reply_guard *guard, const unsigned char *data, size_t len);

/* Sets this thread's guard; NULL: none. */
void guard_watch(struct reply_guard *guard);
