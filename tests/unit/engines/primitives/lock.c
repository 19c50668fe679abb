/* Locks: one holder, an end by time, and a fence that only grows. */
#include "engines/primitives/lock.h"

#include <stdlib.h>

#include "engines/primitives/plain.h"
#include "tests/unit/engines/primitives/steps.h"

#define MS UINT64_C(1000)

static void start(void)
{
    cell = (struct cell){ .len = 0 };
}

TestSuite(lock, .init = start);

static struct engine_lock step(enum engine_verb verb, char holder, int64_t ttl_ms, uint64_t now_us,
                               enum engine_status expected)
{
    struct engine_lock lock = { .ttl_ms = ttl_ms, .fence = 77 };
    struct engine_op op = { .verb = verb, .lock = &lock };
    unsigned char token[ENGINE_LOCK_TOKEN_BYTES];

    memset(lock.token, holder, sizeof lock.token);
    memcpy(token, lock.token, sizeof token);
    apply(&op, now_us);
    cr_assert_eq(op.status, expected, "%s: %s, not %s", engine_verb_name(verb), engine_status_name(op.status),
                 engine_status_name(expected));
    cr_assert_eq(memcmp(token, lock.token, sizeof token), 0, "the token was written");
    return lock;
}

static struct engine_lock acquire(char holder, int64_t ttl_ms, uint64_t now_us, enum engine_status expected)
{
    return step(ENGINE_LOCK_ACQUIRE, holder, ttl_ms, now_us, expected);
}

Test(lock, is_held_by_one)
{
    struct engine_lock first = acquire('a', 1000, START_US, ENGINE_OK), second;

    cr_assert_eq(first.ttl_ms, 1000);
    cr_assert_eq(first.fence, START_US);
    second = acquire('b', 5000, START_US + 400 * MS, ENGINE_HELD);
    cr_assert_eq(second.ttl_ms, 600);
    cr_assert_eq(second.fence, 0);
    cr_assert_eq(acquire('a', 5000, START_US + 400 * MS, ENGINE_HELD).ttl_ms, 600, "nor again by its holder");
}

Test(lock, its_record_is_what_the_header_says)
{
    static const unsigned char fence[] = { 'K', 0, 0x06, 0x5c, 0x01, 0x0f, 0xfd, 0x20, 0x00 };

    acquire('a', 1000, UINT64_C(0x065c010ffd2000), ENGINE_OK);
    cr_assert_eq(cell.len, LOCK_BYTES);
    cr_assert_eq(memcmp(cell.bytes, fence, sizeof fence), 0);
    for (int i = 17; i < LOCK_BYTES; i++)
        cr_assert_eq(cell.bytes[i], 'a');
    cr_assert_eq(cell.expires_ms, UINT64_C(0x065c010ffd2000) / 1000 + 1000 + LOCK_KEEP_MS);
}

Test(lock, ends_by_its_time)
{
    acquire('a', 1000, START_US, ENGINE_OK);
    cr_assert_eq(step(ENGINE_LOCK_GET, 'x', 9, START_US + 1000 * MS - 1, ENGINE_OK).ttl_ms, 1);
    cr_assert_eq(step(ENGINE_LOCK_GET, 'x', 9, START_US + 1000 * MS, ENGINE_MISS).ttl_ms, 0);
    step(ENGINE_LOCK_RENEW, 'a', 1000, START_US + 1000 * MS, ENGINE_MISMATCH);
    step(ENGINE_LOCK_RELEASE, 'a', 0, START_US + 1000 * MS, ENGINE_MISMATCH);
    acquire('b', 1000, START_US + 1000 * MS, ENGINE_OK);
}

Test(lock, is_renewed_by_its_holder)
{
    uint64_t fence = acquire('a', 1000, START_US, ENGINE_OK).fence;
    struct engine_lock lock = step(ENGINE_LOCK_RENEW, 'a', 2000, START_US + 900 * MS, ENGINE_OK);

    cr_assert_eq(lock.ttl_ms, 2000);
    cr_assert_eq(lock.fence, fence);
    lock = step(ENGINE_LOCK_GET, 'x', 0, START_US + 1900 * MS, ENGINE_OK);
    cr_assert_eq(lock.ttl_ms, 1000);
    cr_assert_eq(lock.fence, fence);
    step(ENGINE_LOCK_RENEW, 'a', 10, START_US + 1900 * MS, ENGINE_OK);
    acquire('b', 1000, START_US + 1910 * MS, ENGINE_OK);
}

Test(lock, only_its_holder_renews_and_releases)
{
    struct engine_lock lock;

    step(ENGINE_LOCK_RENEW, 'a', 1000, START_US, ENGINE_MISMATCH);
    step(ENGINE_LOCK_RELEASE, 'a', 0, START_US, ENGINE_MISMATCH);
    acquire('a', 1000, START_US, ENGINE_OK);
    lock = step(ENGINE_LOCK_RENEW, 'b', 9000, START_US, ENGINE_MISMATCH);
    cr_assert_eq(lock.ttl_ms, 1000);
    cr_assert_eq(lock.fence, 0);
    step(ENGINE_LOCK_RELEASE, 'b', 0, START_US, ENGINE_MISMATCH);
    cr_assert_eq(step(ENGINE_LOCK_RELEASE, 'a', 5, START_US, ENGINE_OK).ttl_ms, 0);
    cr_assert_eq(step(ENGINE_LOCK_RELEASE, 'a', 5, START_US, ENGINE_MISMATCH).ttl_ms, 0);
    step(ENGINE_LOCK_GET, 'a', 0, START_US, ENGINE_MISS);
}

Test(lock, a_released_one_opens_to_no_token)
{
    acquire('a', 1000, START_US, ENGINE_OK);
    step(ENGINE_LOCK_RELEASE, 'a', 0, START_US, ENGINE_OK);
    step(ENGINE_LOCK_RENEW, '\0', 1000, START_US, ENGINE_MISMATCH);
    step(ENGINE_LOCK_RELEASE, '\0', 1000, START_US, ENGINE_MISMATCH);
}

Test(lock, its_fence_grows_with_every_grant_whatever_the_clock_does)
{
    uint64_t last = 0, now = START_US;

    srandom(11);
    for (int i = 0; i < 10000; i++) {
        struct engine_lock lock = acquire('a', 1 + random() % 3, now, ENGINE_OK);
        cr_assert_gt(lock.fence, last);
        cr_assert_geq(lock.fence, now);
        last = lock.fence;
        if (random() % 2)
            step(ENGINE_LOCK_RELEASE, 'a', 0, now, ENGINE_OK);
        else
            now += 3 * MS;
        now = random() % 8 ? now + (uint64_t)(random() % 5) : now - 5 * MS;
        if (random() % 100 == 0)
            now += LOCK_KEEP_MS * 1000 + 10 * MS;      /* forgotten meanwhile */
        if (plain_get(cell.bytes + 9, 8) > now / 1000) /* still held */
            now = plain_get(cell.bytes + 9, 8) * 1000;
    }
}

Test(lock, is_remembered_for_an_hour)
{
    uint64_t fence = acquire('a', 1000, START_US, ENGINE_OK).fence;

    step(ENGINE_LOCK_RELEASE, 'a', 0, START_US + 10 * MS, ENGINE_OK);
    cr_assert_eq(cell.expires_ms, START_US / 1000 + 10 + LOCK_KEEP_MS);
    cr_assert_eq(acquire('b', 1000, START_US - 60000 * MS, ENGINE_OK).fence, fence + 1, "by a clock that is late");
}

Test(lock, a_damaged_record_is_a_failure)
{
    static const enum engine_verb verbs[] = { ENGINE_LOCK_ACQUIRE, ENGINE_LOCK_RENEW, ENGINE_LOCK_RELEASE,
                                              ENGINE_LOCK_GET };

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        start();
        acquire('a', 1000, START_US, ENGINE_OK);
        cell.len--;
        step(verbs[i], 'a', 1, START_US, ENGINE_FAILED);
        cell.len += 2;
        step(verbs[i], 'a', 1, START_US, ENGINE_FAILED);
        cell.len--;
        cell.bytes[0] = 'C';
        step(verbs[i], 'a', 1, START_US, ENGINE_FAILED);
        cell.bytes[0] = 'K';
        cell.bytes[1] = 1;
        step(verbs[i], 'a', 1, START_US, ENGINE_FAILED);
        cell.bytes[1] = 0;
        cell.bytes[9] = 1;
        step(verbs[i], 'a', 1, START_US, ENGINE_FAILED);
    }
}

Test(lock, a_fence_without_a_successor_is_a_failure)
{
    acquire('a', 1, START_US, ENGINE_OK);
    cell.bytes[2] = 0x1f;
    memset(cell.bytes + 3, 0xff, 6);
    acquire('a', 1, START_US + 10 * MS, ENGINE_FAILED);
}
