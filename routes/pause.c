#include "routes/pause.h"

#include <stdlib.h>

struct pause {
    struct http_exchange *ex;
    route_fn *next_step, *give_up;
    struct loop_timer *timer;
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

    leave(pause);
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

    pause->taken = true;
    pause->prev = NULL;
    pause->next = thread->paused;
    if (pause->next)
        pause->next->prev = pause;
    thread->paused = pause;
    loop_timer_at(pause->timer, 0);
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
