#include "routes/primitives/lock_wait.h"

#include <criterion/criterion.h>

#include "service/base/clock.h"
#include "tests/support/virtual_loop.h"

/* On virtual clocks, one a thread, with exchanges that are no more than what a
 * wait asks of them. */

#define THREADS 3
#define LONG_MS 30000

struct http_exchange {
    struct routes_thread *thread;
    struct route_state state;
    struct lock_wait *wait;
    unsigned tries, given_up;
    bool keeps_trying; /* its tries are under way until the test ends them */
};

static struct routes_thread threads[THREADS];
static struct http_exchange exchanges[8];
static bool draining;

void *http_thread(struct http_exchange *ex)
{
    return ex->thread;
}

void *http_state(struct http_exchange *ex)
{
    return &ex->state;
}

bool http_peer_gone(struct http_exchange *ex)
{
    (void)ex;
    return false;
}

bool routes_draining(const struct routes *routes)
{
    (void)routes;
    return draining;
}

static void again(struct http_exchange *ex)
{
    ex->tries++;
    if (!ex->keeps_trying)
        cr_assert(lock_wait_sleep(ex->wait, LONG_MS));
}

static void give_up(struct http_exchange *ex)
{
    ex->given_up++;
    lock_wait_destroy(ex->wait);
    ex->wait = NULL;
}

static void set_up(void)
{
    for (size_t i = 0; i < THREADS; i++) {
        threads[i].loop = loop_create();
        cr_assert_not_null(threads[i].loop);
        threads[i].next = &threads[(i + 1) % THREADS];
    }
}

static void tear_down(void)
{
    for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0]; i++)
        lock_wait_destroy(exchanges[i].wait);
    for (size_t i = 0; i < THREADS; i++)
        loop_destroy(threads[i].loop);
}

TestSuite(lock_wait, .init = set_up, .fini = tear_down);

static struct path_entry lock_named(const char *name)
{
    return (struct path_entry){ BYTES("ns"), bytes_str(name) };
}

/* Waits, and has done so long enough to ask rarely. */
static struct http_exchange *begin(size_t index, size_t thread, const char *lock)
{
    struct http_exchange *ex = &exchanges[index];

    ex->thread = &threads[thread];
    ex->state.entry = lock_named(lock);
    ex->wait = lock_wait_create(ex, loop_now(ex->thread->loop) + LONG_MS * NS_PER_MS, again, give_up);
    cr_assert_not_null(ex->wait);
    cr_assert(lock_wait_sleep(ex->wait, LONG_MS));
    return ex;
}

static void advance_all(uint64_t ms)
{
    for (size_t i = 0; i < THREADS; i++)
        virtual_loop_advance(threads[i].loop, ms * NS_PER_MS);
}

/* To a moment at which all have just asked, so that none of them does for a while. */
static void settle(struct http_exchange *ex)
{
    unsigned tries;

    advance_all(1000);
    for (tries = ex->tries; ex->tries == tries;)
        advance_all(1);
    advance_all(5);
}

static void release(size_t thread, const char *lock)
{
    struct path_entry entry = lock_named(lock);

    lock_wait_wake(&threads[thread], &entry);
}

Test(lock_wait, asks_rarely_while_nothing_happens)
{
    struct http_exchange *ex = begin(0, 0, "lock");

    advance_all(10000);
    cr_expect_geq(ex->tries, 100);
    cr_expect_leq(ex->tries, 220);
}

Test(lock_wait, a_release_wakes_the_first_on_each_thread_at_once)
{
    struct http_exchange *here = begin(0, 0, "lock"), *there = begin(1, 1, "lock"), *behind = begin(2, 1, "lock");
    struct http_exchange *beyond = begin(3, 2, "lock");

    for (unsigned round = 0; round < 5; round++) {
        settle(there);
        here->tries = there->tries = behind->tries = beyond->tries = 0;
        release(0, "lock");
        advance_all(1);
        cr_expect_geq(here->tries, 1);
        cr_expect_eq(there->tries, 1);
        cr_expect_geq(beyond->tries, 1);
        cr_expect_eq(behind->tries, 0, "only the first asks");
    }
}

Test(lock_wait, a_release_during_a_try_is_not_missed)
{
    struct http_exchange *ex = begin(0, 1, "lock");

    settle(ex);
    ex->keeps_trying = true;
    ex->tries = 0;
    advance_all(100);
    cr_assert_eq(ex->tries, 1);
    release(0, "lock");
    advance_all(1);
    cr_expect_eq(ex->tries, 1);
    cr_assert(lock_wait_sleep(ex->wait, LONG_MS));
    advance_all(1);
    cr_expect_eq(ex->tries, 2);
}

Test(lock_wait, many_releases_at_once_cost_one_try)
{
    struct http_exchange *ex = begin(0, 1, "lock");

    settle(ex);
    ex->tries = 0;
    for (int i = 0; i < 100; i++)
        release(i % 2 ? 0 : 2, "lock");
    advance_all(1);
    cr_expect_eq(ex->tries, 1);
}

/* Locks share queues by their hash, so another lock's release may wake too; not the release of most. */
Test(lock_wait, other_locks_releases_are_mostly_not_heard)
{
    struct http_exchange *ex = begin(0, 1, "lock");
    unsigned settings;
    char name[32];

    settle(ex);
    settings = virtual_loop_settings(threads[1].loop);
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "other-%d", i);
        release(0, name);
        virtual_loop_advance(threads[1].loop, 0);
    }
    cr_expect_lt(virtual_loop_settings(threads[1].loop) - settings, 20);
}

Test(lock_wait, who_left_is_not_woken)
{
    struct http_exchange *first = begin(0, 1, "lock"), *second = begin(1, 1, "lock");

    settle(first);
    lock_wait_destroy(first->wait);
    first->wait = NULL;
    first->tries = second->tries = 0;
    release(0, "lock");
    advance_all(1);
    cr_expect_eq(first->tries, 0);
    cr_expect_eq(second->tries, 1);
    lock_wait_destroy(second->wait);
    second->wait = NULL;
    release(0, "lock");
    advance_all(1000);
    cr_expect_eq(second->tries, 1);
    cr_expect_eq(atomic_load(&threads[1].lock_queues.waited_in), 0);
}

Test(lock_wait, a_drain_ends_it)
{
    struct http_exchange *first = begin(0, 1, "lock"), *second = begin(1, 1, "lock");

    draining = true;
    release(0, "lock");
    advance_all(100);
    cr_expect_eq(first->given_up, 1);
    cr_expect_eq(second->given_up, 1);
    cr_expect_eq(first->tries + second->tries, 0);
}
