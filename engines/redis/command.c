#include "engines/redis/session.h"
#include "service/base/clock.h"

struct names {
    struct redis_name entry, ns, all;
};

static bool make_names(const struct redis_task *task, struct names *names)
{
    const struct redis_keys *keys = &task->session->config->keys;
    const struct engine_op *op = task->op;

    return redis_keys_entry(keys, task->bucket, op->ns, op->key, &names->entry) &&
           redis_keys_generation(keys, task->bucket, op->ns, &names->ns) &&
           redis_keys_generation(keys, task->bucket, BYTES_NONE, &names->all);
}

static void add_names(struct outbox *outbox, const struct names *names)
{
    redis_outbox_bulk(outbox, redis_name_bytes(&names->entry));
    redis_outbox_bulk(outbox, redis_name_bytes(&names->ns));
    redis_outbox_bulk(outbox, redis_name_bytes(&names->all));
}

/* Begins a script's call; `arguments` bulks must follow. */
static void begin_script(struct redis_task *task, struct outbox *outbox, enum redis_script script,
                         const struct names *names, size_t arguments)
{
    redis_outbox_command(outbox, 6 + arguments);
    if (task->with_text) {
        redis_outbox_bulk(outbox, BYTES("EVAL"));
        redis_outbox_bulk(outbox, bytes_str(redis_script_text(script)));
    } else {
        redis_outbox_bulk(outbox, BYTES("EVALSHA"));
        redis_outbox_bulk(outbox, bytes_of(task->link->digests[script], SCRIPT_DIGEST_LEN));
    }
    redis_outbox_bulk(outbox, BYTES("3"));
    add_names(outbox, names);
}

/* ---- Conditions, as in script.h ---- */

static void add_tags(struct outbox *outbox, const struct engine_tags *tags)
{
    char version[8];

    if (!tags || !tags->given) {
        redis_outbox_bulk(outbox, BYTES_NONE);
        return;
    }
    if (tags->any) {
        redis_outbox_bulk(outbox, BYTES("*"));
        return;
    }
    redis_outbox_bulk_begin(outbox, 1 + 8 * tags->count);
    redis_outbox_add(outbox, BYTES("L"));
    for (size_t i = 0; i < tags->count; i++) {
        redis_record_put_u64(version, tags->versions[i]);
        redis_outbox_add(outbox, bytes_of(version, sizeof version));
    }
    redis_outbox_bulk_end(outbox);
}

static void add_conditions(struct outbox *outbox, const struct engine_condition *condition)
{
    add_tags(outbox, condition ? &condition->if_match : NULL);
    add_tags(outbox, condition ? &condition->if_none_match : NULL);
}

/* ---- One function a verb ---- */

static void send_get(struct redis_task *task, struct outbox *outbox, const struct names *names)
{
    if (task->scripted) {
        begin_script(task, outbox, SCRIPT_READ, names, 1);
        redis_outbox_bulk(outbox, task->op->without_value ? BYTES("0") : BYTES("1"));
        return;
    }
    redis_outbox_command(outbox, 4);
    redis_outbox_bulk(outbox, BYTES("MGET"));
    add_names(outbox, names);
}

static int64_t shorter(int64_t ttl_ms, int64_t idle_ms)
{
    if (idle_ms == ENGINE_NO_IDLE)
        return ttl_ms;
    return ttl_ms == ENGINE_NO_EXPIRY || idle_ms < ttl_ms ? idle_ms : ttl_ms;
}

static void send_put(struct redis_task *task, struct outbox *outbox, const struct names *names)
{
    struct redis_session *session = task->session;
    const struct engine_op *op = task->op;
    uint64_t now = redis_link_redis_now(task->link, loop_now(session->base.loop));
    int64_t px = shorter(op->ttl_ms, op->idle_ms);
    struct redis_record record = {
        .version = task->version,
        .expires_ms = op->ttl_ms == ENGINE_NO_EXPIRY ? 0 : now + (uint64_t)op->ttl_ms,
        .idle_ms = (uint64_t)op->idle_ms,
        .content_type = value_content_type(op->value),
    };
    char head[RECORD_HEAD_MAX];
    size_t head_len;

    memcpy(record.generations, redis_session_guess(session, task->bucket, op->ns)->generations,
           RECORD_GENERATIONS_BYTES);
    head_len = redis_record_write_head(&record, head);
    if (op->condition)
        begin_script(task, outbox, SCRIPT_PUT_IF, names, 5);
    else
        begin_script(task, outbox, SCRIPT_PUT, names, 3);
    redis_outbox_bulk_begin(outbox, head_len + op->value->len);
    redis_outbox_add(outbox, bytes_of(head, head_len));
    redis_outbox_add_value(outbox, op->value);
    redis_outbox_bulk_end(outbox);
    redis_outbox_bulk_number(outbox, px == ENGINE_NO_EXPIRY ? 0 : px);
    redis_outbox_bulk(outbox, bytes_of((const char *)record.generations, sizeof record.generations));
    if (op->condition)
        add_conditions(outbox, op->condition);
    task->op->entry.ttl_ms = px;
}

static void send_delete(struct redis_task *task, struct outbox *outbox, const struct names *names)
{
    begin_script(task, outbox, SCRIPT_DELETE, names, 2);
    add_conditions(outbox, task->op->condition);
}

static void send_touch(struct redis_task *task, struct outbox *outbox, const struct names *names)
{
    begin_script(task, outbox, SCRIPT_TOUCH, names, 3);
    redis_outbox_bulk_number(outbox, task->op->ttl_ms == ENGINE_NO_EXPIRY ? 0 : task->op->ttl_ms);
    add_conditions(outbox, task->op->condition);
}

static void send_flush(struct outbox *outbox, const struct names *names)
{
    redis_outbox_command(outbox, 2);
    redis_outbox_bulk(outbox, BYTES("DEL"));
    redis_outbox_bulk(outbox, redis_name_bytes(&names->ns));
}

static void ignore(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    (void)call;
    (void)end;
    (void)reply;
}

bool redis_command_send(struct redis_task *task, struct redis_link *link)
{
    struct outbox *outbox = &link->outbox;
    struct names names;

    if (!make_names(task, &names))
        return false;
    if (task->ask) {
        redis_link_push(link, &task->asking, ignore);
        redis_outbox_command(outbox, 1);
        redis_outbox_bulk(outbox, BYTES("ASKING"));
    }
    redis_link_push(link, &task->call, redis_answer_take);
    if (task->probes) {
        redis_outbox_command(outbox, 2);
        redis_outbox_bulk(outbox, BYTES("EXISTS"));
        redis_outbox_bulk(outbox, redis_name_bytes(&names.entry));
        return true;
    }
    switch (task->op->verb) {
    case ENGINE_GET:
        send_get(task, outbox, &names);
        break;
    case ENGINE_PUT:
        send_put(task, outbox, &names);
        break;
    case ENGINE_DELETE:
        send_delete(task, outbox, &names);
        break;
    case ENGINE_TOUCH:
        send_touch(task, outbox, &names);
        break;
    case ENGINE_FLUSH:
        send_flush(outbox, &names);
        break;
    default: /* not among the capabilities */
        return false;
    }
    return true;
}
