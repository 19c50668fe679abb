#include "engines/redis/link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "engines/redis/hiredis_compat.h"
#include "engines/redis/parser.h"
#include "service/base/clock.h"

void redis_link_init(struct redis_link *link, struct loop *loop, const struct redis_config *config,
               const struct redis_greeting *greeting, const struct link_owner *owner, void *context)
{
    *link = (struct redis_link){
        .loop = loop, .config = config, .greeting = greeting, .owner = owner, .context = context,
    };
    link->calls_end = &link->calls;
    redis_outbox_init(&link->outbox);
}

void redis_link_doom(struct redis_link *link, enum link_fault fault, const char *reason)
{
    if (link->doomed || link->state == LINK_CLOSED)
        return;
    link->doomed = true;
    link->fault = fault;
    link->reason = reason;
}

void redis_link_push(struct redis_link *link, struct redis_call *call, redis_call_fn *fn)
{
    call->next = NULL;
    call->fn = fn;
    call->begins = link->outbox.appended;
    call->queued_ns = loop_now(link->loop);
    *link->calls_end = call;
    link->calls_end = &call->next;
    link->call_count++;
}

/* ---- Closing ---- */

static void fail_calls(struct redis_call *call, uint64_t sent)
{
    while (call) {
        struct redis_call *next = call->next;
        call->fn(call, call->begins >= sent ? CALL_UNSENT : CALL_LOST, NULL);
        call = next;
    }
}

static void close_link(struct redis_link *link)
{
    struct redis_call *calls = link->calls;
    uint64_t sent = link->outbox.sent;
    enum link_fault fault = link->fault;
    const char *reason = link->reason;

    if (link->lookup)
        loop_lookup_cancel(link->lookup);
    loop_io_remove(link->io);
    if (link->redis)
        redisFree(link->redis);
    link->lookup = NULL;
    link->io = NULL;
    link->redis = NULL;
    redis_outbox_release(&link->outbox);
    link->calls = NULL;
    link->calls_end = &link->calls;
    link->call_count = 0;
    link->step_count = 0;
    link->doomed = link->beating = link->clock_known = false;
    link->state = LINK_CLOSED;
    /* The owner first: what the calls do next depends on what it knows. */
    link->owner->closed(link, fault, reason);
    fail_calls(calls, sent);
}

void redis_link_release(struct redis_link *link)
{
    redis_link_doom(link, LINK_DROPPED, "shutting down");
    if (link->doomed)
        close_link(link);
    redis_outbox_release(&link->outbox);
}

/* ---- Connecting ---- */

static void become_connected(struct redis_link *link)
{
    int on = 1;

    if (link->endpoint.port != 0)
        (void)setsockopt(link->redis->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (link->config->tls) {
        link->state = LINK_SECURING;
        if (!redis_link_secure(link))
            return;
    }
    link->state = LINK_GREETING;
    link->received_ns = loop_now(link->loop);
    redis_link_greet(link);
    redis_link_watch(link, LOOP_READABLE);
}

static void on_address(void *context, const struct sockaddr *address, socklen_t length, unsigned count,
                       const char *error);

static bool look_up(struct redis_link *link)
{
    link->state = LINK_RESOLVING;
    link->lookup = loop_lookup(link->loop, link->endpoint.host, link->endpoint.port, link->address_index, on_address,
                               link);
    return link->lookup != NULL;
}

/* A name may have addresses of which only some are listened on, as localhost
 * has: one more is tried at once, the others with the next attempts. */
static bool try_next_address(struct redis_link *link)
{
    if (link->tried_next || link->address_count < 2)
        return false;
    link->tried_next = true;
    link->address_index++;
    loop_io_remove(link->io);
    link->io = NULL;
    if (link->redis)
        redisFree(link->redis);
    link->redis = NULL;
    return look_up(link);
}

static void check_connected(struct redis_link *link)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(link->redis->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0)
        become_connected(link);
    else if (!try_next_address(link))
        redis_link_doom(link, LINK_UNREACHABLE,
                        error == ECONNREFUSED ? "redis: connection refused" : "redis cannot be reached");
}

static void on_io(void *context, int events)
{
    struct redis_link *link = context;

    if (link->state == LINK_CONNECTING)
        check_connected(link);
    else {
        if (events & LOOP_READABLE)
            redis_link_receive(link);
        if ((events & LOOP_WRITABLE) && !link->doomed)
            redis_link_transmit(link);
    }
    if (link->doomed)
        close_link(link);
}

/* `host` is numeric, or the path of a socket; hiredis looks nothing up. */
static void open_socket(struct redis_link *link, const char *host)
{
    if (link->endpoint.port == 0)
        link->redis = redisConnectUnixNonBlock(host);
    else
        link->redis = redisConnectNonBlock(host, link->endpoint.port);
    if (!link->redis || link->redis->err) {
        if (!try_next_address(link))
            redis_link_doom(link, LINK_UNREACHABLE, "redis cannot be reached");
        return;
    }
    redis_parser_install(link->redis);
    link->state = LINK_CONNECTING;
    link->watched = LOOP_WRITABLE;
    link->io = loop_io_add(link->loop, link->redis->fd, LOOP_WRITABLE, on_io, link);
    if (!link->io)
        redis_link_doom(link, LINK_DROPPED, "out of memory");
}

static void on_address(void *context, const struct sockaddr *address, socklen_t length, unsigned count,
                       const char *error)
{
    struct redis_link *link = context;
    char host[NI_MAXHOST];

    link->lookup = NULL;
    link->address_count = count;
    if (error || getnameinfo(address, length, host, sizeof host, NULL, 0, NI_NUMERICHOST) != 0)
        redis_link_doom(link, LINK_UNREACHABLE, "the name of the redis server cannot be resolved");
    else if (link->endpoint.told && !redis_allow_permits(&link->config->allow, link->endpoint.host, address))
        redis_link_doom(link, LINK_UNREACHABLE, "redis: sent to an address that is not allowed");
    else
        open_socket(link, host);
    if (link->doomed)
        close_link(link);
}

void redis_link_connect(struct redis_link *link, const struct redis_endpoint *endpoint, uint64_t now)
{
    link->endpoint = *endpoint;
    link->attempt_ns = link->beat_ns = link->received_ns = now;
    link->state = LINK_RESOLVING;
    link->tried_next = link->heard = false;
    link->address_count = 0;
    redis_outbox_init(&link->outbox);
    if (endpoint->port == 0) {
        open_socket(link, endpoint->host);
        return;
    }
    if (!look_up(link))
        redis_link_doom(link, LINK_DROPPED, "out of memory");
}

/* ---- Each turn, and now and then ---- */

void redis_link_settle(struct redis_link *link)
{
    if (link->outbox.failed)
        redis_link_doom(link, LINK_DROPPED, "out of memory");
    if (!link->doomed && link->state >= LINK_GREETING && redis_outbox_unsent(&link->outbox) > 0 &&
        !(link->watched & LOOP_WRITABLE))
        redis_link_transmit(link);
    if (link->doomed)
        close_link(link);
}

void redis_link_suspect(struct redis_link *link, const struct redis_call *call)
{
    if (link->received_ns <= call->queued_ns)
        redis_link_doom(link, LINK_BROKE, "redis does not answer");
}

static void on_beat(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    struct redis_link *link = (struct redis_link *)(void *)((char *)call - offsetof(struct redis_link, beat));

    link->beating = false;
    if (end == CALL_REPLIED)
        redis_link_take_time(link, reply, link->beat_ns);
}

static void send_beat(struct redis_link *link, uint64_t now)
{
    link->beating = true;
    link->beat_ns = now;
    redis_link_push(link, &link->beat, on_beat);
    redis_outbox_command(&link->outbox, 1);
    redis_outbox_bulk(&link->outbox, BYTES("TIME"));
}

void redis_link_tick(struct redis_link *link, uint64_t now)
{
    uint64_t patience = link->config->connect_timeout_ns;

    if (link->state == LINK_CLOSED || link->doomed)
        return;
    if (link->state != LINK_READY) {
        if (now - link->attempt_ns >= patience)
            redis_link_doom(link, LINK_UNREACHABLE, "redis does not answer");
        return;
    }
    if (link->owner->pushed)
        return; /* a subscription has no other commands */
    if (link->beating && now - link->beat_ns >= patience && link->received_ns <= link->beat_ns)
        redis_link_doom(link, LINK_BROKE, "redis does not answer");
    else if (!link->beating && now - link->beat_ns >= NS_PER_SECOND)
        send_beat(link, now);
}

uint64_t redis_link_redis_now(const struct redis_link *link, uint64_t now)
{
    int64_t time = (int64_t)(now / NS_PER_MS) + link->clock_offset_ms;

    return link->clock_known && time > 0 ? (uint64_t)time : 0;
}
