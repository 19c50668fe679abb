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
