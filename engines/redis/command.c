#include "engines/redis/primitive.h"
#include "engines/redis/session.h"
#include "service/base/clock.h"

struct names {
    struct redis_name entry, ns, all;
    struct redis_name tag, ends, lens; /* FLUSH only */
};

static bool make_names(const struct redis_task *task, struct names *names)
{
    const struct redis_keys *keys = &task->session->config->keys;
    const struct engine_op *op = task->op;

    if (op->verb == ENGINE_FLUSH && (!redis_keys_tag(keys, task->bucket, op->ns, op->tag, &names->tag) ||
                                     !redis_keys_index(keys, task->bucket, op->ns, &names->ends, &names->lens)))
        return false;
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

void redis_command_script(struct redis_task *task, struct outbox *outbox, enum redis_script script, size_t keys,
                          size_t arguments)
{
    redis_outbox_command(outbox, 3 + keys + arguments);
    if (task->with_text) {
        redis_outbox_bulk(outbox, BYTES("EVAL"));
        redis_outbox_bulk(outbox, bytes_str(redis_script_text(script)));
    } else {
        redis_outbox_bulk(outbox, BYTES("EVALSHA"));
        redis_outbox_bulk(outbox, bytes_of(task->link->digests[script], SCRIPT_DIGEST_LEN));
    }
    redis_outbox_bulk_number(outbox, (int64_t)keys);
}

/* Begins an entry's script; `arguments` bulks must follow. */
static void begin_script(struct redis_task *task, struct outbox *outbox, enum redis_script script,
                         const struct names *names, size_t arguments)
{
    redis_command_script(task, outbox, script, 3, arguments);
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

void redis_command_conditions(struct outbox *outbox, const struct engine_condition *condition)
{
    add_tags(outbox, condition ? &condition->if_match : NULL);
    add_tags(outbox, condition ? &condition->if_none_match : NULL);
}

/* ---- Records ---- */

static int64_t shorter(int64_t ttl_ms, int64_t idle_ms)
{
    if (idle_ms == ENGINE_NO_IDLE)
        return ttl_ms;
    return ttl_ms == ENGINE_NO_EXPIRY || idle_ms < ttl_ms ? idle_ms : ttl_ms;
}

/* Bounds of a namespace are kept where one script sees all of it. */
static bool is_bounded(const struct redis_session *session, const struct engine_op *op)
{
    return op->put && (op->put->max_entries > 0 || op->put->max_bytes > 0) &&
           (session->engine->base.capabilities & ENGINE_CAN_QUOTA);
}

size_t redis_command_most_bytes(const struct redis_session *session, const struct engine_op *op)
{
    size_t most = session->engine->base.max_value_bytes;

    if (is_bounded(session, op) && op->put->max_bytes > 0 && op->put->max_bytes < most)
        return (size_t)op->put->max_bytes;
    return most;
}

void redis_command_record(struct redis_task *task, struct engine_op *op, uint64_t version, struct outbox *outbox)
{
    struct redis_session *session = task->session;
    uint64_t now = redis_link_redis_now(task->link, loop_now(session->base.loop));
    int64_t fresh = shorter(op->ttl_ms, op->idle_ms), stale = op->put ? op->put->stale_ms : 0;
    char head[RECORD_HEAD_MAX], tags[RECORD_TAGS_MAX];
    struct redis_record record = {
        .version = version,
        .end_ms = op->ttl_ms == ENGINE_NO_EXPIRY ? 0 : now + (uint64_t)(op->ttl_ms + stale),
        .idle_ms = (uint64_t)op->idle_ms,
        .stale_ms = (uint64_t)stale,
        .fence = op->put ? op->put->fence : 0,
        .flags = is_bounded(session, op) ? RECORD_INDEXED : 0,
        .content_type = value_content_type(op->value),
    };
    size_t head_len;

    if (op->put && op->put->tag_count > 0)
        record.tags = bytes_of(tags, redis_record_write_tags(op->put->tags, op->put->tag_count, tags));
    memcpy(record.generations, redis_session_guess(session, task->bucket, op->ns)->generations,
           RECORD_GENERATIONS_BYTES);
    head_len = redis_record_write_head(&record, head);
    redis_outbox_bulk_begin(outbox, head_len + op->value->len);
    redis_outbox_add(outbox, bytes_of(head, head_len));
    redis_outbox_add_value(outbox, op->value);
    redis_outbox_bulk_end(outbox);
    redis_outbox_bulk_number(outbox, fresh == ENGINE_NO_EXPIRY ? 0 : fresh + stale);
    op->entry.ttl_ms = fresh;
}

void redis_command_generations(const struct redis_task *task, struct bytes ns, struct outbox *outbox)
{
    const struct redis_guess *guess = redis_session_guess(task->session, task->bucket, ns);

    redis_outbox_bulk(outbox, bytes_of((const char *)guess->generations, RECORD_GENERATIONS_BYTES));
}

static void add_u64(struct outbox *outbox, uint64_t number)
{
    char raw[8];

    redis_record_put_u64(raw, number);
    redis_outbox_bulk(outbox, number == 0 ? BYTES_NONE : bytes_of(raw, sizeof raw));
}

static void add_bound(struct outbox *outbox, uint64_t bound)
{
    /* Lua's numbers are exact up to here. */
    const uint64_t most = UINT64_C(1) << 53;

    redis_outbox_bulk_number(outbox, (int64_t)(bound == 0 || bound > most ? most : bound));
}

void redis_command_extras(const struct redis_task *task, const struct engine_op *op, struct outbox *outbox)
{
    add_u64(outbox, op->put ? op->put->fence : 0);
    add_u64(outbox, op->put ? op->put->lease : 0);
    if (is_bounded(task->session, op)) {
        add_bound(outbox, op->put->max_entries);
        add_bound(outbox, op->put->max_bytes);
    } else {
        redis_outbox_bulk(outbox, BYTES_NONE);
        redis_outbox_bulk(outbox, BYTES_NONE);
    }
}

void redis_command_read(const struct engine_op *op, struct outbox *outbox)
{
    char token[8];

    redis_record_put_u64(token, op->lease_token);
    redis_outbox_bulk(outbox, op->without_value ? BYTES("0") : BYTES("1"));
    redis_outbox_bulk_number(outbox, op->lease_ms > 0 ? op->lease_ms : 0);
    redis_outbox_bulk(outbox, bytes_of(token, sizeof token));
}

/* ---- One function a verb ---- */

static void send_get(struct redis_task *task, struct outbox *outbox, const struct names *names)
{
    if (task->scripted) {
        begin_script(task, outbox, SCRIPT_READ, names, 3);
        redis_command_read(task->op, outbox);
        return;
    }
    redis_outbox_command(outbox, 4);
    redis_outbox_bulk(outbox, BYTES("MGET"));
    add_names(outbox, names);
}

bool redis_command_is_plain(const struct redis_session *session, const struct engine_op *op)
{
    const struct engine_put *put = op->put;

    return !op->condition && (!put || (put->tag_count == 0 && put->fence == 0 && put->lease == 0 &&
                                       !is_bounded(session, op)));
}

static void send_put(struct redis_task *task, struct outbox *outbox, const struct names *names)
{
    bool plain = redis_command_is_plain(task->session, task->op);

    begin_script(task, outbox, plain ? SCRIPT_PUT : SCRIPT_PUT_IF, names, plain ? 3 : 9);
    redis_command_record(task, task->op, task->version, outbox);
    redis_command_generations(task, task->op->ns, outbox);
    if (plain)
        return;
    redis_command_conditions(outbox, task->op->condition);
    redis_command_extras(task, task->op, outbox);
}

static void send_delete(struct redis_task *task, struct outbox *outbox, const struct names *names)
{
    begin_script(task, outbox, SCRIPT_DELETE, names, 2);
    redis_command_conditions(outbox, task->op->condition);
}

static void send_touch(struct redis_task *task, struct outbox *outbox, const struct names *names)
{
    begin_script(task, outbox, SCRIPT_TOUCH, names, 3);
    redis_outbox_bulk_number(outbox, task->op->ttl_ms == ENGINE_NO_EXPIRY ? 0 : task->op->ttl_ms);
    redis_command_conditions(outbox, task->op->condition);
}

/* UNLINK, since an index may be large; a generation costs the same. */
static void send_flush(const struct redis_task *task, struct outbox *outbox, const struct names *names)
{
    const struct engine_op *op = task->op;
    bool index = op->tag.len == 0 && op->ns.len > 0 &&
                 (task->session->engine->base.capabilities & ENGINE_CAN_QUOTA);

    redis_outbox_command(outbox, index ? 4 : 2);
    redis_outbox_bulk(outbox, BYTES("UNLINK"));
    redis_outbox_bulk(outbox, redis_name_bytes(op->tag.len > 0 ? &names->tag : &names->ns));
    if (!index)
        return;
    redis_outbox_bulk(outbox, redis_name_bytes(&names->ends));
    redis_outbox_bulk(outbox, redis_name_bytes(&names->lens));
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

    if (task->gather)
        return redis_gather_send(task, link);
    if (task->op->verb == ENGINE_ATOMIC)
        return redis_atomic_send(task, link);
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
        send_flush(task, outbox, &names);
        break;
    default:
        redis_primitive_send(task, outbox);
        break;
    }
    return true;
}
