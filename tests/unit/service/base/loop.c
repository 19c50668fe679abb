#include "service/base/loop.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

#include "service/base/clock.h"

struct seen {
    struct loop *loop;
    int count;
    int stop_after;
    char order[16];
};

static void note(struct seen *seen, char what)
{
    seen->order[seen->count++] = what;
    if (seen->count == seen->stop_after)
        loop_stop(seen->loop);
}

static void note_timer(void *context)
{
    note(context, 't');
}

Test(loop, a_timer_does_not_fire_before_its_time)
{
    struct seen seen = { .loop = loop_create(), .stop_after = 1 };
    struct loop_timer *timer = loop_timer_create(seen.loop, note_timer, &seen);
    uint64_t at_ns = clock_monotonic_ns() + 20 * NS_PER_MS;

    loop_timer_at(timer, at_ns);
    loop_run(seen.loop);
    cr_assert_geq(clock_monotonic_ns(), at_ns);
    loop_timer_destroy(timer);
    loop_destroy(seen.loop);
}

Test(loop, a_time_that_has_passed_fires_at_once_and_a_stopped_timer_never)
{
    struct seen seen = { .loop = loop_create(), .stop_after = 1 };
    struct seen never = { .loop = seen.loop, .stop_after = -1 };
    struct loop_timer *timer = loop_timer_create(seen.loop, note_timer, &seen);
    struct loop_timer *stopped = loop_timer_create(seen.loop, note_timer, &never);

    loop_timer_at(stopped, 1);
    loop_timer_stop(stopped);
    loop_timer_at(timer, 1);
    cr_assert_eq(seen.count, 0, "a timer must not fire inside the call that sets it");
    loop_run(seen.loop);
    cr_assert_eq(never.count, 0);
    loop_destroy(seen.loop);
}

/* Far more firings than one turn of the loop may have. */
#define FIRINGS_MAX 1000000

struct greedy {
    struct loop_message message;
    struct loop *loop;
    struct loop_timer *timer;
    int firings, fds[2];
    bool told, read;
};

static void fire_again(void *context)
{
    struct greedy *greedy = context;

    if (greedy->firings == 0) {
        loop_post(greedy->loop, &greedy->message);
        cr_assert_eq(write(greedy->fds[1], "x", 1), 1);
    }
    if ((greedy->told && greedy->read) || ++greedy->firings == FIRINGS_MAX)
        loop_stop(greedy->loop);
    else
        loop_timer_at(greedy->timer, 1);
}

static void be_told(struct loop_message *message)
{
    ((struct greedy *)message)->told = true;
}

static void be_readable(void *context, int events)
{
    struct greedy *greedy = context;
    char byte;

    (void)events;
    greedy->read = read(greedy->fds[0], &byte, 1) == 1;
}

Test(loop, a_timer_that_is_due_again_and_again_lets_messages_and_descriptors_in)
{
    struct greedy greedy = { .message.fn = be_told, .loop = loop_create() };
    struct loop_io *io;

    cr_assert_eq(pipe(greedy.fds), 0);
    io = loop_io_add(greedy.loop, greedy.fds[0], LOOP_READABLE, be_readable, &greedy);
    greedy.timer = loop_timer_create(greedy.loop, fire_again, &greedy);
    cr_assert(io && greedy.timer);
    loop_timer_at(greedy.timer, clock_monotonic_ns() + NS_PER_MS);
    loop_run(greedy.loop);
    cr_expect(greedy.told && greedy.read, "nobody else was served");
    cr_expect_lt(greedy.firings, FIRINGS_MAX);
    loop_io_remove(io);
    loop_destroy(greedy.loop);
    close(greedy.fds[0]);
    close(greedy.fds[1]);
}

struct due {
    struct seen *seen;
    struct loop_timer *timer, *victim;
    char name;
};

static void note_due(void *context)
{
    struct due *due = context;

    if (due->victim)
        loop_timer_stop(due->victim);
    note(due->seen, due->name);
}

static void make_due(struct due *due, struct seen *seen, char name)
{
    *due = (struct due){ .seen = seen, .name = name };
    due->timer = loop_timer_create(seen->loop, note_due, due);
    cr_assert_not_null(due->timer);
    loop_timer_at(due->timer, 1);
}

Test(loop, timers_that_are_due_fire_once_in_the_order_they_were_set)
{
    struct seen seen = { .loop = loop_create(), .stop_after = 4 };
    struct due due[7];

    for (int i = 0; i < 7; i++)
        make_due(&due[i], &seen, (char)('a' + i));
    due[0].victim = due[3].timer; /* in the same pass */
    loop_timer_destroy(due[1].timer);
    loop_timer_stop(due[6].timer); /* the last of them */
    loop_timer_at(due[2].timer, 1); /* set again: behind the others */
    loop_run(seen.loop);
    cr_expect_str_eq(seen.order, "aefc");
    loop_destroy(seen.loop);
}

Test(loop, a_timer_that_was_due_and_is_set_to_a_later_time_keeps_to_that)
{
    struct seen seen = { .loop = loop_create(), .stop_after = 2 };
    uint64_t at_ns = clock_monotonic_ns() + 20 * NS_PER_MS;
    struct due later, now;

    make_due(&later, &seen, 'l');
    make_due(&now, &seen, 'n');
    loop_timer_at(later.timer, at_ns);
    loop_run(seen.loop);
    cr_expect_str_eq(seen.order, "nl");
    cr_expect_geq(clock_monotonic_ns(), at_ns);
    loop_destroy(seen.loop);
}

Test(loop, a_repeating_timer_fires_until_it_is_destroyed)
{
    struct seen seen = { .loop = loop_create(), .stop_after = 3 };
    struct loop_timer *timer = loop_timer_create(seen.loop, note_timer, &seen);

    loop_timer_every(timer, 1);
    loop_run(seen.loop);
    cr_assert_eq(seen.count, 3);
    loop_timer_destroy(timer);
    loop_destroy(seen.loop);
}

struct pipe_seen {
    struct loop *loop;
    int fds[2];
    char byte;
};

static void read_pipe(void *context, int events)
{
    struct pipe_seen *seen = context;

    cr_assert(events & LOOP_READABLE);
    cr_assert_eq(read(seen->fds[0], &seen->byte, 1), 1);
    loop_stop(seen->loop);
}

Test(loop, a_descriptor_with_data_is_reported_readable)
{
    struct pipe_seen seen = { .loop = loop_create() };
    struct loop_io *io;

    cr_assert_eq(pipe(seen.fds), 0);
    io = loop_io_add(seen.loop, seen.fds[0], LOOP_READABLE, read_pipe, &seen);
    cr_assert_not_null(io);
    cr_assert_eq(write(seen.fds[1], "x", 1), 1);
    loop_run(seen.loop);
    cr_assert_eq(seen.byte, 'x');
    loop_io_remove(io);
    loop_destroy(seen.loop);
    close(seen.fds[0]);
    close(seen.fds[1]);
}

struct numbered {
    struct loop_message message;
    struct seen *seen;
    char number;
};

static void note_message(struct loop_message *message)
{
    struct numbered *numbered = (struct numbered *)message;

    note(numbered->seen, numbered->number);
}

static void *post_three(void *context)
{
    static struct numbered messages[3];
    struct seen *seen = context;

    for (int i = 0; i < 3; i++) {
        messages[i] = (struct numbered){ { NULL, note_message }, seen, (char)('1' + i) };
        loop_post(seen->loop, &messages[i].message);
    }
    return NULL;
}

Test(loop, messages_of_another_thread_arrive_in_order)
{
    struct seen seen = { .loop = loop_create(), .stop_after = 3 };
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, post_three, &seen), 0);
    loop_run(seen.loop);
    pthread_join(thread, NULL);
    cr_assert_str_eq(seen.order, "123");
    loop_destroy(seen.loop);
}

static void hook_a(void *context)
{
    struct seen *seen = context;

    if (seen->count < seen->stop_after)
        note(seen, 'a');
}

static void hook_b(void *context)
{
    struct seen *seen = context;

    if (seen->count < seen->stop_after)
        note(seen, 'b');
    loop_skip_wait(seen->loop);
}

Test(loop, hooks_run_each_turn_in_the_order_they_were_added)
{
    struct seen seen = { .loop = loop_create(), .stop_after = 4 };
    struct loop_hook *first = loop_hook_add(seen.loop, hook_a, &seen);
    struct loop_hook *second = loop_hook_add(seen.loop, hook_b, &seen);

    loop_run(seen.loop);
    cr_assert_str_eq(seen.order, "abab");
    loop_hook_remove(second);
    loop_hook_remove(first);
    loop_destroy(seen.loop);
}

struct skipper {
    struct seen seen;
    struct loop_timer *first, *late;
    bool skipped;
};

static void skip_once(void *context)
{
    struct skipper *skipper = context;

    skipper->skipped = true;
    loop_skip_wait(skipper->seen.loop);
}

static void note_turn(void *context)
{
    struct skipper *skipper = context;

    if (skipper->skipped && skipper->seen.count < skipper->seen.stop_after)
        note(&skipper->seen, 'h');
}

static void note_late(void *context)
{
    struct skipper *skipper = context;

    while (skipper->seen.count < skipper->seen.stop_after)
        note(&skipper->seen, 'l');
}

Test(loop, a_wait_that_a_timer_asked_to_skip_does_not_last)
{
    struct skipper skipper = { .seen = { .loop = loop_create(), .stop_after = 2 } };
    struct loop_hook *hook = loop_hook_add(skipper.seen.loop, note_turn, &skipper);

    skipper.first = loop_timer_create(skipper.seen.loop, skip_once, &skipper);
    skipper.late = loop_timer_create(skipper.seen.loop, note_late, &skipper);
    loop_timer_at(skipper.first, clock_monotonic_ns() + NS_PER_MS);
    loop_timer_at(skipper.late, clock_monotonic_ns() + 5 * NS_PER_SECOND);
    loop_run(skipper.seen.loop);
    cr_expect_str_eq(skipper.seen.order, "hh", "before and after the wait");
    loop_hook_remove(hook);
    loop_destroy(skipper.seen.loop);
}

struct answer {
    struct loop *loop;
    uint16_t port;
    uint32_t address;
    int calls;
};

static void note_address(void *context, const struct sockaddr *address, socklen_t length, unsigned count,
                         const char *error)
{
    struct answer *answer = context;
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;

    (void)length;
    cr_assert_null(error);
    cr_assert_eq(count, 1);
    answer->calls++;
    answer->port = ntohs(in->sin_port);
    answer->address = ntohl(in->sin_addr.s_addr);
    loop_stop(answer->loop);
}

Test(loop, a_look_up_gives_address_and_port)
{
    struct answer answer = { .loop = loop_create() };

    cr_assert_not_null(loop_lookup(answer.loop, "127.0.0.1", 6379, 0, note_address, &answer));
    loop_run(answer.loop);
    cr_assert_eq(answer.port, 6379);
    cr_assert_eq(answer.address, 0x7f000001);
    loop_destroy(answer.loop);
}

Test(loop, an_index_beyond_the_addresses_begins_anew)
{
    struct answer answer = { .loop = loop_create() };

    cr_assert_not_null(loop_lookup(answer.loop, "127.0.0.1", 6379, 7, note_address, &answer));
    loop_run(answer.loop);
    cr_assert_eq(answer.address, 0x7f000001);
    loop_destroy(answer.loop);
}

Test(loop, a_cancelled_look_up_tells_nobody)
{
    struct answer answer = { .loop = loop_create() };
    struct loop_lookup *lookup = loop_lookup(answer.loop, "127.0.0.1", 1, 0, note_address, &answer);

    cr_assert_not_null(lookup);
    loop_lookup_cancel(lookup);
    loop_destroy(answer.loop);
    cr_assert_eq(answer.calls, 0);
}

Test(loop, time_stands_still_within_a_turn)
{
    struct loop *loop = loop_create();
    uint64_t first = loop_now(loop);

    while (clock_monotonic_ns() == first)
        ;
    cr_assert_eq(loop_now(loop), first);
    loop_destroy(loop);
}
