/* loop.h - one thread's event loop: descriptors, timers, names, messages.
 *
 * A thin face over libuv, and the only box that includes uv.h. A loop and all
 * that is registered with it belong to the thread that runs it; loop_post()
 * and loop_stop() are the only calls that another thread may make.
 *
 * Callbacks never run inside the call that registers them. What a function
 * here returns stays valid until its remove, destroy or cancel call, or until
 * loop_destroy(), which frees what was left. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "service/base/bytes.h"

struct loop;

struct loop *loop_create(void) MUST_CHECK;

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);

/* Any thread. The loop finishes its turn, with posted messages served. */
void loop_stop(struct loop *loop);

/* After loop_run() returned. Closes what is still registered; posted messages
 * that were not served are dropped. NULL is allowed. */
void loop_destroy(struct loop *loop);

/* The monotonic time, ns, read once a turn when it is first asked for: all that
 * one turn brings shares one reading. */
uint64_t loop_now(struct loop *loop);

/* Reads the time again: after work that took long. */
void loop_renew_now(struct loop *loop);

/* Lets the coming wait return at once, for work that a hook or callback left
 * to the next turn. */
void loop_skip_wait(struct loop *loop);

/* ---- Descriptors (level-triggered) ---- */

enum { LOOP_READABLE = 1, LOOP_WRITABLE = 2 };

struct loop_io;
/* `events`: what is ready. A descriptor in error is reported readable and
 * writable, so that the read or write finds out. */
typedef void loop_io_fn(void *context, int events);

/* Watches `fd` for `events`; NULL when out of memory or not pollable. The fd
 * stays the caller's, who removes the watch before closing it. */
struct loop_io *loop_io_add(struct loop *loop, int fd, int events, loop_io_fn *fn, void *context) MUST_CHECK;

/* `events` may be 0: registered, but quiet. */
void loop_io_set(struct loop_io *io, int events);

/* No callback after this. NULL is allowed. */
void loop_io_remove(struct loop_io *io);

/* ---- Timers ---- */

struct loop_timer;
typedef void loop_timer_fn(void *context);

struct loop_timer *loop_timer_create(struct loop *loop, loop_timer_fn *fn, void *context) MUST_CHECK;

/* Fires once at monotonic `at_ns`, rounded up to the millisecond; replaces an
 * earlier setting. A time that has passed fires after the next wait, which does
 * not last: between two firings descriptors and messages have their turn,
 * however often a timer is set so. */
void loop_timer_at(struct loop_timer *timer, uint64_t at_ns);

/* Fires every `every_ms`, the first time after one interval. */
void loop_timer_every(struct loop_timer *timer, uint64_t every_ms);

void loop_timer_stop(struct loop_timer *timer);

/* NULL is allowed. */
void loop_timer_destroy(struct loop_timer *timer);

/* ---- Once a turn ---- */

struct loop_hook;
typedef void loop_hook_fn(void *context);

/* Calls `fn` each turn just before the loop waits: the place where what one
 * turn gathered leaves in one write. Hooks run in the order they were added. */
struct loop_hook *loop_hook_add(struct loop *loop, loop_hook_fn *fn, void *context) MUST_CHECK;
/* Only outside of a running hook. NULL is allowed. */
void loop_hook_remove(struct loop_hook *hook);

/* ---- Messages from other threads ---- */

struct loop_message {
    struct loop_message *next; /* private */
    void (*fn)(struct loop_message *message);
};

/* Any thread. `message->fn(message)` runs once on the loop's thread; until
 * then the message belongs to the loop. Messages of one sender keep their
 * order; many of one turn cost one wake-up. */
void loop_post(struct loop *loop, struct loop_message *message);

/* ---- Signals ---- */

typedef void loop_signal_fn(void *context, int signal_number);

/* Calls `fn` on the loop's thread for each delivery; until loop_destroy(). */
bool loop_signal_add(struct loop *loop, int signal_number, loop_signal_fn *fn, void *context) MUST_CHECK;

/* ---- Name resolution ---- */

struct loop_lookup;
/* `error` is NULL and `address` valid during the call, one of the `count` that
 * the name has; or `error` says in a static text what went wrong. */
typedef void loop_lookup_fn(void *context, const struct sockaddr *address, socklen_t length, unsigned count,
                            const char *error);

/* Resolves a host name or numeric address for TCP on a helper thread, and picks
 * address number `index` (modulo their count) in the system's order. NULL when
 * out of memory. `fn` runs exactly once unless it is cancelled, which is
 * possible until it has run. */
struct loop_lookup *loop_lookup(struct loop *loop, const char *host, uint16_t port, unsigned index,
                                loop_lookup_fn *fn, void *context) MUST_CHECK;
void loop_lookup_cancel(struct loop_lookup *lookup);
