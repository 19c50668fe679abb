#include "engines/primitives/counter.h"

#include "engines/primitives/plain.h"

static bool read_value(const struct cell *stands, int64_t *value)
{
    if (stands->len != COUNTER_BYTES || stands->bytes[0] != 'C')
        return false;
    *value = (int64_t)plain_get(stands->bytes + 1, 8);
    return true;
}

static int64_t remaining_ms(const struct cell *stands, uint64_t now_us)
{
    if (!stands || stands->expires_ms == 0)
        return ENGINE_NO_EXPIRY;
    return (int64_t)(stands->expires_ms - now_us / 1000);
}

static enum cell_change store(struct cell *cell, int64_t value, uint64_t expires_ms)
{
    cell->len = COUNTER_BYTES;
    cell->bytes[0] = 'C';
    plain_put(cell->bytes + 1, (uint64_t)value, 8);
    cell->expires_ms = expires_ms;
    return CELL_STORE;
}

static uint64_t end_of(int64_t ttl_ms, uint64_t now_us)
{
    return ttl_ms == ENGINE_NO_EXPIRY ? 0 : now_us / 1000 + (uint64_t)ttl_ms;
}

static enum cell_change add(struct engine_op *op, const struct cell *stands, int64_t value, struct cell *cell,
                            uint64_t now_us)
{
    struct engine_counter *counter = op->counter;
    uint64_t expires_ms = stands ? stands->expires_ms : end_of(counter->ttl_ms, now_us);
    int64_t before = stands ? value : counter->initial, result;

    counter->created = false;
    if (__builtin_add_overflow(before, counter->by, &result) || result < counter->min || result > counter->max) {
        counter->value = before;
        counter->ttl_ms = remaining_ms(stands, now_us);
        return cell_keep(op, ENGINE_BOUND);
    }
    counter->value = result;
    counter->created = !stands;
    if (stands)
        counter->ttl_ms = remaining_ms(stands, now_us);
    op->status = ENGINE_OK;
    return store(cell, result, expires_ms);
}

static enum cell_change set(struct engine_op *op, const struct cell *stands, struct cell *cell, uint64_t now_us)
{
    op->counter->created = !stands;
    op->status = ENGINE_OK;
    return store(cell, op->counter->value, end_of(op->counter->ttl_ms, now_us));
}

static enum cell_change get(struct engine_op *op, const struct cell *stands, int64_t value, uint64_t now_us)
{
    op->counter->created = false;
    if (!stands)
        return cell_keep(op, ENGINE_MISS);
    op->counter->value = value;
    op->counter->ttl_ms = remaining_ms(stands, now_us);
    return cell_keep(op, ENGINE_OK);
}

enum cell_change counter_apply(struct engine_op *op, const struct cell *stands, struct cell *cell, uint64_t now_us)
{
    int64_t value = 0;

    if (stands && !read_value(stands, &value))
        return cell_fail(op, "the record of the counter is damaged");
    switch (op->verb) {
    case ENGINE_COUNTER_ADD:
        return add(op, stands, value, cell, now_us);
    case ENGINE_COUNTER_SET:
        return set(op, stands, cell, now_us);
    case ENGINE_COUNTER_GET:
        return get(op, stands, value, now_us);
    case ENGINE_COUNTER_DELETE:
        op->status = stands ? ENGINE_OK : ENGINE_MISS;
        return stands ? CELL_REMOVE : CELL_KEEP;
    default:
        return cell_keep(op, ENGINE_UNSUPPORTED);
    }
}
