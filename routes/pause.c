#include "routes/pause.h"

#include <stdlib.h>

#include "service/base/clock.h"

/* How long a request goes on before others have their turn: what is cheap may
 * take many steps in that time. */
#define SLICE_NS NS_PER_MS

struct pause {
    struct http_exchange *ex;
    route_fn *next_step, *give_up;
    struct loop_timer *timer;
    uint64_t slice_end_ns; /* until then no one need be let in */
    bool taken; /* and then in the thread's list */
    struct pause *next, *prev;
};

static void leave(struct pause *pause)
{
    struct routes_thread *thread = route_thread(pause->ex);

    if (!pause->taken)
        return;
    pause->taken = false;
    *(pause->prev ? &pause->prev->next : &thread->paused) = pause->next;
    if (pause->next)
        pause->next->prev = pause->prev;
}

static void wake(void *context)
{
    struct pause *pause = context;
    uint64_t now_ns = loop_now(route_thread(pause->ex)->loop);

    leave(pause);
    if (now_ns >= pause->slice_end_ns)
        pause->slice_end_ns = now_ns + SLICE_NS;
    pause->next_step(pause->ex);
}

struct pause *pause_create(struct http_exchange *ex, route_fn *next, route_fn *give_up)
{
    struct pause *pause = malloc(sizeof *pause);

    if (!pause)
        return NULL;
    *pause = (struct pause){ .ex = ex, .next_step = next, .give_up = give_up };
    pause->timer = loop_timer_create(route_thread(ex)->loop, wake, pause);
    if (pause->timer)
        return pause;
    free(pause);
    return NULL;
}

void pause_take(struct pause *pause)
{
    struct routes_thread *thread = route_thread(pause->ex);
    uint64_t now_ns;

    pause->taken = true;
    pause->prev = NULL;
    pause->next = thread->paused;
    if (pause->next)
        pause->next->prev = pause;
    thread->paused = pause;
    /* A timer that is due already fires among those of this turn where libuv is
     * older than 1.45, and a step that is done at once would set it again, for
     * ever: only one that is yet to come lets the loop serve others. */
    loop_renew_now(thread->loop);
    now_ns = loop_now(thread->loop);
    loop_timer_at(pause->timer, now_ns < pause->slice_end_ns ? 0 : now_ns + 1);
}

void pause_destroy(struct pause *pause)
{
    if (!pause)
        return;
    leave(pause);
    loop_timer_destroy(pause->timer);
    free(pause);
}

void pause_abandon(struct routes_thread *thread)
{
    while (thread->paused) {
        struct pause *pause = thread->paused;

        leave(pause);
        pause->give_up(pause->ex);
    }
}
