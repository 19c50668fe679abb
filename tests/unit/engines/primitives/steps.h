/* steps.h - one cell, and its steps as plain calls. */
#pragma once

#include <criterion/criterion.h>

#include "engines/primitives/cell.h"

#define START_US UINT64_C(1790000000000000)
#define UNUSED_FUNCTION __attribute__((unused))

static struct cell cell;

/* Applies and checks what holds for every step: a cell that is kept is untouched, and one that
 * is stored is bounded and lies ahead. */
UNUSED_FUNCTION static enum cell_change apply(struct engine_op *op, uint64_t now_us)
{
    struct cell before = cell;
    enum cell_change change;

    op->status = ENGINE_FAILED;
    change = cell_apply(op, &cell, now_us);
    switch (change) {
    case CELL_KEEP:
        cr_assert_eq(memcmp(&before, &cell, sizeof cell), 0, "changed, but not stored");
        break;
    case CELL_STORE:
        cr_assert(cell.len > 0 && cell.len <= CELL_BYTES_MAX);
        cr_assert(cell.expires_ms == 0 || cell.expires_ms * 1000 > now_us);
        cr_assert_neq(op->status, ENGINE_FAILED);
        break;
    case CELL_REMOVE:
        cell = (struct cell){ .len = 0 };
        break;
    }
    return change;
}
