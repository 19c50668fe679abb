/* plain.h - big-endian numbers in the records of cells.
 *
 * Threading: pure functions. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engines/primitives/cell.h"

/* Times and fences stay below this, so that a Lua number holds them exactly. */
#define CELL_NUMBER_MAX (UINT64_C(1) << 53)

static inline void plain_put(unsigned char *at, uint64_t number, size_t len)
{
    while (len-- > 0) {
        at[len] = (unsigned char)number;
        number >>= 8;
    }
}

static inline uint64_t plain_get(const unsigned char *at, size_t len)
{
    uint64_t number = 0;

    for (size_t i = 0; i < len; i++)
        number = number << 8 | at[i];
    return number;
}

static inline enum cell_change cell_fail(struct engine_op *op, const char *detail)
{
    op->status = ENGINE_FAILED;
    op->detail = detail;
    return CELL_KEEP;
}

static inline enum cell_change cell_keep(struct engine_op *op, enum engine_status status)
{
    op->status = status;
    return CELL_KEEP;
}
