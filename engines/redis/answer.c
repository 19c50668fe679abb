#include "engines/redis/fault.h"
#include "engines/redis/hiredis_compat.h"
#include "engines/redis/parser.h"
#include "engines/redis/primitive.h"
#include "engines/redis/session.h"
#include "engines/redis/topology.h"
#include "service/base/clock.h"

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

/* Both generations are there and the record carries them; they are remembered
 * for the next write. */
static bool generations_stand(struct redis_guess *guess, const struct redis_record *record,
                              const struct redisReply *ns, const struct redisReply *all)
{
    if (!is_string(ns, 8) || !is_string(all, 8) || memcmp(record->generations, ns->str, 8) != 0 ||
        memcmp(record->generations + 8, all->str, 8) != 0)
        return false;
    memcpy(guess->generations, record->generations, RECORD_GENERATIONS_BYTES);
    return true;
}

static unsigned take_record(struct redis_task *task, struct engine_op *op, const struct redis_record *record,
                            struct redisReply *array, size_t index)
{
    uint64_t now = redis_link_redis_now(task->link, loop_now(task->session->base.loop));
    uint64_t fresh_until = record->end_ms == 0 ? 0 : record->end_ms - record->stale_ms;

    if (!redis_record_is_entry(record, now))
        return ENGINE_MISS;
    op->entry.version = record->version;
    op->entry.stale = record->stale_ms != 0 && fresh_until != 0 && now >= fresh_until;
    op->entry.ttl_ms = op->entry.stale ? 0 : remaining_ms(task, fresh_until);
    return fill_value(op, array, index, record->content_type, record->data);
}

unsigned redis_answer_stored(struct redis_task *task, struct engine_op *op, struct redisReply *array, size_t index)
{
    struct redis_guess *guess = redis_session_guess(task->session, task->bucket, op->ns);
    struct redisReply *stored = array->element[index];
    struct redis_record record;

    if (stored->type == REDIS_REPLY_NIL)
        return ENGINE_MISS;
    if (stored->type != REDIS_REPLY_STRING)
        return ANSWER_GARBLED;
    switch (redis_record_parse(string_of(stored), &record)) {
    case RECORD_BROKEN:
        return ENGINE_FAILED;
    case RECORD_FOREIGN:
        return ANSWER_AGAIN;
    case RECORD_OURS:
        break;
    }
    /* Flushed: the script has the last word, and reclaims it. */
    if (!generations_stand(guess, &record, array->element[array->elements - 2],
                           array->element[array->elements - 1]))
        return ANSWER_AGAIN;
    if (record.idle_ms != 0 || (record.flags & RECORD_TAGGED)) {
        guess->scripted = true;
        return ANSWER_AGAIN;
    }
    return take_record(task, op, &record, array, index);
}

/* MGET entry, generation of the namespace, generation of all. */
static unsigned take_mget(struct redis_task *task, struct redisReply *reply)
{
    unsigned answer;

    if (!is_array(reply, 3))
        return ANSWER_GARBLED;
    answer = redis_answer_stored(task, task->op, reply, 0);
    if (answer == ANSWER_AGAIN)
        task->scripted = true;
    return answer;
}

static bool are_integers(const struct redisReply *array, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++)
        if (array->element[i]->type != REDIS_REPLY_INTEGER)
            return false;
    return true;
}

static bool take_lease(struct engine_op *op, const struct redisReply *lease, const struct redisReply *left)
{
    if (lease->integer < 0 || lease->integer > ENGINE_LEASE_HELD)
        return false;
    op->lease = (enum engine_lease)lease->integer;
    op->lease_left_ms = left->integer;
    return true;
}

static unsigned take_read(struct redis_task *task, struct engine_op *op, struct redisReply *reply)
{
    struct redis_record record;
    struct redisReply *stored;
    long long state;

    if (reply->type == REDIS_REPLY_NIL)
        return ENGINE_MISS;
    if (is_array(reply, 2) && are_integers(reply, 0, 2))
        return take_lease(op, reply->element[0], reply->element[1]) ? ENGINE_MISS : ANSWER_GARBLED;
    if (!is_array(reply, 8) || !is_string(reply->element[0], 8) || !are_integers(reply, 1, 4) ||
        reply->element[5]->type != REDIS_REPLY_STRING || !are_integers(reply, 6, 2) ||
        !take_lease(op, reply->element[6], reply->element[7]))
        return ANSWER_GARBLED;
    state = reply->element[1]->integer;
    stored = reply->element[5];
    op->entry.version = redis_record_get_u64(reply->element[0]->str);
    op->entry.stale = state & 1;
    op->entry.ttl_ms = reply->element[2]->integer < 0 ? ENGINE_NO_EXPIRY : reply->element[2]->integer;
    op->entry.idle_ms = reply->element[3]->integer;
    op->entry.bytes = (size_t)reply->element[4]->integer;
    redis_session_guess(task->session, task->bucket, op->ns)->scripted = state & 2;
    if (op->without_value)
        return ENGINE_OK;
    switch (redis_record_parse(string_of(stored), &record)) {
    case RECORD_BROKEN:
        return ENGINE_FAILED;
    case RECORD_FOREIGN:
        return fill_value(op, reply, 5, BYTES("application/octet-stream"), record.data);
    case RECORD_OURS:
    default:
        return fill_value(op, reply, 5, record.content_type, record.data);
    }
}

/* ---- Writes ---- */

/* {why, version that stands or ""} */
static bool is_refusal(const struct redisReply *reply)
{
    return is_array(reply, 2) && reply->element[0]->type == REDIS_REPLY_INTEGER && reply->element[0]->integer >= 2;
}

static unsigned take_refusal(const struct redis_task *task, struct engine_op *op, const struct redisReply *reply)
{
    const struct redisReply *version = reply->element[1];

    if (is_string(version, 8))
        op->entry.version = redis_record_get_u64(version->str);
    else if (!is_string(version, 0))
        return ANSWER_GARBLED;
    op->entry.ttl_ms = ENGINE_NO_EXPIRY;
    switch (reply->element[0]->integer) {
    case 2:
        return ENGINE_MISMATCH;
    case 3:
        return ENGINE_FENCED;
    case 4:
        return ENGINE_VOID;
    case 5:
        op->limit = redis_command_most_bytes(task->session, op);
        return ENGINE_TOO_LARGE;
    default:
        return ANSWER_GARBLED;
    }
}

static unsigned take_put(struct redis_task *task, struct engine_op *op, uint64_t version,
                         const struct redisReply *reply)
{
    const struct redisReply *code = reply;

    if (is_array(reply, 2) && is_string(reply->element[1], RECORD_GENERATIONS_BYTES)) {
        memcpy(redis_session_guess(task->session, task->bucket, op->ns)->generations, reply->element[1]->str,
               RECORD_GENERATIONS_BYTES);
        code = reply->element[0];
    }
    if (code->type != REDIS_REPLY_INTEGER || code->integer < 0 || code->integer > 1)
        return ANSWER_GARBLED;
    op->entry.version = version;
    op->entry.bytes = op->value->len;
    op->entry.idle_ms = op->idle_ms;
    return code->integer == 1 ? ENGINE_CREATED : ENGINE_OK;
}

static unsigned take_delete(const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0 || reply->integer > 1)
        return ANSWER_GARBLED;
    return reply->integer == 1 ? ENGINE_MISS : ENGINE_OK;
}

static unsigned take_touch(struct engine_op *op, const struct redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 1)
        return ENGINE_MISS;
    if (!is_array(reply, 5) || !is_string(reply->element[1], 8) || !are_integers(reply, 2, 3))
        return ANSWER_GARBLED;
    op->entry.version = redis_record_get_u64(reply->element[1]->str);
    op->entry.ttl_ms = reply->element[2]->integer < 0 ? ENGINE_NO_EXPIRY : reply->element[2]->integer;
    op->entry.idle_ms = reply->element[3]->integer;
    op->entry.bytes = (size_t)reply->element[4]->integer;
    return ENGINE_OK;
}

unsigned redis_answer_decode(struct redis_task *task, struct engine_op *op, uint64_t version,
                             struct redisReply *reply)
{
    if (op->verb == ENGINE_GET)
        return take_read(task, op, reply);
    if (is_refusal(reply))
        return take_refusal(task, op, reply);
    switch (op->verb) {
    case ENGINE_PUT:
        return take_put(task, op, version, reply);
    case ENGINE_DELETE:
        return take_delete(reply);
    case ENGINE_TOUCH:
    default:
        return take_touch(op, reply);
    }
}

static unsigned decode(struct redis_task *task, struct redisReply *reply)
{
    struct engine_op *op = task->op;

    if (task->probes)
        return reply->type == REDIS_REPLY_INTEGER ? ENGINE_MISS : ANSWER_GARBLED;
    switch (op->verb) {
    case ENGINE_GET:
        return task->scripted ? take_read(task, op, reply) : take_mget(task, reply);
    case ENGINE_PUT:
    case ENGINE_DELETE:
    case ENGINE_TOUCH:
        return redis_answer_decode(task, op, task->version, reply);
    case ENGINE_ATOMIC:
        return redis_atomic_take(task, reply);
    case ENGINE_FLUSH:
        return reply->type == REDIS_REPLY_INTEGER ? ENGINE_OK : ANSWER_GARBLED;
    default:
        return redis_primitive_take(task, reply);
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
    atomic_fetch_add_explicit(&session->engine->redirections, 1, memory_order_relaxed);
    task->redirected = task->ask = fault->action == FAULT_ASK;
    task->node = node;
    redis_task_again(task, 0);
    return true;
}

/* What is not there needs no generations: one key has no slot to be split. */
static bool may_probe(const struct redis_task *task)
{
    enum engine_verb verb = task->op->verb;

    if (task->op->lease_ms > 0)
        return false;
    return verb == ENGINE_GET || ((verb == ENGINE_DELETE || verb == ENGINE_TOUCH) && !task->op->condition);
}

/* The slot is between two servers: soon again, from where it belongs. Every
 * other time by asking for the entry alone, which may be a miss at once. */
static void go_later(struct redis_task *task)
{
    uint64_t wait = NS_PER_MS << (task->tries < 5 ? task->tries : 5);

    /* Some of its keys may be here and some there. */
    if (task->gather) {
        redis_gather_disband(task);
        return;
    }
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
    if (task->gather) {
        redis_gather_take(task, reply);
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
