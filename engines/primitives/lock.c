#include "engines/primitives/lock.h"

#include "engines/primitives/plain.h"

enum { AT_FENCE = 1, AT_UNTIL = 9, AT_TOKEN = 17 };

struct record {
    uint64_t fence;
    uint64_t left_ms; /* 0: free */
    const unsigned char *token;
};

static bool read_record(const struct cell *stands, uint64_t now_ms, struct record *record)
{
    uint64_t until_ms;

    *record = (struct record){ .fence = 0 };
    if (!stands)
        return true;
    if (stands->len != LOCK_BYTES || stands->bytes[0] != 'K')
        return false;
    record->fence = plain_get(stands->bytes + AT_FENCE, 8);
    until_ms = plain_get(stands->bytes + AT_UNTIL, 8);
    if (record->fence >= CELL_NUMBER_MAX || until_ms >= CELL_NUMBER_MAX)
        return false;
    record->left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    record->token = stands->bytes + AT_TOKEN;
    return true;
}

/* `token` may be that of the cell itself; NULL: released. */
static enum cell_change store(struct cell *cell, uint64_t fence, uint64_t until_ms, const unsigned char *token,
                              uint64_t expires_ms)
{
    cell->len = LOCK_BYTES;
    cell->bytes[0] = 'K';
    plain_put(cell->bytes + AT_FENCE, fence, 8);
    plain_put(cell->bytes + AT_UNTIL, until_ms, 8);
    if (token)
        memmove(cell->bytes + AT_TOKEN, token, ENGINE_LOCK_TOKEN_BYTES);
    else
        memset(cell->bytes + AT_TOKEN, 0, ENGINE_LOCK_TOKEN_BYTES);
    cell->expires_ms = expires_ms;
    return CELL_STORE;
}

static enum cell_change refuse(struct engine_op *op, const struct record *record, enum engine_status status)
{
    op->lock->ttl_ms = (int64_t)record->left_ms;
    op->lock->fence = 0;
    return cell_keep(op, status);
}

static enum cell_change acquire(struct engine_op *op, const struct record *record, struct cell *cell, uint64_t now_us)
{
    uint64_t until_ms = now_us / 1000 + (uint64_t)op->lock->ttl_ms, fence = record->fence + 1;

    if (record->left_ms > 0)
        return refuse(op, record, ENGINE_HELD);
    if (fence < now_us)
        fence = now_us;
    if (fence >= CELL_NUMBER_MAX)
        return cell_fail(op, "the fence of the lock has no higher number");
    op->lock->fence = fence;
    op->status = ENGINE_OK;
    return store(cell, fence, until_ms, op->lock->token, until_ms + LOCK_KEEP_MS);
}

static bool is_holder(const struct engine_op *op, const struct record *record)
{
    return record->left_ms > 0 && memcmp(record->token, op->lock->token, ENGINE_LOCK_TOKEN_BYTES) == 0;
}

static enum cell_change renew(struct engine_op *op, const struct record *record, struct cell *cell, uint64_t now_ms)
{
    uint64_t until_ms = now_ms + (uint64_t)op->lock->ttl_ms;

    if (!is_holder(op, record))
        return refuse(op, record, ENGINE_MISMATCH);
    op->lock->fence = record->fence;
    op->status = ENGINE_OK;
    return store(cell, record->fence, until_ms, op->lock->token, until_ms + LOCK_KEEP_MS);
}

static enum cell_change release(struct engine_op *op, const struct record *record, struct cell *cell, uint64_t now_ms)
{
    if (!is_holder(op, record))
        return refuse(op, record, ENGINE_MISMATCH);
    op->lock->fence = record->fence;
    op->lock->ttl_ms = 0;
    op->status = ENGINE_OK;
    return store(cell, record->fence, 0, NULL, now_ms + LOCK_KEEP_MS);
}

static enum cell_change look(struct engine_op *op, const struct record *record)
{
    op->lock->ttl_ms = (int64_t)record->left_ms;
    op->lock->fence = record->left_ms > 0 ? record->fence : 0;
    return cell_keep(op, record->left_ms > 0 ? ENGINE_OK : ENGINE_MISS);
}

enum cell_change lock_apply(struct engine_op *op, const struct cell *stands, struct cell *cell, uint64_t now_us)
{
    uint64_t now_ms = now_us / 1000;
    struct record record;

    if (!read_record(stands, now_ms, &record))
        return cell_fail(op, "the record of the lock is damaged");
    switch (op->verb) {
    case ENGINE_LOCK_ACQUIRE:
        return acquire(op, &record, cell, now_us);
    case ENGINE_LOCK_RENEW:
        return renew(op, &record, cell, now_ms);
    case ENGINE_LOCK_RELEASE:
        return release(op, &record, cell, now_ms);
    case ENGINE_LOCK_GET:
        return look(op, &record);
    default:
        return cell_keep(op, ENGINE_UNSUPPORTED);
    }
}
