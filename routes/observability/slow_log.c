#include "routes/observability/slow_log.h"

#include "routes/route.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/http/trace_context.h"

/* A second, for each thread. */
#define LINES_MAX 5

uint64_t slow_log_duration(const struct http_record *record)
{
    uint64_t end_ns = record->answered_ns;

    if (record->completed_ns == 0 || record->answered_ns == 0)
        return 0;
    /* Within one turn all times but the last are the same. */
    if (record->answered_ns == record->ended_turn_ns)
        end_ns = record->ended_ns;
    return end_ns > record->completed_ns ? end_ns - record->completed_ns : 0;
}

bool slow_log_wants(struct slow_log *log, uint64_t now_ns)
{
    if (now_ns - log->second_ns >= NS_PER_SECOND) {
        log->second_ns = now_ns;
        log->lines = 0;
    }
    if (log->lines == LINES_MAX) {
        log->left_out++;
        return false;
    }
    log->lines++;
    return true;
}

static void write_line(struct http_exchange *ex, uint64_t duration_ns)
{
    struct route_state *state = route_state(ex);
    struct slow_log *log = &route_thread(ex)->slow_log;
    const struct http_request *request = http_request(ex);
    struct trace_context trace = { BYTES_NONE, BYTES_NONE };

    (void)trace_context_read(request->fields[HTTP_FIELD_TRACEPARENT], &trace);
    log_warn("slow", LOG_STRING("method", http_method_name(request->method)),
             LOG_STRING("route", state->route->name), LOG_BYTES("ns", state->entry.ns),
             LOG_STRING("verb", state->submissions > 0 ? engine_verb_name(state->op.verb) : NULL),
             LOG_U64("ms", duration_ns / NS_PER_MS), LOG_U64("engine_ms", state->engine_time.ns / NS_PER_MS),
             LOG_U64("operations", state->engine_time.operations),
             LOG_BYTES("request_id", request->id),
             LOG_BYTES("caller", bytes_of(state->caller_len > 0 ? state->caller : NULL, state->caller_len)),
             LOG_BYTES("trace_id", trace.trace_id), LOG_U64("left_out", log->left_out));
    log->left_out = 0;
}

void slow_log_record(struct http_exchange *ex, const struct http_record *record)
{
    struct routes_thread *thread = route_thread(ex);
    const struct route_state *state = route_state(ex);
    uint64_t threshold_ns = thread->settings->log_slow_ms * NS_PER_MS;
    uint64_t duration_ns;

    if (threshold_ns == 0 || !state->route)
        return;
    duration_ns = state->waits ? state->engine_time.ns : slow_log_duration(record);
    if (duration_ns < threshold_ns)
        return;
    tally_add(&thread->metrics->slow, 1);
    if (slow_log_wants(&thread->slow_log, record->ended_turn_ns))
        write_line(ex, duration_ns);
}
