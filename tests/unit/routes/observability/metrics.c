/* Tests of routes/observability/metrics.h, exposition.h and slow_log.h. */
#include "routes/observability/metrics.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "routes/observability/exposition.h"
#include "routes/observability/metrics_names.h"
#include "routes/observability/slow_log.h"
#include "service/base/clock.h"

static void read_entry(struct metrics_thread *thread, const char *ns, enum engine_status status, bool stale)
{
    struct engine_op op = { .verb = ENGINE_GET, .ns = bytes_str(ns), .status = status, .entry = { .stale = stale } };

    metrics_operation(thread, &op, 1000);
}

static uint64_t reads(const struct metrics_thread *thread, unsigned place, enum metrics_read read)
{
    return tally_read(&thread->reads[place][read]);
}

Test(metrics, reads_count_by_namespace_and_result_and_failures_do_not)
{
    struct metrics *metrics = metrics_create();
    struct metrics_thread *thread = metrics_attach(metrics, NULL);

    read_entry(thread, "a", ENGINE_OK, false);
    read_entry(thread, "a", ENGINE_OK, true);
    read_entry(thread, "b", ENGINE_MISS, false);
    read_entry(thread, "b", ENGINE_LATE, false);
    read_entry(thread, "c", ENGINE_UNAVAILABLE, false);
    cr_assert_eq(metrics_namespace_count(metrics), 2);
    cr_assert(bytes_equal(metrics_namespace_at(metrics, 0), BYTES("a")));
    cr_assert(bytes_equal(metrics_namespace_at(metrics, 1), BYTES("b")));
    cr_assert_eq(reads(thread, 0, METRICS_HIT), 1);
    cr_assert_eq(reads(thread, 0, METRICS_STALE), 1);
    cr_assert_eq(reads(thread, 0, METRICS_MISS), 0);
    cr_assert_eq(reads(thread, 1, METRICS_MISS), 1);
    cr_assert_eq(tally_read(&thread->operations[ENGINE_GET][ENGINE_LATE]), 1);
    metrics_destroy(metrics);
}

Test(metrics, the_namespaces_after_the_hundredth_share_one_place)
{
    struct metrics *metrics = metrics_create();
    struct metrics_thread *thread = metrics_attach(metrics, NULL);
    char name[16];

    read_entry(thread, "other", ENGINE_OK, false);
    cr_assert_eq(metrics_namespace_count(metrics), 0);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < METRICS_NAMESPACES + 50; i++) {
            snprintf(name, sizeof name, "ns-%d", i);
            read_entry(thread, name, ENGINE_OK, false);
        }
    cr_assert_eq(metrics_namespace_count(metrics), METRICS_NAMESPACES);
    for (unsigned place = 0; place < METRICS_NAMESPACES; place++)
        cr_assert_eq(reads(thread, place, METRICS_HIT), 2, "%u", place);
    cr_assert_eq(reads(thread, METRICS_OTHER, METRICS_HIT), 1 + 2 * 50);
    metrics_destroy(metrics);
}

/* Every length, and names that differ in one byte at any place. */
Test(metrics, namespaces_that_are_almost_alike_have_a_place_each)
{
    for (unsigned len = 1; len <= METRICS_NAME_MAX; len++) {
        struct metrics *metrics = metrics_create();
        struct metrics_thread *thread = metrics_attach(metrics, NULL);
        char name[METRICS_NAME_MAX + 1];

        for (int round = 0; round < 2; round++)
            for (unsigned at = 0; at <= len; at++) {
                memset(name, 'a', sizeof name);
                if (at < len)
                    name[at] = 'b';
                name[len] = '\0';
                read_entry(thread, name, ENGINE_OK, false);
                cr_assert(bytes_equal(metrics_namespace_at(metrics, at), bytes_str(name)), "%s", name);
            }
        cr_assert_eq(metrics_namespace_count(metrics), len + 1);
        for (unsigned place = 0; place <= len; place++)
            cr_assert_eq(reads(thread, place, METRICS_HIT), 2, "%u of %u", place, len);
        metrics_destroy(metrics);
    }
}

/* What was read last is remembered by its text, and so must not outlive a shorter or longer one. */
Test(metrics, a_namespace_is_not_taken_for_one_that_it_begins_with)
{
    struct metrics *metrics = metrics_create();
    struct metrics_thread *thread = metrics_attach(metrics, NULL);
    const char *const names[] = { "users", "users-2", "user", "users", "other", "users", "users-2" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        read_entry(thread, names[i], ENGINE_OK, false);
    cr_assert_eq(metrics_namespace_count(metrics), 3);
    cr_assert_eq(reads(thread, 0, METRICS_HIT), 3);
    cr_assert_eq(reads(thread, 1, METRICS_HIT), 2);
    cr_assert_eq(reads(thread, 2, METRICS_HIT), 1);
    cr_assert_eq(reads(thread, METRICS_OTHER, METRICS_HIT), 1);
    metrics_destroy(metrics);
}

static enum engine_progress at_once(struct engine_session *session, struct engine_op *op)
{
    (void)session;
    op->status = ENGINE_MISS;
    return ENGINE_DONE;
}

static uint64_t took(struct engine_session *session, enum engine_verb verb, uint64_t now_ns)
{
    struct engine_op op = { .verb = verb, .ns = BYTES("a"), .now_ns = now_ns, .deadline_ns = UINT64_MAX };

    cr_assert_eq(engine_submit(session, &op), ENGINE_DONE);
    return op.took_ns;
}

Test(metrics, one_operation_of_a_verb_is_timed_in_a_millisecond_and_all_are_counted)
{
    static const struct engine_table table = { .name = "at-once", .submit = at_once };
    struct engine engine = { .table = &table, .capabilities = ENGINE_CAN_STORE };
    struct metrics *metrics = metrics_create();
    struct engine_session session;
    struct metrics_thread *thread = metrics_attach(metrics, &session);
    uint64_t first, now = 7 * NS_PER_SECOND;

    engine_session_init(&session, &engine, NULL);
    engine_observe(&session, metrics_operation, thread);
    first = took(&session, ENGINE_GET, now);
    cr_assert_gt(first, 0);
    session.observer.timed_ns[ENGINE_GET] = 12345; /* as if it had taken so long */
    cr_assert_eq(took(&session, ENGINE_GET, now), 12345, "another one of the same turn");
    cr_assert_eq(took(&session, ENGINE_GET, now + 999999), 12345);
    cr_assert_neq(took(&session, ENGINE_DELETE, now + 1), 12345, "each verb for itself");
    cr_assert_eq(session.observer.timed_ns[ENGINE_GET], 12345, "not timed so far");
    (void)took(&session, ENGINE_GET, now + NS_PER_MS);
    cr_assert_eq(session.observer.next_ns[ENGINE_GET], now + 2 * NS_PER_MS, "timed again");
    cr_assert_eq(tally_read(&thread->operations[ENGINE_GET][ENGINE_MISS]), 4);
    metrics_destroy(metrics);
}

Test(metrics, an_atomic_step_counts_its_reads_once_it_is_done)
{
    struct metrics *metrics = metrics_create();
    struct metrics_thread *thread = metrics_attach(metrics, NULL);
    struct engine_op get = { .verb = ENGINE_GET, .ns = BYTES("a"), .status = ENGINE_OK };
    struct engine_op put = { .verb = ENGINE_PUT, .ns = BYTES("a"), .status = ENGINE_OK };
    struct engine_op *ops[] = { &get, &put, &get };
    struct engine_atomic atomic = { .ops = ops, .count = 3 };
    struct engine_op op = { .verb = ENGINE_ATOMIC, .atomic = &atomic, .status = ENGINE_MISMATCH };

    metrics_operation(thread, &op, 0);
    cr_assert_eq(metrics_namespace_count(metrics), 0);
    op.status = ENGINE_OK;
    metrics_operation(thread, &op, 0);
    cr_assert_eq(reads(thread, 0, METRICS_HIT), 2);
    metrics_destroy(metrics);
}

static void answer(struct metrics_thread *thread, unsigned status)
{
    const struct http_record record = { .status = status, .started_ns = 1000, .ended_ns = 61000, .sent_bytes = 7 };

    metrics_request(thread, 3, HTTP_GET, &record);
}

static uint64_t answers(const struct metrics_thread *thread, unsigned status)
{
    for (unsigned column = 0; column < metrics_status_columns(); column++)
        if (metrics_status_at(column) == status)
            return tally_read(&thread->requests[3][HTTP_GET][column]);
    cr_assert_fail("no column for %u", status);
    return 0;
}

Test(metrics, every_status_has_its_column_and_unknown_ones_share_one)
{
    struct metrics *metrics = metrics_create();
    struct metrics_thread *thread = metrics_attach(metrics, NULL);
    struct histogram_sum sum = { .count = 0 };

    for (unsigned column = 0; column + 1 < metrics_status_columns(); column++) {
        if (column > 0)
            cr_assert_gt(metrics_status_at(column), metrics_status_at(column - 1), "a search by halves needs order");
        answer(thread, metrics_status_at(column));
        cr_assert_eq(answers(thread, metrics_status_at(column)), 1);
    }
    answer(thread, 299);
    answer(thread, 999);
    cr_assert_eq(answers(thread, 0), 2);
    answer(thread, 0); /* the client left */
    cr_assert_eq(metrics_request_total(metrics), metrics_status_columns() + 1);
    histogram_add_to(&thread->request_times[3][HTTP_GET], &sum);
    cr_assert_eq(sum.count, metrics_status_columns() + 1);
    cr_assert_eq(sum.buckets[1], sum.count, "60 us");
    metrics_destroy(metrics);
}

Test(metrics, the_rate_is_that_of_the_last_minute)
{
    struct metrics *metrics = metrics_create();
    struct metrics_thread *thread = metrics_attach(metrics, NULL);
    uint64_t now = metrics_started_ns(metrics);

    for (int i = 0; i < 100; i++)
        answer(thread, 200);
    cr_assert_float_eq(metrics_request_rate(metrics, now + 10 * NS_PER_SECOND), 10, 1e-6);
    for (int i = 0; i < 40; i++)
        metrics_sample(metrics, now += METRICS_SAMPLE_MS * NS_PER_MS);
    cr_assert_float_eq(metrics_request_rate(metrics, now), 0, 1e-6);
    for (int i = 0; i < 60; i++)
        answer(thread, 200);
    cr_assert_float_eq(metrics_request_rate(metrics, now), 1, 1e-6);
    metrics_destroy(metrics);
}

/* ---- Text ---- */

Test(exposition, samples_are_written_as_the_format_says)
{
    char memory[4096];
    struct buffer text;
    struct exposition to = { .out = &text };
    const struct exposition_label labels[] = { { "a", BYTES("x\"y\\z\n") }, { "b", BYTES("") } };

    buffer_init_fixed(&text, memory, sizeof memory);
    exposition_family(&to, "n_total", EXPOSITION_COUNTER, "What it is.");
    exposition_u64(&to, labels, 2, UINT64_MAX);
    exposition_double(&to, labels, 1, 0.25);
    exposition_one(&to, "g", EXPOSITION_GAUGE, "G.", 12345678901.0);
    memory[text.len] = '\0';
    cr_assert_str_eq(memory, "# HELP n_total What it is.\n# TYPE n_total counter\n"
                             "n_total{a=\"x\\\"y\\\\z\\n\",b=\"\"} 18446744073709551615\n"
                             "n_total{a=\"x\\\"y\\\\z\\n\"} 0.25\n"
                             "# HELP g G.\n# TYPE g gauge\ng 12345678901\n");
}

Test(exposition, buckets_are_cumulative)
{
    static char memory[8192];
    struct buffer text;
    struct exposition to = { .out = &text };
    struct histogram_sum sum = { .count = 3, .sum_ns = 1500000000 };

    sum.buckets[0] = 1;
    sum.buckets[HISTOGRAM_BOUNDS] = 2;
    buffer_init_fixed(&text, memory, sizeof memory - 1);
    exposition_family(&to, "h_seconds", EXPOSITION_HISTOGRAM, "H.");
    exposition_histogram(&to, NULL, 0, &sum);
    memory[text.len] = '\0';
    cr_assert_not_null(strstr(memory, "h_seconds_bucket{le=\"5e-05\"} 1\n"));
    cr_assert_not_null(strstr(memory, "h_seconds_bucket{le=\"10\"} 1\n"));
    cr_assert_not_null(strstr(memory, "h_seconds_bucket{le=\"+Inf\"} 3\nh_seconds_sum 1.5\nh_seconds_count 3\n"));
}

/* ---- Slow log ---- */

Test(slow_log, a_slow_client_is_not_a_slow_request)
{
    struct http_record record = { .started_ns = 1, .completed_ns = 100, .answered_ns = 150, .ended_turn_ns = 9000,
                                  .ended_ns = 9001 };

    cr_assert_eq(slow_log_duration(&record), 50);
    record.ended_turn_ns = 150; /* all in one turn: to its very end */
    record.ended_ns = 180;
    cr_assert_eq(slow_log_duration(&record), 80);
    record.answered_ns = 0;
    cr_assert_eq(slow_log_duration(&record), 0);
    record = (struct http_record){ .started_ns = 1, .answered_ns = 150, .ended_turn_ns = 150, .ended_ns = 180 };
    cr_assert_eq(slow_log_duration(&record), 0, "never complete");
}

Test(slow_log, five_lines_a_second_and_the_rest_is_counted)
{
    struct slow_log log = { 0 };
    uint64_t now = 5000 * NS_PER_SECOND;
    unsigned lines = 0;

    for (int i = 0; i < 20; i++)
        lines += slow_log_wants(&log, now + (uint64_t)i * NS_PER_MS);
    cr_assert_eq(lines, 5);
    cr_assert_eq(log.left_out, 15);
    cr_assert(slow_log_wants(&log, now + NS_PER_SECOND));
}
