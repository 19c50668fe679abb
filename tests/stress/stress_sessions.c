/* stress_sessions.c - event loops race on one engine with all its decorators.
 *
 * Each thread has a loop and a session of tracer over fault over memory, and
 * keeps a number of operations in flight: `done` submits the next. Meanwhile
 * the main thread changes the fault rules and reads what any thread may read.
 * Every operation must end exactly once, with an outcome that the rules can
 * have caused, and be seen by the tracer exactly once. Plain C, for
 * ThreadSanitizer; bounded by the number of operations. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engines/fault.h"
#include "engines/memory/memory.h"
#include "engines/trace.h"
#include "service/base/clock.h"

#define THREADS 3
#define IN_FLIGHT 16
#define OPERATIONS 40000

static struct engine *memory, *faulty, *engine;
static atomic_ulong traced, ended, faults;
static atomic_uint running;

struct flight {
    struct engine_op op; /* first: cast */
    struct racer *racer;
    char key[4];
    bool pending;
};

struct racer {
    pthread_t thread;
    struct loop *loop;
    struct engine_session *session;
    struct flight flights[IN_FLIGHT];
    unsigned long left;
    unsigned open; /* flights that go on */
    uint64_t seed;
    struct loop_message start;
};

static void complain(const char *what, enum engine_status status)
{
    if (atomic_fetch_add(&faults, 1) < 20)
        fprintf(stderr, "%s (%s)\n", what, engine_status_name(status));
}

static void count_traced(void *context, const struct engine_op *op, uint64_t duration_ns)
{
    (void)context;
    (void)op;
    (void)duration_ns;
    atomic_fetch_add(&traced, 1);
}

static void prepare(struct flight *flight)
{
    static const enum engine_verb verbs[] = { ENGINE_GET, ENGINE_GET,    ENGINE_PUT,
                                              ENGINE_PUT, ENGINE_DELETE, ENGINE_TOUCH };
    struct racer *racer = flight->racer;
    uint64_t now = loop_now(racer->loop);

    racer->seed = racer->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    flight->key[0] = (char)(racer->seed >> 40);
    flight->op.verb = (racer->seed >> 33) % 200 ? verbs[(racer->seed >> 50) % 6] : ENGINE_FLUSH;
    flight->op.ns = BYTES("ns");
    flight->op.key = bytes_of(flight->key, sizeof flight->key);
    flight->op.ttl_ms = 1 + (int64_t)(racer->seed >> 60);
    flight->op.idle_ms = ENGINE_NO_IDLE;
    flight->op.now_ns = now;
    flight->op.deadline_ns = now + 3 * NS_PER_MS;
    flight->op.value = NULL;
    if (flight->op.verb == ENGINE_PUT)
        flight->op.value = value_create(BYTES("x/y"), (size_t)(racer->seed >> 52));
}

static void finish(struct flight *flight)
{
    struct engine_op *op = &flight->op;

    atomic_fetch_add(&ended, 1);
    if (op->verb == ENGINE_PUT)
        value_unref(op->value);
    value_unref(op->entry.value);
    if (op->status != ENGINE_OK && op->status != ENGINE_CREATED && op->status != ENGINE_MISS &&
        op->status != ENGINE_LATE && op->status != ENGINE_REFUSED)
        complain("an outcome that no rule explains", op->status);
}

/* Until one is pending, or there are no more. */
static void go_on(struct flight *flight)
{
    struct racer *racer = flight->racer;

    while (racer->left > 0) {
        racer->left--;
        prepare(flight);
        flight->pending = true;
        if (engine_submit(racer->session, &flight->op) == ENGINE_PENDING)
            return;
        flight->pending = false;
        finish(flight);
    }
    if (--racer->open == 0)
        loop_stop(racer->loop);
}

static void flight_done(struct engine_op *op)
{
    struct flight *flight = (struct flight *)op;

    if (!flight->pending)
        complain("done for an operation that is not pending", op->status);
    if (!pthread_equal(pthread_self(), flight->racer->thread))
        complain("done on another thread", op->status);
    flight->pending = false;
    finish(flight);
    go_on(flight);
}

static void start(struct loop_message *message)
{
    struct racer *racer = (struct racer *)(void *)((char *)message - offsetof(struct racer, start));

    for (unsigned i = 0; i < IN_FLIGHT; i++)
        go_on(&racer->flights[i]);
}

static void *run(void *argument)
{
    loop_run(((struct racer *)argument)->loop);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void open_racer(struct racer *racer, uint64_t seed)
{
    racer->loop = loop_create();
    racer->session = racer->loop ? engine_attach(engine, racer->loop) : NULL;
    if (!racer->session)
        exit(2);
    racer->left = OPERATIONS;
    racer->open = IN_FLIGHT;
    racer->seed = seed;
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        racer->flights[i].racer = racer;
        racer->flights[i].op.done = flight_done;
    }
    racer->start.fn = start;
    if (pthread_create(&racer->thread, NULL, run, racer) != 0)
        exit(2);
}

/* Changes the weather until all have landed. */
static void interfere(void)
{
    static const struct fault_rule rules[][2] = {
        { { .verbs = FAULT_ALL_VERBS, .every = 3, .delay_ms = 1 }, { .verbs = 0 } },
        { { .verbs = FAULT_VERB(ENGINE_GET), .every = 50, .drop = true },
          { .verbs = FAULT_ALL_VERBS, .every = 20, .fail = true, .status = ENGINE_REFUSED } },
        { { .verbs = FAULT_VERB(ENGINE_PUT), .every = 7, .delay_ms = 5 }, { .verbs = 0 } },
    };
    struct memory_stats stats;
    const char *reason;

    for (unsigned turn = 0; atomic_load(&running) > 0; turn++) {
        fault_set_rules(faulty, rules[turn % 3], 2);
        fault_set_unready(faulty, turn % 2 ? "on purpose" : NULL);
        if (engine_ready(engine, &reason) != (turn % 2 == 0))
            complain("readiness", ENGINE_OK);
        memory_stats(memory, &stats);
        if (stats.bytes > stats.max_bytes)
            complain("the budget was passed", ENGINE_OK);
        nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
    }
}

int main(void)
{
    static struct racer racers[THREADS];
    struct memory_options options = { .max_bytes = 1 << 20, .shards = 4 };
    struct trace_options tracer = { .sink = count_traced };

    memory = memory_open(&options);
    faulty = fault_open(memory);
    engine = trace_open(faulty, &tracer);
    if (!engine)
        return 2;
    fault_set_rules(faulty, &(struct fault_rule){ .verbs = FAULT_ALL_VERBS, .delay_ms = 1 }, 1);
    atomic_store(&running, THREADS);
    for (unsigned i = 0; i < THREADS; i++)
        open_racer(&racers[i], 77 + i);
    for (unsigned i = 0; i < THREADS; i++)
        loop_post(racers[i].loop, &racers[i].start);
    interfere();
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(racers[i].thread, NULL);
        engine_detach(racers[i].session);
        loop_destroy(racers[i].loop);
    }
    if (fault_held(faulty) != 0)
        complain("something is still held", ENGINE_OK);
    engine_close(engine);
    printf("%lu operations ended, %lu traced\n", atomic_load(&ended), atomic_load(&traced));
    if (atomic_load(&ended) != THREADS * OPERATIONS || atomic_load(&traced) != THREADS * OPERATIONS)
        complain("the numbers differ", ENGINE_OK);
    return atomic_load(&faults) > 0;
}
