/* stress_memory.c - threads race on one memory engine; invariants are checked.
 *
 * A plain program (Criterion aborts under ThreadSanitizer), bounded by numbers
 * of operations. Each part opens an engine of its own, starts its threads at
 * one barrier, and checks what no interleaving may break:
 *
 *   mixed     a value always names its own key and passes its checksum, under
 *             puts, deletes, touches, expiry, flushes and eviction at once;
 *   creators  of those who race to create a key exactly one succeeds;
 *   counters  numbers that are raised by compare-and-swap lose no update;
 *   flush     nothing written before a flush is read after it has returned.
 *
 * Usage: stress_memory [factor], the number of operations times `factor`. */
#include "tests/stress/race.h"

/* ---- mixed ---- */

#define NAME_BYTES 16

/* A value: its key, filler made from the key and the length, the sum of all. */
static struct value *named_value(const char *name, size_t len)
{
    struct value *value = value_create(BYTES("x/y"), NAME_BYTES + len + 1);
    char *to;
    unsigned char sum = 0;

    if (!value)
        exit(2);
    to = value_writable(value);
    memcpy(to, name, NAME_BYTES);
    for (size_t i = 0; i < len; i++)
        to[NAME_BYTES + i] = (char)(name[i % NAME_BYTES] + (char)i);
    for (size_t i = 0; i < NAME_BYTES + len; i++)
        sum = (unsigned char)(sum + (unsigned char)to[i]);
    to[NAME_BYTES + len] = (char)sum;
    return value;
}

static void check_named_value(const struct value *value, const char *name, size_t bytes)
{
    unsigned char sum = 0;

    if (value->len != bytes || value->len <= NAME_BYTES || memcmp(value->data, name, NAME_BYTES) != 0)
        complain("mixed", "a value of another key");
    for (size_t i = 0; i + 1 < value->len; i++)
        sum = (unsigned char)(sum + (unsigned char)value->data[i]);
    if (sum != (unsigned char)value->data[value->len - 1])
        complain("mixed", "a broken value");
}

static void mixed_step(struct racer *racer, unsigned long step)
{
    uint64_t dice = draw(&racer->seed);
    char name[NAME_BYTES + 1];
    struct engine_op op;

    snprintf(name, sizeof name, "n%01u key %08u ", (unsigned)(dice % 3), (unsigned)(dice >> 8) % 600);
    op = op_for(ENGINE_GET, bytes_of(name, 2), bytes_of(name, NAME_BYTES));
    dice >>= 32;
    if (dice % 100 < 40) {
        store_get(store, &op);
        if (op.status == ENGINE_OK)
            check_named_value(op.entry.value, name, op.entry.bytes);
        value_unref(op.entry.value);
    } else if (dice % 100 < 75) {
        op.verb = ENGINE_PUT;
        op.ttl_ms = dice % 3 ? 1 + (int64_t)(dice % 40) : ENGINE_NO_EXPIRY;
        op.idle_ms = dice % 5 ? ENGINE_NO_IDLE : 5;
        op.value = named_value(name, dice % 64 ? dice % 700 : 40000);
        store_put(store, &op);
        value_unref(op.value);
    } else if (dice % 100 < 85) {
        op.verb = ENGINE_DELETE;
        store_delete(store, &op);
    } else if (dice % 100 < 95) {
        op.verb = ENGINE_TOUCH;
        op.ttl_ms = 1 + (int64_t)(dice % 40);
        store_touch(store, &op);
    } else if (step % 16 == 0) {
        op.verb = ENGINE_FLUSH;
        op.ns = dice % 4 ? op.ns : BYTES_NONE;
        store_flush(store, &op);
    } else {
        op.status = store_sweep(store, 4, op.now_ns) ? ENGINE_OK : ENGINE_MISS;
    }
    racer->outcomes[op.status]++;
}

static void *mix(void *argument)
{
    struct racer *racer = argument;

    pthread_barrier_wait(&barrier);
    for (unsigned long step = 0; step < 60000 * factor; step++)
        mixed_step(racer, step);
    if (racer->outcomes[ENGINE_FAILED] > 0)
        complain("mixed", "an operation failed");
    if (racer->outcomes[ENGINE_FULL] > 0)
        complain("mixed", "a write found no room");
    return NULL;
}

/* ---- creators ---- */

#define CREATE_KEYS 2000

static atomic_uint created[CREATE_KEYS];

static void *create(void *argument)
{
    static const struct engine_condition absent = { .if_none_match = { .given = true, .any = true } };
    struct racer *racer = argument;

    pthread_barrier_wait(&barrier);
    for (uint32_t i = 0; i < CREATE_KEYS; i++) {
        struct engine_op op = op_for(ENGINE_PUT, BYTES("creators"), bytes_of((char *)&i, sizeof i));
        op.condition = &absent;
        op.value = value_create(BYTES(""), racer->number);
        store_put(store, &op);
        value_unref(op.value);
        if (op.status == ENGINE_CREATED)
            atomic_fetch_add(&created[i], 1);
        else if (op.status != ENGINE_MISMATCH || op.entry.version == 0)
            complain("creators", "neither created nor refused");
    }
    return NULL;
}

static void check_created(void)
{
    for (unsigned i = 0; i < CREATE_KEYS; i++)
        if (created[i] != 1)
            complain("creators", "a key was not created exactly once");
}

/* ---- counters ---- */

#define COUNTERS 5
#define RAISES 2000

static bool try_to_raise(uint32_t counter)
{
    struct bytes ns = BYTES("counters"), key = bytes_of((char *)&counter, sizeof counter);
    struct engine_condition condition = { .if_match = { .given = true, .count = 1 } };
    struct engine_op op = op_for(ENGINE_GET, ns, key);
    engine_version version;
    unsigned long count;

    store_get(store, &op);
    if (op.status != ENGINE_OK)
        exit(2);
    memcpy(&count, op.entry.value->data, sizeof count);
    value_unref(op.entry.value);
    version = op.entry.version;
    condition.if_match.versions = &version;
    count++;
    op = op_for(ENGINE_PUT, ns, key);
    op.condition = &condition;
    op.value = value_create(BYTES(""), sizeof count);
    memcpy(value_writable(op.value), &count, sizeof count);
    store_put(store, &op);
    value_unref(op.value);
    if (op.status == ENGINE_OK && op.entry.version <= version)
        complain("counters", "a version did not grow");
    return op.status == ENGINE_OK;
}

static void *raise_counters(void *argument)
{
    struct racer *racer = argument;

    pthread_barrier_wait(&barrier);
    for (unsigned long i = 0; i < RAISES * factor; i++)
        while (!try_to_raise((uint32_t)((i + racer->number) % COUNTERS)))
            continue;
    return NULL;
}

static void put_number(struct bytes ns, struct bytes key, unsigned long number)
{
    struct engine_op op = op_for(ENGINE_PUT, ns, key);

    op.value = value_create(BYTES(""), sizeof number);
    memcpy(value_writable(op.value), &number, sizeof number);
    store_put(store, &op);
    value_unref(op.value);
    if (op.status != ENGINE_OK && op.status != ENGINE_CREATED)
        complain("put", "not stored");
}

/* False: a miss. */
static bool get_number(struct bytes ns, struct bytes key, unsigned long *number)
{
    struct engine_op op = op_for(ENGINE_GET, ns, key);

    store_get(store, &op);
    if (op.status == ENGINE_OK)
        memcpy(number, op.entry.value->data, sizeof *number);
    value_unref(op.entry.value);
    return op.status == ENGINE_OK;
}

static void check_counters(void)
{
    unsigned long sum = 0, count;

    for (uint32_t i = 0; i < COUNTERS; i++) {
        if (!get_number(BYTES("counters"), bytes_of((char *)&i, sizeof i), &count))
            complain("counters", "one is gone");
        else
            sum += count;
    }
    if (sum != RAISES * factor * THREADS)
        complain("counters", "updates were lost");
}

/* ---- flush ---- */

#define FLUSHED_KEYS 16
#define FLUSHES 1500

/* A writer stores the round that it found, and holds the round still until it
 * has its answer: so all that names a round was answered before the flush that
 * ends this round began. */
static pthread_rwlock_t round_lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static unsigned long round_now = 1;
static atomic_ulong rounds_flushed; /* all of these rounds must be gone */
static atomic_bool flushing;
static atomic_ulong rounds_seen, rounds_written;

/* Until the others have written and read something in this round. */
static void let_others_work(unsigned long *written, unsigned long *seen)
{
    while (atomic_load(&rounds_written) == *written || atomic_load(&rounds_seen) == *seen)
        sched_yield();
    *written = atomic_load(&rounds_written);
    *seen = atomic_load(&rounds_seen);
}

static void flush_rounds(void)
{
    unsigned long written = 0, seen = 0;

    for (unsigned long i = 0; i < FLUSHES * factor; i++) {
        struct engine_op op = op_for(ENGINE_FLUSH, i % 3 ? BYTES("flush") : BYTES_NONE, BYTES_NONE);
        unsigned long ended;
        let_others_work(&written, &seen);
        pthread_rwlock_wrlock(&round_lock);
        ended = round_now++;
        pthread_rwlock_unlock(&round_lock);
        store_flush(store, &op);
        atomic_store(&rounds_flushed, ended);
        if (i % 8 == 0 && store_sweep(store, 2, op.now_ns))
            complain("flush", "more was left than can have been written");
    }
    atomic_store(&flushing, false);
}

static void write_round(struct bytes key)
{
    pthread_rwlock_rdlock(&round_lock);
    put_number(BYTES("flush"), key, round_now);
    pthread_rwlock_unlock(&round_lock);
    atomic_fetch_add(&rounds_written, 1);
}

static void read_round(struct bytes key)
{
    unsigned long gone = atomic_load(&rounds_flushed), round;

    if (!get_number(BYTES("flush"), key, &round))
        return;
    atomic_fetch_add(&rounds_seen, 1);
    if (round <= gone)
        complain("flush", "what was written before a flush was read after it");
}

static void *race_flushes(void *argument)
{
    struct racer *racer = argument;

    pthread_barrier_wait(&barrier);
    if (racer->number == 0)
        flush_rounds();
    while (atomic_load(&flushing)) {
        uint32_t key = (uint32_t)(draw(&racer->seed) % FLUSHED_KEYS);
        if (racer->number == 1)
            write_round(bytes_of((char *)&key, sizeof key));
        else
            read_round(bytes_of((char *)&key, sizeof key));
    }
    return NULL;
}

static void run_flushes(struct racer *racers)
{
    atomic_store(&flushing, true);
    open_store(1 << 20, 8);
    race(racers, race_flushes);
    printf("flush: %lu reads found an entry\n", atomic_load(&rounds_seen));
    close_store("flush");
}

/* ---- All of them ---- */

static void run_mixed(struct racer *racers)
{
    /* Small enough that eviction takes part. */
    open_store(400 * 1024, 8);
    race(racers, mix);
    close_store("mixed");
}

static void run_creators(struct racer *racers)
{
    open_store(8 << 20, 8);
    race(racers, create);
    check_created();
    close_store("creators");
}

static void run_counters(struct racer *racers)
{
    open_store(1 << 20, 2);
    for (uint32_t i = 0; i < COUNTERS; i++)
        put_number(BYTES("counters"), bytes_of((char *)&i, sizeof i), 0);
    race(racers, raise_counters);
    check_counters();
    close_store("counters");
}

int main(int argc, char **argv)
{
    static struct racer racers[THREADS];

    if (argc > 1)
        factor = strtoul(argv[1], NULL, 10);
    run_mixed(racers);
    run_creators(racers);
    run_counters(racers);
    run_flushes(racers);
    return atomic_load(&faults) > 0;
}
