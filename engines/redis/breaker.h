/* breaker.h - what the process knows about one server: up, or known dead.
 *
 * Every session that talks to a server shares its breaker. While a server is
 * not known to be up, one session at a time may try it, at most once a second,
 * with jitter; the others wait, and once an attempt has failed operations are
 * answered at once. All times are monotonic nanoseconds.
 *
 * Threading: a breaker's state is atomic, any thread; the registry has a lock
 * for adding. Breakers live as long as their registry. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engines/engine.h"
#include "engines/redis/address.h"

enum breaker_state {
    BREAKER_UNKNOWN, /* not tried yet, or a connection broke: operations wait */
    BREAKER_UP,
    BREAKER_DOWN, /* an attempt failed: operations are answered at once */
};

/* What the server said of itself when it was looked at last (facts.c). */
enum {
    LOOK_IS_MASTER,
    LOOK_USED_BYTES,
    LOOK_MAX_BYTES,
    LOOK_EVICTIONS,
    LOOK_REPLICAS,
    LOOK_CONNECTIONS,
    LOOK_UPTIME,
    LOOK_LAG, /* LOOK_NONE where there is no replica */
    LOOK_FACTS
};
#define LOOK_NONE UINT64_MAX

struct redis_look {
    _Atomic uint64_t sent_ns;     /* 0: never */
    _Atomic uint64_t next_ns;     /* when to look again; who sets it looks */
    _Atomic uint64_t answered_ns; /* 0: never */
    _Atomic bool failed;          /* the last look, by an answer that is none or a connection that broke */
    _Atomic uint64_t facts[LOOK_FACTS];
};

/* What was found does not hold any longer: to be looked at again. */
void redis_look_forget(struct redis_look *look);

struct redis_breaker {
    struct redis_breaker *next;
    struct redis_endpoint endpoint;
    _Atomic unsigned state;
    _Atomic unsigned status; /* of operations while down: enum engine_status */
    _Atomic(const char *) reason;
    _Atomic uint64_t next_attempt_ns;
    /* For those who watch: connections of all sessions. */
    _Atomic unsigned connections;
    _Atomic uint64_t connects, failures; /* since the start */
    _Atomic unsigned nodes; /* of all sessions that it serves; 0: it is a Sentinel, or was left for another */
    struct redis_look look;
};

struct redis_breakers {
    pthread_mutex_t lock;
    struct redis_breaker *head;
    size_t count;
};

void redis_breakers_init(struct redis_breakers *breakers);
void redis_breakers_release(struct redis_breakers *breakers);

/* The breaker of a server; NULL when out of memory or there are too many. */
struct redis_breaker *redis_breakers_find(struct redis_breakers *breakers, const struct redis_endpoint *endpoint);

static inline enum breaker_state redis_breaker_state(const struct redis_breaker *breaker)
{
    return (enum breaker_state)atomic_load_explicit(&breaker->state, memory_order_acquire);
}

/* Whether the caller may connect now. While the server is not up, true goes
 * to one caller, who must report with redis_breaker_up() or redis_breaker_down(); it is
 * given up for lost after `attempt_ns`. */
bool redis_breaker_claim(struct redis_breaker *breaker, uint64_t now, uint64_t attempt_ns);

void redis_breaker_up(struct redis_breaker *breaker);

/* An attempt failed. `random` is any random number, for the jitter. */
void redis_breaker_down(struct redis_breaker *breaker, uint64_t now, uint64_t random, enum engine_status status,
                  const char *reason);

/* A connection that worked has broken: to be tried at once. */
void redis_breaker_broke(struct redis_breaker *breaker);
