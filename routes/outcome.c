#include "routes/outcome.h"

#include <stdio.h>

static const struct outcome_row {
    enum problem problem;
    const char *detail; /* where the engine gives none */
    bool may_have_happened;
} rows[ENGINE_STATUSES] = {
    [ENGINE_OK] = { PROBLEM_INTERNAL, "no answer for this outcome", false },
    [ENGINE_CREATED] = { PROBLEM_INTERNAL, "no answer for this outcome", false },
    [ENGINE_MISS] = { PROBLEM_NOT_FOUND, "no entry under this key", false },
    [ENGINE_MISMATCH] = { PROBLEM_PRECONDITION_FAILED, "the entry's ETag does not meet the condition", false },
    [ENGINE_FENCED] = { PROBLEM_PRECONDITION_FAILED, "the entry has seen a higher Fence-Token", false },
    [ENGINE_VOID] = { PROBLEM_PRECONDITION_FAILED, "the lease is void: the entry was written, deleted or flushed, or its time is over", false },
    [ENGINE_HELD] = { PROBLEM_INTERNAL, "no answer for this outcome", false },
    [ENGINE_BOUND] = { PROBLEM_INTERNAL, "no answer for this outcome", false },
    [ENGINE_LIMITED] = { PROBLEM_INTERNAL, "no answer for this outcome", false },
    [ENGINE_UNSUPPORTED] = { PROBLEM_NOT_SUPPORTED_BY_ENGINE, "this engine cannot do that; see GET /capabilities", false },
    [ENGINE_TOO_LARGE] = { PROBLEM_CONTENT_TOO_LARGE, "the value is larger than the engine takes", false },
    [ENGINE_FULL] = { PROBLEM_ENGINE_FULL, "no memory left, and nothing that could be evicted", false },
    [ENGINE_BUSY] = { PROBLEM_OVERLOADED, "too much is waiting for the engine", false },
    [ENGINE_UNAVAILABLE] = { PROBLEM_ENGINE_UNAVAILABLE, "the engine cannot be reached", false },
    [ENGINE_LATE] = { PROBLEM_ENGINE_TIMEOUT, "the engine did not answer within CACHE_DEADLINE_MS", true },
    [ENGINE_REFUSED] = { PROBLEM_ENGINE_UNAVAILABLE, "the engine denies service", false },
    [ENGINE_FAILED] = { PROBLEM_ENGINE_UNAVAILABLE, "the engine failed", true },
};

/* The engine's own item limit, which differs from CACHE_MAX_VALUE_BYTES. */
static const char *name_limit(struct http_exchange *ex, const char *detail, size_t limit)
{
    char *text = http_scratch(ex, 160);

    if (!text)
        return detail;
    snprintf(text, 160, "%s: at most %zu bytes", detail, limit);
    return text;
}

struct outcome outcome_of(const struct engine_op *op)
{
    const struct outcome_row *row = &rows[op->status];

    return (struct outcome){
        .problem = row->problem,
        .detail = op->detail ? op->detail : row->detail,
        .unknown = row->may_have_happened && engine_verb_writes(op->verb),
    };
}

void outcome_send(struct http_exchange *ex, const struct engine_op *op)
{
    struct outcome outcome = outcome_of(op);

    if (op->status == ENGINE_TOO_LARGE && op->limit > 0)
        outcome.detail = name_limit(ex, outcome.detail, op->limit);
    if (outcome.unknown)
        problem_send_unknown(ex, outcome.problem, outcome.detail);
    else
        problem_send(ex, outcome.problem, outcome.detail);
}
