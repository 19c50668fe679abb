#include "routes/pause.h"

#include <criterion/criterion.h>

/* On the real loop: whether others have their turn is the loop's doing, too.
 * An exchange is no more here than what a pause asks of it. */

/* Far more steps than one turn of the loop may take. */
#define STEPS_MAX 5000000u

static struct {
    struct routes_thread thread;
    struct loop_message message;
    struct pause *pause;
    unsigned steps, given_up;
    bool served;
} f;

void *http_thread(struct http_exchange *ex)
{
    (void)ex;
    return &f.thread;
}

static void serve(struct loop_message *message)
{
    (void)message;
    f.served = true;
}

/* A request of many steps, each of which is done at once. */
static void step(struct http_exchange *ex)
{
    (void)ex;
    f.steps++;
    if (f.served || f.steps == STEPS_MAX)
        loop_stop(f.thread.loop);
    else
        pause_take(f.pause);
}

static void give_up(struct http_exchange *ex)
{
    (void)ex;
    f.given_up++;
}

static void set_up(void)
{
    f.thread.loop = loop_create();
    cr_assert_not_null(f.thread.loop);
    f.pause = pause_create(NULL, step, give_up);
    cr_assert_not_null(f.pause);
}

static void tear_down(void)
{
    pause_destroy(f.pause);
    loop_destroy(f.thread.loop);
}

TestSuite(pause, .init = set_up, .fini = tear_down);

Test(pause, others_have_their_turn_between_two_steps)
{
    f.message.fn = serve;
    loop_post(f.thread.loop, &f.message);
    pause_take(f.pause);
    loop_run(f.thread.loop);
    cr_expect_lt(f.steps, STEPS_MAX, "nobody else was served");
}

Test(pause, those_that_are_paused_give_up_once)
{
    pause_take(f.pause);
    pause_abandon(&f.thread);
    pause_abandon(&f.thread);
    cr_expect_eq(f.given_up, 1u);
    cr_expect_eq(f.steps, 0u);
}
