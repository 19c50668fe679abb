/* limit.c - /limits/{ns}/{key}: may this be done once more?
 *
 * What a key may do stands in each request, not in the service, so that a
 * changed limit needs no deployment. Threading: the exchange's. */
#include "routes/answer.h"
#include "routes/json_members.h"
#include "routes/outcome.h"
#include "routes/primitives/limit_fields.h"
#include "routes/problem.h"
#include "routes/route.h"
#include "service/base/buffer.h"

#define LIMIT_TEXT_MAX 192

#define LIMIT_HIGHEST INT64_C(1000000000)
#define LIMIT_WINDOW_LONGEST_MS (INT64_C(30) * 24 * 3600 * 1000)

/* ---- The answer ---- */

static void format_members(const struct engine_rate *rate, struct buffer *text)
{
    char reset[TTL_TEXT_SIZE];

    ttl_format_json(rate->reset_ms, reset);
    buffer_add_format(text, "\"allowed\":%s,\"limit\":", rate->allowed ? "true" : "false");
    buffer_add_u64(text, rate->limit);
    buffer_add_string(text, ",\"remaining\":");
    buffer_add_u64(text, rate->remaining);
    buffer_add_format(text, ",\"reset\":%s%s", reset, rate->shadow ? ",\"shadow\":true" : "");
}

static void send_rate(struct http_exchange *ex, const struct engine_rate *rate, bool refused)
{
    char memory[LIMIT_TEXT_MAX], policy[LIMIT_FIELD_SIZE], state[LIMIT_FIELD_SIZE], retry[FORMAT_I64_MAX + 1];
    struct buffer text;

    limit_format_policy(rate, policy);
    limit_format_state(rate, state);
    http_reply_field(ex, "RateLimit-Policy", policy);
    http_reply_field(ex, "RateLimit", state);
    buffer_init_fixed(&text, memory, sizeof memory);
    if (refused) {
        retry[format_i64(retry, limit_retry_seconds(rate->retry_ms))] = '\0';
        http_reply_field(ex, "Retry-After", retry);
        format_members(rate, &text);
        problem_send_with(ex, PROBLEM_RATE_LIMITED, "the limit of this window is used up; see Retry-After",
                          buffer_bytes(&text));
        return;
    }
    buffer_add_char(&text, '{');
    format_members(rate, &text);
    buffer_add_string(&text, "}\n");
    answer_json(ex, 200, buffer_bytes(&text));
}

static void finish(struct http_exchange *ex)
{
    const struct engine_op *op = &route_state(ex)->op;

    if (op->status == ENGINE_OK || op->status == ENGINE_LIMITED)
        send_rate(ex, op->rate, op->status == ENGINE_LIMITED);
    else
        outcome_send(ex, op);
}

/* ---- The request ---- */

static bool read_rate(struct http_exchange *ex, struct engine_rate *rate)
{
    /* In the order of enum engine_rate_algorithm. */
    static const char *const algorithms[] = { "fixed-window", "sliding-window", "token-bucket", NULL };
    int64_t limit = 0, window_ms = 0, cost = 1, algorithm = ENGINE_SLIDING_WINDOW, shadow = 0;
    const struct json_member members[] = {
        { "limit", JSON_MEMBER_INTEGER, true, 1, LIMIT_HIGHEST, "must be 1 to 1000000000", NULL, &limit },
        { "window", JSON_MEMBER_DURATION, true, 1, LIMIT_WINDOW_LONGEST_MS, "must be 1 ms to 30 days", NULL,
          &window_ms },
        { "cost", JSON_MEMBER_INTEGER, false, 0, LIMIT_HIGHEST, "must be 0 to the limit", NULL, &cost },
        { .name = "algorithm", JSON_MEMBER_WORD, .words = algorithms, .value = &algorithm },
        { .name = "shadow", JSON_MEMBER_FLAG, .value = &shadow },
    };

    if (!json_members_read(ex, http_body(ex), members, sizeof members / sizeof members[0]))
        return false;
    if (cost > limit) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("cost"), "more than the limit, so never granted");
        return false;
    }
    *rate = (struct engine_rate){ .algorithm = (enum engine_rate_algorithm)algorithm,
                                  .limit = (uint64_t)limit,
                                  .cost = (uint64_t)cost,
                                  .window_ms = window_ms,
                                  .shadow = shadow != 0 };
    return true;
}

void limit_take(struct http_exchange *ex)
{
    struct engine_rate *rate = route_begin_work(ex, sizeof *rate, NULL);

    if (!rate || !read_rate(ex, rate))
        return;
    route_state(ex)->op.rate = rate;
    route_submit(ex, ENGINE_LIMIT_TAKE, finish);
}
