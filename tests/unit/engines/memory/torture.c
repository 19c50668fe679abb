/* Fails each allocation of the store in turn: every write is then answered in
 * full or not at all, and every structure stays in agreement. The linker's
 * --wrap routes the program's allocations through here. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "tests/unit/engines/memory/store_fixture.h"

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static bool armed;
static unsigned long until_failure; /* 1: the next one */
static bool failed;

static bool fails_now(void)
{
    if (!armed || --until_failure > 0)
        return false;
    armed = false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails_now() ? NULL : __real_aligned_alloc(alignment, size);
}

/* One put with the failure armed: what stands afterwards is what its status
 * says. */
static void put_and_expect(struct bytes ns, struct bytes key, size_t len)
{
    struct engine_op before = get(ns, key), op = op_for(ENGINE_PUT, ns, key), after;
    struct value *value = value_create(BYTES("text/plain"), len);

    memset(value_writable(value), 'v', len);
    op.value = value;
    armed = !failed;
    store_put(store, &op);
    armed = false;
    value_unref(value);
    after = get(ns, key);
    if (op.status == ENGINE_FULL) {
        cr_assert(failed);
        cr_assert_eq(after.status, before.status);
        cr_assert_eq(after.entry.version, before.entry.version);
    } else {
        cr_assert_eq(op.status, before.status == ENGINE_OK ? ENGINE_OK : ENGINE_CREATED);
        cr_assert_eq(after.entry.version, op.entry.version);
        cr_assert_eq(after.entry.bytes, len);
    }
    cr_assert_null(store_check(store));
}

static void touch_and_expect(struct bytes ns, struct bytes key)
{
    struct engine_op op = op_for(ENGINE_TOUCH, ns, key), after;

    armed = !failed;
    store_touch(store, &op);
    armed = false;
    after = get(ns, key);
    cr_assert(op.status == ENGINE_OK || (op.status == ENGINE_FULL && failed));
    cr_assert_eq(after.status, ENGINE_OK);
    cr_assert_eq(after.entry.ttl_ms == ENGINE_NO_EXPIRY, op.status == ENGINE_FULL);
    cr_assert_null(store_check(store));
}

/* A write with a side block and tags, which in the end replaces itself. */
static void put_tagged_and_expect(struct bytes key)
{
    static const struct bytes tags[] = { { "x", 1 }, { "y", 1 } };
    static const struct engine_put extras = { .tags = tags, .tag_count = 2, .stale_ms = 1000 };
    struct engine_op before = get(BYTES("tagged"), key), op = op_for(ENGINE_PUT, BYTES("tagged"), key), after;

    op.put = &extras;
    op.value = value_create(BYTES("text/plain"), 5);
    memset(value_writable(op.value), 'v', 5);
    armed = !failed;
    store_put(store, &op);
    armed = false;
    value_unref(op.value);
    after = get(BYTES("tagged"), key);
    cr_assert(op.status <= ENGINE_CREATED || (op.status == ENGINE_FULL && failed));
    cr_assert_eq(after.entry.version, op.status == ENGINE_FULL ? before.entry.version : op.entry.version);
    cr_assert_null(store_check(store));
}

static void lease_and_expect(struct bytes key)
{
    struct engine_op op = op_for(ENGINE_GET, BYTES("leased"), key);

    op.lease_ms = 5000;
    op.lease_token = 1;
    armed = !failed;
    store_get(store, &op);
    armed = false;
    cr_assert_eq(op.status, ENGINE_MISS);
    cr_assert(op.lease == ENGINE_LEASE_WON || failed);
    cr_assert_null(store_check(store));
}

static void count_and_expect(struct bytes key)
{
    struct engine_counter counter = { .by = 1, .min = INT64_MIN, .max = INT64_MAX, .ttl_ms = 5000 };
    struct engine_op op = op_for(ENGINE_COUNTER_ADD, BYTES("counted"), key);

    op.counter = &counter;
    armed = !failed;
    store_do(store, &op);
    armed = false;
    cr_assert(op.status == ENGINE_OK || (op.status == ENGINE_FULL && failed));
    cr_assert_null(store_check(store));
}

/* A step of several writes: all or none, whatever fails. */
static void step_and_expect(struct bytes first, struct bytes second)
{
    struct engine_op one = op_for(ENGINE_PUT, BYTES("step"), first);
    struct engine_op other = op_for(ENGINE_PUT, BYTES("steps"), second);
    struct engine_op before = get(BYTES("step"), first);
    struct engine_op *ops[] = { &one, &other };
    struct engine_atomic atomic = { .ops = ops, .count = 2 };
    struct engine_op op = op_for(ENGINE_ATOMIC, BYTES_NONE, BYTES_NONE);

    one.value = other.value = value_create(BYTES("text/plain"), 40);
    memset(value_writable(one.value), 'v', 40);
    op.atomic = &atomic;
    armed = !failed;
    store_do(store, &op);
    armed = false;
    value_unref(one.value);
    cr_assert(op.status == ENGINE_OK || (op.status == ENGINE_FULL && failed));
    if (op.status == ENGINE_OK) {
        cr_assert_eq(get(BYTES("step"), first).entry.version, one.entry.version);
        cr_assert_eq(get(BYTES("steps"), second).entry.version, other.entry.version);
    } else {
        cr_assert_eq(get(BYTES("step"), first).entry.version, before.entry.version);
    }
    cr_assert_null(store_check(store));
}

static void list_and_expect(void)
{
    struct engine_listing listing = { .limit = 5 };
    enum engine_status status;

    armed = !failed;
    status = list_page(ENGINE_NAMESPACES, BYTES_NONE, &listing);
    armed = false;
    cr_assert(status == ENGINE_OK || (status == ENGINE_FAILED && failed));
    if (status == ENGINE_OK)
        free(listing.page);
}

static void script_extras(void)
{
    for (unsigned long i = 0; i < 12; i++) {
        ttl = 60000;
        put_tagged_and_expect(numbered(i % 8));
        lease_and_expect(numbered(i));
        count_and_expect(numbered(i % 9));
        step_and_expect(numbered(i % 7), numbered(i % 5));
    }
    list_and_expect();
    flush_tag(BYTES("tagged"), BYTES("x"));
}

static void script(void)
{
    for (unsigned long i = 0; i < 150; i++) {
        ttl = i % 3 ? 60000 : ENGINE_NO_EXPIRY;
        put_and_expect(numbered(i % 70), numbered(i), 10);
    }
    for (unsigned long i = 0; i < 150; i += 30) {
        ttl = 60000;
        put_and_expect(numbered(i % 70), numbered(i), 200);
    }
    ttl = ENGINE_NO_EXPIRY;
    put_and_expect(BYTES("touched"), BYTES("key"), 1);
    ttl = 1000;
    if (get(BYTES("touched"), BYTES("key")).status == ENGINE_OK)
        touch_and_expect(BYTES("touched"), BYTES("key"));
    script_extras();
    flush(BYTES_NONE);
    sweep_all();
    cr_assert_eq(stats().namespaces, 0);
}

Test(torture, every_allocation_of_the_store_may_fail, .timeout = 100)
{
    unsigned long n = 0;

    do {
        failed = false;
        until_failure = ++n;
        open_store(1 << 20, 1);
        script();
        close_store();
    } while (failed);
    cr_assert_gt(n, 200, "only %lu allocations", n);
}

Test(torture, a_store_that_cannot_be_made_is_null)
{
    struct memory_options options = { .max_bytes = 1 << 20, .shards = 4 };

    for (unsigned long n = 1; n <= 2; n++) {
        failed = false;
        until_failure = n;
        armed = true;
        cr_assert_null(store_create(&options), "allocation %lu", n);
        cr_assert(failed);
    }
}
