/* store_fixture.h - a store, a clock that the test moves, and short calls. */
#pragma once

#include <stdlib.h>

#include "engines/memory/store.h"
#include "service/base/clock.h"

static struct store *store;
static uint64_t now = UINT64_C(5000) * NS_PER_SECOND;
static int64_t ttl = ENGINE_NO_EXPIRY;
static int64_t idle = ENGINE_NO_IDLE;
static const struct engine_condition *condition;

static inline void open_store(size_t max_bytes, unsigned shards)
{
    struct memory_options options = { .max_bytes = max_bytes, .shards = shards };

    store = store_create(&options);
    if (!store)
        abort();
}

static inline void close_store(void)
{
    store_destroy(store);
    store = NULL;
}

static inline struct engine_op op_for(enum engine_verb verb, struct bytes ns, struct bytes key)
{
    return (struct engine_op){ .verb = verb,
                               .ns = ns,
                               .key = key,
                               .ttl_ms = ttl,
                               .idle_ms = idle,
                               .condition = condition,
                               .now_ns = now,
                               .status = ENGINE_FAILED };
}

static inline struct engine_op put(struct bytes ns, struct bytes key, size_t len)
{
    struct engine_op op = op_for(ENGINE_PUT, ns, key);

    op.value = value_create(BYTES("text/plain"), len);
    if (!op.value)
        abort();
    memset(value_writable(op.value), 'v', len);
    store_put(store, &op);
    value_unref(op.value);
    return op;
}

static inline struct engine_op put_with(struct bytes ns, struct bytes key, size_t len,
                                        const struct engine_put *extras)
{
    struct engine_op op = op_for(ENGINE_PUT, ns, key);

    op.put = extras;
    op.value = value_create(BYTES("text/plain"), len);
    if (!op.value)
        abort();
    memset(value_writable(op.value), 'v', len);
    store_put(store, &op);
    value_unref(op.value);
    return op;
}

/* A read that asks for a lease. */
static inline struct engine_op get_leased(struct bytes ns, struct bytes key, uint64_t token, int64_t lease_ms)
{
    struct engine_op op = op_for(ENGINE_GET, ns, key);

    op.without_value = true;
    op.lease_ms = lease_ms;
    op.lease_token = token;
    store_get(store, &op);
    return op;
}

static inline struct engine_op get(struct bytes ns, struct bytes key)
{
    struct engine_op op = op_for(ENGINE_GET, ns, key);

    op.without_value = true;
    store_get(store, &op);
    return op;
}

static inline struct engine_op delete_key(struct bytes ns, struct bytes key)
{
    struct engine_op op = op_for(ENGINE_DELETE, ns, key);

    store_delete(store, &op);
    return op;
}

static inline struct engine_op touch(struct bytes ns, struct bytes key)
{
    struct engine_op op = op_for(ENGINE_TOUCH, ns, key);

    store_touch(store, &op);
    return op;
}

static inline void flush(struct bytes ns)
{
    struct engine_op op = op_for(ENGINE_FLUSH, ns, BYTES_NONE);

    store_flush(store, &op);
    if (op.status != ENGINE_OK)
        abort();
}

static inline void flush_tag(struct bytes ns, struct bytes tag)
{
    struct engine_op op = op_for(ENGINE_FLUSH, ns, BYTES_NONE);

    op.tag = tag;
    store_flush(store, &op);
    if (op.status != ENGINE_OK)
        abort();
}

/* The answer to one page; op.listing->page is the caller's. */
static inline enum engine_status list_page(enum engine_verb verb, struct bytes ns, struct engine_listing *listing)
{
    struct engine_op op = op_for(verb, ns, BYTES_NONE);

    op.listing = listing;
    store_do(store, &op);
    return op.status;
}

/* What a namespace holds, as NAMESPACES says. */
static inline struct engine_listed census(struct bytes ns)
{
    struct engine_listing listing = { .limit = 10 };
    struct engine_listed item;

    if (list_page(ENGINE_NAMESPACES, ns, &listing) != ENGINE_OK || listing.page->count != 1)
        abort();
    item = listing.page->items[0];
    free(listing.page);
    item.key = BYTES_NONE;
    return item;
}

/* A key made of a number, in a buffer that the next few calls reuse. */
static inline struct bytes numbered(unsigned long number)
{
    static char text[8][24];
    static unsigned at;
    char *own = text[at++ % 8];
    size_t len = 0;

    do {
        own[len++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return bytes_of(own, len);
}

static inline struct memory_stats stats(void)
{
    struct memory_stats out;

    store_stats(store, &out);
    return out;
}

/* Sweeps until nothing is left to do; returns the number of sweeps. */
static inline unsigned sweep_all(void)
{
    unsigned sweeps = 1;

    while (store_sweep(store, store_shards(store), now))
        sweeps++;
    return sweeps;
}
