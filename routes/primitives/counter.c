/* counter.c - /counters/{ns}/{key}: signed numbers of 64 bits.
 *
 * Counters live in a key space of their own, which no flush touches. The JSON
 * numbers are exact: a reader whose numbers are doubles loses digits beyond
 * 2^53, so who counts that far must read them as integers.
 * Threading: the exchange's. */
#include "routes/answer.h"
#include "routes/json_members.h"
#include "routes/outcome.h"
#include "routes/policy.h"
#include "routes/problem.h"
#include "routes/route.h"
#include "service/base/buffer.h"

#define COUNTER_TEXT_MAX 128
#define TTL_NOT_GIVEN INT64_MIN

/* A counter to submit; NULL: answered. It adds one, without bounds. */
static struct engine_counter *begin_counter(struct http_exchange *ex)
{
    struct engine_counter *counter = route_begin_work(ex, sizeof *counter, NULL);

    if (!counter)
        return NULL;
    counter->by = 1;
    counter->min = INT64_MIN;
    counter->max = INT64_MAX;
    counter->ttl_ms = TTL_NOT_GIVEN;
    route_state(ex)->op.counter = counter;
    return counter;
}

static void send_counter(struct http_exchange *ex, unsigned status)
{
    const struct engine_counter *counter = route_state(ex)->op.counter;
    char memory[COUNTER_TEXT_MAX], ttl[TTL_TEXT_SIZE];
    struct buffer text;

    ttl_format_json(counter->ttl_ms, ttl);
    buffer_init_fixed(&text, memory, sizeof memory);
    buffer_add_string(&text, "{\"value\":");
    buffer_add_i64(&text, counter->value);
    buffer_add_format(&text, ",\"ttl\":%s}\n", ttl);
    answer_json(ex, status, buffer_bytes(&text));
}

static void send_bound(struct http_exchange *ex)
{
    char memory[COUNTER_TEXT_MAX];
    struct buffer members;

    buffer_init_fixed(&members, memory, sizeof memory);
    buffer_add_string(&members, "\"value\":");
    buffer_add_i64(&members, route_state(ex)->op.counter->value);
    problem_send_with(ex, PROBLEM_COUNTER_BOUND, "the result would leave its bounds; the counter stays as it is",
                      buffer_bytes(&members));
}

/* Unlike an entry, a counter expires only if the request or the namespace's
 * policy says so. False: answered. */
static bool settle_ttl(struct http_exchange *ex, struct engine_counter *counter)
{
    const struct policy *policy = policy_of(route_thread(ex)->settings, route_state(ex)->entry.ns);
    const char *fault = policy_settle_ttl(policy, counter->ttl_ms != TTL_NOT_GIVEN, TTL_NONE, &counter->ttl_ms);

    if (fault)
        problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("ttl"), fault);
    return fault == NULL;
}

static void finish(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    bool created = state->op.verb == ENGINE_COUNTER_SET && state->op.counter->created;

    if (state->op.status == ENGINE_OK)
        send_counter(ex, created ? 201 : 200);
    else if (state->op.status == ENGINE_BOUND)
        send_bound(ex);
    else if (state->op.status == ENGINE_MISS)
        problem_send(ex, PROBLEM_NOT_FOUND, "no counter under this key");
    else
        outcome_send(ex, &state->op);
}

static void finish_delete(struct http_exchange *ex)
{
    if (route_state(ex)->op.status == ENGINE_OK)
        answer_json(ex, 200, BYTES("{\"deleted\":true}\n"));
    else
        finish(ex);
}

/* ---- Handlers ---- */

void counter_read(struct http_exchange *ex)
{
    if (begin_counter(ex))
        route_submit(ex, ENGINE_COUNTER_GET, finish);
}

void counter_delete(struct http_exchange *ex)
{
    if (begin_counter(ex))
        route_submit(ex, ENGINE_COUNTER_DELETE, finish_delete);
}

void counter_add(struct http_exchange *ex)
{
    struct engine_counter *counter = begin_counter(ex);

    if (!counter)
        return;
    const struct json_member members[] = {
        { .name = "by", JSON_MEMBER_INTEGER, .min = INT64_MIN, .max = INT64_MAX, .value = &counter->by },
        { .name = "initial", JSON_MEMBER_INTEGER, .min = INT64_MIN, .max = INT64_MAX, .value = &counter->initial },
        { .name = "min", JSON_MEMBER_INTEGER, .min = INT64_MIN, .max = INT64_MAX, .value = &counter->min },
        { .name = "max", JSON_MEMBER_INTEGER, .min = INT64_MIN, .max = INT64_MAX, .value = &counter->max },
        { .name = "ttl", JSON_MEMBER_TTL, .value = &counter->ttl_ms },
    };
    if (!json_members_read(ex, http_body(ex), members, sizeof members / sizeof members[0]))
        return;
    if (counter->min > counter->max)
        problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("min"), "above \"max\"");
    else if (settle_ttl(ex, counter))
        route_submit(ex, ENGINE_COUNTER_ADD, finish);
}

void counter_set(struct http_exchange *ex)
{
    struct engine_counter *counter = begin_counter(ex);

    if (!counter)
        return;
    const struct json_member members[] = {
        { "value", JSON_MEMBER_INTEGER, true, INT64_MIN, INT64_MAX, NULL, NULL, &counter->value },
        { .name = "ttl", JSON_MEMBER_TTL, .value = &counter->ttl_ms },
    };
    if (json_members_read(ex, http_body(ex), members, sizeof members / sizeof members[0]) && settle_ttl(ex, counter))
        route_submit(ex, ENGINE_COUNTER_SET, finish);
}
