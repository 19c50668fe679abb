/* The store: several operations as one step. */
#include <criterion/criterion.h>

#include "tests/unit/engines/memory/store_fixture.h"

#define A BYTES("a")
#define B BYTES("b")
#define NS BYTES("ns")
#define STEP_MAX 100

static const struct engine_condition absent = { .if_none_match = { .given = true, .any = true } };
static const struct engine_condition present = { .if_match = { .given = true, .any = true } };

static struct engine_op ops[STEP_MAX];
static struct engine_atomic step;

static void open_roomy(void)
{
    open_store(64 << 20, 64);
    step = (struct engine_atomic){ .count = 0 };
}

static void forget_step(void)
{
    for (size_t i = 0; i < step.count; i++) {
        if (ops[i].verb == ENGINE_PUT)
            value_unref(ops[i].value);
        value_unref(ops[i].entry.value);
    }
    step.count = 0;
}

static void check_and_close(void)
{
    const char *fault = store_check(store);

    cr_expect_null(fault, "%s", fault);
    forget_step();
    close_store();
}

TestSuite(atomic, .init = open_roomy, .fini = check_and_close);

static struct engine_op *plan(enum engine_verb verb, struct bytes key)
{
    struct engine_op *op = &ops[step.count++];

    *op = op_for(verb, NS, key);
    op->now_ns = 0;
    return op;
}

static struct engine_op *plan_put(struct bytes key, size_t len)
{
    struct engine_op *op = plan(ENGINE_PUT, key);

    op->value = value_create(BYTES("text/plain"), len);
    memset(value_writable(op->value), 'v', len);
    return op;
}

static enum engine_status run(void)
{
    static struct engine_op *pointers[STEP_MAX];
    struct engine_op op = op_for(ENGINE_ATOMIC, BYTES_NONE, BYTES_NONE);

    for (size_t i = 0; i < step.count; i++)
        pointers[i] = &ops[i];
    step.ops = pointers;
    op.atomic = &step;
    store_do(store, &op);
    return op.status;
}

Test(atomic, all_is_done_in_one_step)
{
    put(NS, A, 1);
    plan_put(A, 2);
    plan_put(B, 3);
    plan(ENGINE_DELETE, BYTES("none"));
    plan(ENGINE_GET, B);
    cr_assert_eq(run(), ENGINE_OK);
    cr_assert_eq(ops[0].status, ENGINE_OK);
    cr_assert_eq(ops[1].status, ENGINE_CREATED);
    cr_assert_eq(ops[2].status, ENGINE_MISS);
    cr_assert_eq(ops[3].status, ENGINE_OK);
    cr_assert_eq(get(NS, A).entry.version, ops[0].entry.version);
    cr_assert_eq(get(NS, B).entry.bytes, 3);
}

Test(atomic, or_nothing_is_and_failed_names_the_first_that_would_not_be)
{
    engine_version before = put(NS, A, 1).entry.version;

    plan_put(A, 2);
    plan_put(BYTES("new"), 2);
    plan(ENGINE_DELETE, A);
    plan_put(B, 3)->condition = &present;
    plan_put(BYTES("c"), 3)->condition = &present;
    cr_assert_eq(run(), ENGINE_MISMATCH);
    cr_assert_eq(step.failed, 3);
    cr_assert_eq(ops[3].status, ENGINE_MISMATCH);
    cr_assert_eq(ops[3].entry.version, 0);
    cr_assert_eq(get(NS, A).entry.version, before);
    cr_assert_eq(get(NS, BYTES("new")).status, ENGINE_MISS);
    cr_assert_eq(stats().entries, 1);
}

Test(atomic, a_fence_a_lease_and_a_bound_fail_the_whole_with_their_own_status)
{
    struct engine_put fenced = { .fence = 5 }, lower = { .fence = 4 }, leased = { .lease = 9 },
                      small = { .max_bytes = 1 };

    put_with(NS, A, 1, &fenced);
    plan_put(B, 1);
    plan_put(A, 1)->put = &lower;
    cr_assert_eq(run(), ENGINE_FENCED);
    cr_assert_eq(step.failed, 1);
    forget_step();
    plan_put(A, 1)->put = &leased;
    cr_assert_eq(run(), ENGINE_VOID);
    forget_step();
    plan_put(B, 1);
    plan_put(B, 2)->put = &small;
    cr_assert_eq(run(), ENGINE_TOO_LARGE);
    cr_assert_eq(step.failed, 1);
    cr_assert_eq(ops[1].limit, 1);
    cr_assert_eq(get(NS, B).status, ENGINE_MISS);
}

Test(atomic, later_operations_see_what_earlier_ones_did)
{
    struct engine_put fenced = { .fence = 5 }, equal = { .fence = 5 };

    put(NS, A, 7);
    plan(ENGINE_GET, A);
    plan_put(A, 2)->put = &fenced;
    plan(ENGINE_GET, A);
    plan_put(A, 3)->put = &equal;
    plan(ENGINE_DELETE, A);
    plan(ENGINE_GET, A);
    plan_put(A, 4)->condition = &absent;
    ttl = 5000;
    plan(ENGINE_TOUCH, A);
    ttl = ENGINE_NO_EXPIRY;
    plan(ENGINE_GET, A)->condition = &present;
    cr_assert_eq(run(), ENGINE_OK);
    cr_assert_eq(ops[0].entry.value->len, 7);
    cr_assert_eq(ops[2].entry.value->len, 2);
    cr_assert_eq(ops[2].entry.version, ops[1].entry.version);
    cr_assert_eq(ops[4].entry.version, ops[3].entry.version);
    cr_assert_eq(ops[5].status, ENGINE_MISS);
    cr_assert_eq(ops[6].status, ENGINE_CREATED);
    cr_assert_eq(ops[7].entry.ttl_ms, 5000);
    cr_assert_eq(ops[8].entry.value->len, 4);
    cr_assert_eq(ops[8].entry.ttl_ms, 5000);
    cr_assert_eq(get(NS, A).entry.version, ops[6].entry.version);
    cr_assert_eq(get(NS, A).entry.ttl_ms, 5000);
}

Test(atomic, a_step_voids_a_lease_or_fills_it)
{
    struct engine_put leased = { .lease = 9 };

    get_leased(NS, A, 9, 1000);
    plan_put(A, 1)->put = &leased;
    cr_assert_eq(run(), ENGINE_OK);
    forget_step();
    get_leased(NS, B, 9, 1000);
    plan(ENGINE_DELETE, B);
    plan_put(B, 1)->put = &leased;
    cr_assert_eq(run(), ENGINE_VOID);
    forget_step();
    plan(ENGINE_DELETE, B);
    cr_assert_eq(run(), ENGINE_OK);
    cr_assert_eq(ops[0].status, ENGINE_MISS);
    cr_assert_eq(put_with(NS, B, 1, &leased).status, ENGINE_VOID);
}

Test(atomic, room_is_made_for_all_and_its_own_entries_are_not_evicted_for_it)
{
    close_store();
    open_store(1 << 20, 8);
    for (unsigned long i = 0; i < 50; i++)
        put(NS, numbered(i), 1000);
    for (unsigned long i = 100; stats().evictions == 0 && stats().bytes < (1 << 20) - 4096; i++)
        put(NS, numbered(i), 1000);
    /* The least recently used of all grow together. */
    for (unsigned long i = 0; i < 50; i++) {
        static char text[50];
        text[i] = (char)('0' + i % 10);
        if (i < 10)
            plan_put(bytes_of(&text[i], 1), 20000)->condition = &present;
    }
    cr_assert_eq(run(), ENGINE_OK);
    cr_assert_gt(stats().evictions, 100);
    for (unsigned long i = 0; i < 10; i++)
        cr_assert_eq(get(NS, numbered(i)).entry.bytes, 20000);
}

Test(atomic, without_room_for_all_nothing_changes)
{
    engine_version before;

    close_store();
    open_store(1 << 20, 8);
    before = put(NS, A, 1000).entry.version;
    plan_put(A, 600 * 1024);
    plan_put(B, 600 * 1024);
    plan(ENGINE_DELETE, BYTES("c"));
    cr_assert_eq(run(), ENGINE_FULL);
    cr_assert_lt(step.failed, 2);
    cr_assert_eq(ops[step.failed].status, ENGINE_FULL);
    cr_assert_eq(get(NS, A).entry.version, before);
    cr_assert_eq(get(NS, B).status, ENGINE_MISS);
}

Test(atomic, bounds_of_the_namespace_hold_after_the_step)
{
    static const struct engine_put bounded = { .max_entries = 5 };
    static char names[STEP_MAX];

    for (size_t i = 0; i < 40; i++) {
        names[i] = (char)i;
        plan_put(bytes_of(&names[i], 1), 1)->put = &bounded;
    }
    cr_assert_eq(run(), ENGINE_OK);
    cr_assert_eq(census(NS).entries, 5);
    cr_assert_eq(get(NS, bytes_of(&names[39], 1)).status, ENGINE_OK);
}

Test(atomic, what_was_put_and_read_in_the_step_is_counted_and_flushed)
{
    plan_put(BYTES("a"), 1);
    plan(ENGINE_GET, BYTES("a"));
    plan_put(BYTES("b"), 1);
    plan(ENGINE_TOUCH, BYTES("b"))->ttl_ms = 60000;
    plan(ENGINE_GET, BYTES("b"));
    cr_assert_eq(run(), ENGINE_OK);
    cr_assert_eq(census(NS).entries, 2);
    flush(NS);
    cr_assert_eq(get(NS, BYTES("a")).status, ENGINE_MISS);
    cr_assert_eq(get(NS, BYTES("b")).status, ENGINE_MISS);
}

/* Who comes last under a key need not be the one that wrote it. */
Test(atomic, bounds_hold_where_what_was_put_is_read_or_touched_in_the_step)
{
    static const struct engine_put bounded = { .max_entries = 2 };
    static char names[8];
    unsigned stand = 0;

    for (size_t i = 0; i < sizeof names; i++) {
        names[i] = (char)i;
        plan_put(bytes_of(&names[i], 1), 1)->put = &bounded;
        plan(i % 2 ? ENGINE_GET : ENGINE_TOUCH, bytes_of(&names[i], 1))->ttl_ms = 60000;
    }
    cr_assert_eq(run(), ENGINE_OK);
    for (size_t i = 0; i < sizeof names; i++)
        stand += get(NS, bytes_of(&names[i], 1)).status == ENGINE_OK;
    cr_assert_eq(stand, 2);
    cr_assert_eq(get(NS, bytes_of(&names[7], 1)).status, ENGINE_OK);
}

Test(atomic, nothing_is_a_step_too_and_other_verbs_are_not)
{
    cr_assert_eq(run(), ENGINE_OK);
    plan_put(A, 1);
    plan(ENGINE_FLUSH, BYTES_NONE);
    cr_assert_eq(run(), ENGINE_UNSUPPORTED);
    cr_assert_eq(step.failed, 1);
    cr_assert_eq(get(NS, A).status, ENGINE_MISS);
}

/* A step against the same operations one by one, in a store of their own. */
Test(atomic, a_step_that_is_done_leaves_what_its_operations_leave_one_by_one)
{
    struct store *twin, *first = store;
    static char names[6] = "abcdef";
    struct bytes tag[] = { { "t", 1 } };
    struct engine_put tagged = { .tags = tag, .tag_count = 1, .stale_ms = 500 };

    open_store(64 << 20, 4);
    twin = store;
    store = first;
    srandom(9);
    for (int round = 0; round < 2000; round++) {
        size_t count = 1 + (size_t)random() % 12;
        for (size_t i = 0; i < count; i++) {
            struct bytes key = bytes_of(&names[random() % 6], 1);
            ttl = random() % 2 ? 1 + random() % 2000 : ENGINE_NO_EXPIRY;
            switch (random() % 4) {
            case 0:
                plan(ENGINE_GET, key);
                break;
            case 1:
                plan(ENGINE_DELETE, key);
                break;
            case 2:
                plan(ENGINE_TOUCH, key);
                break;
            default:
                plan_put(key, (size_t)random() % 300)->put = random() % 2 ? &tagged : NULL;
            }
        }
        cr_assert_eq(run(), ENGINE_OK);
        store = twin;
        for (size_t i = 0; i < count; i++) {
            struct engine_op op = ops[i];
            op.entry = (struct engine_entry){ .value = NULL };
            op.now_ns = now;
            store_do(store, &op);
            cr_assert_eq(op.status, ops[i].status);
            cr_assert_eq(op.entry.bytes, ops[i].entry.bytes);
            cr_assert_eq(op.entry.ttl_ms, ops[i].entry.ttl_ms);
            cr_assert_eq(op.entry.stale, ops[i].entry.stale);
            value_unref(op.entry.value);
        }
        store = first;
        forget_step();
        cr_assert_null(store_check(store));
        now += (uint64_t)random() % (300 * NS_PER_MS);
    }
    store_destroy(twin);
}
