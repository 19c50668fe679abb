#include "engines/primitives/limit.h"

#include "engines/primitives/plain.h"

#define DAMAGED "the record of the rate limit is damaged"

enum {
    AT_ALGORITHM = 1,
    AT_WINDOW = 2,
    AT_BODY = 6,
    FIXED_BYTES = 18,
    BUCKET_BYTES = 26,
    SLIDING_HEAD = 15,
    GROUP_BYTES = 12,
};
_Static_assert(SLIDING_HEAD + LIMIT_GROUPS_MAX * GROUP_BYTES <= CELL_BYTES_MAX, "a full log fits a cell");

/* What a step knows: the parameters, and the time after which it counts. */
struct take {
    struct engine_op *op;
    struct engine_rate *rate;
    const struct cell *stands; /* NULL: nothing, or of other parameters */
    struct cell *cell;
    uint64_t window_us;
    uint64_t now;
};

static int64_t ms_up(uint64_t us)
{
    return (int64_t)((us + 999) / 1000);
}

static uint64_t divide_up(uint64_t number, uint64_t by)
{
    return number / by + (number % by > 0);
}

/* What stands is of no use, and so is its time, if the clock was set back by
 * more than a window. Never false for what this clock has just written. */
static bool meets_newest(struct take *take, uint64_t newest)
{
    if (newest <= take->now)
        return true;
    if (newest - take->now > take->window_us)
        return false;
    take->now = newest;
    return true;
}

/* Fills in the results; `used` and `reset_us` as they are afterwards. */
static void tell(const struct take *take, bool allowed, uint64_t used, uint64_t reset_us, uint64_t retry_us)
{
    struct engine_rate *rate = take->rate;

    rate->allowed = allowed;
    rate->remaining = used < rate->limit ? rate->limit - used : 0;
    rate->reset_ms = ms_up(reset_us);
    rate->retry_ms = allowed ? 0 : ms_up(retry_us);
    take->op->status = allowed || rate->shadow ? ENGINE_OK : ENGINE_LIMITED;
}

static enum cell_change store(const struct take *take, size_t len, uint64_t end_us)
{
    struct cell *cell = take->cell;

    cell->len = len;
    cell->bytes[0] = 'R';
    cell->bytes[AT_ALGORITHM] = (unsigned char)take->rate->algorithm;
    plain_put(cell->bytes + AT_WINDOW, (uint64_t)take->rate->window_ms, 4);
    cell->expires_ms = (end_us + 999) / 1000;
    return CELL_STORE;
}

/* ---- Fixed window ---- */

static enum cell_change take_fixed(struct take *take)
{
    uint64_t start = 0, count = 0, left, cost = take->rate->cost;
    bool open = false;

    if (take->stands) {
        if (take->stands->len != FIXED_BYTES)
            return cell_fail(take->op, DAMAGED);
        start = plain_get(take->stands->bytes + AT_BODY, 8);
        count = plain_get(take->stands->bytes + AT_BODY + 8, 4);
        if (start >= CELL_NUMBER_MAX || count > LIMIT_MAX)
            return cell_fail(take->op, DAMAGED);
        open = meets_newest(take, start) && take->now - start < take->window_us;
    }
    if (!open) {
        start = take->now;
        count = 0;
    }
    left = open || cost > 0 ? start + take->window_us - take->now : 0;
    if (cost == 0 || count + cost > take->rate->limit) {
        tell(take, cost == 0, count, left, left);
        return CELL_KEEP;
    }
    count += cost;
    tell(take, true, count, left, 0);
    plain_put(take->cell->bytes + AT_BODY, start, 8);
    plain_put(take->cell->bytes + AT_BODY + 8, count, 4);
    return store(take, FIXED_BYTES, start + take->window_us);
}

/* ---- Sliding window ---- */

struct log {
    size_t count;
    uint64_t first; /* of the last group */
    uint64_t used;  /* of all */
    struct group {
        uint64_t last, count;
    } groups[LIMIT_GROUPS_MAX];
};

static bool log_read(const struct cell *stands, struct log *log)
{
    size_t count = stands->len > AT_BODY ? stands->bytes[AT_BODY] : 0;
    uint64_t before = 0;

    if (count < 1 || count > LIMIT_GROUPS_MAX || stands->len != SLIDING_HEAD + count * GROUP_BYTES)
        return false;
    log->count = count;
    log->first = plain_get(stands->bytes + AT_BODY + 1, 8);
    for (size_t i = 0; i < count; i++) {
        const unsigned char *at = stands->bytes + SLIDING_HEAD + i * GROUP_BYTES;
        struct group *group = &log->groups[i];
        *group = (struct group){ plain_get(at, 8), plain_get(at + 8, 4) };
        if (group->last <= before || group->last >= CELL_NUMBER_MAX || group->count == 0)
            return false;
        if (i + 1 == count && (log->first <= before || log->first > group->last))
            return false;
        before = group->last;
        log->used += group->count;
    }
    return log->used <= LIMIT_MAX;
}

/* Groups whose last grant is a window old leave. */
static void log_trim(struct log *log, const struct take *take)
{
    size_t gone = 0;

    while (gone < log->count && take->now - log->groups[gone].last >= take->window_us)
        log->used -= log->groups[gone++].count;
    log->count -= gone;
    memmove(log->groups, log->groups + gone, log->count * sizeof log->groups[0]);
}

static bool log_add(struct log *log, const struct take *take)
{
    struct group *last = log->count > 0 ? &log->groups[log->count - 1] : NULL;

    if (!last || take->now - log->first >= divide_up(take->window_us, 15)) {
        if (log->count == LIMIT_GROUPS_MAX)
            return false;
        last = &log->groups[log->count++];
        last->count = 0;
        log->first = take->now;
    }
    last->last = take->now;
    last->count += take->rate->cost;
    log->used += take->rate->cost;
    return true;
}

static void log_write(const struct log *log, struct cell *cell)
{
    cell->bytes[AT_BODY] = (unsigned char)log->count;
    plain_put(cell->bytes + AT_BODY + 1, log->first, 8);
    for (size_t i = 0; i < log->count; i++) {
        unsigned char *at = cell->bytes + SLIDING_HEAD + i * GROUP_BYTES;
        plain_put(at, log->groups[i].last, 8);
        plain_put(at + 8, log->groups[i].count, 4);
    }
}

/* When the last group leaves. */
static uint64_t log_left(const struct log *log, const struct take *take)
{
    return log->count > 0 ? log->groups[log->count - 1].last + take->window_us - take->now : 0;
}

/* When enough groups have left for the cost, which is more than what is free now. */
static uint64_t log_retry(const struct log *log, const struct take *take)
{
    uint64_t used = log->used;
    size_t i = 0;

    for (; i + 1 < log->count; i++) {
        used -= log->groups[i].count;
        if (used + take->rate->cost <= take->rate->limit)
            break;
    }
    return log->groups[i].last + take->window_us - take->now;
}

static enum cell_change take_sliding(struct take *take)
{
    uint64_t cost = take->rate->cost;
    struct log log = { .count = 0 };

    if (take->stands) {
        if (!log_read(take->stands, &log))
            return cell_fail(take->op, DAMAGED);
        if (meets_newest(take, log.groups[log.count - 1].last))
            log_trim(&log, take);
        else
            log = (struct log){ .count = 0 };
    }
    if (cost == 0 || log.used + cost > take->rate->limit) {
        tell(take, cost == 0, log.used, log_left(&log, take), cost == 0 ? 0 : log_retry(&log, take));
        return CELL_KEEP;
    }
    if (!log_add(&log, take))
        return cell_fail(take->op, DAMAGED);
    tell(take, true, log.used, take->window_us, 0);
    log_write(&log, take->cell);
    return store(take, SLIDING_HEAD + log.count * GROUP_BYTES, take->now + take->window_us);
}

/* ---- Token bucket ---- */

struct bucket {
    uint64_t debt;
    uint64_t limit; /* that `debt` was reckoned with */
};

/* S of limit.h. */
static uint64_t units_in_us(uint64_t window_us)
{
    uint64_t units = 1;

    while (window_us * units * 2 < UINT64_C(1) << 52)
        units *= 2;
    return units;
}

static bool bucket_read(struct take *take, uint64_t units, struct bucket *bucket)
{
    const unsigned char *body = take->stands->bytes + AT_BODY;
    uint64_t at, since;

    if (take->stands->len != BUCKET_BYTES)
        return false;
    at = plain_get(body, 8);
    bucket->debt = plain_get(body + 8, 8);
    bucket->limit = plain_get(body + 16, 4);
    if (at >= CELL_NUMBER_MAX || bucket->debt >= CELL_NUMBER_MAX || bucket->limit < 1 || bucket->limit > LIMIT_MAX)
        return false;
    if (!meets_newest(take, at)) {
        bucket->debt = 0;
        return true;
    }
    since = take->now - at;
    bucket->debt = since >= divide_up(bucket->debt, units) ? 0 : bucket->debt - since * units;
    return true;
}

static enum cell_change bucket_store(const struct take *take, const struct bucket *bucket, uint64_t units)
{
    plain_put(take->cell->bytes + AT_BODY, take->now, 8);
    plain_put(take->cell->bytes + AT_BODY + 8, bucket->debt, 8);
    plain_put(take->cell->bytes + AT_BODY + 16, bucket->limit, 4);
    return store(take, BUCKET_BYTES, take->now + divide_up(bucket->debt, units));
}

static enum cell_change take_bucket(struct take *take)
{
    uint64_t limit = take->rate->limit, units = units_in_us(take->window_us);
    uint64_t scaled = take->window_us * units, one = divide_up(scaled, limit), cost = take->rate->cost * one;
    struct bucket bucket = { .limit = limit };
    bool changed, allowed;

    if (take->stands && !bucket_read(take, units, &bucket))
        return cell_fail(take->op, DAMAGED);
    changed = bucket.limit != limit && bucket.debt > 0;
    if (changed) {
        uint64_t used = divide_up(bucket.debt, divide_up(scaled, bucket.limit));
        bucket.debt = (used < limit ? used : limit) * one;
    }
    bucket.limit = limit;
    allowed = cost == 0 || bucket.debt + cost <= limit * one;
    if (allowed)
        bucket.debt += cost;
    tell(take, allowed, divide_up(bucket.debt, one), divide_up(bucket.debt, units),
         allowed ? 0 : divide_up(bucket.debt + cost - limit * one, units));
    if (cost == 0 || (!allowed && !changed))
        return CELL_KEEP;
    return bucket_store(take, &bucket, units);
}

/* ---- */

static bool is_in_bounds(const struct engine_rate *rate)
{
    return rate->limit >= 1 && rate->limit <= LIMIT_MAX && rate->cost <= rate->limit && rate->window_ms >= 1 &&
           rate->window_ms <= LIMIT_WINDOW_MS_MAX && rate->algorithm <= ENGINE_TOKEN_BUCKET;
}

enum cell_change limit_apply(struct engine_op *op, const struct cell *stands, struct cell *cell, uint64_t now_us)
{
    struct engine_rate *rate = op->rate;
    struct take take = { .op = op, .rate = rate, .stands = stands, .cell = cell, .now = now_us };

    if (op->verb != ENGINE_LIMIT_TAKE)
        return cell_keep(op, ENGINE_UNSUPPORTED);
    if (!is_in_bounds(rate))
        return cell_fail(op, "the parameters of the rate limit are out of bounds");
    take.window_us = (uint64_t)rate->window_ms * 1000;
    if (stands) {
        if (stands->len < AT_BODY || stands->bytes[0] != 'R' || stands->bytes[AT_ALGORITHM] > ENGINE_TOKEN_BUCKET)
            return cell_fail(op, DAMAGED);
        if (stands->bytes[AT_ALGORITHM] != (unsigned char)rate->algorithm ||
            plain_get(stands->bytes + AT_WINDOW, 4) != (uint64_t)rate->window_ms)
            take.stands = NULL;
    }
    switch (rate->algorithm) {
    case ENGINE_FIXED_WINDOW:
        return take_fixed(&take);
    case ENGINE_SLIDING_WINDOW:
        return take_sliding(&take);
    default:
        return take_bucket(&take);
    }
}
