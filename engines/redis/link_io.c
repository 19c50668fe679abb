#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engines/redis/hiredis_compat.h"
#include "engines/redis/link.h"
#include "engines/redis/parser.h"
#include "service/base/clock.h"

enum {
    READ_BYTES = 32 * 1024,
    READS_PER_TURN = 16, /* then other descriptors have their turn */
    PIECES = 64,
};

/* The longest reply that is gathered before it is handed out whole: Redis'
 * own limit of a string, and some more. */
#define REPLY_BYTES_MAX (513u * 1024 * 1024)

void redis_link_watch(struct redis_link *link, int events)
{
    if (link->watched == events)
        return;
    link->watched = events;
    loop_io_set(link->io, events);
}

/* ---- Reading ---- */

static void answer_next(struct redis_link *link, redisReply *reply)
{
    struct redis_call *call = link->calls;

    if (!call && link->owner->pushed && link->state == LINK_READY) {
        link->owner->pushed(link, reply);
        return;
    }
    if (!call || call->begins >= link->outbox.sent) {
        /* An error that comes unasked says why the server hangs up. */
        bool clients = reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "max number of clients");
        redis_link_doom(link, LINK_UNREACHABLE,
                  clients ? "redis has too many clients" : "redis sent a reply that nobody asked for");
        return;
    }
    link->calls = call->next;
    if (!link->calls)
        link->calls_end = &link->calls;
    link->call_count--;
    call->fn(call, CALL_REPLIED, reply);
}

static void dispatch(struct redis_link *link)
{
    while (!link->doomed) {
        void *reply = NULL;
        if (redisReaderGetReply(link->redis->reader, &reply) != REDIS_OK) {
            redis_link_doom(link, LINK_BROKE, "redis sent a malformed reply");
            return;
        }
        if (!reply)
            break;
        answer_next(link, reply);
        redis_reply_free(reply);
    }
    if (link->redis->reader->len > REPLY_BYTES_MAX)
        redis_link_doom(link, LINK_BROKE, "redis sent a reply beyond its limits");
}

/* As read(2), into the parser. */
static long read_some(struct redis_link *link)
{
    char bytes[READ_BYTES];
    long len;

    if (link->config->tls)
        return redis_link_tls_read(link);
    len = read(link->redis->fd, bytes, sizeof bytes);
    if (len > 0 && redisReaderFeed(link->redis->reader, bytes, (size_t)len) != REDIS_OK) {
        errno = ENOMEM;
        return -1;
    }
    return len;
}

/* hiredis does the handshake in its first reads and writes, and tells an end
 * in it from no other. */
static void doom_closed(struct redis_link *link)
{
    bool in_handshake = link->config->tls && !link->heard;

    redis_link_doom(link, link->state == LINK_READY ? LINK_BROKE : LINK_UNREACHABLE,
                    in_handshake ? "redis: the TLS handshake failed" : "redis closed the connection");
}

void redis_link_receive(struct redis_link *link)
{
    for (int i = 0; i < READS_PER_TURN && !link->doomed; i++) {
        long len = read_some(link);
        if (len < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (len <= 0) {
            doom_closed(link);
            return;
        }
        link->received_ns = loop_now(link->loop);
        link->heard = true;
        dispatch(link);
        if (len < READ_BYTES && !link->config->tls)
            return;
    }
}

/* ---- Writing ---- */

static long write_some(struct redis_link *link)
{
    struct iovec pieces[PIECES];
    struct msghdr message = { .msg_iov = pieces };
    long len;

    if (link->config->tls)
        return redis_link_tls_write(link);
    message.msg_iovlen = redis_outbox_peek(&link->outbox, pieces, PIECES);
    len = sendmsg(link->redis->fd, &message, MSG_NOSIGNAL);
    if (len > 0)
        redis_outbox_consume(&link->outbox, (size_t)len);
    return len;
}

void redis_link_transmit(struct redis_link *link)
{
    while (redis_outbox_unsent(&link->outbox) > 0) {
        if (write_some(link) >= 0 || errno == EINTR)
            continue;
        if (errno == EAGAIN) {
            redis_link_watch(link, LOOP_READABLE | LOOP_WRITABLE);
            return;
        }
        doom_closed(link);
        return;
    }
    redis_link_watch(link, LOOP_READABLE);
}
