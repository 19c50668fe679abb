/* The queue of a lane is bounded, over a server that accepts and never
 * answers: what is too much is BUSY at once, and what waits ends. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engines/memcached/lane.h"
#include "engines/memcached/memcached.h"
#include "service/base/clock.h"

static struct loop *loop;
static struct engine *engine;
static struct engine_session *session;
static int listener;
static unsigned done_count, unavailable;

static void count_done(struct engine_op *op)
{
    done_count++;
    unavailable += op->status == ENGINE_UNAVAILABLE;
}

static void setup(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t length = sizeof address;
    char servers[32], *error;

    listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, length), 0);
    cr_assert_eq(listen(listener, 16), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    snprintf(servers, sizeof servers, "127.0.0.1:%u", ntohs(address.sin_port));
    engine = memcached_open(&(struct memcached_options){ .servers = servers, .connect_timeout_ms = 60000 }, &error);
    cr_assert_not_null(engine);
    loop = loop_create();
    session = engine_attach(engine, loop);
    cr_assert_not_null(session);
    done_count = unavailable = 0;
}

static void teardown(void)
{
    loop_destroy(loop);
    /* Ends the handshakes that the lane's threads are in. */
    close(listener);
    engine_close(engine);
}

TestSuite(queue, .init = setup, .fini = teardown, .timeout = 60);

static struct engine_op get_op(void)
{
    uint64_t now = clock_monotonic_ns();

    return (struct engine_op){ .verb = ENGINE_GET, .ns = BYTES("n"), .key = BYTES("k"), .done = count_done,
                               .now_ns = now, .deadline_ns = now + 60 * NS_PER_SECOND };
}

/* As many as the lane takes; the rest is BUSY. */
static struct engine_op *submit_too_many(unsigned extra)
{
    struct engine_op *ops = calloc(LANE_JOBS_MAX + extra, sizeof *ops);

    for (unsigned i = 0; i < LANE_JOBS_MAX + extra; i++) {
        ops[i] = get_op();
        if (i < LANE_JOBS_MAX) {
            cr_assert_eq(engine_submit(session, &ops[i]), ENGINE_PENDING);
        } else {
            cr_assert_eq(engine_submit(session, &ops[i]), ENGINE_DONE);
            cr_assert_eq(ops[i].status, ENGINE_BUSY);
        }
    }
    return ops;
}

Test(queue, what_is_too_much_is_busy_and_what_waits_ends_with_the_session)
{
    struct engine_op *ops = submit_too_many(100);

    cr_assert_eq(done_count, 0);
    engine_detach(session);
    cr_assert_eq(done_count, LANE_JOBS_MAX);
    cr_assert_eq(unavailable, LANE_JOBS_MAX);
    free(ops);
}

Test(queue, what_is_cancelled_before_it_was_sent_is_busy_and_calls_nobody)
{
    struct engine_op *ops = submit_too_many(1);

    for (unsigned i = 0; i < LANE_JOBS_MAX; i++)
        cr_assert_eq(engine_cancel(session, &ops[i]), ENGINE_BUSY);
    free(ops);
    engine_detach(session);
    cr_assert_eq(done_count, 0);
}

Test(queue, a_full_lane_turns_a_flush_down)
{
    struct engine_op *ops = submit_too_many(0), flush = get_op();

    flush.verb = ENGINE_FLUSH;
    flush.ns = flush.key = BYTES_NONE;
    cr_assert_eq(engine_submit(session, &flush), ENGINE_DONE);
    cr_assert_eq(flush.status, ENGINE_BUSY);
    engine_detach(session);
    free(ops);
}

Test(queue, what_no_server_list_can_be_is_refused)
{
    static const char *const lists[] = { ",", "a:0", "a:65536", "a:x", ":11211", "a:1,a:1", "[::1", "[::1]x",
                                         "/tmp/socket" };
    char *error = NULL;

    engine_detach(session);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        cr_assert_null(memcached_open(&(struct memcached_options){ .servers = lists[i] }, &error), "%s", lists[i]);
        cr_assert_not_null(error);
        free(error);
    }
}
