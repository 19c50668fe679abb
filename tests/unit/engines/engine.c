/* What engine.c owes every engine: names, conditions, deadlines, completion. */
#include <criterion/criterion.h>

#include "engines/engine.h"
#include "service/base/clock.h"
#include "tests/support/virtual_loop.h"
#include "tests/unit/engines/puppet.h"

static struct loop *loop;
static struct puppet *puppet;
static struct engine_session *session;

static void open_puppet(void)
{
    loop = loop_create();
    puppet = puppet_open(true);
    session = engine_attach(&puppet->base, loop);
    cr_assert_not_null(session);
}

static void close_puppet(void)
{
    engine_detach(session);
    engine_close(&puppet->base);
    loop_destroy(loop);
}

static void advance_ms(uint64_t ms)
{
    virtual_loop_advance(loop, ms * NS_PER_MS);
}

TestSuite(engine, .init = open_puppet, .fini = close_puppet);

/* ---- Names ---- */

Test(names, every_status_and_verb_has_a_name_of_its_own)
{
    for (int a = 0; a < ENGINE_STATUSES; a++) {
        cr_assert_str_neq(engine_status_name((enum engine_status)a), "unknown");
        for (int b = 0; b < a; b++)
            cr_assert_str_neq(engine_status_name((enum engine_status)a), engine_status_name((enum engine_status)b));
    }
    cr_assert_str_eq(engine_status_name(ENGINE_STATUSES), "unknown");
    for (int a = ENGINE_GET; a < ENGINE_VERBS; a++)
        for (int b = ENGINE_GET; b < a; b++)
            cr_assert_str_neq(engine_verb_name((enum engine_verb)a), engine_verb_name((enum engine_verb)b));
}

Test(names, all_verbs_but_those_that_only_look_write)
{
    for (int verb = 0; verb < ENGINE_VERBS; verb++) {
        bool looks = verb == ENGINE_GET || verb == ENGINE_LIST || verb == ENGINE_NAMESPACES ||
                     verb == ENGINE_COUNTER_GET || verb == ENGINE_LOCK_GET;
        cr_assert_eq(engine_verb_writes((enum engine_verb)verb), !looks, "%d", verb);
        cr_assert_neq(engine_verb_needs((enum engine_verb)verb), 0, "%d", verb);
    }
}

/* ---- Conditions ---- */

static const engine_version seven_nine[] = { 7, 9 };

#define NONE                                                                                                         \
    {                                                                                                                \
        .given = false                                                                                               \
    }
#define ANY                                                                                                          \
    {                                                                                                                \
        .given = true, .any = true                                                                                   \
    }
#define EMPTY                                                                                                        \
    {                                                                                                                \
        .given = true                                                                                                \
    }
#define LIST                                                                                                         \
    {                                                                                                                \
        .given = true, .count = 2, .versions = seven_nine                                                            \
    }

Test(conditions, hold_as_rfc_9110_section_13_says)
{
    static const struct {
        struct engine_condition condition;
        bool absent, seven, eight;
    } rows[] = {
        { { NONE, NONE }, true, true, true },    { { ANY, NONE }, false, true, true },
        { { LIST, NONE }, false, true, false },  { { EMPTY, NONE }, false, false, false },
        { { NONE, ANY }, true, false, false },   { { NONE, LIST }, true, false, true },
        { { NONE, EMPTY }, true, true, true },   { { ANY, LIST }, false, false, true },
        { { LIST, ANY }, false, false, false },  { { ANY, ANY }, false, false, false },
        { { LIST, EMPTY }, false, true, false }, { { EMPTY, EMPTY }, false, false, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_expect_eq(engine_condition_holds(&rows[i].condition, 0), rows[i].absent, "row %zu, absent", i);
        cr_expect_eq(engine_condition_holds(&rows[i].condition, 7), rows[i].seven, "row %zu, 7", i);
        cr_expect_eq(engine_condition_holds(&rows[i].condition, 8), rows[i].eight, "row %zu, 8", i);
    }
    cr_expect(engine_condition_holds(NULL, 0));
    cr_expect(engine_condition_holds(NULL, 7));
}

Test(conditions, an_absent_entry_is_not_named_by_version_zero)
{
    static const engine_version zero[] = { 0 };
    struct engine_condition match = { .if_match = { .given = true, .count = 1, .versions = zero } };
    struct engine_condition none_match = { .if_none_match = { .given = true, .count = 1, .versions = zero } };

    cr_expect_not(engine_condition_holds(&match, 0));
    cr_expect(engine_condition_holds(&none_match, 0));
}

/* ---- At once ---- */

Test(engine, an_operation_done_at_once_calls_nobody_and_sets_no_timer)
{
    struct job job;

    puppet->answer_at_once = true;
    job_init(&job, session, ENGINE_GET, 500);
    cr_assert_eq(job_submit(&job), ENGINE_DONE);
    cr_assert_eq(job.op.status, ENGINE_OK);
    advance_ms(1000);
    cr_assert_eq(job.calls, 0);
    cr_assert_eq(virtual_loop_settings(loop), 0);
    cr_assert_eq(session->pending_count, 0);
}

Test(engine, results_of_an_earlier_use_are_cleared)
{
    struct job job;

    puppet->answer_at_once = true;
    job_init(&job, session, ENGINE_GET, 500);
    job.op.entry.version = 5;
    job.op.limit = 5;
    job.op.detail = "old";
    cr_assert_eq(job_submit(&job), ENGINE_DONE);
    cr_assert_eq(job.op.entry.version, 0);
    cr_assert_eq(job.op.entry.ttl_ms, ENGINE_NO_EXPIRY);
    cr_assert_eq(job.op.limit, 0);
    cr_assert_null(job.op.detail);
}

Test(engine, a_deadline_that_has_passed_is_busy_and_the_engine_is_not_asked)
{
    struct job job;

    job_init(&job, session, ENGINE_PUT, 0);
    cr_assert_eq(job_submit(&job), ENGINE_DONE);
    cr_assert_eq(job.op.status, ENGINE_BUSY);
    cr_assert_eq(puppet->asked_count, 0);
    cr_assert_eq(job.calls, 0);
}

Test(engine, what_an_engine_cannot_do_is_unsupported_and_it_is_not_asked)
{
    struct job job;

    job_init(&job, session, ENGINE_LOCK_ACQUIRE, 100);
    cr_assert_eq(job_submit(&job), ENGINE_DONE);
    cr_assert_eq(job.op.status, ENGINE_UNSUPPORTED);
    cr_assert_eq(puppet->asked_count, 0);
    cr_assert_eq(job.calls, 0);
}

/* ---- Later ---- */

Test(engine, a_pending_operation_is_done_once_when_the_engine_completes_it)
{
    struct job job;

    job_init(&job, session, ENGINE_GET, 500);
    cr_assert_eq(job_submit(&job), ENGINE_PENDING);
    cr_assert_eq(job.calls, 0);
    puppet_answer(puppet, &job.op, ENGINE_MISS);
    advance_ms(1000);
    cr_assert_eq(job.calls, 1);
    cr_assert_eq(job.op.status, ENGINE_MISS);
    cr_assert_eq(puppet->cancelled, 0);
    cr_assert_eq(session->pending_count, 0);
}

Test(engine, a_pending_operation_is_late_at_its_deadline_and_not_before)
{
    struct job job;

    job_init(&job, session, ENGINE_GET, 500);
    cr_assert_eq(job_submit(&job), ENGINE_PENDING);
    advance_ms(499);
    cr_assert_eq(job.calls, 0);
    advance_ms(1);
    cr_assert_eq(job.calls, 1);
    cr_assert_eq(job.op.status, ENGINE_LATE);
    cr_assert_not_null(job.op.detail);
    cr_assert_eq(puppet->cancelled, 1);
    advance_ms(1000);
    cr_assert_eq(job.calls, 1);
}

Test(engine, what_never_left_is_late_at_its_deadline_too)
{
    struct job job;

    puppet->cancel_says = ENGINE_BUSY;
    job_init(&job, session, ENGINE_PUT, 500);
    cr_assert_eq(job_submit(&job), ENGINE_PENDING);
    advance_ms(500);
    cr_assert_eq(job.op.status, ENGINE_LATE);
}

static unsigned finished[8];
static size_t finished_count;

static void note_order(struct job *job)
{
    finished[finished_count++] = (unsigned)(uintptr_t)job->op.context;
}

Test(engine, deadlines_pass_in_their_own_order_whatever_the_order_of_submission)
{
    static const uint64_t timeouts[] = { 300, 100, 500, 200, 400, 200 };
    static const unsigned expected[] = { 1, 3, 5, 0, 4, 2 };
    struct job jobs[6];

    finished_count = 0;
    for (unsigned i = 0; i < 6; i++) {
        job_init(&jobs[i], session, ENGINE_GET, timeouts[i]);
        jobs[i].then = note_order;
        jobs[i].op.context = (void *)(uintptr_t)i;
        cr_assert_eq(job_submit(&jobs[i]), ENGINE_PENDING);
    }
    advance_ms(250);
    cr_assert_eq(finished_count, 3);
    advance_ms(1000);
    cr_assert_eq(finished_count, 6);
    cr_assert_arr_eq(finished, expected, sizeof expected);
}

Test(engine, operations_of_one_timeout_set_the_timer_once_a_timeout)
{
    struct job jobs[50];

    for (int i = 0; i < 50; i++) {
        job_init(&jobs[i], session, ENGINE_GET, 500);
        cr_assert_eq(job_submit(&jobs[i]), ENGINE_PENDING);
        puppet_answer(puppet, &jobs[i].op, ENGINE_OK);
        advance_ms(1);
    }
    cr_assert_eq(virtual_loop_settings(loop), 1);
}

Test(engine, a_timer_that_fired_for_nothing_still_serves_the_next_deadline)
{
    struct job first, second;

    job_init(&first, session, ENGINE_GET, 100);
    cr_assert_eq(job_submit(&first), ENGINE_PENDING);
    puppet_answer(puppet, &first.op, ENGINE_OK);
    advance_ms(50);
    job_init(&second, session, ENGINE_GET, 100);
    cr_assert_eq(job_submit(&second), ENGINE_PENDING);
    advance_ms(99);
    cr_assert_eq(second.calls, 0);
    advance_ms(1);
    cr_assert_eq(second.calls, 1);
    cr_assert_eq(second.op.status, ENGINE_LATE);
}

Test(engine, a_cancelled_operation_is_never_done)
{
    struct job jobs[3];

    for (int i = 0; i < 3; i++) {
        job_init(&jobs[i], session, ENGINE_PUT, 500);
        cr_assert_eq(job_submit(&jobs[i]), ENGINE_PENDING);
    }
    cr_assert_eq(engine_cancel(session, &jobs[1].op), ENGINE_LATE);
    cr_assert_eq(session->pending_count, 2);
    advance_ms(1000);
    cr_assert_eq(jobs[0].calls, 1);
    cr_assert_eq(jobs[1].calls, 0);
    cr_assert_eq(jobs[2].calls, 1);
}

static void submit_other(struct job *job)
{
    job_init(job->other, job->session, ENGINE_GET, 500);
    cr_assert_eq(job_submit(job->other), ENGINE_PENDING);
}

Test(engine, done_may_submit_the_next_operation)
{
    struct job first, second;

    job_init(&first, session, ENGINE_GET, 500);
    first.then = submit_other;
    first.other = &second;
    cr_assert_eq(job_submit(&first), ENGINE_PENDING);
    advance_ms(500);
    cr_assert_eq(first.calls, 1);
    cr_assert_eq(second.calls, 0);
    advance_ms(500);
    cr_assert_eq(second.calls, 1);
    cr_assert_eq(second.op.status, ENGINE_LATE);
}

static void cancel_other(struct job *job)
{
    cr_assert_eq(engine_cancel(job->session, &job->other->op), ENGINE_LATE);
}

Test(engine, done_may_cancel_another_that_is_due_as_well)
{
    struct job first, second;

    job_init(&first, session, ENGINE_GET, 500);
    job_init(&second, session, ENGINE_GET, 500);
    first.then = cancel_other;
    first.other = &second;
    cr_assert_eq(job_submit(&first), ENGINE_PENDING);
    cr_assert_eq(job_submit(&second), ENGINE_PENDING);
    advance_ms(600);
    cr_assert_eq(first.calls, 1);
    cr_assert_eq(second.calls, 0);
    cr_assert_eq(session->pending_count, 0);
}

/* ---- Many at once ---- */

Test(engine, a_batch_is_one_trip_and_keeps_its_order)
{
    struct job jobs[5];
    struct engine_op *ops[5];
    enum engine_progress progress[5];

    for (int i = 0; i < 5; i++) {
        job_init(&jobs[i], session, ENGINE_GET, 500);
        ops[i] = &jobs[i].op;
    }
    cr_assert_eq(engine_submit_batch(session, ops, 5, progress), 5);
    cr_assert_eq(puppet->trips, 1);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(puppet->asked[i], ops[i]);
        cr_assert_eq(progress[i], ENGINE_PENDING);
    }
    advance_ms(500);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(jobs[i].calls, 1);
}

Test(engine, those_of_a_batch_whose_deadline_has_passed_are_left_out)
{
    struct job jobs[5];
    struct engine_op *ops[5];
    enum engine_progress progress[5];

    for (int i = 0; i < 5; i++) {
        job_init(&jobs[i], session, ENGINE_GET, i == 1 || i == 4 ? 0 : 500);
        ops[i] = &jobs[i].op;
    }
    cr_assert_eq(engine_submit_batch(session, ops, 5, progress), 3);
    cr_assert_eq(puppet->asked_count, 3);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(progress[i], i == 1 || i == 4 ? ENGINE_DONE : ENGINE_PENDING);
        cr_assert_eq(jobs[i].op.status, i == 1 || i == 4 ? ENGINE_BUSY : ENGINE_FAILED);
    }
    advance_ms(500);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(jobs[i].calls, i == 1 || i == 4 ? 0 : 1);
}

Test(batches, without_submit_batch_operations_go_one_by_one)
{
    struct loop *own_loop = loop_create();
    struct puppet *own = puppet_open(false);
    struct engine_session *own_session = engine_attach(&own->base, own_loop);
    struct job jobs[3];
    struct engine_op *ops[3];
    enum engine_progress progress[3];

    for (int i = 0; i < 3; i++) {
        job_init(&jobs[i], own_session, ENGINE_GET, 500);
        ops[i] = &jobs[i].op;
    }
    cr_assert_eq(engine_submit_batch(own_session, ops, 3, progress), 3);
    cr_assert_eq(own->asked_count, 3);
    cr_assert_eq(own->trips, 0);
    cr_assert_eq(own_session->pending_count, 3);
    engine_detach(own_session);
    engine_close(&own->base);
    loop_destroy(own_loop);
}

/* ---- The end ---- */

static void submit_again(struct job *job)
{
    job_init(job->other, job->session, ENGINE_GET, 500);
    cr_assert_eq(job_submit(job->other), ENGINE_DONE);
    cr_assert_eq(job->other->op.status, ENGINE_UNAVAILABLE);
}

Test(ends, detach_answers_what_is_pending_and_takes_nothing_new)
{
    struct loop *own_loop = loop_create();
    struct puppet *own = puppet_open(true);
    struct engine_session *own_session = engine_attach(&own->base, own_loop);
    struct job job, other;

    job_init(&job, own_session, ENGINE_GET, 500);
    job.then = submit_again;
    job.other = &other;
    cr_assert_eq(job_submit(&job), ENGINE_PENDING);
    engine_detach(own_session);
    cr_assert_eq(job.calls, 1);
    cr_assert_eq(job.op.status, ENGINE_UNAVAILABLE);
    cr_assert_eq(other.calls, 0);
    cr_assert_eq(own->asked_count, 1);
    cr_assert_eq(virtual_loop_armed(own_loop), 0);
    engine_close(&own->base);
    loop_destroy(own_loop);
}

Test(ends, attach_fails_where_there_can_be_no_deadlines)
{
    struct loop *own_loop = loop_create();
    struct puppet *own = puppet_open(true);

    virtual_loop_refuse_timers(own_loop);
    cr_assert_null(engine_attach(&own->base, own_loop));
    engine_close(&own->base);
    loop_destroy(own_loop);
}

Test(ends, null_is_nothing_to_detach_or_close)
{
    engine_detach(NULL);
    engine_close(NULL);
}

Test(engine, readiness_is_the_engines_own)
{
    const char *reason = "unset";

    cr_assert(engine_ready(&puppet->base, &reason));
    cr_assert_null(reason);
    puppet->unready = true;
    cr_assert_not(engine_ready(&puppet->base, &reason));
    cr_assert_str_eq(reason, "asleep");
}

/* ---- The observer ---- */

static struct {
    unsigned calls;
    enum engine_verb verb;
    enum engine_status status;
    uint64_t duration_ns;
    unsigned done_calls; /* of the job, when the observer was called */
    const struct job *job;
} seen;

static void observe(void *context, const struct engine_op *op, uint64_t duration_ns)
{
    cr_assert_eq(context, &seen);
    seen.calls++;
    seen.verb = op->verb;
    seen.status = op->status;
    seen.duration_ns = duration_ns;
    seen.done_calls = seen.job ? seen.job->calls : 0;
}

static void start_observing(void)
{
    memset(&seen, 0, sizeof seen);
    engine_observe(session, observe, &seen);
}

Test(engine, an_observer_sees_what_was_done_at_once)
{
    struct job job;

    start_observing();
    puppet->answer_at_once = true;
    job_init(&job, session, ENGINE_PUT, 100);
    cr_assert_eq(job_submit(&job), ENGINE_DONE);
    cr_assert_eq(seen.calls, 1);
    cr_assert_eq(seen.verb, ENGINE_PUT);
    cr_assert_eq(seen.status, ENGINE_OK);
    cr_assert_eq(job.op.took_ns, seen.duration_ns);
}

Test(engine, an_observer_sees_an_answer_before_its_submitter_with_the_time_it_took)
{
    struct job job;

    start_observing();
    job_init(&job, session, ENGINE_GET, 100);
    seen.job = &job;
    cr_assert_eq(job_submit(&job), ENGINE_PENDING);
    cr_assert_eq(seen.calls, 0);
    cr_assert_eq(engine_pending(session), 1);
    advance_ms(30);
    puppet_answer(puppet, &job.op, ENGINE_MISS);
    cr_assert_eq(seen.calls, 1);
    cr_assert_eq(seen.done_calls, 0);
    cr_assert_eq(job.calls, 1);
    cr_assert_eq(seen.status, ENGINE_MISS);
    cr_assert_eq(seen.duration_ns, 30 * NS_PER_MS);
    cr_assert_eq(job.op.took_ns, 30 * NS_PER_MS);
    cr_assert_eq(engine_pending(session), 0);
}

Test(engine, an_observer_sees_lateness_but_not_what_the_submitter_gave_up)
{
    struct job late, given_up;

    start_observing();
    job_init(&late, session, ENGINE_GET, 100);
    cr_assert_eq(job_submit(&late), ENGINE_PENDING);
    advance_ms(101);
    cr_assert_eq(seen.calls, 1);
    cr_assert_eq(seen.status, ENGINE_LATE);
    cr_assert_geq(seen.duration_ns, 100 * NS_PER_MS);
    job_init(&given_up, session, ENGINE_GET, 100);
    cr_assert_eq(job_submit(&given_up), ENGINE_PENDING);
    cr_assert_eq(engine_cancel(session, &given_up.op), ENGINE_LATE);
    cr_assert_eq(seen.calls, 1);
}
