#include "service/http/private.h"

#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/base/clock.h"
#include "service/base/log.h"

#define SWEEP_MS 100
/* MHD finds timed-out connections only when it runs. */
#define SWEEPS_PER_RUN 10
/* Passes over pipelined requests in one turn, before others get theirs. */
#define RUNS_PER_TURN 4
/* Runs of MHD that call none of ours before it is given a rest, and how long. A
 * long header section takes a few; a connection whose memory is full while the
 * client sends on would take all there are, until its deadline. */
#define IDLE_RUNS_MAX 8
#define REST_MS 5

struct handover {
    struct loop_message message;
    struct http_thread *thread;
    int fd;
    bool admin;
    socklen_t length;
    struct sockaddr_storage peer;
};

/* ---- Running MHD inside the loop ---- */

static void on_daemon_ready(void *context, int events)
{
    struct http_thread *thread = context;

    (void)events;
    thread->runnable = true;
}

static void run_once(struct http_thread *thread)
{
    MHD_run(thread->daemon);
    if (thread->plain)
        MHD_run(thread->plain);
}

static bool has_pending(struct http_thread *thread)
{
    MHD_UNSIGNED_LONG_LONG timeout;

    if (thread->plain && MHD_get_timeout(thread->plain, &timeout) == MHD_YES && timeout == 0)
        return true;
    return MHD_get_timeout(thread->daemon, &timeout) == MHD_YES && timeout == 0;
}

/* While exchanges wait, MHD always has something pending, so that says nothing
 * then; a run in which nothing happened ends the turn, and what may still lie
 * in a socket's buffer is looked after by the timer. */
static void choose_next_run(struct http_thread *thread, bool progressed)
{
    bool pending = has_pending(thread);

    thread->idle_runs = progressed || !pending ? 0 : thread->idle_runs + 1;
    if (!pending)
        return;
    if (progressed || (thread->waiting == 0 && thread->idle_runs < IDLE_RUNS_MAX)) {
        thread->runnable = true;
    } else if (!thread->resting) {
        thread->resting = true;
        loop_timer_at(thread->rest_timer, clock_monotonic_ns() + REST_MS * NS_PER_MS);
    }
}

/* All that this turn made ready is served here, once: sockets, new
 * connections, and exchanges that the engine's replies answered. */
static void run_daemon(void *context)
{
    struct http_thread *thread = context;

    for (int runs = 0; thread->runnable && runs < RUNS_PER_TURN; runs++) {
        uint64_t progress = thread->progress;
        thread->runnable = false;
        run_once(thread);
        choose_next_run(thread, thread->progress != progress);
    }
    if (thread->runnable)
        loop_skip_wait(thread->loop);
}

static void rest_is_over(void *context)
{
    struct http_thread *thread = context;

    thread->resting = false;
    thread->runnable = true;
}

static void notice_late_answers(void *context)
{
    struct http_thread *thread = context;

    if (thread->runnable)
        loop_skip_wait(thread->loop);
}

static void sweep(void *context)
{
    struct http_thread *thread = context;
    static _Thread_local unsigned count;
    uint64_t now_ns = loop_now(thread->loop);

    http_connections_sweep(thread, now_ns);
    http_lingering_sweep(thread, now_ns);
    if (++count % SWEEPS_PER_RUN == 0)
        thread->runnable = true;
}

/* ---- Start ---- */

/* Paths are decoded by the routes, once; MHD must leave them alone. */
static size_t keep_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strlen(text);
}

static struct MHD_Daemon *daemon_create(struct http_thread *thread, bool with_tls)
{
    const struct http_options *options = &thread->server->options;
    unsigned idle_seconds = (unsigned)((options->idle_timeout_ms + 999) / 1000);

    /* Each session gets its credentials when it is new (connection.c), but
     * the daemon does not start without some. */
    const struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)HTTP_TLS_PRIORITIES },
        { MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)http_tls_no_certificate },
        { MHD_OPTION_END, 0, NULL },
    };

    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
                                (with_tls ? MHD_USE_TLS : 0),
                            0, NULL, NULL,
                            http_exchange_step, thread,                                      /* */
                            MHD_OPTION_URI_LOG_CALLBACK, http_exchange_start, thread,        /* */
                            MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, thread,              /* */
                            MHD_OPTION_NOTIFY_COMPLETED, http_exchange_completed, thread,    /* */
                            MHD_OPTION_NOTIFY_CONNECTION, http_connection_notify, thread,    /* */
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_POOL_BYTES,             /* */
                            MHD_OPTION_CONNECTION_LIMIT, options->max_connections + HTTP_ADMIN_RESERVE + 1, /* */
                            MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds,                     /* */
                            MHD_OPTION_ARRAY, with_tls ? tls : tls + 2, /* */
#if MHD_VERSION >= 0x01000000
                            MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, /* */
#endif
                            MHD_OPTION_END);
}

static bool daemon_add(struct http_thread *thread, bool with_tls, struct MHD_Daemon **daemon, struct loop_io **io)
{
    *daemon = daemon_create(thread, with_tls);
    if (!*daemon)
        return false;
    *io = loop_io_add(thread->loop, MHD_get_daemon_info(*daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, LOOP_READABLE,
                      on_daemon_ready, thread);
    return *io != NULL;
}

static void drain_posted(struct loop_message *message)
{
    struct http_thread *thread = (struct http_thread *)((char *)message - offsetof(struct http_thread, drain_message));

    thread->draining = true;
}

static void close_posted(struct loop_message *message)
{
    struct http_thread *thread = (struct http_thread *)((char *)message - offsetof(struct http_thread, close_message));

    thread->closing = true;
    http_connections_close_idle(thread);
}

bool http_thread_init(struct http_thread *thread, struct http_server *server, unsigned index)
{
    const struct http_options *options = &server->options;

    *thread = (struct http_thread){ .server = server, .index = index };
    thread->drain_message.fn = drain_posted;
    thread->close_message.fn = close_posted;
    thread->max_in_flight = (options->max_in_flight + options->threads - 1) / options->threads;
    thread->tls = options->tls ? http_tls_ref(options->tls) : NULL;
    thread->log = options->access_log ? access_log_lane(options->access_log, index) : NULL;
    randombytes_buf(&thread->id_prefix, sizeof thread->id_prefix);
    thread->loop = loop_create();
    if (!thread->loop)
        return false;
    if (!daemon_add(thread, options->tls, &thread->daemon, &thread->daemon_io) ||
        (options->tls && options->admin_host && !daemon_add(thread, false, &thread->plain, &thread->plain_io)))
        return false;
    thread->first_hook = loop_hook_add(thread->loop, run_daemon, thread);
    thread->sweep_timer = loop_timer_create(thread->loop, sweep, thread);
    thread->rest_timer = loop_timer_create(thread->loop, rest_is_over, thread);
    if (!thread->daemon_io || !thread->first_hook || !thread->sweep_timer || !thread->rest_timer)
        return false;
    thread->app_thread = server->app->thread_start(server->app->context, thread->loop);
    if (!thread->app_thread)
        return false;
    thread->last_hook = loop_hook_add(thread->loop, notice_late_answers, thread);
    loop_timer_every(thread->sweep_timer, SWEEP_MS);
    return thread->last_hook != NULL;
}

void *http_thread_main(void *context)
{
    struct http_thread *thread = context;

    loop_run(thread->loop);
    return NULL;
}

/* ---- New connections ---- */

static void take_over(struct loop_message *message)
{
    struct handover *handover = (struct handover *)message;
    struct http_thread *thread = handover->thread;

    /* On failure MHD has closed the socket; it may have told of the connection
     * and of its end before, which then was counted there. */
    thread->notified = false;
    thread->taking_admin = handover->admin;
    if (MHD_add_connection(handover->admin && thread->plain ? thread->plain : thread->daemon, handover->fd, (const struct sockaddr *)&handover->peer,
                           handover->length) != MHD_YES) {
        log_warn("connection not taken", LOG_U64("thread", thread->index));
        if (!thread->notified)
            http_connection_uncount(thread);
    }
    thread->runnable = true;
    free(handover);
}

void http_thread_hand_over(struct http_thread *thread, int fd, bool admin, const struct sockaddr_storage *peer,
                           socklen_t length)
{
    struct handover *handover = malloc(sizeof *handover);

    if (!handover) {
        http_socket_refuse(fd, thread->server->options.tls && !admin, "out of memory");
        return;
    }
    *handover = (struct handover){ { NULL, take_over }, thread, fd, admin, length, *peer };
    atomic_fetch_add_explicit(&thread->connections, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&thread->server->connections, 1, memory_order_relaxed);
    loop_post(thread->loop, &handover->message);
}

/* ---- Certificates ---- */

struct tls_message {
    struct loop_message message;
    struct http_thread *thread;
    struct http_tls *tls;
};

static void take_tls(struct loop_message *message)
{
    struct tls_message *posted = (struct tls_message *)message;

    http_tls_unref(posted->thread->tls);
    posted->thread->tls = posted->tls;
    free(posted);
}

bool http_thread_set_tls(struct http_thread *thread, struct http_tls *tls)
{
    struct tls_message *posted = malloc(sizeof *posted);

    if (!posted)
        return false;
    *posted = (struct tls_message){ { NULL, take_tls }, thread, http_tls_ref(tls) };
    loop_post(thread->loop, &posted->message);
    return true;
}

/* ---- Drain and end ---- */

void http_thread_drain(struct http_thread *thread)
{
    loop_post(thread->loop, &thread->drain_message);
}

void http_thread_close_idle(struct http_thread *thread)
{
    loop_post(thread->loop, &thread->close_message);
}

unsigned http_thread_release(struct http_thread *thread)
{
    unsigned cut_off = atomic_load_explicit(&thread->in_flight, memory_order_relaxed);
    const struct http_app *app = thread->server->app;

    if (thread->app_thread) {
        thread->abandoned = true;
        app->thread_abandon(thread->app_thread);
        http_connections_end_intakes(thread);
        /* What waited is answered now, in one run, and sent in the next; MHD
         * panics if a connection were still suspended. */
        for (int runs = 0; runs < RUNS_PER_TURN; runs++)
            run_once(thread);
    }
    if (thread->daemon) {
        loop_io_remove(thread->daemon_io);
        MHD_stop_daemon(thread->daemon);
    }
    if (thread->plain) {
        loop_io_remove(thread->plain_io);
        MHD_stop_daemon(thread->plain);
    }
    if (thread->app_thread)
        app->thread_stop(thread->app_thread);
    http_lingering_sweep(thread, UINT64_MAX);
    http_exchange_free_spares(thread);
    http_tls_unref(thread->tls);
    loop_destroy(thread->loop);
    return cut_off;
}
