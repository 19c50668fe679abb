/* contract.h - one suite for every engine: what a factory gives and what the
 * tests use.
 *
 * A test program is the suite's files and one factory. Each test opens an
 * engine of its own; clients are event loops on threads of their own, so the
 * tests read as plain calls that wait for their answer, whether the engine
 * answers at once or later. */
#pragma once

#include <pthread.h>

#include "engines/engine.h"

/* ---- What a factory gives ---- */

struct contract_engine {
    const char *name;
    /* An engine without entries; for a shared server, under a prefix of its
     * own. Fails by ending the test. */
    struct engine *(*open)(void);
    /* What it must be able to do: the suite leaves out what an engine says it
     * cannot, and a capability that got lost is not to go unnoticed. */
    unsigned (*promises)(void);
    /* Makes the engine stop answering, or go on; NULL: it always answers. Any
     * thread. */
    void (*stall)(struct engine *engine, bool stalled);
    /* It knows no time but op->now_ns: the tests need not wait. */
    bool virtual_time;
};

extern const struct contract_engine engine_under_test;

/* Promised by every engine. */
#define CONTRACT_COMMON                                                                                              \
    (ENGINE_CAN_STORE | ENGINE_CAN_CONDITIONS | ENGINE_CAN_SLIDE | ENGINE_CAN_FLUSH | ENGINE_CAN_TAG |               \
     ENGINE_CAN_LEASE | ENGINE_CAN_FENCE | ENGINE_CAN_COUNT | ENGINE_CAN_LIMIT | ENGINE_CAN_LOCK)

/* Stops the processes `pids` ("1,2") and returns when all their threads stand
 * still, or lets them go on. */
void stall_processes(const char *pids, bool stalled);

/* ---- Clients ---- */

struct client {
    struct loop *loop;
    struct engine_session *session;
    pthread_t thread;
};

extern struct engine *engine;
/* The client that the calls below use. */
extern struct client client;

void contract_open(void);
void contract_close(void);

void client_open(struct client *own);
/* Ends the loop, then the session. */
void client_close(struct client *own);

/* Runs `fn` on the client's thread and waits for it. */
void client_call(struct client *own, void (*fn)(struct client *own, void *argument), void *argument);

/* Submits and waits until it is done. Checks what every operation owes: that
 * nothing is called back inside submit, or twice, or on another thread. */
void client_run(struct client *own, struct engine_op *op);
void client_run_batch(struct client *own, struct engine_op *ops, size_t count);

/* ---- Short calls ---- */

/* Whether the engine has all these capabilities; what it has not is left out
 * of the suite. */
bool can(unsigned capabilities);

/* contract_open() for tests of time: where the engine allows it, time stands
 * still but for pass_ms(), and the tests do not depend on the machine's load.
 * Deadlines do not pass then. */
void contract_open_timed(void);

/* The time operations carry, and its passing. */
uint64_t contract_now(void);
void pass_ms(uint64_t ms);

struct engine_op op_for(enum engine_verb verb, struct bytes ns, struct bytes key);
struct value *value_for(struct bytes data, struct bytes content_type);

struct engine_op get(struct bytes ns, struct bytes key);       /* without the value */
struct engine_op get_value(struct bytes ns, struct bytes key); /* with: unref it */
struct engine_op put(struct bytes ns, struct bytes key, struct bytes data);
struct engine_op put_for(struct bytes ns, struct bytes key, int64_t ttl_ms, int64_t idle_ms);
struct engine_op put_if(struct bytes ns, struct bytes key, struct bytes data,
                        const struct engine_condition *condition);
struct engine_op delete_if(struct bytes ns, struct bytes key, const struct engine_condition *condition);
struct engine_op touch_for(struct bytes ns, struct bytes key, int64_t ttl_ms,
                           const struct engine_condition *condition);
struct engine_op flush(struct bytes ns);

/* `expected` names where it is asked from in a failed assertion. */
void expect_status(struct engine_op op, enum engine_status expected, const char *what);
void expect_value(struct bytes ns, struct bytes key, struct bytes data, const char *what);

/* Submits `op` by the client and waits; for PUT with `data` as its value. */
struct engine_op run(struct engine_op op);
struct engine_op run_put(struct engine_op op, struct bytes data);

struct engine_op put_with(struct bytes ns, struct bytes key, struct bytes data, const struct engine_put *with);
struct engine_op get_lease(struct bytes ns, struct bytes key, int64_t lease_ms,
                           uint64_t token); /* without the value */
struct engine_op flush_tag(struct bytes ns, struct bytes tag);

/* "<prefix><number>" in `text`, which has room for 32 bytes. */
struct bytes numbered(char *text, const char *prefix, int number);

/* ---- Races ---- */

#define RACERS_MAX 8

struct racer {
    struct client client;
    pthread_t thread;
    pthread_barrier_t *barrier;
    void (*fn)(struct racer *racer);
    size_t index;
    unsigned failed; /* for `fn` to count what must not be; must be 0 at the end */
};

/* Runs `fn` with `count` clients at once, each on a thread of its own. Criterion's
 * assertions are not for `fn`: it counts. */
void race(size_t count, void (*fn)(struct racer *racer));
/* Waits for the other racers. */
void race_meet(struct racer *racer);
