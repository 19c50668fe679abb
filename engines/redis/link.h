/* link.h - one connection to one Redis server.
 *
 * Commands are appended to the link's outbox and answered in order: each has a
 * struct redis_call, embedded in its owner, that waits in the link's queue.
 * Whatever breaks the pairing of calls and replies (an error on the socket, a
 * malformed or unasked reply, no answer) dooms the link: it is closed, never
 * used again without a new handshake, and each call learns whether it had been
 * sent. Calls come back from redis_link_settle() and from the loop, never from
 * inside link_append_*() or redis_link_connect().
 *
 * Ownership: a call belongs to the link from redis_link_push() until its function
 * runs. Threading: all on the loop's thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engines/redis/config.h"
#include "engines/redis/outbox.h"
#include "engines/redis/script.h"
#include "service/base/loop.h"

struct redisContext;
struct redisReply;
struct redis_link;
struct redis_call;

enum call_end {
    CALL_REPLIED, /* `reply` is valid during the call, and may be an error */
    CALL_UNSENT,  /* the link was lost before a byte of the command left */
    CALL_LOST,    /* the link was lost; the command may have been executed */
};

typedef void redis_call_fn(struct redis_call *call, enum call_end end, struct redisReply *reply);

struct redis_call {
    struct redis_call *next;
    redis_call_fn *fn;
    uint64_t begins; /* its first byte's position in the outbox */
    uint64_t queued_ns;
};

enum link_state { LINK_CLOSED, LINK_RESOLVING, LINK_CONNECTING, LINK_SECURING, LINK_GREETING, LINK_READY };

/* Why a link closed, for the breaker and the topology. */
enum link_fault {
    LINK_UNREACHABLE, /* no connection, or no answer in time */
    LINK_BROKE,       /* a working connection was lost */
    LINK_TURNED_AWAY, /* the handshake was refused: credentials, database */
    LINK_NOT_SERVING, /* loading, not the master */
    LINK_DROPPED,     /* by us, for a reason that says nothing of the server */
};

struct link_owner {
    void (*ready)(struct redis_link *link);
    /* `link` may be connected again from here on, not destroyed. */
    void (*closed)(struct redis_link *link, enum link_fault fault, const char *reason);
    /* Replies nobody asked for: subscriptions. NULL: they doom the link. */
    void (*pushed)(struct redis_link *link, struct redisReply *reply);
};

#define LINK_CALLS_MAX 16384
#define LINK_UNSENT_MAX (64u * 1024 * 1024)
enum { LINK_GREETING_STEPS = 6 + SCRIPTS };

struct redis_step {
    struct redis_call call; /* first */
    struct redis_link *link;
    unsigned kind;
};

struct redis_link {
    struct loop *loop;
    const struct redis_config *config;
    const struct redis_greeting *greeting;
    const struct link_owner *owner;
    void *context; /* the owner's */

    enum link_state state;
    struct redis_endpoint endpoint;
    struct redisContext *redis;
    struct loop_io *io;
    int watched; /* events */
    struct loop_lookup *lookup;
    unsigned address_index; /* which of the name's addresses is tried */
    unsigned address_count; /* how many it had when it was looked up last */
    bool tried_next;        /* a second one was tried in this attempt */
    struct outbox outbox;
    size_t tls_piece; /* of the outbox, handed to hiredis */
    struct redis_call *calls, **calls_end;
    size_t call_count;
    uint64_t attempt_ns;  /* when the connection was begun */
    uint64_t received_ns; /* when a byte last came */
    bool heard;           /* one came on this connection */

    bool was_ready; /* the owner's */
    bool doomed;
    enum link_fault fault;
    const char *reason;

    struct redis_step steps[LINK_GREETING_STEPS];
    unsigned step_count;
    char digests[SCRIPTS][SCRIPT_DIGEST_LEN];

    struct redis_call beat; /* the heartbeat, TIME */
    bool beating;
    uint64_t beat_ns;
    bool clock_known;
    int64_t clock_offset_ms; /* Redis' clock minus the monotonic one */
};

void redis_link_init(struct redis_link *link, struct loop *loop, const struct redis_config *config,
               const struct redis_greeting *greeting, const struct link_owner *owner, void *context);

/* Closes; calls are answered and the owner is told. */
void redis_link_release(struct redis_link *link);

/* Begins to connect a closed link. What goes wrong is told by owner->closed. */
void redis_link_connect(struct redis_link *link, const struct redis_endpoint *endpoint, uint64_t now);

/* Takes a command that is about to be written into link->outbox; call it
 * before the first byte. */
void redis_link_push(struct redis_link *link, struct redis_call *call, redis_call_fn *fn);

static inline bool redis_link_has_room(const struct redis_link *link)
{
    return link->call_count < LINK_CALLS_MAX && redis_outbox_unsent(&link->outbox) < LINK_UNSENT_MAX;
}

/* Marks the link for closing; the first reason stays. */
void redis_link_doom(struct redis_link *link, enum link_fault fault, const char *reason);

/* A call of this link was not answered by its deadline: gives the link up if
 * nothing at all has come since the call was made. */
void redis_link_suspect(struct redis_link *link, const struct redis_call *call);

/* Once a turn: writes what was gathered, closes what is doomed. */
void redis_link_settle(struct redis_link *link);

/* Now and then: connect deadline, heartbeat. */
void redis_link_tick(struct redis_link *link, uint64_t now);

/* Redis' time in ms since the epoch; 0 while it is not known. */
uint64_t redis_link_redis_now(const struct redis_link *link, uint64_t now);

/* ---- greet.c: the handshake ---- */

/* Appends all commands of the handshake; the link becomes ready, or is doomed,
 * by their replies. */
void redis_link_greet(struct redis_link *link);

/* Takes a reply to TIME that was asked for at `asked_ns`. */
void redis_link_take_time(struct redis_link *link, const struct redisReply *reply, uint64_t asked_ns);

/* ---- link_io.c: the socket ---- */

/* Reads what is there and dispatches the replies. */
void redis_link_receive(struct redis_link *link);

/* Writes until the outbox is empty or the socket full. */
void redis_link_transmit(struct redis_link *link);

/* Chooses the events to wait for. */
void redis_link_watch(struct redis_link *link, int events);

/* ---- link_tls.c ---- */

/* Starts TLS on a connected link. False: the link is doomed. */
bool redis_link_secure(struct redis_link *link);
/* Reads into the parser, writes from the outbox; as read(2) and write(2):
 * bytes, 0 for the end, -1 with errno. */
long redis_link_tls_read(struct redis_link *link);
long redis_link_tls_write(struct redis_link *link);
