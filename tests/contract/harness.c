#include "tests/contract/contract.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "service/base/clock.h"

struct engine *engine;
struct client client;

static uint64_t virtual_now; /* 0: operations carry the real time */

/* ---- Calls on the loop's thread ---- */

struct call {
    struct loop_message message; /* first: cast */
    struct client *client;
    void (*fn)(struct client *own, void *argument);
    void *argument;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    size_t open;       /* what is still to end */
    const char *fault; /* found on another thread: Criterion's assertions leak there */
};

static void call_init(struct call *call, struct client *own, size_t open)
{
    *call = (struct call){ .client = own, .open = open };
    pthread_mutex_init(&call->lock, NULL);
    pthread_cond_init(&call->ended, NULL);
}

static void call_end_one(struct call *call, const char *fault)
{
    pthread_mutex_lock(&call->lock);
    if (fault)
        call->fault = fault;
    if (--call->open == 0)
        pthread_cond_signal(&call->ended);
    pthread_mutex_unlock(&call->lock);
}

static void call_wait(struct call *call)
{
    pthread_mutex_lock(&call->lock);
    while (call->open > 0)
        pthread_cond_wait(&call->ended, &call->lock);
    pthread_mutex_unlock(&call->lock);
    pthread_cond_destroy(&call->ended);
    pthread_mutex_destroy(&call->lock);
    cr_assert_null(call->fault, "%s", call->fault);
}

static void serve_call(struct loop_message *message)
{
    struct call *call = (struct call *)message;

    call->fn(call->client, call->argument);
    call_end_one(call, NULL);
}

void client_call(struct client *own, void (*fn)(struct client *own, void *argument), void *argument)
{
    struct call call;

    call_init(&call, own, 1);
    call.fn = fn;
    call.argument = argument;
    call.message.fn = serve_call;
    loop_post(own->loop, &call.message);
    call_wait(&call);
}

/* ---- Operations ---- */

struct run {
    struct call call; /* first: cast */
    struct engine_op *ops;
    size_t count;
    bool submitting;
};

/* The run may be over: there is nobody left to tell but the log. */
static void run_done_again(struct engine_op *op)
{
    fprintf(stderr, "contract: a second callback for one %s\n", engine_verb_name(op->verb));
    abort();
}

static void run_done(struct engine_op *op)
{
    struct run *run = op->context;
    const char *fault = NULL;

    if (run->submitting)
        fault = "called back inside submit";
    if (!pthread_equal(pthread_self(), run->call.client->thread))
        fault = "called back on another thread";
    op->done = run_done_again;
    call_end_one(&run->call, fault);
}

static void run_one(struct run *run)
{
    enum engine_progress progress;

    run->submitting = true;
    progress = engine_submit(run->call.client->session, run->ops);
    run->submitting = false;
    if (progress == ENGINE_DONE)
        call_end_one(&run->call, NULL);
}

static void run_many(struct run *run)
{
    struct engine_op **pointers = calloc(run->count, sizeof(*pointers));
    enum engine_progress *progress = calloc(run->count, sizeof(*progress));
    size_t pending, counted = 0;
    const char *fault;

    for (size_t i = 0; i < run->count; i++)
        pointers[i] = &run->ops[i];
    run->submitting = true;
    pending = engine_submit_batch(run->call.client->session, pointers, run->count, progress);
    run->submitting = false;
    for (size_t i = 0; i < run->count; i++)
        counted += progress[i] == ENGINE_PENDING;
    fault = counted == pending ? NULL : "the batch miscounts what is pending";
    free(pointers);
    free(progress);
    /* After the last of these the caller may take `run` away. */
    for (size_t done = run->count - pending; done > 0; done--)
        call_end_one(&run->call, fault);
}

static void serve_run(struct loop_message *message)
{
    struct run *run = (struct run *)message;

    if (run->count == 1)
        run_one(run);
    else
        run_many(run);
}

void client_run_batch(struct client *own, struct engine_op *ops, size_t count)
{
    struct run run = { .ops = ops, .count = count };

    call_init(&run.call, own, count);
    for (size_t i = 0; i < count; i++) {
        ops[i].done = run_done;
        ops[i].context = &run;
    }
    run.call.message.fn = serve_run;
    loop_post(own->loop, &run.call.message);
    call_wait(&run.call);
}

void client_run(struct client *own, struct engine_op *op)
{
    client_run_batch(own, op, 1);
}

/* ---- Clients ---- */

static void *run_loop(void *argument)
{
    loop_run(((struct client *)argument)->loop);
    return NULL;
}

void client_open(struct client *own)
{
    own->loop = loop_create();
    cr_assert_not_null(own->loop);
    own->session = engine_attach(engine, own->loop);
    cr_assert_not_null(own->session);
    cr_assert_eq(pthread_create(&own->thread, NULL, run_loop, own), 0);
}

void client_close(struct client *own)
{
    loop_stop(own->loop);
    pthread_join(own->thread, NULL);
    own->thread = pthread_self(); /* where detach calls back */
    engine_detach(own->session);
    loop_destroy(own->loop);
}

void contract_open(void)
{
    engine = engine_under_test.open();
    cr_assert_not_null(engine);
    client_open(&client);
}

void contract_close(void)
{
    client_close(&client);
    engine_close(engine);
}

/* ---- Short calls ---- */

bool can(unsigned capabilities)
{
    bool has_all = (engine->capabilities & capabilities) == capabilities;

    if (!has_all)
        cr_log_info("left out: the engine cannot do it, and says so");
    return has_all;
}

void contract_open_timed(void)
{
    contract_open();
    /* Ahead of the engine's own timers, which then collect nothing. */
    if (engine_under_test.virtual_time)
        virtual_now = clock_monotonic_ns() + 3600 * NS_PER_SECOND;
}

uint64_t contract_now(void)
{
    return virtual_now ? virtual_now : clock_monotonic_ns();
}

void pass_ms(uint64_t ms)
{
    struct timespec pause = { (time_t)(ms / 1000), (long)(ms % 1000 * NS_PER_MS) };

    if (virtual_now)
        virtual_now += ms * NS_PER_MS;
    else
        nanosleep(&pause, NULL);
}

struct engine_op op_for(enum engine_verb verb, struct bytes ns, struct bytes key)
{
    uint64_t now = contract_now();

    return (struct engine_op){ .verb = verb,
                               .ns = ns,
                               .key = key,
                               .ttl_ms = ENGINE_NO_EXPIRY,
                               .now_ns = now,
                               .deadline_ns = now + 10 * NS_PER_SECOND };
}

struct value *value_for(struct bytes data, struct bytes content_type)
{
    struct value *value = value_create(content_type, data.len);

    cr_assert_not_null(value);
    if (data.len > 0)
        memcpy(value_writable(value), data.ptr, data.len);
    return value;
}

struct engine_op run(struct engine_op op)
{
    client_run(&client, &op);
    return op;
}

struct engine_op get_value(struct bytes ns, struct bytes key)
{
    return run(op_for(ENGINE_GET, ns, key));
}

struct engine_op get(struct bytes ns, struct bytes key)
{
    struct engine_op op = op_for(ENGINE_GET, ns, key);

    op.without_value = true;
    op = run(op);
    cr_assert_null(op.entry.value, "a value that was not asked for");
    return op;
}

struct engine_op run_put(struct engine_op op, struct bytes data)
{
    op.value = value_for(data, BYTES("text/plain"));
    op = run(op);
    value_unref(op.value);
    op.value = NULL;
    cr_assert_null(op.entry.value);
    return op;
}

struct engine_op put(struct bytes ns, struct bytes key, struct bytes data)
{
    return run_put(op_for(ENGINE_PUT, ns, key), data);
}

struct engine_op put_for(struct bytes ns, struct bytes key, int64_t ttl_ms, int64_t idle_ms)
{
    struct engine_op op = op_for(ENGINE_PUT, ns, key);

    op.ttl_ms = ttl_ms;
    op.idle_ms = idle_ms;
    return run_put(op, BYTES("value"));
}

struct engine_op put_if(struct bytes ns, struct bytes key, struct bytes data,
                        const struct engine_condition *condition)
{
    struct engine_op op = op_for(ENGINE_PUT, ns, key);

    op.condition = condition;
    return run_put(op, data);
}

struct engine_op delete_if(struct bytes ns, struct bytes key, const struct engine_condition *condition)
{
    struct engine_op op = op_for(ENGINE_DELETE, ns, key);

    op.condition = condition;
    return run(op);
}

struct engine_op touch_for(struct bytes ns, struct bytes key, int64_t ttl_ms,
                           const struct engine_condition *condition)
{
    struct engine_op op = op_for(ENGINE_TOUCH, ns, key);

    op.ttl_ms = ttl_ms;
    op.condition = condition;
    return run(op);
}

struct engine_op flush(struct bytes ns)
{
    return run(op_for(ENGINE_FLUSH, ns, BYTES_NONE));
}

struct engine_op put_with(struct bytes ns, struct bytes key, struct bytes data, const struct engine_put *with)
{
    struct engine_op op = op_for(ENGINE_PUT, ns, key);

    op.put = with;
    return run_put(op, data);
}

struct engine_op get_lease(struct bytes ns, struct bytes key, int64_t lease_ms, uint64_t token)
{
    struct engine_op op = op_for(ENGINE_GET, ns, key);

    op.without_value = true;
    op.lease_ms = lease_ms;
    op.lease_token = token;
    return run(op);
}

struct engine_op flush_tag(struct bytes ns, struct bytes tag)
{
    struct engine_op op = op_for(ENGINE_FLUSH, ns, BYTES_NONE);

    op.tag = tag;
    return run(op);
}

struct bytes numbered(char *text, const char *prefix, int number)
{
    return bytes_of(text, (size_t)snprintf(text, 32, "%s%d", prefix, number));
}

void expect_status(struct engine_op op, enum engine_status expected, const char *what)
{
    cr_assert_eq(op.status, expected, "%s: %s of %.*s/%.*s is %s, not %s (%s)", what, engine_verb_name(op.verb),
                 (int)op.ns.len, op.ns.ptr, (int)op.key.len, op.key.ptr, engine_status_name(op.status),
                 engine_status_name(expected), op.detail ? op.detail : "no detail");
}

void expect_value(struct bytes ns, struct bytes key, struct bytes data, const char *what)
{
    struct engine_op op = get_value(ns, key);

    expect_status(op, ENGINE_OK, what);
    cr_assert_not_null(op.entry.value, "%s", what);
    cr_assert_eq(op.entry.bytes, data.len, "%s", what);
    cr_assert(bytes_equal(value_bytes(op.entry.value), data), "%s: other bytes came back", what);
    cr_assert_neq(op.entry.version, 0, "%s", what);
    value_unref(op.entry.value);
}

/* ---- Races ---- */

static void *run_racer(void *argument)
{
    struct racer *racer = argument;

    race_meet(racer);
    racer->fn(racer);
    return NULL;
}

void race_meet(struct racer *racer)
{
    pthread_barrier_wait(racer->barrier);
}

void race(size_t count, void (*fn)(struct racer *racer))
{
    struct racer racers[RACERS_MAX];
    pthread_barrier_t barrier;

    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        racers[i] = (struct racer){ .barrier = &barrier, .fn = fn, .index = i };
        client_open(&racers[i].client);
    }
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(pthread_create(&racers[i].thread, NULL, run_racer, &racers[i]), 0);
    for (size_t i = 0; i < count; i++)
        pthread_join(racers[i].thread, NULL);
    for (size_t i = 0; i < count; i++)
        client_close(&racers[i].client);
    pthread_barrier_destroy(&barrier);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(racers[i].failed, 0, "racer %zu: %u operations went wrong", i, racers[i].failed);
}
