/* outcome.h - the one table from engine outcomes to HTTP answers. */
#pragma once

#include "engines/engine.h"
#include "routes/problem.h"
#include "service/http/exchange.h"

/* What an outcome that is no success comes to. */
struct outcome {
    enum problem problem;
    const char *detail;  /* static */
    bool unknown;        /* a write that may have happened */
};
struct outcome outcome_of(const struct engine_op *op);

/* Answers for every outcome that is not the route's own business: all but OK,
 * CREATED, and MISS and MISMATCH, which each verb words by itself. */
void outcome_send(struct http_exchange *ex, const struct engine_op *op);
