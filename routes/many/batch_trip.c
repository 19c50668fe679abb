#include "routes/many/batch_trip.h"

#define SLOTS (sizeof((struct batch_trip *)0)->keys / sizeof(uint64_t))

static void submit_next(struct batch_trip *trip);

/* Two keys of one hash only cost a submission, so it need not be a strong one:
 * multiply and rotate, eight bytes at a time, with constants of SplitMix64
 * (Steele, Lea, Flood 2014). Never 0. */
static uint64_t hash_key(struct bytes key)
{
    uint64_t hash = UINT64_C(0x9e3779b97f4a7c15) ^ key.len;

    for (size_t i = 0; i < key.len; i += sizeof hash) {
        uint64_t word = 0;

        memcpy(&word, key.ptr + i, key.len - i < sizeof word ? key.len - i : sizeof word);
        hash = (hash ^ word) * UINT64_C(0xbf58476d1ce4e5b9);
        hash ^= hash >> 29;
    }
    hash = (hash ^ hash >> 32) * UINT64_C(0x94d049bb133111eb);
    return hash | 1;
}

/* False: it was there. */
static bool add_key(struct batch_trip *trip, uint64_t hash)
{
    size_t at = (size_t)(hash >> 8) % SLOTS;

    while (trip->keys[at] != 0) {
        if (trip->keys[at] == hash)
            return false;
        at = (at + 1) % SLOTS;
    }
    trip->keys[at] = hash;
    return true;
}

static void op_done(struct engine_op *op)
{
    struct batch_op *batch_op = (struct batch_op *)op; /* its first member */
    struct batch_trip *trip = op->context;

    batch_op->pending = false;
    trip->pending--;
    engine_time_see(&trip->longest_ns, op);
    if (op->status == ENGINE_LATE)
        trip->renews = false;
    if (trip->each)
        trip->each(trip, batch_op);
    if (trip->pending > 0)
        return;
    engine_time_add(trip->time, &trip->longest_ns);
    if (trip->next < trip->count)
        submit_next(trip);
    if (trip->pending == 0)
        trip->over(trip);
}

/* How many can go together, from trip->next on. */
static size_t gather(struct batch_trip *trip, uint64_t now)
{
    size_t count = 0;

    memset(trip->keys, 0, sizeof trip->keys);
    while (trip->next + count < trip->count) {
        struct engine_op *op = &trip->ops[trip->next + count].op;

        if (!add_key(trip, hash_key(op->key)))
            break;
        op->now_ns = now;
        op->deadline_ns = trip->deadline_ns;
        op->done = op_done;
        op->context = trip;
        trip->batch[count++] = op;
    }
    return count;
}

static void give_up_rest(struct batch_trip *trip)
{
    for (; trip->next < trip->count; trip->next++) {
        struct engine_op *op = &trip->ops[trip->next].op;

        op->status = ENGINE_LATE;
        op->detail = "CACHE_DEADLINE_MS was over before the engine was asked";
    }
}

/* Until something is pending or nothing left. */
static void submit_next(struct batch_trip *trip)
{
    while (trip->next < trip->count && trip->pending == 0) {
        struct batch_op *first = &trip->ops[trip->next];
        uint64_t now = loop_now(trip->loop);
        size_t count;

        if (trip->renews)
            trip->deadline_ns = now + trip->time_ns;
        if (now >= trip->deadline_ns) {
            give_up_rest(trip);
            return;
        }
        count = gather(trip, now);
        trip->next += count;
        trip->pending = engine_submit_batch(trip->session, trip->batch, count, trip->progress);
        if (trip->time)
            trip->time->operations += count;
        for (size_t i = 0; i < count; i++) {
            first[i].pending = trip->progress[i] == ENGINE_PENDING;
            if (!first[i].pending)
                engine_time_see(&trip->longest_ns, &first[i].op);
        }
        if (trip->pending == 0)
            engine_time_add(trip->time, &trip->longest_ns);
    }
}

bool batch_trip_start(struct batch_trip *trip, struct batch_op *ops, size_t count)
{
    trip->ops = ops;
    trip->count = count;
    trip->next = 0;
    trip->pending = 0;
    trip->deadline_ns = loop_now(trip->loop) + trip->time_ns;
    submit_next(trip);
    return trip->pending == 0;
}

void batch_trip_cancel(struct batch_trip *trip)
{
    for (size_t i = 0; i < trip->next && trip->pending > 0; i++) {
        if (!trip->ops[i].pending)
            continue;
        trip->ops[i].pending = false;
        trip->pending--;
        (void)engine_cancel(trip->session, &trip->ops[i].op);
    }
    trip->next = trip->count;
}
