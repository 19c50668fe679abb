#include "engines/redis/breaker.h"

#include <criterion/criterion.h>

#include "service/base/clock.h"

static struct redis_breakers breakers;
static struct redis_breaker *breaker;

static void open_breaker(void)
{
    struct redis_endpoint endpoint;

    redis_breakers_init(&breakers);
    cr_assert(redis_endpoint_set(&endpoint, BYTES("host"), 1));
    breaker = redis_breakers_find(&breakers, &endpoint);
    cr_assert_not_null(breaker);
    cr_assert_eq(redis_breakers_find(&breakers, &endpoint), breaker);
}

static void close_breaker(void)
{
    redis_breakers_release(&breakers);
}

TestSuite(redis_breaker, .init = open_breaker, .fini = close_breaker);

#define AT(seconds) ((uint64_t)((seconds) * 1e9) + NS_PER_SECOND)

Test(redis_breaker, one_attempt_at_a_time_and_one_a_second)
{
    cr_assert(redis_breaker_claim(breaker, AT(0), NS_PER_SECOND));
    cr_assert_not(redis_breaker_claim(breaker, AT(0), NS_PER_SECOND), "another session is trying");
    redis_breaker_down(breaker, AT(0.1), 0, ENGINE_UNAVAILABLE, "dead");
    cr_assert_eq(redis_breaker_state(breaker), BREAKER_DOWN);
    cr_assert_not(redis_breaker_claim(breaker, AT(1.0), NS_PER_SECOND));
    cr_assert(redis_breaker_claim(breaker, AT(1.1), NS_PER_SECOND));
    cr_assert_not(redis_breaker_claim(breaker, AT(1.2), NS_PER_SECOND));
}

Test(redis_breaker, the_jitter_lengthens_only)
{
    for (uint64_t random = 0; random < UINT64_MAX / 2; random += UINT64_MAX / 97) {
        redis_breaker_down(breaker, AT(0), random, ENGINE_UNAVAILABLE, "dead");
        cr_assert_not(redis_breaker_claim(breaker, AT(0.999), 0));
        cr_assert(redis_breaker_claim(breaker, AT(1.5), 0));
    }
}

Test(redis_breaker, a_lost_attempt_is_given_up)
{
    cr_assert(redis_breaker_claim(breaker, AT(0), NS_PER_SECOND));
    cr_assert_not(redis_breaker_claim(breaker, AT(1.9), NS_PER_SECOND));
    cr_assert(redis_breaker_claim(breaker, AT(2), NS_PER_SECOND));
}

Test(redis_breaker, while_up_everyone_may_connect)
{
    cr_assert(redis_breaker_claim(breaker, AT(0), 0));
    redis_breaker_up(breaker);
    for (int i = 0; i < 3; i++)
        cr_assert(redis_breaker_claim(breaker, AT(0), 0));
}

Test(redis_breaker, a_broken_connection_is_tried_at_once_by_one)
{
    redis_breaker_up(breaker);
    redis_breaker_broke(breaker);
    cr_assert_eq(redis_breaker_state(breaker), BREAKER_UNKNOWN);
    cr_assert(redis_breaker_claim(breaker, AT(0), NS_PER_SECOND));
    redis_breaker_broke(breaker);
    cr_assert_not(redis_breaker_claim(breaker, AT(0), NS_PER_SECOND), "a second break opens nothing");
}
