/* link_tls.c - TLS of a connection, where hiredis has it (1.0 and later). */
#include <errno.h>

#include "engines/redis/hiredis_compat.h"
#include "engines/redis/link.h"
#include "engines/redis/tls.h"

#if REDIS_HAS_TLS

bool redis_link_secure(struct redis_link *link)
{
    struct redis_tls *tls = link->config->tls_context;

    if (tls && redis_tls_start(tls, link->redis, link->endpoint.host))
        return true;
    redis_link_doom(link, LINK_UNREACHABLE, "redis: the TLS handshake failed");
    return false;
}

long redis_link_tls_read(struct redis_link *link)
{
    size_t before = link->redis->reader->len;

    if (redisBufferRead(link->redis) != REDIS_OK) {
        errno = link->redis->err == REDIS_ERR_EOF ? ECONNRESET : EIO;
        return -1;
    }
    if (link->redis->reader->len == before) {
        errno = EAGAIN;
        return -1;
    }
    return (long)(link->redis->reader->len - before);
}

/* hiredis has its own write buffer for TLS: what it took counts as sent once
 * that buffer is empty. */
long redis_link_tls_write(struct redis_link *link)
{
    struct iovec piece;
    int done = 0;

    if (sdslen(link->redis->obuf) == 0) {
        if (redis_outbox_peek(&link->outbox, &piece, 1) == 0)
            return 0;
        if (piece.iov_len > 16384) /* a TLS record, RFC 8446 section 5.1 */
            piece.iov_len = 16384;
        if (redisAppendFormattedCommand(link->redis, piece.iov_base, piece.iov_len) != REDIS_OK) {
            errno = ENOMEM;
            return -1;
        }
        link->tls_piece = piece.iov_len;
    }
    if (redisBufferWrite(link->redis, &done) != REDIS_OK) {
        errno = EIO;
        return -1;
    }
    if (!done) {
        errno = EAGAIN;
        return -1;
    }
    redis_outbox_consume(&link->outbox, link->tls_piece);
    return (long)link->tls_piece;
}

#else

bool redis_link_secure(struct redis_link *link)
{
    redis_link_doom(link, LINK_UNREACHABLE, "redis: this build has no TLS");
    return false;
}

long redis_link_tls_read(struct redis_link *link)
{
    (void)link;
    errno = ENOTSUP;
    return -1;
}

long redis_link_tls_write(struct redis_link *link)
{
    (void)link;
    errno = ENOTSUP;
    return -1;
}

#endif
