/* outcome.h - the one table from engine outcomes to HTTP answers. */
#pragma once

#include "engines/engine.h"
#include "service/http/exchange.h"

/* Answers for every outcome that is not the route's own business: all but OK,
 * CREATED, and MISS and MISMATCH, which each verb words by itself. */
void outcome_send(struct http_exchange *ex, const struct engine_op *op);
