#include "engines/redis/fault.h"
#include "engines/redis/hiredis_compat.h"
#include "engines/redis/parser.h"
#include "engines/redis/session.h"
#include "engines/redis/topology.h"
#include "service/base/clock.h"

/* What a decoder returns besides an outcome. */
enum { ANSWER_AGAIN = ENGINE_STATUSES, ANSWER_GARBLED };

/* A command that is sent on more often than this meets servers that disagree. */
enum { REDIRECTS_MAX = 8 };

static const char GARBLED[] = "redis answered with something else";

static bool is_string(const struct redisReply *reply, size_t len)
{
    return reply->type == REDIS_REPLY_STRING && reply->len == len;
}

static bool is_array(const struct redisReply *reply, size_t elements)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == elements;
}

static struct bytes string_of(const struct redisReply *reply)
{
    return bytes_of(reply->str, reply->len);
}

/* ---- Reads ---- */

/* Makes the value from bytes inside the `index`th string, whose memory it
 * takes over. */
static unsigned fill_value(struct engine_op *op, struct redisReply *array, size_t index, struct bytes content_type,
                           struct bytes data)
{
    op->entry.bytes = data.len;
    op->entry.value = value_adopt(content_type, data, redis_reply_free, array->element[index]);
    if (!op->entry.value)
        return ENGINE_FAILED;
    (void)redis_reply_detach(array, index);
    return ENGINE_OK;
}

static int64_t remaining_ms(const struct redis_task *task, uint64_t expires_ms)
{
    uint64_t now;

    if (expires_ms == 0)
        return ENGINE_NO_EXPIRY;
    now = redis_link_redis_now(task->link, loop_now(task->session->base.loop));
    return expires_ms > now ? (int64_t)(expires_ms - now) : 1;
}

static void learn(struct redis_task *task, const struct redisReply *ns, const struct redisReply *all)
{
    struct redis_guess *guess = redis_session_guess(task->session, task->bucket, task->op->ns);

    memcpy(guess->generations, ns->str, 8);
    memcpy(guess->generations + 8, all->str, 8);
}

/* MGET entry, generation of the namespace, generation of all. */
static unsigned take_mget(struct redis_task *task, struct redisReply *reply)
{
    struct redisReply *stored, *ns, *all;
    struct redis_record record;

    if (!is_array(reply, 3))
        return ANSWER_GARBLED;
    stored = reply->element[0];
    ns = reply->element[1];
    all = reply->element[2];
    if (stored->type == REDIS_REPLY_NIL)
        return ENGINE_MISS;
    if (stored->type != REDIS_REPLY_STRING)
        return ANSWER_GARBLED;
    switch (redis_record_parse(string_of(stored), &record)) {
    case RECORD_BROKEN:
        return ENGINE_FAILED;
    case RECORD_FOREIGN:
        task->scripted = true;
        return ANSWER_AGAIN;
    case RECORD_OURS:
        break;
    }
    if (!is_string(ns, 8) || !is_string(all, 8) || memcmp(record.generations, ns->str, 8) != 0 ||
        memcmp(record.generations + 8, all->str, 8) != 0) {
        /* Flushed, then: the script has the last word, and reclaims it. */
        task->scripted = true;
        return ANSWER_AGAIN;
    }
    learn(task, ns, all);
    if (record.idle_ms != 0) {
        redis_session_guess(task->session, task->bucket, task->op->ns)->slides = true;
        task->scripted = true;
        return ANSWER_AGAIN;
    }
    task->op->entry.version = record.version;
    task->op->entry.ttl_ms = remaining_ms(task, record.expires_ms);
    return fill_value(task->op, reply, 0, record.content_type, record.data);
}

/* {version, PTTL, sliding step, length, stored bytes} */
static unsigned take_read(struct redis_task *task, struct redisReply *reply)
{
    struct engine_op *op = task->op;
    struct redis_record record;
    struct redisReply *stored;

    if (reply->type == REDIS_REPLY_NIL)
        return ENGINE_MISS;
    if (!is_array(reply, 5) || !is_string(reply->element[0], 8) ||
        reply->element[1]->type != REDIS_REPLY_INTEGER || reply->element[2]->type != REDIS_REPLY_INTEGER ||
        reply->element[3]->type != REDIS_REPLY_INTEGER || reply->element[4]->type != REDIS_REPLY_STRING)
        return ANSWER_GARBLED;
    op->entry.version = redis_record_get_u64(reply->element[0]->str);
    op->entry.ttl_ms = reply->element[1]->integer < 0 ? ENGINE_NO_EXPIRY : reply->element[1]->integer;
    op->entry.idle_ms = reply->element[2]->integer;
    op->entry.bytes = (size_t)reply->element[3]->integer;
    redis_session_guess(task->session, task->bucket, op->ns)->slides = op->entry.idle_ms != ENGINE_NO_IDLE;
    if (op->without_value)
        return ENGINE_OK;
    stored = reply->element[4];
    switch (redis_record_parse(string_of(stored), &record)) {
    case RECORD_BROKEN:
        return ENGINE_FAILED;
    case RECORD_FOREIGN:
        return fill_value(op, reply, 4, BYTES("application/octet-stream"), record.data);
    case RECORD_OURS:
    default:
        return fill_value(op, reply, 4, record.content_type, record.data);
    }
}

/* ---- Writes ---- */

/* {2, version that stands or ""} */
static unsigned take_mismatch(struct engine_op *op, const struct redisReply *reply)
{
    const struct redisReply *version = reply->element[1];

    if (is_string(version, 8))
        op->entry.version = redis_record_get_u64(version->str);
    else if (!is_string(version, 0))
        return ANSWER_GARBLED;
    op->entry.ttl_ms = ENGINE_NO_EXPIRY;
    return ENGINE_MISMATCH;
}

static bool is_mismatch(const struct redisReply *reply)
{
    return is_array(reply, 2) && reply->element[0]->type == REDIS_REPLY_INTEGER && reply->element[0]->integer == 2;
}

static unsigned take_put(struct redis_task *task, const struct redisReply *reply)
{
    struct engine_op *op = task->op;
    const struct redisReply *code = reply;

    if (is_mismatch(reply))
        return take_mismatch(op, reply);
    if (is_array(reply, 2) && is_string(reply->element[1], RECORD_GENERATIONS_BYTES)) {
        memcpy(redis_session_guess(task->session, task->bucket, op->ns)->generations, reply->element[1]->str,
               RECORD_GENERATIONS_BYTES);
        code = reply->element[0];
    }
    if (code->type != REDIS_REPLY_INTEGER || code->integer < 0 || code->integer > 1)
        return ANSWER_GARBLED;
    op->entry.version = task->version;
    op->entry.bytes = op->value->len;
    op->entry.idle_ms = op->idle_ms;
    return code->integer == 1 ? ENGINE_CREATED : ENGINE_OK;
}

static unsigned take_delete(struct redis_task *task, const struct redisReply *reply)
{
    if (is_mismatch(reply))
        return take_mismatch(task->op, reply);
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0 || reply->integer > 1)
        return ANSWER_GARBLED;
    return reply->integer == 1 ? ENGINE_MISS : ENGINE_OK;
}

static unsigned take_touch(struct redis_task *task, const struct redisReply *reply)
{
    struct engine_op *op = task->op;

    if (is_mismatch(reply))
        return take_mismatch(op, reply);
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 1)
        return ENGINE_MISS;
    if (!is_array(reply, 5) || !is_string(reply->element[1], 8) ||
        reply->element[2]->type != REDIS_REPLY_INTEGER || reply->element[3]->type != REDIS_REPLY_INTEGER ||
        reply->element[4]->type != REDIS_REPLY_INTEGER)
        return ANSWER_GARBLED;
    op->entry.version = redis_record_get_u64(reply->element[1]->str);
    op->entry.ttl_ms = reply->element[2]->integer < 0 ? ENGINE_NO_EXPIRY : reply->element[2]->integer;
    op->entry.idle_ms = reply->element[3]->integer;
    op->entry.bytes = (size_t)reply->element[4]->integer;
    return ENGINE_OK;
}

static unsigned decode(struct redis_task *task, struct redisReply *reply)
{
    if (task->probes)
        return reply->type == REDIS_REPLY_INTEGER ? ENGINE_MISS : ANSWER_GARBLED;
    switch (task->op->verb) {
    case ENGINE_GET:
        return task->scripted ? take_read(task, reply) : take_mget(task, reply);
    case ENGINE_PUT:
        return take_put(task, reply);
    case ENGINE_DELETE:
        return take_delete(task, reply);
    case ENGINE_TOUCH:
        return take_touch(task, reply);
    case ENGINE_FLUSH:
    default:
        return reply->type == REDIS_REPLY_INTEGER ? ENGINE_OK : ANSWER_GARBLED;
    }
}

/* ---- Errors ---- */

static void drop_link(struct redis_task *task, const struct redis_fault *fault)
{
    redis_link_doom(task->link, fault->status == ENGINE_REFUSED ? LINK_TURNED_AWAY : LINK_NOT_SERVING, fault->detail);
}

/* Elsewhere: for good (MOVED), or this once (ASK). True: it is on its way. */
static bool go_elsewhere(struct redis_task *task, const struct redis_fault *fault, const struct redisReply *reply)
{
    struct redis_session *session = task->session;
    struct redis_node *node;

    if (task->redirects++ >= REDIRECTS_MAX)
        return false;
    node = session->topology->redirect(session, task, fault, string_of(reply));
    if (!node)
        return false;
    task->redirected = task->ask = fault->action == FAULT_ASK;
    task->node = node;
    redis_task_again(task, 0);
    return true;
}

/* What is not there needs no generations: one key has no slot to be split. */
static bool may_probe(const struct redis_task *task)
{
    enum engine_verb verb = task->op->verb;

    return verb == ENGINE_GET || ((verb == ENGINE_DELETE || verb == ENGINE_TOUCH) && !task->op->condition);
}

/* The slot is between two servers: soon again, from where it belongs. Every
 * other time by asking for the entry alone, which may be a miss at once. */
static void go_later(struct redis_task *task)
{
    uint64_t wait = NS_PER_MS << (task->tries < 5 ? task->tries : 5);

    if (task->tries < UINT8_MAX)
        task->tries++;
    task->redirected = task->ask = false;
    task->redirects = 0;
    task->probes = !task->probes && may_probe(task);
    if (task->probes)
        wait = 0;
    redis_task_again(task, wait == 0 ? 0 : loop_now(task->session->base.loop) + wait);
}

static void take_error(struct redis_task *task, const struct redisReply *reply)
{
    struct redis_fault fault = redis_fault_of_error(string_of(reply));

    switch (fault.action) {
    case FAULT_NO_SCRIPT:
        if (task->with_text)
            break;
        task->with_text = true; /* nothing was executed: also a write may go again */
        redis_task_again(task, 0);
        return;
    case FAULT_MOVED:
    case FAULT_ASK:
        if (go_elsewhere(task, &fault, reply))
            return;
        break;
    case FAULT_TRY_AGAIN:
        go_later(task);
        return;
    case FAULT_CLUSTER_DOWN:
        task->session->topology->doubt(task->session, task->node);
        break;
    case FAULT_DROP:
        drop_link(task, &fault);
        break;
    case FAULT_ANSWER:
        break;
    }
    redis_task_finish(task, fault.status, fault.detail);
}

/* The link is gone, and the reply with it. */
static void take_loss(struct redis_task *task, enum call_end end)
{
    if (end == CALL_UNSENT || (!task->writes && !task->retried && !task->session->base.detaching)) {
        task->retried = task->retried || end == CALL_LOST;
        redis_task_again(task, 0);
    } else if (task->session->base.detaching)
        redis_task_finish(task, ENGINE_UNAVAILABLE, "shutting down");
    else if (task->writes)
        redis_task_finish(task, ENGINE_FAILED, "the connection to redis was lost before the answer");
    else
        redis_task_finish(task, ENGINE_UNAVAILABLE, "the connection to redis was lost twice");
}

void redis_answer_take(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    struct redis_task *task = (struct redis_task *)(void *)call;
    unsigned answer;

    if (!task->op) {
        redis_task_free(task); /* given up: its reply has had its turn */
        return;
    }
    if (end != CALL_REPLIED) {
        take_loss(task, end);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        take_error(task, reply);
        return;
    }
    if (task->probes && reply->type == REDIS_REPLY_INTEGER && reply->integer != 0) {
        go_later(task);
        return;
    }
    answer = decode(task, reply);
    if (answer == ANSWER_AGAIN)
        redis_task_again(task, 0);
    else if (answer == ANSWER_GARBLED) {
        redis_link_doom(task->link, LINK_BROKE, GARBLED);
        redis_task_finish(task, ENGINE_FAILED, GARBLED);
    } else if (task->confirm && (answer == ENGINE_OK || answer == ENGINE_CREATED))
        redis_confirm_hold(task, (enum engine_status)answer);
    else
        redis_task_finish(task, (enum engine_status)answer, NULL);
}
