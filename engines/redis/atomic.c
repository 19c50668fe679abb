/* atomic.c - several operations as one script.
 *
 * All of them are arguments of one call: the script judges them all, then does
 * them all (script.c). Only where one server holds everything, so nothing is
 * redirected here. */
#include "engines/redis/fault.h"
#include "engines/redis/hiredis_compat.h"
#include "engines/redis/session.h"

/* ---- Sending ---- */

static bool is_too_large(const struct redis_task *task, const struct engine_op *op)
{
    return op->verb == ENGINE_PUT && op->value->len > redis_command_most_bytes(task->session, op);
}

static size_t argument_count(const struct redis_task *task, const struct engine_op *op)
{
    if (is_too_large(task, op))
        return 1;
    switch (op->verb) {
    case ENGINE_PUT:
        return 10;
    case ENGINE_DELETE:
        return 3;
    default: /* GET, TOUCH */
        return 4;
    }
}

static bool is_possible(const struct engine_op *op)
{
    return op->verb == ENGINE_GET || op->verb == ENGINE_PUT || op->verb == ENGINE_DELETE ||
           op->verb == ENGINE_TOUCH;
}

/* Counts the arguments. False: a name beyond the limits, or another verb. */
static bool measure(const struct redis_task *task, const struct engine_atomic *atomic, size_t *arguments)
{
    const struct redis_keys *keys = &task->session->config->keys;
    struct redis_name name;

    *arguments = 0;
    for (size_t i = 0; i < atomic->count; i++) {
        const struct engine_op *op = atomic->ops[i];
        if (!is_possible(op) || !redis_keys_entry(keys, task->bucket, op->ns, op->key, &name))
            return false;
        *arguments += argument_count(task, op);
    }
    return atomic->count <= ENGINE_ATOMIC_MAX;
}

static void add_names(const struct redis_task *task, const struct engine_op *op, struct outbox *outbox)
{
    const struct redis_keys *keys = &task->session->config->keys;
    struct redis_name entry, ns;

    if (!redis_keys_entry(keys, task->bucket, op->ns, op->key, &entry) ||
        !redis_keys_generation(keys, task->bucket, op->ns, &ns))
        return; /* measured before */
    redis_outbox_bulk(outbox, redis_name_bytes(&entry));
    redis_outbox_bulk(outbox, redis_name_bytes(&ns));
}

static void clear(struct engine_op *op)
{
    op->status = ENGINE_FAILED;
    op->entry = (struct engine_entry){ .ttl_ms = ENGINE_NO_EXPIRY };
    op->lease = ENGINE_LEASE_NONE;
    op->lease_left_ms = 0;
    op->limit = 0;
    op->detail = NULL;
}

static void add_arguments(struct redis_task *task, struct engine_op *op, struct outbox *outbox)
{
    if (is_too_large(task, op)) {
        redis_outbox_bulk(outbox, BYTES("X"));
        return;
    }
    switch (op->verb) {
    case ENGINE_PUT:
        redis_namespaces_note(task->session, op->ns);
        redis_outbox_bulk(outbox, BYTES("P"));
        op->entry.version = redis_session_random(task->session);
        redis_command_record(task, op, op->entry.version, outbox);
        redis_command_generations(task, op->ns, outbox);
        redis_command_conditions(outbox, op->condition);
        redis_command_extras(task, op, outbox);
        break;
    case ENGINE_DELETE:
        redis_outbox_bulk(outbox, BYTES("D"));
        redis_command_conditions(outbox, op->condition);
        break;
    case ENGINE_TOUCH:
        redis_outbox_bulk(outbox, BYTES("T"));
        redis_outbox_bulk_number(outbox, op->ttl_ms == ENGINE_NO_EXPIRY ? 0 : op->ttl_ms);
        redis_command_conditions(outbox, op->condition);
        break;
    default:
        redis_outbox_bulk(outbox, BYTES("G"));
        redis_command_read(op, outbox);
        break;
    }
}

bool redis_atomic_send(struct redis_task *task, struct redis_link *link)
{
    const struct engine_atomic *atomic = task->op->atomic;
    struct outbox *outbox = &link->outbox;
    struct redis_name all;
    size_t arguments;

    if (!measure(task, atomic, &arguments) ||
        !redis_keys_generation(&task->session->config->keys, task->bucket, BYTES_NONE, &all))
        return false;
    redis_link_push(link, &task->call, redis_answer_take);
    redis_command_script(task, outbox, SCRIPT_ATOMIC, 1 + 2 * atomic->count, arguments);
    redis_outbox_bulk(outbox, redis_name_bytes(&all));
    for (size_t i = 0; i < atomic->count; i++)
        add_names(task, atomic->ops[i], outbox);
    for (size_t i = 0; i < atomic->count; i++) {
        clear(atomic->ops[i]);
        add_arguments(task, atomic->ops[i], outbox);
    }
    return true;
}

/* ---- Answers ---- */

static unsigned take_failure(struct redis_task *task, const struct redisReply *reply)
{
    struct engine_atomic *atomic = task->op->atomic;
    struct redisReply *why = reply->element[2];
    struct engine_op *op;
    unsigned status;

    if (reply->element[1]->type != REDIS_REPLY_INTEGER || reply->element[1]->integer < 0 ||
        (size_t)reply->element[1]->integer >= atomic->count)
        return ANSWER_GARBLED;
    for (size_t i = 0; i < atomic->count; i++)
        clear(atomic->ops[i]);
    atomic->failed = (size_t)reply->element[1]->integer;
    op = atomic->ops[atomic->failed];
    if (why->type == REDIS_REPLY_ERROR)
        status = redis_fault_of_error(bytes_of(why->str, why->len)).status;
    else
        status = redis_answer_decode(task, op, 0, why);
    if (status >= ENGINE_STATUSES || status == ENGINE_OK || status == ENGINE_CREATED)
        return ANSWER_GARBLED;
    op->status = (enum engine_status)status;
    task->op->limit = op->limit;
    return status;
}

static void drop_values(const struct engine_atomic *atomic)
{
    for (size_t i = 0; i < atomic->count; i++) {
        value_unref(atomic->ops[i]->entry.value);
        clear(atomic->ops[i]);
    }
}

unsigned redis_atomic_take(struct redis_task *task, struct redisReply *reply)
{
    struct engine_atomic *atomic = task->op->atomic;

    if (reply->type != REDIS_REPLY_ARRAY)
        return ANSWER_GARBLED;
    if (reply->elements == 3 && reply->element[0]->type == REDIS_REPLY_INTEGER && reply->element[0]->integer == -1)
        return take_failure(task, reply);
    if (reply->elements != atomic->count)
        return ANSWER_GARBLED;
    for (size_t i = 0; i < atomic->count; i++) {
        struct engine_op *op = atomic->ops[i];
        unsigned status = redis_answer_decode(task, op, op->entry.version, reply->element[i]);
        if (status >= ENGINE_STATUSES) {
            drop_values(atomic);
            return ANSWER_GARBLED;
        }
        op->status = (enum engine_status)status;
    }
    return ENGINE_OK;
}
