#include "routes/primitives/lock_wait.h"

#include <sodium.h>
#include <stdlib.h>

#include "service/base/clock.h"

/* Between two tries of the first in a queue; the longest is also how late a
 * drain or a client's leaving may be noticed. */
#define DELAY_FIRST_MS 5
#define DELAY_LAST_MS 100

struct lock_wait {
    struct http_exchange *ex;
    struct routes_thread *thread;
    struct loop_timer *timer;
    struct lock_queue *queue;
    struct lock_wait *next, *prev;
    lock_wait_fn *again, *give_up;
    uint64_t until_ns;
    unsigned delay_ms;
    bool asleep; /* the timer is set, no try is under way */
    bool woken;  /* the lock was released while a try was under way */
};

/* ---- The queues: one for all locks of a hash, oldest first ---- */

#define BIT(number) (UINT64_C(1) << (number))
_Static_assert(LOCK_QUEUES == 64, "a bit for each queue");

static const struct path_entry *lock_of(const struct lock_wait *wait)
{
    return &route_state(wait->ex)->entry;
}

static bool same_lock(const struct path_entry *a, const struct path_entry *b)
{
    return bytes_equal(a->key, b->key) && bytes_equal(a->ns, b->ns);
}

/* FNV-1a (draft-eastlake-fnv); who makes locks collide only shares a queue. The
 * same on all threads. */
static unsigned queue_number(const struct path_entry *lock)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < lock->ns.len; i++)
        hash = (hash ^ (unsigned char)lock->ns.ptr[i]) * 16777619u;
    for (size_t i = 0; i < lock->key.len; i++)
        hash = (hash ^ (unsigned char)lock->key.ptr[i]) * 16777619u;
    return hash % LOCK_QUEUES;
}

static struct lock_wait *first_for(struct lock_wait *at, const struct path_entry *lock)
{
    while (at && !same_lock(lock_of(at), lock))
        at = at->next;
    return at;
}

static void enqueue(struct lock_wait *wait)
{
    unsigned number = queue_number(lock_of(wait));
    struct lock_queue *queue = &wait->thread->lock_queues.by_hash[number];

    wait->queue = queue;
    wait->prev = queue->tail;
    *(queue->tail ? &queue->tail->next : &queue->head) = wait;
    queue->tail = wait;
    atomic_fetch_or(&wait->thread->lock_queues.waited_in, BIT(number));
}

static void dequeue(struct lock_wait *wait)
{
    struct lock_queue *queue = wait->queue;

    *(wait->prev ? &wait->prev->next : &queue->head) = wait->next;
    *(wait->next ? &wait->next->prev : &queue->tail) = wait->prev;
    wait->queue = NULL;
    if (!queue->head)
        atomic_fetch_and(&wait->thread->lock_queues.waited_in, ~BIT(queue_number(lock_of(wait))));
}

/* ---- Sleeping ---- */

static void sleep_for(struct lock_wait *wait, uint64_t ms)
{
    uint64_t at_ns = loop_now(wait->thread->loop) + ms * NS_PER_MS;

    wait->asleep = true;
    loop_timer_at(wait->timer, at_ns < wait->until_ns ? at_ns : wait->until_ns);
}

/* Doubles from the first to the last; each one's half is left to chance, so
 * that threads and replicas do not keep step. */
static uint64_t next_delay(struct lock_wait *wait)
{
    unsigned half = wait->delay_ms / 2;

    wait->delay_ms = wait->delay_ms * 2 < DELAY_LAST_MS ? wait->delay_ms * 2 : DELAY_LAST_MS;
    return half + randombytes_uniform(half + 1);
}

static void on_timer(void *context)
{
    struct lock_wait *wait = context;
    const struct path_entry *lock = lock_of(wait);

    wait->asleep = false;
    if (http_peer_gone(wait->ex) || routes_draining(wait->thread->routes))
        wait->give_up(wait->ex);
    else if (first_for(wait->queue->head, lock) == wait || loop_now(wait->thread->loop) >= wait->until_ns)
        wait->again(wait->ex);
    else
        sleep_for(wait, DELAY_LAST_MS);
}

bool lock_wait_sleep(struct lock_wait *wait, int64_t held_ms)
{
    uint64_t delay_ms;

    if (loop_now(wait->thread->loop) >= wait->until_ns || routes_draining(wait->thread->routes))
        return false;
    if (!wait->queue)
        enqueue(wait);
    if (first_for(wait->queue->head, lock_of(wait)) != wait) {
        sleep_for(wait, DELAY_LAST_MS);
        return true;
    }
    delay_ms = wait->woken ? 0 : next_delay(wait);
    wait->woken = false;
    sleep_for(wait, held_ms >= 0 && (uint64_t)held_ms < delay_ms ? (uint64_t)held_ms : delay_ms);
    return true;
}

/* ---- Waking ---- */

static void wake(struct lock_wait *first)
{
    first->woken = !first->asleep;
    if (first->asleep)
        sleep_for(first, 0);
}

/* Other threads saw locks of these queues released. Their names did not come
 * along: the first of each lock there is tries. */
static void take_releases(struct loop_message *message)
{
    struct lock_queues *queues =
        (struct lock_queues *)(void *)((char *)message - offsetof(struct lock_queues, message));
    uint64_t released = atomic_exchange(&queues->released, 0);

    for (unsigned number = 0; number < LOCK_QUEUES; number++) {
        struct lock_wait *head = queues->by_hash[number].head;

        for (struct lock_wait *at = head; at && released & BIT(number); at = at->next)
            if (first_for(head, lock_of(at)) == at)
                wake(at);
    }
}

void lock_wait_wake(struct routes_thread *thread, const struct path_entry *lock)
{
    unsigned number = queue_number(lock);
    struct lock_wait *first = first_for(thread->lock_queues.by_hash[number].head, lock);

    if (first)
        wake(first);
    for (struct routes_thread *other = thread->next; other != thread; other = other->next) {
        struct lock_queues *queues = &other->lock_queues;

        if (!(atomic_load(&queues->waited_in) & BIT(number)) || atomic_fetch_or(&queues->released, BIT(number)) != 0)
            continue;
        queues->message.fn = take_releases;
        loop_post(other->loop, &queues->message);
    }
}

void lock_wait_abandon(struct routes_thread *thread)
{
    for (size_t i = 0; i < LOCK_QUEUES; i++) {
        struct lock_wait *next;
        for (struct lock_wait *at = thread->lock_queues.by_hash[i].head; at; at = next) {
            next = at->next;
            if (at->asleep)
                at->give_up(at->ex);
        }
    }
}

/* ---- Beginning and end ---- */

struct lock_wait *lock_wait_create(struct http_exchange *ex, uint64_t until_ns, lock_wait_fn *again,
                                   lock_wait_fn *give_up)
{
    struct routes_thread *thread = route_thread(ex);
    struct lock_wait *wait = calloc(1, sizeof *wait);

    if (!wait)
        return NULL;
    route_state(ex)->waits = true;
    *wait = (struct lock_wait){ .ex = ex,
                                .thread = thread,
                                .timer = loop_timer_create(thread->loop, on_timer, wait),
                                .again = again,
                                .give_up = give_up,
                                .until_ns = until_ns,
                                .delay_ms = DELAY_FIRST_MS };
    if (!wait->timer) {
        free(wait);
        return NULL;
    }
    return wait;
}

void lock_wait_destroy(struct lock_wait *wait)
{
    struct lock_wait *next;

    if (!wait)
        return;
    if (wait->queue) {
        next = first_for(wait->next, lock_of(wait));
        if (next && first_for(wait->queue->head, lock_of(wait)) == wait && next->asleep)
            sleep_for(next, next_delay(next));
        dequeue(wait);
    }
    loop_timer_destroy(wait->timer);
    free(wait);
}
