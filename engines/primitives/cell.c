#include "engines/primitives/cell.h"

enum cell_kind cell_kind_of(enum engine_verb verb)
{
    switch (verb) {
    case ENGINE_LIMIT_TAKE:
        return CELL_LIMIT;
    case ENGINE_LOCK_ACQUIRE:
    case ENGINE_LOCK_RENEW:
    case ENGINE_LOCK_RELEASE:
    case ENGINE_LOCK_GET:
        return CELL_LOCK;
    default:
        return CELL_COUNTER;
    }
}

enum cell_change cell_apply(struct engine_op *op, struct cell *cell, uint64_t now_us)
{
    (void)cell;
    (void)now_us;
    op->status = ENGINE_UNSUPPORTED;
    return CELL_KEEP;
}
