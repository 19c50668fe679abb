#include "service/base/loop.h"

#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "service/base/clock.h"

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t before_wait;
    uv_idle_t again; /* while active, the wait returns at once */
    bool skip_wait;  /* the coming one */
    uv_check_t after_wait;
    struct loop_timer *due, **due_end; /* whose time has passed, oldest first */
    struct loop_timer *serving;        /* those of them that this turn fires */
    uint64_t now_ns; /* 0: not read in this turn */
    struct loop_hook *hooks;
    _Atomic(struct loop_message *) posted; /* newest first */
    atomic_bool stopping;
};

struct loop_io {
    uv_poll_t poll; /* first: freed through the handle */
    loop_io_fn *fn;
    void *context;
};

struct loop_timer {
    uv_timer_t timer; /* first: freed through the handle */
    loop_timer_fn *fn;
    void *context;
    struct loop_timer *next_due, **due_slot; /* its place among those that are due; NULL: it is not */
};

struct loop_signal {
    uv_signal_t signal; /* first: freed through the handle */
    loop_signal_fn *fn;
    void *context;
};

struct loop_hook {
    struct loop *loop;
    struct loop_hook *next;
    loop_hook_fn *fn;
    void *context;
};

struct loop_lookup {
    uv_getaddrinfo_t request;
    loop_lookup_fn *fn; /* NULL: cancelled */
    void *context;
    unsigned index;
};

/* ---- The loop ---- */

static void pass(uv_idle_t *again)
{
    (void)again;
}

static void run_hooks(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;

    for (struct loop_hook *hook = loop->hooks; hook; hook = hook->next)
        hook->fn(hook->context);
    loop->now_ns = 0;
    if (loop->skip_wait)
        uv_idle_start(&loop->again, pass);
    else
        uv_idle_stop(&loop->again);
    loop->skip_wait = false;
}

/* The stack of posted messages is newest first; they are served oldest first. */
static struct loop_message *take_posted(struct loop *loop)
{
    struct loop_message *stack = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire);
    struct loop_message *queue = NULL;

    while (stack) {
        struct loop_message *next = stack->next;
        stack->next = queue;
        queue = stack;
        stack = next;
    }
    return queue;
}

static void serve_posted(uv_async_t *wake)
{
    struct loop *loop = wake->data;
    /* Read first: what was posted before loop_stop() is then among the taken. */
    bool stopping = atomic_load(&loop->stopping);
    struct loop_message *message = take_posted(loop);

    while (message) {
        struct loop_message *next = message->next;
        message->fn(message);
        message = next;
    }
    if (stopping)
        uv_stop(&loop->uv);
}

static void serve_due(uv_check_t *after_wait);

struct loop *loop_create(void)
{
    struct loop *loop = calloc(1, sizeof *loop);

    if (!loop)
        return NULL;
    if (uv_loop_init(&loop->uv) != 0)
        goto fail;
    if (uv_async_init(&loop->uv, &loop->wake, serve_posted) != 0)
        goto fail_loop;
    uv_prepare_init(&loop->uv, &loop->before_wait);
    uv_idle_init(&loop->uv, &loop->again);
    uv_check_init(&loop->uv, &loop->after_wait);
    loop->wake.data = loop->before_wait.data = loop;
    loop->due_end = &loop->due;
    uv_prepare_start(&loop->before_wait, run_hooks);
    uv_check_start(&loop->after_wait, serve_due);
    return loop;

fail_loop:
    uv_loop_close(&loop->uv);
fail:
    free(loop);
    return NULL;
}

void loop_run(struct loop *loop)
{
    if (!atomic_load(&loop->stopping))
        uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    uv_async_send(&loop->wake);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void close_leftover(uv_handle_t *handle, void *context)
{
    const struct loop *loop = context;
    bool own = handle == (const uv_handle_t *)&loop->wake || handle == (const uv_handle_t *)&loop->before_wait ||
               handle == (const uv_handle_t *)&loop->again || handle == (const uv_handle_t *)&loop->after_wait;

    if (!uv_is_closing(handle))
        uv_close(handle, own ? NULL : free_handle);
}

void loop_destroy(struct loop *loop)
{
    if (!loop)
        return;
    uv_walk(&loop->uv, close_leftover, loop);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_loop_close(&loop->uv);
    while (loop->hooks)
        loop_hook_remove(loop->hooks);
    free(loop);
}

uint64_t loop_now(struct loop *loop)
{
    if (loop->now_ns == 0)
        loop->now_ns = clock_monotonic_ns();
    return loop->now_ns;
}

void loop_renew_now(struct loop *loop)
{
    loop->now_ns = 0;
}

void loop_skip_wait(struct loop *loop)
{
    loop->skip_wait = true;
}

/* ---- Descriptors ---- */

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct loop_io *io = (struct loop_io *)poll;
    int ready = 0;

    if (status < 0)
        ready = LOOP_READABLE | LOOP_WRITABLE;
    if (events & UV_READABLE)
        ready |= LOOP_READABLE;
    if (events & UV_WRITABLE)
        ready |= LOOP_WRITABLE;
    io->fn(io->context, ready);
}

struct loop_io *loop_io_add(struct loop *loop, int fd, int events, loop_io_fn *fn, void *context)
{
    struct loop_io *io = calloc(1, sizeof *io);

    if (!io)
        return NULL;
    if (uv_poll_init(&loop->uv, &io->poll, fd) != 0) {
        free(io);
        return NULL;
    }
    io->fn = fn;
    io->context = context;
    loop_io_set(io, events);
    return io;
}

void loop_io_set(struct loop_io *io, int events)
{
    int wanted = 0;

    if (events & LOOP_READABLE)
        wanted |= UV_READABLE;
    if (events & LOOP_WRITABLE)
        wanted |= UV_WRITABLE;
    if (wanted)
        uv_poll_start(&io->poll, wanted, on_ready);
    else
        uv_poll_stop(&io->poll);
}

void loop_io_remove(struct loop_io *io)
{
    if (io)
        uv_close((uv_handle_t *)&io->poll, free_handle);
}

/* ---- Timers ---- */

static struct loop *loop_of(const struct loop_timer *timer)
{
    return (struct loop *)timer->timer.loop; /* its first member */
}

static void fire(struct loop_timer *timer)
{
    /* Timers run before the hooks have ended the last turn: with its time, a
     * timer could find that it has fired too early. */
    loop_of(timer)->now_ns = 0;
    timer->fn(timer->context);
}

static void on_timer(uv_timer_t *uv_timer)
{
    fire((struct loop_timer *)uv_timer);
}

static void leave_due(struct loop_timer *timer)
{
    struct loop *loop = loop_of(timer);

    if (!timer->due_slot)
        return;
    *timer->due_slot = timer->next_due;
    if (timer->next_due)
        timer->next_due->due_slot = timer->due_slot;
    else if (loop->due_end == &timer->next_due)
        loop->due_end = timer->due_slot;
    timer->due_slot = NULL;
}

/* Not by a libuv timer of no delay: set in another's callback it fires among
 * those of the same turn where libuv is older than 1.45, and one that sets
 * itself again keeps the loop from everything else. */
static void join_due(struct loop_timer *timer)
{
    struct loop *loop = loop_of(timer);

    timer->next_due = NULL;
    timer->due_slot = loop->due_end;
    *loop->due_end = timer;
    loop->due_end = &timer->next_due;
    loop_skip_wait(loop);
}

/* After the wait, so descriptors and messages had their turn. What joins
 * meanwhile is for the next turn. */
static void serve_due(uv_check_t *after_wait)
{
    struct loop *loop = (struct loop *)after_wait->loop;

    if (!loop->due)
        return;
    loop->serving = loop->due;
    loop->serving->due_slot = &loop->serving;
    loop->due = NULL;
    loop->due_end = &loop->due;
    while (loop->serving) {
        struct loop_timer *timer = loop->serving;

        leave_due(timer);
        fire(timer);
    }
}

struct loop_timer *loop_timer_create(struct loop *loop, loop_timer_fn *fn, void *context)
{
    struct loop_timer *timer = calloc(1, sizeof *timer);

    if (!timer)
        return NULL;
    uv_timer_init(&loop->uv, &timer->timer);
    timer->fn = fn;
    timer->context = context;
    return timer;
}

void loop_timer_at(struct loop_timer *timer, uint64_t at_ns)
{
    /* libuv counts from its own reading of the same clock, in milliseconds. */
    uint64_t at_ms = at_ns / NS_PER_MS + (at_ns % NS_PER_MS != 0);
    uint64_t now_ms = uv_now(timer->timer.loop);

    loop_timer_stop(timer);
    if (at_ms > now_ms)
        uv_timer_start(&timer->timer, on_timer, at_ms - now_ms, 0);
    else
        join_due(timer);
}

void loop_timer_every(struct loop_timer *timer, uint64_t every_ms)
{
    leave_due(timer);
    uv_timer_start(&timer->timer, on_timer, every_ms, every_ms);
}

void loop_timer_stop(struct loop_timer *timer)
{
    leave_due(timer);
    uv_timer_stop(&timer->timer);
}

void loop_timer_destroy(struct loop_timer *timer)
{
    if (!timer)
        return;
    leave_due(timer);
    uv_close((uv_handle_t *)&timer->timer, free_handle);
}

/* ---- Hooks ---- */

struct loop_hook *loop_hook_add(struct loop *loop, loop_hook_fn *fn, void *context)
{
    struct loop_hook *hook = calloc(1, sizeof *hook);
    struct loop_hook **end = &loop->hooks;

    if (!hook)
        return NULL;
    *hook = (struct loop_hook){ .loop = loop, .fn = fn, .context = context };
    while (*end)
        end = &(*end)->next;
    *end = hook;
    return hook;
}

void loop_hook_remove(struct loop_hook *hook)
{
    if (!hook)
        return;
    for (struct loop_hook **at = &hook->loop->hooks; *at; at = &(*at)->next) {
        if (*at == hook) {
            *at = hook->next;
            break;
        }
    }
    free(hook);
}

/* ---- Messages ---- */

void loop_post(struct loop *loop, struct loop_message *message)
{
    struct loop_message *newest = atomic_load_explicit(&loop->posted, memory_order_relaxed);

    do {
        message->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&loop->posted, &newest, message, memory_order_release,
                                                    memory_order_relaxed));
    /* Whoever found the stack empty wakes; the others ride along. */
    if (!newest)
        uv_async_send(&loop->wake);
}

/* ---- Signals ---- */

static void on_signal(uv_signal_t *uv_signal, int number)
{
    struct loop_signal *handler = (struct loop_signal *)uv_signal;

    handler->fn(handler->context, number);
}

bool loop_signal_add(struct loop *loop, int signal_number, loop_signal_fn *fn, void *context)
{
    struct loop_signal *handler = calloc(1, sizeof *handler);

    if (!handler)
        return false;
    handler->fn = fn;
    handler->context = context;
    if (uv_signal_init(&loop->uv, &handler->signal) != 0) {
        free(handler);
        return false;
    }
    if (uv_signal_start(&handler->signal, on_signal, signal_number) != 0) {
        uv_close((uv_handle_t *)&handler->signal, free_handle);
        return false;
    }
    return true;
}

/* ---- Names ---- */

static void on_lookup(uv_getaddrinfo_t *request, int status, struct addrinfo *result)
{
    struct loop_lookup *lookup = (struct loop_lookup *)request;

    unsigned count = 0;

    for (const struct addrinfo *at = result; at; at = at->ai_next)
        count++;
    if (lookup->fn && status == 0 && count > 0) {
        const struct addrinfo *chosen = result;
        for (unsigned i = lookup->index % count; i > 0; i--)
            chosen = chosen->ai_next;
        lookup->fn(lookup->context, chosen->ai_addr, (socklen_t)chosen->ai_addrlen, count, NULL);
    } else if (lookup->fn) {
        lookup->fn(lookup->context, NULL, 0, 0, uv_strerror(status != 0 ? status : UV_EAI_NONAME));
    }
    uv_freeaddrinfo(result);
    free(lookup);
}

struct loop_lookup *loop_lookup(struct loop *loop, const char *host, uint16_t port, unsigned index,
                                loop_lookup_fn *fn, void *context)
{
    struct loop_lookup *lookup = calloc(1, sizeof *lookup);
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    char service[8];

    if (!lookup)
        return NULL;
    lookup->fn = fn;
    lookup->context = context;
    lookup->index = index;
    snprintf(service, sizeof service, "%u", (unsigned)port);
    if (uv_getaddrinfo(&loop->uv, &lookup->request, on_lookup, host, service, &hints) != 0) {
        free(lookup);
        return NULL;
    }
    return lookup;
}

void loop_lookup_cancel(struct loop_lookup *lookup)
{
    lookup->fn = NULL;
    /* When it cannot be cancelled any more, its callback finds no one to tell. */
    (void)uv_cancel((uv_req_t *)&lookup->request);
}
