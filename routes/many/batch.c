#include "routes/many/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "routes/answer.h"
#include "routes/json_members.h"
#include "routes/many/batch_op.h"
#include "routes/many/batch_result.h"
#include "routes/many/batch_trip.h"
#include "routes/outcome.h"
#include "routes/text/json_reader.h"
#include "service/base/clock.h"

#define BODY_LEAST ((size_t)8 * 1024 * 1024)
#define LINE_EXTRA ((size_t)16 * 1024)

/* What one operation of a batch takes besides its texts, to be counted. */
#define OP_BYTES (sizeof(struct batch_op) + sizeof(struct engine_op *))

struct batch {
    struct http_exchange *ex;
    struct batch_op *ops;
    size_t count;
    struct arena arena;
    bool overflown; /* the results are more than may be held */
    struct engine_op **pointers; /* of an atomic one */
    struct engine_atomic atomic;
    struct batch_trip trip;
};

size_t batch_line_max(const struct settings *settings)
{
    return (size_t)settings->cache_max_value_bytes / 3 * 4 + LINE_EXTRA;
}

size_t batch_body_max(const struct settings *settings)
{
    size_t line = batch_line_max(settings);

    return line > BODY_LEAST ? line : BODY_LEAST;
}

static void end_batch(struct http_exchange *ex)
{
    struct batch *batch = route_state(ex)->work;

    batch_trip_cancel(&batch->trip);
    for (size_t i = 0; i < batch->count; i++)
        batch_op_release(&batch->ops[i]);
    arena_release(&batch->arena);
    free(batch->pointers);
    free(batch->ops);
    free(batch);
}

/* ---- The answer ---- */

static void send_failure(struct http_exchange *ex, const struct outcome *failure)
{
    if (failure->unknown)
        problem_send_unknown(ex, failure->problem, failure->detail);
    else
        problem_send(ex, failure->problem, failure->detail);
}

static void send_results(struct batch *batch)
{
    struct http_exchange *ex = batch->ex;
    struct outcome failure;
    struct buffer text;

    if (batch_result_all_failed(batch->ops, batch->count, &failure)) {
        send_failure(ex, &failure);
        return;
    }
    buffer_init(&text, route_thread(ex)->settings->http_max_buffered_bytes);
    buffer_add(&text, BYTES("{\"results\":["));
    for (size_t i = 0; i < batch->count && !batch->overflown; i++) {
        if (i > 0)
            buffer_add_char(&text, ',');
        batch_result_add(&text, &batch->ops[i]);
    }
    buffer_add(&text, BYTES("]}\n"));
    loop_renew_now(route_thread(ex)->loop);
    if (batch->overflown || text.failed) {
        buffer_release(&text);
        problem_send(ex, PROBLEM_OVERLOADED, "the results do not fit what HTTP_MAX_BUFFERED_BYTES leaves; writes were made");
        return;
    }
    answer_json_owned(ex, 200, text.ptr, text.len);
}

/* Values that were found wait for the last one; together they are bounded. */
static void see_result(struct batch_trip *trip, struct batch_op *op)
{
    struct batch *batch = trip->context;
    struct value *value = op->op.entry.value;

    if (!value || (!batch->overflown && http_hold_bytes(batch->ex, value->len)))
        return;
    batch->overflown = true;
    value_unref(value);
    op->op.entry.value = NULL;
}

static void trip_over(struct batch_trip *trip)
{
    send_results(trip->context);
}

/* What finished at once was not seen yet. */
static void see_all(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        see_result(&batch->trip, &batch->ops[i]);
}

/* ---- All or none ---- */

static bool names_an_index(enum engine_status status)
{
    return status == ENGINE_MISMATCH || status == ENGINE_FENCED || status == ENGINE_VOID ||
           status == ENGINE_TOO_LARGE || status == ENGINE_FULL;
}

static void finish_atomic(struct http_exchange *ex)
{
    struct batch *batch = route_state(ex)->work;
    struct engine_op *op = &route_state(ex)->op;
    struct outcome outcome = outcome_of(op);
    char member[32];

    if (op->status == ENGINE_OK) {
        see_all(batch);
        send_results(batch);
        return;
    }
    if (!names_an_index(op->status) || batch->atomic.failed >= batch->count) {
        outcome_send(ex, op);
        return;
    }
    snprintf(member, sizeof member, "\"index\":%zu", batch->atomic.failed);
    problem_send_with(ex, outcome.problem, outcome.detail, bytes_str(member));
}

static void submit_atomic(struct batch *batch)
{
    struct http_exchange *ex = batch->ex;

    batch->pointers = calloc(batch->count + 1, sizeof *batch->pointers);
    if (!batch->pointers) {
        problem_send(ex, PROBLEM_OVERLOADED, "out of memory");
        return;
    }
    for (size_t i = 0; i < batch->count; i++)
        batch->pointers[i] = &batch->ops[i].op;
    batch->atomic = (struct engine_atomic){ batch->pointers, batch->count, batch->count };
    route_state(ex)->op.atomic = &batch->atomic;
    route_submit(ex, ENGINE_ATOMIC, finish_atomic);
}

static void submit(struct batch *batch)
{
    struct routes_thread *thread = route_thread(batch->ex);

    batch->trip.session = thread->session;
    batch->trip.loop = thread->loop;
    batch->trip.time_ns = thread->settings->cache_deadline_ms * NS_PER_MS;
    batch->trip.each = see_result;
    batch->trip.over = trip_over;
    batch->trip.time = &route_state(batch->ex)->engine_time;
    if (!batch_trip_start(&batch->trip, batch->ops, batch->count))
        return;
    see_all(batch);
    send_results(batch);
}

/* ---- The body ---- */

static bool refuse(struct http_exchange *ex, enum problem problem, const char *detail)
{
    problem_send(ex, problem, detail);
    return false;
}

static bool refuse_op(struct http_exchange *ex, size_t index, enum problem problem, const char *reason)
{
    char detail[BATCH_DETAIL_MAX + 32], member[32];

    snprintf(detail, sizeof detail, "ops[%zu]: %s", index, reason);
    snprintf(member, sizeof member, "\"index\":%zu", index);
    problem_send_with(ex, problem, detail, bytes_str(member));
    return false;
}

static bool read_document(struct http_exchange *ex, struct bytes *ops, bool *atomic)
{
    int64_t flag = 0;
    const struct json_member members[] = {
        { .name = "ops", JSON_MEMBER_LIST, .required = true, .text = ops },
        { .name = "atomic", JSON_MEMBER_FLAG, .value = &flag },
    };

    if (!json_members_read(ex, http_body(ex), members, sizeof members / sizeof members[0]))
        return false;
    *atomic = flag != 0;
    return true;
}

/* How many there are; the text is well-formed. BATCH_TRIP_MAX + 1: too many. */
static size_t count_ops(struct bytes list)
{
    struct json_reader reader;
    struct json_item item;
    size_t count = 0;

    if (!json_reader_open(&reader, list))
        return 0;
    while (count <= BATCH_TRIP_MAX && json_reader_next(&reader, &item) == JSON_ITEM)
        count++;
    return count;
}

static bool read_ops(struct batch *batch, struct bytes list, bool atomic)
{
    struct http_exchange *ex = batch->ex;
    struct routes_thread *thread = route_thread(ex);
    struct batch_scope scope = { thread->settings, thread->session->engine, route_state(ex)->entry.ns, &batch->arena,
                                 false };
    size_t total = count_ops(list);
    struct json_reader reader;
    struct json_item item;
    struct batch_fault fault;

    if (total > BATCH_TRIP_MAX)
        return refuse(ex, PROBLEM_BAD_REQUEST, "more than 1000 ops");
    if (!http_hold_bytes(ex, total * OP_BYTES) || !(batch->ops = malloc((total + 1) * sizeof *batch->ops)))
        return refuse(ex, PROBLEM_OVERLOADED, "out of memory for requests");
    if (!json_reader_open(&reader, list))
        return false; /* never: it was read as a list */
    while (batch->count < total && json_reader_next(&reader, &item) == JSON_ITEM) {
        struct batch_op *op = &batch->ops[batch->count];

        if (!batch_op_read(&scope, item.span, op, &fault))
            return refuse_op(ex, batch->count, fault.problem, fault.detail);
        batch->count++;
        if (atomic && op->conditional && op->op.verb == ENGINE_GET)
            return refuse_op(ex, batch->count - 1, PROBLEM_BAD_REQUEST, "a get of an atomic batch has no condition");
    }
    return true;
}

static void batch_run(struct http_exchange *ex)
{
    struct batch *batch;
    struct bytes ops = BYTES_NONE;
    bool atomic;

    if (!read_document(ex, &ops, &atomic))
        return;
    if (atomic && !(route_thread(ex)->session->engine->capabilities & ENGINE_CAN_ATOMIC)) {
        problem_send(ex, PROBLEM_NOT_SUPPORTED_BY_ENGINE, "this engine has no atomic batches; see GET /capabilities");
        return;
    }
    batch = route_begin_work(ex, sizeof *batch, end_batch);
    if (!batch)
        return;
    batch->ex = ex;
    batch->trip.context = batch;
    if (!read_ops(batch, ops, atomic))
        return;
    if (atomic && batch->count > 0)
        submit_atomic(batch);
    else
        submit(batch);
}

/* ---- The route ---- */

static bool is_import(struct http_exchange *ex)
{
    struct bytes content_type = http_request(ex)->fields[HTTP_FIELD_CONTENT_TYPE];
    struct bytes name = bytes_trim(bytes_cut(&content_type, ';'));

    return bytes_equal_nocase(name, BYTES("application/x-ndjson"));
}

void batch_begin(struct http_exchange *ex)
{
    if (!route_no_parameters(ex))
        return;
    if (!is_import(ex))
        json_members_accept(ex, batch_body_max(route_thread(ex)->settings));
    else if (json_members_uncoded(ex))
        import_begin(ex);
}

void batch_complete(struct http_exchange *ex)
{
    if (is_import(ex))
        import_complete(ex);
    else
        batch_run(ex);
}
