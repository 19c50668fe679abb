/* peer.h - one connection to one server: libmemcached, and nothing else.
 *
 * The only file that talks to the library. Every call is bounded in time by
 * the patience that was set, tells errors apart from misses, and leaves either
 * a connection that is in step or none: after any failure it is closed.
 *
 * Threading: a peer belongs to one thread, which is also the one it guards. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engines/memcached/guard.h"
#include "engines/memcached/names.h"

enum peer_result {
    PEER_OK,
    PEER_ABSENT,    /* replace: nothing stands there */
    PEER_EXISTS,    /* add: something stands there; replace: another version */
    PEER_TOO_LARGE, /* over the server's item limit; what stood there stands */
    PEER_FULL,      /* the server has no memory and evicts nothing */
    PEER_REFUSED,   /* credentials */
    PEER_ERRED,     /* the server said that something went wrong */
    PEER_SILENT,    /* no answer in time */
    PEER_LOST,      /* no connection, or it broke */
};

/* Shared by the connections of a lane; read-only. */
struct peer_address {
    char host[256];
    uint16_t port;
    const char *username; /* NULL: no authentication */
    const char *password;
    uint64_t connect_timeout_ms;
    size_t max_reply; /* the longest item that is read */
};

struct peer;

struct peer *peer_create(const struct peer_address *address) MUST_CHECK;
/* NULL is allowed. */
void peer_destroy(struct peer *peer);

/* Connects, authenticates, and asks for the server's item limit. */
enum peer_result peer_open(struct peer *peer) MUST_CHECK;
void peer_close(struct peer *peer);
bool peer_is_open(const struct peer *peer);
/* The same for any thread, just now. */
bool peer_is_connected(const struct peer *peer);

/* The server's limit for a whole item, bytes; known once it was open. */
size_t peer_item_max(const struct peer *peer);

/* How long each of the coming calls may wait for the server. */
void peer_set_patience(struct peer *peer, uint64_t ms);

/* Sends one multi-get. Then peer_next() until it no longer says PEER_OK. */
enum peer_result peer_ask(struct peer *peer, const char *const *names, const size_t *lengths, size_t count) MUST_CHECK;

struct peer_item {
    struct bytes name;
    struct bytes data; /* valid until the next call */
    uint64_t cas;
};

/* The next hit; PEER_ABSENT: that was the last, and what was not among them
 * does not stand. Anything else: it is not known what stands. */
enum peer_result peer_next(struct peer *peer, struct peer_item *item) MUST_CHECK;

/* Takes the data of the hit just read over: to be freed with free(). NULL:
 * out of memory, or it is small and not worth it. */
char *peer_take_data(struct peer *peer) MUST_CHECK;

enum peer_verb {
    PEER_SET,     /* whatever stands there */
    PEER_ADD,     /* only where nothing stands */
    PEER_REPLACE, /* only what has the token `cas` */
};

struct peer_write {
    enum peer_verb verb;
    struct bytes name;
    struct bytes data;
    int64_t expiry; /* as Memcached reads it */
    uint64_t cas;
};

/* PEER_OK: the server has confirmed it. SILENT, LOST, ERRED: it may have
 * happened. */
enum peer_result peer_store(struct peer *peer, const struct peer_write *write) MUST_CHECK;

/* What the server says of itself; PEER_UNTOLD where it does not. */
enum peer_fact {
    PEER_USED_BYTES,
    PEER_MAX_BYTES,
    PEER_EVICTIONS, /* since its start */
    PEER_ITEMS,
    PEER_CONNECTIONS,
    PEER_UPTIME, /* seconds */
    PEER_FACTS
};
#define PEER_UNTOLD UINT64_MAX

enum peer_result peer_look(struct peer *peer, uint64_t facts[PEER_FACTS]) MUST_CHECK;

/* ---- Where an item stands ---- */

/* libmemcached's ketama over the servers; one thread. */
struct ring;
struct ring *ring_create(const struct peer_address *addresses, size_t count) MUST_CHECK;
void ring_destroy(struct ring *ring); /* NULL is allowed */
size_t ring_find(struct ring *ring, const struct item_name *name);
