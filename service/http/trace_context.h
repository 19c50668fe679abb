/* trace_context.h - the field traceparent of W3C Trace Context (level 1,
 * section 3.2): which trace a request belongs to. A pure function. */
#pragma once

#include <stdbool.h>

#include "service/base/bytes.h"

#define TRACE_ID_LEN 32
#define TRACE_PARENT_LEN 16

struct trace_context {
    struct bytes trace_id;  /* TRACE_ID_LEN lower-case hexadecimal digits, not all 0 */
    struct bytes parent_id; /* TRACE_PARENT_LEN of them: the caller's span */
};

/* Borrows from `field`. False: absent or not valid, which a receiver ignores. A
 * version above 00 may say more than is known here and is read as far as 00 goes. */
bool trace_context_read(struct bytes field, struct trace_context *context);
