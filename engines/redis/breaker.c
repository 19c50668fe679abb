#include "engines/redis/breaker.h"

#include <stdlib.h>

#include "service/base/clock.h"

enum { BREAKERS_MAX = 1024 };

void redis_breakers_init(struct redis_breakers *breakers)
{
    *breakers = (struct redis_breakers){ .head = NULL };
    pthread_mutex_init(&breakers->lock, NULL);
}

void redis_breakers_release(struct redis_breakers *breakers)
{
    while (breakers->head) {
        struct redis_breaker *breaker = breakers->head;
        breakers->head = breaker->next;
        free(breaker);
    }
    pthread_mutex_destroy(&breakers->lock);
}

static struct redis_breaker *add_locked(struct redis_breakers *breakers, const struct redis_endpoint *endpoint)
{
    struct redis_breaker *breaker;

    if (breakers->count == BREAKERS_MAX)
        return NULL;
    breaker = calloc(1, sizeof *breaker);
    if (!breaker)
        return NULL;
    breaker->endpoint = *endpoint;
    atomic_init(&breaker->state, BREAKER_UNKNOWN);
    atomic_init(&breaker->status, ENGINE_UNAVAILABLE);
    breaker->next = breakers->head;
    breakers->head = breaker;
    breakers->count++;
    return breaker;
}

struct redis_breaker *redis_breakers_find(struct redis_breakers *breakers, const struct redis_endpoint *endpoint)
{
    struct redis_breaker *breaker;

    pthread_mutex_lock(&breakers->lock);
    for (breaker = breakers->head; breaker; breaker = breaker->next)
        if (redis_endpoint_equal(&breaker->endpoint, endpoint))
            break;
    if (!breaker)
        breaker = add_locked(breakers, endpoint);
    pthread_mutex_unlock(&breakers->lock);
    return breaker;
}

void redis_look_forget(struct redis_look *look)
{
    /* After a look that failed the next one waits: it may be what broke the connection. */
    if (atomic_exchange_explicit(&look->answered_ns, 0, memory_order_relaxed) != 0)
        atomic_store_explicit(&look->next_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&look->sent_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&look->failed, false, memory_order_relaxed);
}

bool redis_breaker_claim(struct redis_breaker *breaker, uint64_t now, uint64_t attempt_ns)
{
    uint64_t next = atomic_load(&breaker->next_attempt_ns);

    if (redis_breaker_state(breaker) == BREAKER_UP)
        return true;
    return now >= next &&
           atomic_compare_exchange_strong(&breaker->next_attempt_ns, &next, now + attempt_ns + NS_PER_SECOND);
}

void redis_breaker_up(struct redis_breaker *breaker)
{
    /* It may have been another server, or the same one with other facts, that was looked at before. */
    if (redis_breaker_state(breaker) != BREAKER_UP)
        redis_look_forget(&breaker->look);
    atomic_store(&breaker->state, BREAKER_UP);
}

void redis_breaker_down(struct redis_breaker *breaker, uint64_t now, uint64_t random, enum engine_status status,
                  const char *reason)
{
    /* The interval is short and does not grow, so that recovery is noticed
     * soon; the jitter keeps replicas of the service apart. */
    uint64_t wait = NS_PER_SECOND + random % (NS_PER_SECOND / 2);

    atomic_store(&breaker->reason, reason);
    atomic_store(&breaker->status, status);
    atomic_store(&breaker->next_attempt_ns, now + wait);
    atomic_store(&breaker->state, BREAKER_DOWN);
}

void redis_breaker_broke(struct redis_breaker *breaker)
{
    unsigned up = BREAKER_UP;

    /* Only the first of several connections that break opens the way. */
    if (atomic_compare_exchange_strong(&breaker->state, &up, BREAKER_UNKNOWN))
        atomic_store(&breaker->next_attempt_ns, 0);
}
