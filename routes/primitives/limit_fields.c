#include "routes/primitives/limit_fields.h"

#include <inttypes.h>
#include <stdio.h>

void limit_format_policy(const struct engine_rate *rate, char out[LIMIT_FIELD_SIZE])
{
    snprintf(out, LIMIT_FIELD_SIZE, "\"default\";q=%" PRIu64 ";w=%" PRId64, rate->limit,
             limit_seconds_up(rate->window_ms));
}

void limit_format_state(const struct engine_rate *rate, char out[LIMIT_FIELD_SIZE])
{
    snprintf(out, LIMIT_FIELD_SIZE, "\"default\";r=%" PRIu64 ";t=%" PRId64, rate->remaining,
             rate->allowed ? limit_seconds_up(rate->reset_ms) : limit_retry_seconds(rate->retry_ms));
}
