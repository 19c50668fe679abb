/* stress_verbs.c - threads race on one memory engine with every verb that is
 * more than reading and writing one entry; what is written in one step is read
 * in one step, and no counter loses an addition, among tags, leases, stale
 * windows, bounds, listings and flushes.
 *
 * Usage: stress_verbs [factor], the number of operations times `factor`. */
#include "tests/stress/race.h"

#define PAIRS 6
#define LOOSE_MAX 40

static atomic_ulong added;

/* The same number under two keys, which live in different shards, mostly. */
static void step_pair(struct racer *racer, bool write)
{
    char names[2] = { 'a', 'b' };
    struct engine_op ops[2], *pointers[2] = { &ops[0], &ops[1] };
    struct engine_atomic atomic = { .ops = pointers, .count = 2 };
    struct engine_op op = op_for(ENGINE_ATOMIC, BYTES_NONE, BYTES_NONE);
    uint64_t number = draw(&racer->seed);
    char ns[] = { 'p', (char)('0' + number % PAIRS) };

    for (int i = 0; i < 2; i++) {
        ops[i] = op_for(write ? ENGINE_PUT : ENGINE_GET, bytes_of(ns, 2), bytes_of(&names[i], 1));
        ops[i].value = write ? value_create(BYTES(""), sizeof number) : NULL;
        if (write)
            memcpy(value_writable(ops[i].value), &number, sizeof number);
    }
    op.atomic = &atomic;
    store_do(store, &op);
    if (op.status != ENGINE_OK || (!write && ops[0].status != ops[1].status))
        complain("verbs", "half of a step");
    else if (!write && ops[0].status == ENGINE_OK &&
             memcmp(ops[0].entry.value->data, ops[1].entry.value->data, sizeof number) != 0)
        complain("verbs", "halves of two steps");
    for (int i = 0; i < 2; i++) {
        value_unref(ops[i].value);
        value_unref(ops[i].entry.value);
    }
}

static void add_one(uint32_t key)
{
    struct engine_counter counter = { .by = 1, .min = INT64_MIN, .max = INT64_MAX, .ttl_ms = ENGINE_NO_EXPIRY };
    struct engine_op op = op_for(ENGINE_COUNTER_ADD, BYTES("counted"), bytes_of((char *)&key, sizeof key));

    op.counter = &counter;
    store_do(store, &op);
    if (op.status != ENGINE_OK)
        complain("verbs", "a counter was not raised");
    atomic_fetch_add(&added, 1);
}

static void list_loose(enum engine_verb verb)
{
    struct engine_listing listing = { .limit = 20 };
    struct engine_op op = op_for(verb, verb == ENGINE_LIST ? BYTES("loose") : BYTES_NONE, BYTES_NONE);

    op.listing = &listing;
    store_do(store, &op);
    if (op.status != ENGINE_OK)
        complain("verbs", "no page");
    free(listing.page);
}

/* A read for a lease and, if it is won, a write with it; or a plain write. */
static void write_loose(struct racer *racer, uint64_t dice)
{
    static const struct bytes tags[] = { { "x", 1 }, { "y", 1 }, { "z", 1 } };
    struct engine_put extras = { .tags = tags + dice % 3, .tag_count = 1, .stale_ms = 5, .max_entries = LOOSE_MAX };
    uint32_t key = (uint32_t)(dice >> 8) % 200;
    struct engine_op op = op_for(ENGINE_GET, BYTES("loose"), bytes_of((char *)&key, sizeof key));

    if (dice % 2) {
        op.lease_ms = 2;
        op.lease_token = extras.lease = draw(&racer->seed) | 1;
        store_do(store, &op);
        value_unref(op.entry.value);
        if (op.lease != ENGINE_LEASE_WON)
            return;
    }
    op = op_for(ENGINE_PUT, op.ns, op.key);
    op.put = &extras;
    op.ttl_ms = 5;
    op.value = value_create(BYTES(""), dice % 300);
    store_do(store, &op);
    value_unref(op.value);
    if (op.status > ENGINE_CREATED && op.status != ENGINE_VOID)
        complain("verbs", "a write was refused");
}

static void flush_loose(uint64_t dice)
{
    struct engine_op op = op_for(ENGINE_FLUSH, BYTES("loose"), BYTES_NONE);

    op.tag = dice % 8 ? BYTES("y") : BYTES_NONE;
    store_do(store, &op);
    op.status = store_sweep(store, 2, op.now_ns) ? ENGINE_OK : ENGINE_MISS;
}

static void *do_all(void *argument)
{
    struct racer *racer = argument;

    pthread_barrier_wait(&barrier);
    for (unsigned long i = 0; i < 20000 * factor; i++) {
        uint64_t dice = draw(&racer->seed);
        if (dice % 16 < 5)
            step_pair(racer, dice % 2);
        else if (dice % 16 < 7)
            add_one((uint32_t)(dice >> 32) % 3);
        else if (dice % 16 < 14)
            write_loose(racer, dice >> 8);
        else if (dice % 16 == 14)
            list_loose(dice >> 32 & 1 ? ENGINE_LIST : ENGINE_NAMESPACES);
        else
            flush_loose(dice >> 8);
    }
    return NULL;
}

static void check_added(void)
{
    unsigned long sum = 0;

    for (uint32_t i = 0; i < 3; i++) {
        struct engine_counter counter = { .by = 0 };
        struct engine_op op = op_for(ENGINE_COUNTER_GET, BYTES("counted"), bytes_of((char *)&i, sizeof i));
        op.counter = &counter;
        store_do(store, &op);
        sum += (unsigned long)counter.value;
    }
    if (sum != atomic_load(&added))
        complain("verbs", "additions were lost");
}

static void run_verbs(struct racer *racers)
{
    open_store(8 << 20, 8);
    race(racers, do_all);
    check_added();
    close_store("verbs");
}

int main(int argc, char **argv)
{
    static struct racer racers[THREADS];

    if (argc > 1)
        factor = strtoul(argv[1], NULL, 10);
    run_verbs(racers);
    return atomic_load(&faults) > 0;
}
