/* Locks: one holder at a time, an end by time, a fence that grows. */
#include <criterion/criterion.h>

#include "tests/contract/contract.h"

#define NS BYTES("locks")
#define KEY BYTES("key")
#define MARGIN_MS 60

TestSuite(locks, .init = contract_open_timed, .fini = contract_close, .timeout = 60);

static struct engine_lock lock_of(char holder, int64_t ttl_ms)
{
    struct engine_lock lock = { .ttl_ms = ttl_ms };

    memset(lock.token, holder, sizeof lock.token);
    return lock;
}

static struct engine_lock locked(enum engine_verb verb, struct bytes key, char holder, int64_t ttl_ms,
                                 enum engine_status expected, const char *what)
{
    struct engine_lock lock = lock_of(holder, ttl_ms), same = lock;
    struct engine_op op = op_for(verb, NS, key);

    op.lock = &lock;
    expect_status(run(op), expected, what);
    cr_assert_eq(memcmp(lock.token, same.token, sizeof lock.token), 0, "%s: a token was told", what);
    if (expected != ENGINE_OK)
        cr_assert_eq(lock.fence, 0, "%s", what);
    return lock;
}

static struct engine_lock acquire(char holder, int64_t ttl_ms, enum engine_status expected, const char *what)
{
    return locked(ENGINE_LOCK_ACQUIRE, KEY, holder, ttl_ms, expected, what);
}

static void expect_left(struct engine_lock lock, int64_t least, int64_t most, const char *what)
{
    cr_assert(lock.ttl_ms >= least && lock.ttl_ms <= most, "%s: %lld ms", what, (long long)lock.ttl_ms);
}

Test(locks, are_held_by_one_until_released)
{
    struct engine_lock lock;

    if (!can(ENGINE_CAN_LOCK))
        return;
    locked(ENGINE_LOCK_GET, KEY, 'x', 0, ENGINE_MISS, "free");
    lock = acquire('a', 60000, ENGINE_OK, "first");
    cr_assert_eq(lock.ttl_ms, 60000);
    cr_assert(lock.fence > 0 && lock.fence < UINT64_C(1) << 53);
    expect_left(acquire('b', 1000, ENGINE_HELD, "second"), 50000, 60000, "second");
    expect_left(acquire('a', 1000, ENGINE_HELD, "its holder"), 50000, 60000, "its holder");
    cr_assert_eq(locked(ENGINE_LOCK_GET, KEY, 'x', 0, ENGINE_OK, "held").fence, lock.fence);
    expect_left(locked(ENGINE_LOCK_GET, KEY, 'x', 0, ENGINE_OK, "held"), 50000, 60000, "held");
    cr_assert_eq(locked(ENGINE_LOCK_RELEASE, KEY, 'a', 0, ENGINE_OK, "release").ttl_ms, 0);
    cr_assert_eq(locked(ENGINE_LOCK_GET, KEY, 'a', 7, ENGINE_MISS, "free again").ttl_ms, 0);
    acquire('b', 1000, ENGINE_OK, "second, at last");
}

Test(locks, are_of_no_avail_to_other_tokens)
{
    if (!can(ENGINE_CAN_LOCK))
        return;
    expect_left(locked(ENGINE_LOCK_RENEW, KEY, 'a', 1000, ENGINE_MISMATCH, "renew, free"), 0, 0, "renew, free");
    expect_left(locked(ENGINE_LOCK_RELEASE, KEY, 'a', 0, ENGINE_MISMATCH, "release, free"), 0, 0, "release, free");
    acquire('a', 60000, ENGINE_OK, "acquire");
    expect_left(locked(ENGINE_LOCK_RENEW, KEY, 'b', 90000, ENGINE_MISMATCH, "renew"), 50000, 60000, "renew");
    expect_left(locked(ENGINE_LOCK_RELEASE, KEY, 'b', 0, ENGINE_MISMATCH, "release"), 50000, 60000, "release");
    expect_left(locked(ENGINE_LOCK_GET, KEY, 'x', 0, ENGINE_OK, "held"), 50000, 60000, "held");
    locked(ENGINE_LOCK_RELEASE, KEY, 'a', 0, ENGINE_OK, "release");
    locked(ENGINE_LOCK_RELEASE, KEY, 'a', 0, ENGINE_MISMATCH, "release again");
    locked(ENGINE_LOCK_RENEW, KEY, 'a', 1000, ENGINE_MISMATCH, "renew, released");
    locked(ENGINE_LOCK_RENEW, KEY, '\0', 1000, ENGINE_MISMATCH, "renew, no token");
    locked(ENGINE_LOCK_GET, KEY, 'a', 0, ENGINE_MISS, "free");
}

Test(locks, have_tokens_of_any_bytes)
{
    static const char tokens[] = { '\0', '\n', ' ', '\xff', '{', '%' };

    if (!can(ENGINE_CAN_LOCK))
        return;
    for (size_t i = 0; i < sizeof tokens; i++) {
        acquire(tokens[i], 60000, ENGINE_OK, "acquire");
        locked(ENGINE_LOCK_RENEW, KEY, tokens[i], 60000, ENGINE_OK, "renew");
        locked(ENGINE_LOCK_RELEASE, KEY, tokens[i], 0, ENGINE_OK, "release");
    }
}

Test(locks, are_renewed)
{
    uint64_t fence;
    struct engine_lock lock;

    if (!can(ENGINE_CAN_LOCK))
        return;
    fence = acquire('a', 500, ENGINE_OK, "acquire").fence;
    lock = locked(ENGINE_LOCK_RENEW, KEY, 'a', 60000, ENGINE_OK, "renew");
    cr_assert_eq(lock.ttl_ms, 60000);
    cr_assert_eq(lock.fence, fence);
    pass_ms(500 + MARGIN_MS);
    expect_left(acquire('b', 1000, ENGINE_HELD, "held"), 50000, 60000, "held");
    locked(ENGINE_LOCK_RENEW, KEY, 'a', 100, ENGINE_OK, "shorter");
    pass_ms(100 + MARGIN_MS);
    cr_assert_gt(acquire('b', 1000, ENGINE_OK, "over").fence, fence);
}

Test(locks, end_by_their_time)
{
    uint64_t fence;

    if (!can(ENGINE_CAN_LOCK))
        return;
    fence = acquire('a', 300, ENGINE_OK, "acquire").fence;
    pass_ms(300 + MARGIN_MS);
    locked(ENGINE_LOCK_GET, KEY, 'a', 0, ENGINE_MISS, "over");
    locked(ENGINE_LOCK_RENEW, KEY, 'a', 1000, ENGINE_MISMATCH, "renew, over");
    locked(ENGINE_LOCK_RELEASE, KEY, 'a', 0, ENGINE_MISMATCH, "release, over");
    cr_assert_gt(acquire('b', 1000, ENGINE_OK, "another").fence, fence);
    locked(ENGINE_LOCK_RENEW, KEY, 'a', 1000, ENGINE_MISMATCH, "renew, another's");
    locked(ENGINE_LOCK_RELEASE, KEY, 'a', 0, ENGINE_MISMATCH, "release, another's");
    locked(ENGINE_LOCK_GET, KEY, 'x', 0, ENGINE_OK, "the other holds it");
}

Test(locks, of_different_names_are_different)
{
    if (!can(ENGINE_CAN_LOCK))
        return;
    acquire('a', 60000, ENGINE_OK, "one");
    locked(ENGINE_LOCK_ACQUIRE, BYTES("other"), 'b', 60000, ENGINE_OK, "other");
    locked(ENGINE_LOCK_ACQUIRE, BYTES("k\0y"), 'b', 60000, ENGINE_OK, "odd");
    locked(ENGINE_LOCK_RELEASE, BYTES("other"), 'b', 0, ENGINE_OK, "other");
    acquire('b', 1000, ENGINE_HELD, "one");
}

Test(locks, have_fences_that_grow_with_each_grant)
{
    uint64_t last = 0;

    if (!can(ENGINE_CAN_LOCK))
        return;
    for (int i = 0; i < 50; i++) {
        uint64_t fence = acquire('a', i % 10 ? 60000 : 1, ENGINE_OK, "acquire").fence;
        cr_assert_gt(fence, last);
        last = fence;
        if (i % 10)
            locked(ENGINE_LOCK_RELEASE, KEY, 'a', 0, ENGINE_OK, "release");
        else
            pass_ms(3);
    }
    cr_assert_lt(last, UINT64_C(1) << 53);
}

Test(locks, are_not_flushed)
{
    if (!can(ENGINE_CAN_LOCK | ENGINE_CAN_FLUSH))
        return;
    acquire('a', 60000, ENGINE_OK, "acquire");
    expect_status(flush(NS), ENGINE_OK, "flush");
    expect_status(flush(BYTES_NONE), ENGINE_OK, "flush of all");
    acquire('b', 1000, ENGINE_HELD, "held");
    locked(ENGINE_LOCK_RELEASE, KEY, 'a', 0, ENGINE_OK, "release");
}

/* ---- Races ---- */

enum { ROUNDS = 30 };

static unsigned won[RACERS_MAX][ROUNDS];

static enum engine_status ask(struct racer *racer, enum engine_verb verb, struct bytes key, struct engine_lock *lock)
{
    struct engine_op op = op_for(verb, NS, key);

    op.lock = lock;
    client_run(&racer->client, &op);
    return op.status;
}

static void race_for_rounds(struct racer *racer)
{
    char text[32];

    for (int round = 0; round < ROUNDS; round++) {
        struct engine_lock lock = lock_of((char)('a' + racer->index), 60000);
        enum engine_status status;
        race_meet(racer);
        status = ask(racer, ENGINE_LOCK_ACQUIRE, numbered(text, "round-", round), &lock);
        won[racer->index][round] = status == ENGINE_OK;
        racer->failed += status != ENGINE_OK && status != ENGINE_HELD;
    }
}

Test(locks, are_won_by_exactly_one_of_racing_clients)
{
    if (!can(ENGINE_CAN_LOCK))
        return;
    race(RACERS_MAX, race_for_rounds);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned winners = 0;
        for (size_t i = 0; i < RACERS_MAX; i++)
            winners += won[i][round];
        cr_assert_eq(winners, 1, "round %d: %u won", round, winners);
    }
}

/* Guarded by the lock and nothing else. */
static volatile unsigned inside;
static volatile uint64_t last_fence;

static void race_to_enter(struct racer *racer)
{
    for (unsigned entered = 0; entered < 15;) {
        struct engine_lock lock = lock_of((char)('a' + racer->index), 60000);
        enum engine_status status = ask(racer, ENGINE_LOCK_ACQUIRE, KEY, &lock);
        racer->failed += status != ENGINE_OK && status != ENGINE_HELD;
        if (status == ENGINE_HELD)
            continue;
        racer->failed += inside++ != 0;
        racer->failed += lock.fence <= last_fence;
        last_fence = lock.fence;
        entered++;
        inside--;
        racer->failed += ask(racer, ENGINE_LOCK_RELEASE, KEY, &lock) != ENGINE_OK;
        if (racer->failed > 0)
            return;
    }
}

Test(locks, keep_all_others_out)
{
    if (!can(ENGINE_CAN_LOCK))
        return;
    race(4, race_to_enter);
}
