#include "tests/support/virtual_loop.h"

#include <stdlib.h>

#include "service/base/clock.h"

struct loop_timer {
    struct loop *loop;
    struct loop_timer *next;
    loop_timer_fn *fn;
    void *context;
    uint64_t at_ns; /* UINT64_MAX: not set */
    uint64_t every_ns;
};

struct loop_hook {
    struct loop *loop;
    struct loop_hook *next;
    loop_hook_fn *fn;
    void *context;
};

struct loop {
    uint64_t now_ns;
    struct loop_timer *timers;
    struct loop_hook *hooks;
    struct loop_message *posted, **posted_end;
    unsigned settings;
    bool refuse_timers;
    bool stopping;
};

struct loop *loop_create(void)
{
    struct loop *loop = calloc(1, sizeof *loop);

    if (loop) {
        loop->now_ns = VIRTUAL_LOOP_START;
        loop->posted_end = &loop->posted;
    }
    return loop;
}

void loop_destroy(struct loop *loop)
{
    if (!loop)
        return;
    while (loop->timers)
        loop_timer_destroy(loop->timers);
    while (loop->hooks)
        loop_hook_remove(loop->hooks);
    free(loop);
}

uint64_t loop_now(struct loop *loop)
{
    return loop->now_ns;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

void loop_skip_wait(struct loop *loop)
{
    (void)loop;
}

static struct loop_timer *soonest_timer(const struct loop *loop)
{
    struct loop_timer *best = loop->timers;

    for (struct loop_timer *timer = loop->timers; timer; timer = timer->next)
        if (timer->at_ns < best->at_ns)
            best = timer;
    return best && best->at_ns != UINT64_MAX ? best : NULL;
}

static void serve(struct loop *loop)
{
    while (loop->posted) {
        struct loop_message *message = loop->posted;
        loop->posted = message->next;
        if (!loop->posted)
            loop->posted_end = &loop->posted;
        message->fn(message);
    }
    for (struct loop_hook *hook = loop->hooks; hook; hook = hook->next)
        hook->fn(hook->context);
}

static void fire(struct loop *loop, struct loop_timer *timer)
{
    if (timer->at_ns > loop->now_ns)
        loop->now_ns = timer->at_ns;
    timer->at_ns = timer->every_ns ? loop->now_ns + timer->every_ns : UINT64_MAX;
    timer->fn(timer->context);
    serve(loop);
}

void virtual_loop_advance(struct loop *loop, uint64_t ns)
{
    uint64_t until = loop->now_ns + ns;
    struct loop_timer *timer;

    serve(loop);
    while ((timer = soonest_timer(loop)) && timer->at_ns <= until)
        fire(loop, timer);
    loop->now_ns = until;
}

void loop_run(struct loop *loop)
{
    struct loop_timer *timer;

    serve(loop);
    while (!loop->stopping && (timer = soonest_timer(loop)))
        fire(loop, timer);
}

unsigned virtual_loop_armed(const struct loop *loop)
{
    unsigned armed = 0;

    for (const struct loop_timer *timer = loop->timers; timer; timer = timer->next)
        armed += timer->at_ns != UINT64_MAX;
    return armed;
}

unsigned virtual_loop_settings(const struct loop *loop)
{
    return loop->settings;
}

void virtual_loop_refuse_timers(struct loop *loop)
{
    loop->refuse_timers = true;
}

struct loop_timer *loop_timer_create(struct loop *loop, loop_timer_fn *fn, void *context)
{
    struct loop_timer *timer = loop->refuse_timers ? NULL : calloc(1, sizeof *timer);

    if (!timer)
        return NULL;
    *timer = (struct loop_timer){ loop, loop->timers, fn, context, UINT64_MAX, 0 };
    loop->timers = timer;
    return timer;
}

void loop_timer_at(struct loop_timer *timer, uint64_t at_ns)
{
    /* To the next millisecond, as the real one. */
    timer->at_ns = at_ns / NS_PER_MS * NS_PER_MS + (at_ns % NS_PER_MS ? NS_PER_MS : 0);
    timer->every_ns = 0;
    timer->loop->settings++;
}

void loop_timer_every(struct loop_timer *timer, uint64_t every_ms)
{
    timer->every_ns = every_ms * NS_PER_MS;
    timer->at_ns = timer->loop->now_ns + timer->every_ns;
    timer->loop->settings++;
}

void loop_timer_stop(struct loop_timer *timer)
{
    timer->at_ns = UINT64_MAX;
    timer->every_ns = 0;
}

void loop_timer_destroy(struct loop_timer *timer)
{
    struct loop_timer **at;

    if (!timer)
        return;
    for (at = &timer->loop->timers; *at != timer; at = &(*at)->next)
        continue;
    *at = timer->next;
    free(timer);
}

struct loop_hook *loop_hook_add(struct loop *loop, loop_hook_fn *fn, void *context)
{
    struct loop_hook *hook = calloc(1, sizeof *hook);
    struct loop_hook **end = &loop->hooks;

    if (!hook)
        return NULL;
    *hook = (struct loop_hook){ loop, NULL, fn, context };
    while (*end)
        end = &(*end)->next;
    *end = hook;
    return hook;
}

void loop_hook_remove(struct loop_hook *hook)
{
    struct loop_hook **at;

    if (!hook)
        return;
    for (at = &hook->loop->hooks; *at != hook; at = &(*at)->next)
        continue;
    *at = hook->next;
    free(hook);
}

void loop_post(struct loop *loop, struct loop_message *message)
{
    message->next = NULL;
    *loop->posted_end = message;
    loop->posted_end = &message->next;
}
