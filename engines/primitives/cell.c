#include "engines/primitives/cell.h"

#include "engines/primitives/counter.h"
#include "engines/primitives/limit.h"
#include "engines/primitives/lock.h"

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
    bool over = cell->expires_ms != 0 && now_us / 1000 >= cell->expires_ms;
    const struct cell *stands = cell->len > 0 && !over ? cell : NULL;

    switch (cell_kind_of(op->verb)) {
    case CELL_LIMIT:
        return limit_apply(op, stands, cell, now_us);
    case CELL_LOCK:
        return lock_apply(op, stands, cell, now_us);
    default:
        return counter_apply(op, stands, cell, now_us);
    }
}
