/* Random sequences through the engine and through engines/primitives: the same outcomes.
 * Windows and times to live are so long that the time a step takes makes no difference to
 * what is granted; times are compared with a tolerance. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "engines/primitives/cell.h"
#include "service/base/clock.h"
#include "tests/contract/contract.h"

#define NS BYTES("differential")
#define STEPS 400
#define TOLERANCE_MS 8000
#define DAY_MS (INT64_C(24) * 3600 * 1000)

TestSuite(differential, .init = contract_open, .fini = contract_close, .timeout = 60);

static struct cell cells[4]; /* by key */

/* `step` by the model, which has results of its own in `model`. */
static void apply(struct engine_op *model, size_t key)
{
    enum cell_change change = cell_apply(model, &cells[key], clock_realtime_ns() / NS_PER_US);

    if (change == CELL_REMOVE)
        cells[key].len = 0;
}

static void expect_same_status(const struct engine_op *op, const struct engine_op *model, int step)
{
    cr_assert_eq(op->status, model->status, "step %d: %s is %s, not %s (%s)", step, engine_verb_name(op->verb),
                 engine_status_name(op->status), engine_status_name(model->status), op->detail ? op->detail : "");
}

static void expect_near(int64_t found, int64_t expected, int step, const char *what)
{
    cr_assert(llabs(found - expected) <= TOLERANCE_MS, "step %d: %s is %lld, not %lld", step, what, (long long)found,
              (long long)expected);
}

static int64_t pick(const int64_t *from, size_t count)
{
    return from[(size_t)random() % count];
}

#define PICK(from) pick(from, sizeof(from) / sizeof((from)[0]))

/* ---- Counters ---- */

static struct engine_counter random_counter(void)
{
    static const int64_t numbers[] = { 0,
                                       1,
                                       -1,
                                       7,
                                       -100,
                                       1000,
                                       INT64_MAX,
                                       INT64_MIN,
                                       INT64_MAX - 1,
                                       (INT64_C(1) << 53) + 1,
                                       -(INT64_C(1) << 53) - 1,
                                       INT64_C(1) << 62 };
    static const int64_t bounds[] = { INT64_MIN, INT64_MAX, 0, 1000, -1000, (INT64_C(1) << 53) + 2 };
    bool bounded = random() % 2;

    return (struct engine_counter){
        .by = PICK(numbers),
        .initial = random() % 2 ? PICK(numbers) : 0,
        .value = PICK(numbers),
        .min = bounded ? PICK(bounds) : INT64_MIN,
        .max = bounded ? PICK(bounds) : INT64_MAX,
        .ttl_ms = random() % 2 ? ENGINE_NO_EXPIRY : DAY_MS * (1 + random() % 30),
    };
}

Test(differential, counters_do_as_the_model_does)
{
    static const enum engine_verb verbs[] = { ENGINE_COUNTER_ADD, ENGINE_COUNTER_ADD,    ENGINE_COUNTER_ADD,
                                              ENGINE_COUNTER_SET, ENGINE_COUNTER_DELETE, ENGINE_COUNTER_GET };
    char text[32];

    if (!can(ENGINE_CAN_COUNT))
        return;
    srandom(41);
    for (int step = 0; step < STEPS; step++) {
        size_t key = (size_t)random() % 4;
        struct engine_op op = op_for(verbs[random() % 6], NS, numbered(text, "counter-", (int)key)), model = op;
        struct engine_counter counter = random_counter(), expected = counter;
        op.counter = &counter;
        model.counter = &expected;
        op = run(op);
        apply(&model, key);
        expect_same_status(&op, &model, step);
        if (op.verb == ENGINE_COUNTER_DELETE || op.status == ENGINE_MISS)
            continue;
        cr_assert_eq(counter.value, expected.value, "step %d: %s gives %lld, not %lld", step,
                     engine_verb_name(op.verb), (long long)counter.value, (long long)expected.value);
        cr_assert_eq(counter.created, expected.created, "step %d: created", step);
        cr_assert_eq(counter.ttl_ms == ENGINE_NO_EXPIRY, expected.ttl_ms == ENGINE_NO_EXPIRY, "step %d", step);
        expect_near(counter.ttl_ms, expected.ttl_ms, step, "ttl");
    }
}

/* ---- Limits ---- */

static void change_some(struct engine_rate *rate)
{
    static const int64_t limits[] = { 1, 2, 10, 37, 100 };

    if (random() % 25 == 0)
        rate->algorithm = (enum engine_rate_algorithm)(random() % 3);
    if (random() % 40 == 0)
        rate->window_ms = DAY_MS * (20 + random() % 10);
    if (random() % 10 == 0)
        rate->limit = (uint64_t)PICK(limits);
    rate->cost = (uint64_t)random() % (random() % 3 ? rate->limit / 8 + 2 : rate->limit + 1);
    if (rate->cost > rate->limit)
        rate->cost = rate->limit;
    rate->shadow = random() % 8 == 0;
}

Test(differential, limits_do_as_the_model_does)
{
    struct engine_rate rates[4];
    char text[32];

    if (!can(ENGINE_CAN_LIMIT))
        return;
    srandom(42);
    for (size_t i = 0; i < 4; i++)
        rates[i] = (struct engine_rate){ .algorithm = (enum engine_rate_algorithm)(i % 3),
                                         .limit = 100,
                                         .window_ms = 30 * DAY_MS };
    for (int step = 0; step < 2 * STEPS; step++) {
        size_t key = (size_t)random() % 4;
        struct engine_op op = op_for(ENGINE_LIMIT_TAKE, NS, numbered(text, "limit-", (int)key)), model = op;
        struct engine_rate *rate = &rates[key], expected;
        change_some(rate);
        expected = *rate;
        op.rate = rate;
        model.rate = &expected;
        op = run(op);
        apply(&model, key);
        expect_same_status(&op, &model, step);
        cr_assert_eq(rate->allowed, expected.allowed, "step %d: allowed", step);
        cr_assert_eq(rate->remaining, expected.remaining, "step %d: algorithm %d, %llu of %llu remain, not %llu",
                     step, (int)rate->algorithm, (unsigned long long)rate->remaining, (unsigned long long)rate->limit,
                     (unsigned long long)expected.remaining);
        expect_near(rate->reset_ms, expected.reset_ms, step, "reset");
        expect_near(rate->retry_ms, expected.retry_ms, step, "retry");
    }
}

/* ---- Locks ---- */

Test(differential, locks_do_as_the_model_does)
{
    uint64_t last[4] = { 0 };
    char text[32];

    if (!can(ENGINE_CAN_LOCK))
        return;
    srandom(43);
    for (int step = 0; step < STEPS; step++) {
        size_t key = (size_t)random() % 4;
        enum engine_verb verb = (enum engine_verb)(ENGINE_LOCK_ACQUIRE + random() % 4);
        struct engine_op op = op_for(verb, NS, numbered(text, "lock-", (int)key)), model = op;
        struct engine_lock lock = { .ttl_ms = DAY_MS + random() % 100000 }, expected;
        memset(lock.token, 'a' + (int)random() % 3, sizeof lock.token);
        expected = lock;
        op.lock = &lock;
        model.lock = &expected;
        op = run(op);
        apply(&model, key);
        expect_same_status(&op, &model, step);
        expect_near(lock.ttl_ms, expected.ttl_ms, step, "ttl");
        cr_assert_eq(lock.fence == 0, expected.fence == 0, "step %d: fence", step);
        if (op.status != ENGINE_OK)
            continue;
        cr_assert(verb == ENGINE_LOCK_ACQUIRE ? lock.fence > last[key] : lock.fence == last[key], "step %d", step);
        last[key] = lock.fence;
    }
}
