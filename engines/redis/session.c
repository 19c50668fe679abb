#include "engines/redis/session.h"

#include <stdlib.h>
#include <sys/random.h>

#include "engines/redis/list.h"
#include "engines/redis/topology.h"
#include "service/base/clock.h"

enum { TICK_MS = 100 };

static struct redis_session *of(struct engine_session *base)
{
    return (struct redis_session *)(void *)base;
}

/* ---- Small things of a session ---- */

/* SplitMix64 (Steele, Lea, Flood 2014) from a random start: versions and
 * generations need to be unique, not secret. */
uint64_t redis_session_random(struct redis_session *session)
{
    uint64_t z = session->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return z ? z : 1;
}

struct redis_guess *redis_session_guess(struct redis_session *session, unsigned bucket, struct bytes ns)
{
    uint32_t hash = 2166136261u ^ bucket; /* FNV-1a */
    struct redis_guess *guess;

    for (size_t i = 0; i < ns.len; i++)
        hash = (hash ^ (unsigned char)ns.ptr[i]) * 16777619u;
    guess = &session->guesses[hash % SESSION_GUESSES];
    if (guess->hash != hash)
        *guess = (struct redis_guess){ .hash = hash };
    return guess;
}

/* ---- Each turn, and each tick ---- */

static void on_turn(void *context)
{
    struct redis_session *session = context;

    /* Closing a link rouses what can go elsewhere, which then is to be
     * written: two rounds, and what is left is the next turn's. */
    for (int round = 0; round < 2; round++) {
        if (session->roused)
            redis_tasks_rouse(session);
        session->topology->settle(session);
        for (struct redis_node *node = session->nodes; node; node = node->next)
            redis_node_settle(node);
        if (!session->roused)
            return;
    }
    loop_skip_wait(session->base.loop);
}

static void on_tick(void *context)
{
    struct redis_session *session = context;
    uint64_t now = loop_now(session->base.loop);

    session->topology->tick(session, now);
    for (struct redis_node *node = session->nodes; node; node = node->next)
        redis_node_tick(node, now);
    /* Other sessions may have found a server dead or alive. */
    if (session->waiting.count > 0)
        session->roused = true;
}

static void on_again(void *context)
{
    struct redis_session *session = context;

    session->again_ns = 0;
    session->roused = true;
}

/* ---- The table ---- */

static void destroy_session(struct redis_session *session)
{
    struct redis_node *node = session->nodes;

    session->nodes = NULL;
    while (node) {
        struct redis_node *next = node->next;
        redis_node_destroy(node);
        node = next;
    }
    redis_tasks_rouse(session);
    if (session->topology)
        session->topology->destroy(session);
    while (session->free_tasks) {
        struct redis_task *task = session->free_tasks;
        session->free_tasks = task->next;
        free(task);
    }
    loop_hook_remove(session->hook);
    loop_timer_destroy(session->timer);
    loop_timer_destroy(session->again_timer);
    redis_sweep_release(session);
    free(session);
}

static bool open_topology(struct redis_session *session)
{
    switch (session->config->mode) {
    case REDIS_SENTINEL:
        return redis_topology_create_sentinel(session);
    case REDIS_CLUSTER:
        return redis_topology_create_cluster(session);
    case REDIS_STANDALONE:
    default:
        return redis_topology_create_standalone(session);
    }
}

static struct engine_session *attach(struct engine *base, struct loop *loop)
{
    struct redis_engine *engine = (struct redis_engine *)(void *)base;
    struct redis_session *session = calloc(1, sizeof *session);

    if (!session)
        return NULL;
    engine_session_init(&session->base, base, loop);
    session->engine = engine;
    session->config = engine->config;
    if (getrandom(&session->random, sizeof session->random, 0) != sizeof session->random)
        goto fail;
    session->hook = loop_hook_add(loop, on_turn, session);
    session->timer = loop_timer_create(loop, on_tick, session);
    session->again_timer = loop_timer_create(loop, on_again, session);
    if (!session->hook || !session->timer || !session->again_timer || !redis_sweep_init(session) ||
        !open_topology(session))
        goto fail;
    loop_timer_every(session->timer, TICK_MS);
    on_tick(session);
    return &session->base;

fail:
    session->base.detaching = true;
    destroy_session(session);
    return NULL;
}

static void detach(struct engine_session *base)
{
    destroy_session(of(base));
}

static enum engine_progress finish_now(struct engine_op *op, enum engine_status status, const char *detail)
{
    op->status = status;
    op->detail = detail;
    return ENGINE_DONE;
}

bool redis_session_scripts(struct redis_session *session, unsigned bucket, const struct engine_op *op)
{
    return op->without_value || op->lease_ms > 0 || redis_session_guess(session, bucket, op->ns)->scripted;
}

enum engine_progress redis_session_submit(struct engine_session *base, struct engine_op *op)
{
    struct redis_session *session = of(base);
    struct redis_task *task;
    const char *detail = NULL;
    enum engine_status status;

    if (op->verb == ENGINE_PUT && op->value->len > redis_command_most_bytes(session, op)) {
        op->limit = redis_command_most_bytes(session, op);
        return finish_now(op, ENGINE_TOO_LARGE, NULL);
    }
    if (op->verb == ENGINE_FLUSH && session->config->keys.clustered)
        return redis_flush_start(session, op);
    if (op->verb == ENGINE_LIST || op->verb == ENGINE_NAMESPACES)
        return redis_list_start(session, op);
    if (op->verb == ENGINE_PUT)
        redis_namespaces_note(session, op->ns);
    task = redis_task_create(session);
    if (!task)
        return finish_now(op, ENGINE_BUSY, "out of memory");
    task->op = op;
    task->writes = engine_verb_writes(op->verb);
    task->bucket = (uint16_t)redis_keys_bucket(&session->config->keys, op->ns, op->key);
    if (op->verb == ENGINE_PUT)
        task->version = redis_session_random(session);
    if (op->verb == ENGINE_GET)
        task->scripted = redis_session_scripts(session, task->bucket, op);
    op->engine_private = task;
    status = redis_task_start(task, &detail);
    if (status == ENGINE_STATUSES)
        return ENGINE_PENDING;
    redis_task_free(task);
    return finish_now(op, status, detail);
}

static enum engine_status cancel(struct engine_session *base, struct engine_op *op)
{
    struct redis_session *session = of(base);

    if (op->verb == ENGINE_FLUSH && session->config->keys.clustered)
        return redis_flush_cancel(op);
    if (op->verb == ENGINE_LIST || op->verb == ENGINE_NAMESPACES)
        return redis_list_cancel(op);
    if (((struct redis_task *)op->engine_private)->gather)
        return redis_gather_cancel(op->engine_private, op);
    return redis_task_cancel(op->engine_private);
}

static bool ready(struct engine *base, const char **reason)
{
    struct redis_engine *engine = (struct redis_engine *)(void *)base;

    if (atomic_load(&engine->links_ready) > 0)
        return true;
    *reason = atomic_load(&engine->reason);
    return false;
}

static void close_engine(struct engine *base)
{
    struct redis_engine *engine = (struct redis_engine *)(void *)base;

    redis_breakers_release(&engine->breakers);
    redis_config_destroy(engine->config);
    free(engine);
}

static const struct engine_table table = {
    .name = "redis",
    .attach = attach,
    .detach = detach,
    .submit = redis_session_submit,
    .submit_batch = redis_gather_submit,
    .cancel = cancel,
    .ready = ready,
    .close = close_engine,
    .facts = redis_tell_facts,
};

struct engine *redis_open(const struct redis_options *options, char **error)
{
    struct redis_engine *engine;
    struct redis_config *config = redis_config_create(options, error);

    if (!config)
        return NULL;
    engine = calloc(1, sizeof *engine);
    if (!engine) {
        redis_config_destroy(config);
        *error = strdup("out of memory");
        return NULL;
    }
    engine->base.table = &table;
    engine->base.name = "redis";
    engine->base.capabilities = ENGINE_CAN_STORE | ENGINE_CAN_CONDITIONS | ENGINE_CAN_SLIDE | ENGINE_CAN_FLUSH |
                                ENGINE_IS_SHARED | ENGINE_IS_PERSISTENT | ENGINE_CAN_LIST | ENGINE_CAN_COUNT |
                                ENGINE_CAN_LIMIT | ENGINE_CAN_LOCK;
    /* Redis' limit of a string, proto-max-bulk-len */
    engine->base.max_value_bytes = 512u * 1024 * 1024 - RECORD_HEAD_MAX;
    engine->base.capabilities |= ENGINE_CAN_TAG | ENGINE_CAN_LEASE | ENGINE_CAN_FENCE;
    if (!config->keys.clustered)
        engine->base.capabilities |= ENGINE_CAN_ATOMIC | ENGINE_CAN_QUOTA;
    engine->config = config;
    redis_breakers_init(&engine->breakers);
    atomic_init(&engine->reason, "redis is not connected yet");
    return &engine->base;
}
