/* The decorators: trace sees everything once, fault does what its rules say. */
#include <criterion/criterion.h>

#include "engines/fault.h"
#include "engines/memory/memory.h"
#include "engines/trace.h"
#include "service/base/clock.h"
#include "tests/support/virtual_loop.h"
#include "tests/unit/engines/puppet.h"

struct seen {
    const char *tracer;
    enum engine_verb verb;
    enum engine_status status;
    unsigned calls_before;
    uint64_t duration_ns;
};

static struct seen seen[64];
static size_t seen_count;
static uint64_t clock_ns;

static struct loop *loop;
static struct puppet *puppet;
static struct engine *engine;
static struct engine_session *session;

static void note(void *context, const struct engine_op *op, uint64_t duration_ns)
{
    const struct job *job = (const struct job *)op;

    seen[seen_count++] = (struct seen){ context, op->verb, op->status, job->calls, duration_ns };
}

static uint64_t test_clock(void)
{
    return clock_ns += 7;
}

static struct engine *trace(struct engine *inner, const char *name)
{
    struct trace_options options = { .sink = note, .context = (void *)(uintptr_t)name, .now = test_clock };

    return trace_open(inner, &options);
}

static void attach(void)
{
    cr_assert_not_null(engine);
    session = engine_attach(engine, loop);
    cr_assert_not_null(session);
}

static void open_loop(void)
{
    loop = loop_create();
    puppet = NULL;
    engine = NULL;
    session = NULL;
    seen_count = 0;
    clock_ns = VIRTUAL_LOOP_START;
}

static void close_all(void)
{
    engine_detach(session);
    engine_close(engine);
    loop_destroy(loop);
}

static void advance_ms(uint64_t ms)
{
    virtual_loop_advance(loop, ms * NS_PER_MS);
}

/* ---- Trace ---- */

TestSuite(trace, .init = open_loop, .fini = close_all);

static void open_two_tracers(void)
{
    puppet = puppet_open(true);
    engine = trace(trace(&puppet->base, "inner"), "outer");
    attach();
}

Test(trace, completions_climb_from_the_inside_out_and_reach_the_submitter_last)
{
    struct job job;

    open_two_tracers();
    job_init(&job, session, ENGINE_TOUCH, 500);
    cr_assert_eq(job_submit(&job), ENGINE_PENDING);
    cr_assert_eq(seen_count, 0);
    clock_ns += NS_PER_MS;
    puppet_answer(puppet, &job.op, ENGINE_MISS);
    cr_assert_eq(seen_count, 2);
    cr_assert_str_eq(seen[0].tracer, "inner");
    cr_assert_str_eq(seen[1].tracer, "outer");
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(seen[i].verb, ENGINE_TOUCH);
        cr_assert_eq(seen[i].status, ENGINE_MISS);
        cr_assert_eq(seen[i].calls_before, 0);
        cr_assert_geq(seen[i].duration_ns, NS_PER_MS);
    }
    cr_assert_eq(job.calls, 1);
}

Test(trace, an_operation_done_at_once_is_seen_once_by_each)
{
    struct job job;

    open_two_tracers();
    puppet->answer_at_once = true;
    job_init(&job, session, ENGINE_PUT, 500);
    cr_assert_eq(job_submit(&job), ENGINE_DONE);
    cr_assert_eq(seen_count, 2);
    cr_assert_str_eq(seen[0].tracer, "inner");
    cr_assert_eq(seen[0].duration_ns, 7);
    cr_assert_eq(seen[1].status, ENGINE_OK);
}

Test(trace, lateness_is_seen_as_what_it_is)
{
    struct job job;

    open_two_tracers();
    job_init(&job, session, ENGINE_GET, 500);
    cr_assert_eq(job_submit(&job), ENGINE_PENDING);
    advance_ms(500);
    cr_assert_eq(job.op.status, ENGINE_LATE);
    cr_assert_eq(puppet->cancelled, 1);
    cr_assert_eq(seen_count, 2);
    cr_assert_eq(seen[0].status, ENGINE_LATE);
    cr_assert_eq(seen[1].status, ENGINE_LATE);
}

Test(trace, a_batch_stays_one_trip_and_each_operation_is_seen)
{
    struct job jobs[4];
    struct engine_op *ops[4];
    enum engine_progress progress[4];

    open_two_tracers();
    for (int i = 0; i < 4; i++) {
        job_init(&jobs[i], session, ENGINE_GET, i == 2 ? 0 : 500);
        ops[i] = &jobs[i].op;
    }
    /* The one whose deadline has passed is refused before any decorator. */
    cr_assert_eq(engine_submit_batch(session, ops, 2, progress), 2);
    cr_assert_eq(puppet->trips, 1);
    puppet->answer_at_once = true;
    cr_assert_eq(engine_submit_batch(session, ops + 2, 2, progress), 0);
    cr_assert_eq(seen_count, 2);
    puppet_answer(puppet, ops[0], ENGINE_OK);
    puppet_answer(puppet, ops[1], ENGINE_OK);
    cr_assert_eq(seen_count, 6);
}

Test(trace, detach_is_seen_too)
{
    struct job job;

    open_two_tracers();
    job_init(&job, session, ENGINE_GET, 500);
    cr_assert_eq(job_submit(&job), ENGINE_PENDING);
    engine_detach(session);
    session = NULL;
    cr_assert_eq(job.calls, 1);
    cr_assert_eq(seen_count, 2);
    cr_assert_eq(seen[1].status, ENGINE_UNAVAILABLE);
}

Test(trace, capabilities_and_readiness_are_those_of_the_engine_below)
{
    const char *reason;

    puppet = puppet_open(true);
    puppet->base.capabilities = ENGINE_CAN_STORE | ENGINE_IS_SHARED;
    puppet->base.max_value_bytes = 77;
    puppet->unready = true;
    engine = trace(&puppet->base, "outer");
    attach();
    cr_assert_eq(engine->capabilities, ENGINE_CAN_STORE | ENGINE_IS_SHARED);
    cr_assert_eq(engine->max_value_bytes, 77);
    cr_assert_not(engine_ready(engine, &reason));
    cr_assert_str_eq(reason, "asleep");
}

Test(trace, a_failed_engine_stays_failed)
{
    cr_assert_null(trace(NULL, "outer"));
    cr_assert_null(fault_open(NULL));
}

/* ---- Fault, over the memory engine ---- */

TestSuite(fault, .init = open_loop, .fini = close_all);

static void open_faulty(const struct fault_rule *rules, size_t count)
{
    struct memory_options options = { .max_bytes = 1 << 20, .shards = 4 };

    engine = fault_open(memory_open(&options));
    fault_set_rules(engine, rules, count);
    attach();
}

static void run_put(enum engine_status expected)
{
    struct value *value = value_create(BYTES("text/plain"), 1);
    struct job job;

    value_writable(value)[0] = 'x';
    job_init(&job, session, ENGINE_PUT, 500);
    job.op.value = value;
    if (job_submit(&job) == ENGINE_PENDING)
        advance_ms(500);
    cr_assert_eq(job.op.status, expected, "%s", engine_status_name(job.op.status));
    value_unref(value);
}

static enum engine_status run_get(void)
{
    struct job job;

    job_init(&job, session, ENGINE_GET, 500);
    if (job_submit(&job) == ENGINE_PENDING)
        advance_ms(500);
    value_unref(job.op.entry.value);
    return job.op.status;
}

Test(fault, without_rules_it_passes_everything_on)
{
    open_faulty(NULL, 0);
    run_put(ENGINE_CREATED);
    cr_assert_eq(run_get(), ENGINE_OK);
}

Test(fault, a_delay_holds_back_for_so_long_and_then_does_it)
{
    struct fault_rule rule = { .verbs = FAULT_VERB(ENGINE_GET), .delay_ms = 80 };
    struct job job;

    open_faulty(&rule, 1);
    run_put(ENGINE_CREATED);
    job_init(&job, session, ENGINE_GET, 500);
    cr_assert_eq(job_submit(&job), ENGINE_PENDING);
    cr_assert_eq(fault_held(engine), 1);
    advance_ms(79);
    cr_assert_eq(job.calls, 0);
    advance_ms(1);
    cr_assert_eq(job.calls, 1);
    cr_assert_eq(job.op.status, ENGINE_OK);
    cr_assert_eq(job.op.entry.bytes, 1);
    cr_assert_eq(fault_held(engine), 0);
    value_unref(job.op.entry.value);
}

Test(fault, delayed_operations_end_in_the_order_of_their_delays)
{
    struct fault_rule rules[] = { { .verbs = FAULT_VERB(ENGINE_GET), .delay_ms = 90 },
                                  { .verbs = FAULT_VERB(ENGINE_DELETE), .delay_ms = 30 } };
    struct job slow, quick;

    open_faulty(rules, 2);
    job_init(&slow, session, ENGINE_GET, 500);
    job_init(&quick, session, ENGINE_DELETE, 500);
    cr_assert_eq(job_submit(&slow), ENGINE_PENDING);
    cr_assert_eq(job_submit(&quick), ENGINE_PENDING);
    advance_ms(30);
    cr_assert_eq(quick.calls, 1);
    cr_assert_eq(slow.calls, 0);
    advance_ms(60);
    cr_assert_eq(slow.calls, 1);
    cr_assert_eq(slow.op.status, ENGINE_MISS);
}

Test(fault, what_is_held_past_its_deadline_is_late_and_never_takes_effect)
{
    struct fault_rule rule = { .verbs = FAULT_VERB(ENGINE_PUT), .delay_ms = 800 };

    open_faulty(&rule, 1);
    run_put(ENGINE_LATE);
    cr_assert_eq(fault_held(engine), 0);
    advance_ms(1000);
    cr_assert_eq(run_get(), ENGINE_MISS);
}

Test(fault, a_dropped_operation_ends_by_its_deadline_alone)
{
    struct fault_rule rule = { .verbs = FAULT_ALL_VERBS, .drop = true };
    struct job job;

    open_faulty(&rule, 1);
    job_init(&job, session, ENGINE_GET, 60000);
    cr_assert_eq(job_submit(&job), ENGINE_PENDING);
    advance_ms(59999);
    cr_assert_eq(job.calls, 0);
    advance_ms(1);
    cr_assert_eq(job.calls, 1);
    cr_assert_eq(job.op.status, ENGINE_LATE);
}

Test(fault, a_failure_at_once_and_one_that_takes_its_time)
{
    struct fault_rule at_once = { .verbs = FAULT_VERB(ENGINE_PUT), .fail = true, .status = ENGINE_UNAVAILABLE };
    struct fault_rule later = at_once;

    open_faulty(&at_once, 1);
    run_put(ENGINE_UNAVAILABLE);
    later.delay_ms = 20;
    later.status = ENGINE_REFUSED;
    fault_set_rules(engine, &later, 1);
    run_put(ENGINE_REFUSED);
    cr_assert_eq(run_get(), ENGINE_MISS);
    fault_set_rules(engine, NULL, 0);
    run_put(ENGINE_CREATED);
}

Test(fault, every_third_fails_and_no_other)
{
    struct fault_rule rule = { .verbs = FAULT_VERB(ENGINE_GET), .every = 3, .fail = true, .status = ENGINE_FAILED };

    open_faulty(&rule, 1);
    for (int i = 1; i <= 12; i++)
        cr_assert_eq(run_get(), i % 3 == 0 ? ENGINE_FAILED : ENGINE_MISS, "operation %d", i);
}

Test(fault, cancel_takes_back_what_is_held)
{
    struct fault_rule rule = { .verbs = FAULT_ALL_VERBS, .delay_ms = 50 };
    struct job first, second;

    open_faulty(&rule, 1);
    job_init(&first, session, ENGINE_GET, 500);
    job_init(&second, session, ENGINE_GET, 500);
    cr_assert_eq(job_submit(&first), ENGINE_PENDING);
    cr_assert_eq(job_submit(&second), ENGINE_PENDING);
    cr_assert_eq(engine_cancel(session, &first.op), ENGINE_LATE);
    advance_ms(500);
    cr_assert_eq(first.calls, 0);
    cr_assert_eq(second.calls, 1);
}

Test(fault, cancel_reaches_the_engine_below_for_what_was_passed_on)
{
    struct fault_rule rule = { .verbs = FAULT_ALL_VERBS, .delay_ms = 50 };
    struct job job;

    puppet = puppet_open(true);
    engine = fault_open(&puppet->base);
    fault_set_rules(engine, &rule, 1);
    attach();
    job_init(&job, session, ENGINE_GET, 500);
    cr_assert_eq(job_submit(&job), ENGINE_PENDING);
    cr_assert_eq(puppet->asked_count, 0);
    advance_ms(50);
    cr_assert_eq(puppet->asked_count, 1);
    advance_ms(450);
    cr_assert_eq(puppet->cancelled, 1);
    cr_assert_eq(job.calls, 1);
    cr_assert_eq(job.op.status, ENGINE_LATE);
}

Test(fault, detach_answers_what_is_held)
{
    struct fault_rule rule = { .verbs = FAULT_ALL_VERBS, .drop = true };
    struct job jobs[3];

    open_faulty(&rule, 1);
    for (int i = 0; i < 3; i++) {
        job_init(&jobs[i], session, ENGINE_GET, 500);
        cr_assert_eq(job_submit(&jobs[i]), ENGINE_PENDING);
    }
    engine_detach(session);
    session = NULL;
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(jobs[i].calls, 1);
        cr_assert_eq(jobs[i].op.status, ENGINE_UNAVAILABLE);
    }
}

Test(fault, it_can_be_made_unready)
{
    const char *reason;

    open_faulty(NULL, 0);
    cr_assert(engine_ready(engine, &reason));
    fault_set_unready(engine, "on purpose");
    cr_assert_not(engine_ready(engine, &reason));
    cr_assert_str_eq(reason, "on purpose");
}

Test(fault, a_tracer_around_it_sees_the_outcomes_that_the_client_sees)
{
    struct memory_options options = { .max_bytes = 1 << 20, .shards = 4 };
    struct fault_rule rule = { .verbs = FAULT_ALL_VERBS, .every = 2, .delay_ms = 10 };
    struct engine *faulty = fault_open(memory_open(&options));

    fault_set_rules(faulty, &rule, 1);
    engine = trace(faulty, "outer");
    attach();
    cr_assert_eq(run_get(), ENGINE_MISS);
    cr_assert_eq(run_get(), ENGINE_MISS);
    run_put(ENGINE_CREATED);
    cr_assert_eq(seen_count, 3);
    cr_assert_eq(seen[2].status, ENGINE_CREATED);
}
