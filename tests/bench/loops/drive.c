/* drive.c - one daemon's epoll descriptor inside each of the loops.
 *
 * All of them watch the same two descriptors level-triggered and keep one
 * timer, and none returns before the process is killed. */
#include "loops.h"

#include <ev.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

int drive_none(struct worker *worker)
{
    while (MHD_run_wait(worker->daemon, -1) == MHD_YES)
        worker->turns++;
    return 1;
}

/* ---- epoll ---- */

static bool watch_epoll(int outer, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    if (fd < 0 || epoll_ctl(outer, EPOLL_CTL_ADD, fd, &event) == 0)
        return true;
    perror("epoll_ctl");
    return false;
}

int drive_epoll(struct worker *worker)
{
    int outer = epoll_create1(EPOLL_CLOEXEC);
    if (outer < 0 || !watch_epoll(outer, worker->epoll_fd) || !watch_epoll(outer, worker->listen_fd))
        return 1;
    int wait_ms = worker_run(worker);
    for (;;) {
        struct epoll_event events[4];
        int count = epoll_wait(outer, events, 4, wait_ms);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == worker->listen_fd)
                worker_accept(worker);
        }
        wait_ms = worker_run(worker);
    }
}

/* ---- libev ---- */

struct ev_side {
    struct worker *worker;
    ev_io daemon, listener;
    ev_timer timer;
};

static void ev_turn(struct ev_loop *loop, struct ev_side *side)
{
    int wait_ms = worker_run(side->worker);
    if (wait_ms < 0) {
        ev_timer_stop(loop, &side->timer);
        return;
    }
    side->timer.repeat = wait_ms > 0 ? wait_ms / 1e3 : 1e-6;
    ev_timer_again(loop, &side->timer);
}

static void ev_on_daemon(struct ev_loop *loop, ev_io *io, int events)
{
    (void)events;
    ev_turn(loop, io->data);
}

static void ev_on_listener(struct ev_loop *loop, ev_io *io, int events)
{
    struct ev_side *side = io->data;
    (void)events;
    worker_accept(side->worker);
    ev_turn(loop, side);
}

static void ev_on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    ev_turn(loop, timer->data);
}

int drive_libev(struct worker *worker)
{
    struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
    if (!loop)
        return 1;
    struct ev_side side = { .worker = worker };
    ev_io_init(&side.daemon, ev_on_daemon, worker->epoll_fd, EV_READ);
    side.daemon.data = &side;
    ev_io_start(loop, &side.daemon);
    ev_timer_init(&side.timer, ev_on_timer, 0.0, 1.0);
    side.timer.data = &side;
    if (worker->listen_fd >= 0) {
        ev_io_init(&side.listener, ev_on_listener, worker->listen_fd, EV_READ);
        side.listener.data = &side;
        ev_io_start(loop, &side.listener);
    }
    ev_run(loop, 0);
    return 1;
}

/* ---- libuv ---- */

struct uv_side {
    struct worker *worker;
    uv_poll_t daemon, listener;
    uv_timer_t timer;
};

static void uv_on_timer(uv_timer_t *timer);

static void uv_turn(struct uv_side *side)
{
    int wait_ms = worker_run(side->worker);
    if (wait_ms < 0)
        uv_timer_stop(&side->timer);
    else
        uv_timer_start(&side->timer, uv_on_timer, (uint64_t)wait_ms, 0);
}

static void uv_on_timer(uv_timer_t *timer)
{
    uv_turn(timer->data);
}

static void uv_on_daemon(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    uv_turn(poll->data);
}

static void uv_on_listener(uv_poll_t *poll, int status, int events)
{
    struct uv_side *side = poll->data;
    (void)status;
    (void)events;
    worker_accept(side->worker);
    uv_turn(side);
}

int drive_libuv(struct worker *worker)
{
    uv_loop_t loop;
    struct uv_side side = { .worker = worker };
    if (uv_loop_init(&loop) < 0 || uv_timer_init(&loop, &side.timer) < 0)
        return 1;
    side.timer.data = &side;
    side.daemon.data = &side;
    side.listener.data = &side;
    if (uv_poll_init(&loop, &side.daemon, worker->epoll_fd) < 0 ||
        uv_poll_start(&side.daemon, UV_READABLE, uv_on_daemon) < 0)
        return 1;
    if (worker->listen_fd >= 0 && (uv_poll_init(&loop, &side.listener, worker->listen_fd) < 0 ||
                                   uv_poll_start(&side.listener, UV_READABLE, uv_on_listener) < 0))
        return 1;
    uv_run(&loop, UV_RUN_DEFAULT);
    return 1;
}
