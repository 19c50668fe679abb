#include "routes/many/batch_trip.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "service/base/clock.h"
#include "tests/support/virtual_loop.h"
#include "tests/unit/engines/puppet.h"

static struct {
    struct loop *loop;
    struct puppet *puppet;
    struct engine_session *session;
    struct batch_trip trip;
    struct batch_op ops[16];
    size_t seen; /* by `each` */
    unsigned overs;
} f;

static void see(struct batch_trip *trip, struct batch_op *op)
{
    cr_expect_eq(trip, &f.trip);
    cr_expect_not(op->pending);
    f.seen++;
}

static void over(struct batch_trip *trip)
{
    cr_expect_not(batch_trip_is_on(trip));
    f.overs++;
}

static void set_up(void)
{
    f.loop = loop_create();
    f.puppet = puppet_open(true);
    cr_assert(f.loop && f.puppet);
    f.session = engine_attach(&f.puppet->base, f.loop);
    cr_assert_not_null(f.session);
    f.trip.session = f.session;
    f.trip.loop = f.loop;
    f.trip.time_ns = 10 * NS_PER_MS;
    f.trip.each = see;
    f.trip.over = over;
}

static void tear_down(void)
{
    engine_detach(f.session);
    engine_close(&f.puppet->base);
    loop_destroy(f.loop);
}

TestSuite(batch_trip, .init = set_up, .fini = tear_down);

/* One operation for each letter of `keys`. True: all is done. */
static bool start(const char *keys)
{
    for (size_t i = 0; keys[i]; i++) {
        f.ops[i].op.verb = ENGINE_GET;
        f.ops[i].op.ns = BYTES("ns");
        f.ops[i].op.key = bytes_of(keys + i, 1);
    }
    return batch_trip_start(&f.trip, f.ops, strlen(keys));
}

static void answer(size_t index)
{
    puppet_answer(f.puppet, &f.ops[index].op, ENGINE_MISS);
}

Test(batch_trip, different_keys_are_one_trip)
{
    cr_assert_not(start("abcdefgh"));
    cr_expect_eq(f.puppet->trips, 1);
    cr_expect_eq(f.puppet->asked_count, 8);
    for (size_t i = 8; i-- > 0;) {
        cr_expect_eq(f.overs, 0);
        answer(i);
    }
    cr_expect_eq(f.seen, 8);
    cr_expect_eq(f.overs, 1);
}

Test(batch_trip, a_key_that_comes_again_waits_for_all_before_it)
{
    cr_assert_not(start("abacb"));
    cr_expect_eq(f.puppet->asked_count, 2);
    answer(1);
    cr_expect_eq(f.puppet->asked_count, 2);
    answer(0);
    cr_expect_eq(f.puppet->asked_count, 5, "a, c and b go together");
    answer(2);
    answer(3);
    cr_expect_eq(f.overs, 0);
    answer(4);
    cr_expect_eq(f.overs, 1);
}

Test(batch_trip, what_is_done_at_once_is_not_called_back)
{
    f.puppet->answer_at_once = true;
    cr_expect(start("aaab"));
    cr_expect_eq(f.puppet->asked_count, 4);
    cr_expect_eq(f.seen + f.overs, 0);
    cr_expect(start(""));
}

Test(batch_trip, a_cancelled_one_is_not_heard_of_again)
{
    cr_assert_not(start("abca"));
    answer(1);
    batch_trip_cancel(&f.trip);
    cr_expect_not(batch_trip_is_on(&f.trip));
    cr_expect_eq(f.puppet->cancelled, 2);
    cr_expect_eq(f.puppet->asked_count, 3, "the second a is never asked for");
    cr_expect_eq(f.overs, 0);
    batch_trip_cancel(&f.trip);
}

Test(batch_trip, all_its_submissions_share_one_deadline)
{
    cr_assert_not(start("aabca"));
    virtual_loop_advance(f.loop, 6 * NS_PER_MS);
    answer(0);
    cr_expect_eq(f.puppet->asked_count, 4);
    virtual_loop_advance(f.loop, 4 * NS_PER_MS);
    cr_expect_eq(f.overs, 1, "10 ms after the first, not after the last");
    cr_expect_eq(f.puppet->cancelled, 3);
    cr_expect_eq(f.puppet->asked_count, 4, "the third a is never asked for");
    cr_expect_eq(f.seen, 4);
    for (int i = 1; i < 5; i++)
        cr_expect_eq(f.ops[i].op.status, ENGINE_LATE);
}

Test(batch_trip, its_time_may_begin_anew_with_each_submission)
{
    f.trip.renews = true;
    cr_assert_not(start("aaa"));
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(f.overs, 0);
        virtual_loop_advance(f.loop, 6 * NS_PER_MS);
        answer(i);
    }
    cr_expect_eq(f.overs, 1);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(f.ops[i].op.status, ENGINE_MISS);
}

Test(batch_trip, its_time_does_not_begin_anew_after_one_that_was_late)
{
    f.trip.renews = true;
    cr_assert_not(start("aaa"));
    virtual_loop_advance(f.loop, 10 * NS_PER_MS);
    cr_expect_eq(f.overs, 1);
    cr_expect_eq(f.puppet->asked_count, 1, "what hangs is not asked once for each repetition");
    for (int i = 0; i < 3; i++)
        cr_expect_eq(f.ops[i].op.status, ENGINE_LATE);
}
