#include "engines/redis/primitive.h"

#include <stdio.h>

#include "engines/primitives/limit.h"
#include "engines/primitives/lock.h"
#include "engines/primitives/plain.h"
#include "engines/redis/hiredis_compat.h"
#include "engines/redis/list_errand.h"
#include "engines/redis/session.h"
#include "service/base/buffer.h"

static void add_name(const struct redis_task *task, struct outbox *outbox, struct bytes space)
{
    const struct redis_keys *keys = &task->session->config->keys;
    const struct engine_op *op = task->op;
    char tag[16];
    size_t tag_len = 0;

    if (keys->clustered)
        tag_len = (size_t)snprintf(tag, sizeof tag, ":{%u}", keys->tags[task->bucket]);
    redis_outbox_bulk_begin(outbox, keys->prefix.len + tag_len + space.len + op->ns.len + 1 + op->key.len);
    redis_outbox_add(outbox, keys->prefix);
    redis_outbox_add(outbox, bytes_of(tag, tag_len));
    redis_outbox_add(outbox, space);
    redis_outbox_add(outbox, op->ns);
    redis_outbox_add(outbox, BYTES(":"));
    redis_outbox_add(outbox, op->key);
    redis_outbox_bulk_end(outbox);
}

static bool is_integer(const struct redisReply *reply)
{
    return reply->type == REDIS_REPLY_INTEGER;
}

static bool is_array(const struct redisReply *reply, size_t elements)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == elements;
}

/* ---- Counters ---- */

static const struct bytes COUNTER_SPACE = { "::counter:", 10 };

/* What a new counter would hold. False: no 64-bit number, or out of bounds. */
static bool first_value(const struct engine_counter *counter, int64_t *first)
{
    return !__builtin_add_overflow(counter->initial, counter->by, first) && *first >= counter->min &&
           *first <= counter->max;
}

static int64_t ttl_or_zero(int64_t ttl_ms)
{
    return ttl_ms == ENGINE_NO_EXPIRY ? 0 : ttl_ms;
}

static void send_add(struct redis_task *task, struct outbox *outbox)
{
    const struct engine_counter *counter = task->op->counter;
    int64_t first;

    redis_command_script(task, outbox, SCRIPT_COUNTER, 1, 5);
    add_name(task, outbox, COUNTER_SPACE);
    redis_outbox_bulk_number(outbox, counter->by);
    if (first_value(counter, &first))
        redis_outbox_bulk_number(outbox, first);
    else
        redis_outbox_bulk(outbox, BYTES_NONE);
    redis_outbox_bulk_number(outbox, ttl_or_zero(counter->ttl_ms));
    redis_outbox_bulk_number(outbox, counter->min);
    redis_outbox_bulk_number(outbox, counter->max);
}

static void send_set(struct redis_task *task, struct outbox *outbox)
{
    const struct engine_counter *counter = task->op->counter;
    bool ends = counter->ttl_ms != ENGINE_NO_EXPIRY;

    redis_outbox_command(outbox, ends ? 6 : 4);
    redis_outbox_bulk(outbox, BYTES("SET"));
    add_name(task, outbox, COUNTER_SPACE);
    redis_outbox_bulk_number(outbox, counter->value);
    if (ends) {
        redis_outbox_bulk(outbox, BYTES("PX"));
        redis_outbox_bulk_number(outbox, counter->ttl_ms);
    }
    redis_outbox_bulk(outbox, BYTES("GET"));
}

static void send_counter_delete(struct redis_task *task, struct outbox *outbox)
{
    redis_outbox_command(outbox, 2);
    redis_outbox_bulk(outbox, BYTES("DEL"));
    add_name(task, outbox, COUNTER_SPACE);
}

/* Decimal, as Redis writes it: no plus, no leading zeros, no blanks. */
static bool parse_i64(struct bytes text, int64_t *out)
{
    bool negative = bytes_starts_with(text, BYTES("-"));
    unsigned long long number;

    if (negative)
        text = bytes_of(text.ptr + 1, text.len - 1);
    if (!bytes_to_u64(text, (unsigned long long)INT64_MAX + negative, &number))
        return false;
    *out = negative ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}

/* A script gives small numbers as they are, others as text. */
static bool read_value(const struct redisReply *reply, int64_t *out)
{
    if (is_integer(reply)) {
        *out = reply->integer;
        return true;
    }
    return reply->type == REDIS_REPLY_STRING && parse_i64(bytes_of(reply->str, reply->len), out);
}

/* {0 | 1 created | 2 bound, value or "", PTTL} */
static unsigned take_counter(struct redis_task *task, const struct redisReply *reply)
{
    struct engine_op *op = task->op;
    struct engine_counter *counter = op->counter;
    int64_t code, ttl;

    counter->created = false;
    if (op->verb == ENGINE_COUNTER_GET && reply->type == REDIS_REPLY_NIL)
        return ENGINE_MISS;
    if (!is_array(reply, 3) || !is_integer(reply->element[0]) || !is_integer(reply->element[2]))
        return ANSWER_GARBLED;
    code = reply->element[0]->integer;
    ttl = reply->element[2]->integer;
    if (code < 0 || code > 2)
        return ANSWER_GARBLED;
    if (code == 2 && reply->element[1]->type == REDIS_REPLY_STRING && reply->element[1]->len == 0)
        counter->value = counter->initial;
    else if (!read_value(reply->element[1], &counter->value))
        return ENGINE_FAILED; /* another client wrote something else there */
    counter->created = code == 1;
    /* 0: in its last millisecond */
    counter->ttl_ms = ttl < 0 ? ENGINE_NO_EXPIRY : ttl == 0 ? 1 : ttl;
    return code == 2 ? ENGINE_BOUND : ENGINE_OK;
}

/* SET … GET: what stood. */
static unsigned take_set(struct redis_task *task, const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_NIL && reply->type != REDIS_REPLY_STRING)
        return ANSWER_GARBLED;
    task->op->counter->created = reply->type == REDIS_REPLY_NIL;
    return ENGINE_OK;
}

static unsigned take_counter_delete(const struct redisReply *reply)
{
    if (!is_integer(reply) || reply->integer < 0 || reply->integer > 1)
        return ANSWER_GARBLED;
    return reply->integer == 1 ? ENGINE_OK : ENGINE_MISS;
}

/* ---- Limits ---- */

/* S and T of a token bucket (engines/primitives/limit.h), for parameters within
 * their bounds. */
static void bucket_units(const struct engine_rate *rate, uint64_t *units, uint64_t *one)
{
    uint64_t window_us = (uint64_t)rate->window_ms * 1000;

    *units = 1;
    while (window_us * *units * 2 < UINT64_C(1) << 52)
        *units *= 2;
    *one = window_us * *units / rate->limit + (window_us * *units % rate->limit > 0);
}

static void send_limit(struct redis_task *task, struct outbox *outbox)
{
    const struct engine_rate *rate = task->op->rate;
    bool good = rate->limit >= 1 && rate->limit <= LIMIT_MAX && rate->cost <= rate->limit && rate->window_ms >= 1 &&
                rate->window_ms <= LIMIT_WINDOW_MS_MAX;
    bool bucket = rate->algorithm == ENGINE_TOKEN_BUCKET && good;
    unsigned char head[6] = { 'R', (unsigned char)rate->algorithm }, numbers[24];
    uint64_t units, one;

    plain_put(head + 2, (uint64_t)rate->window_ms, 4);
    plain_put(numbers, good ? rate->limit : 0, 4); /* 0: the script refuses */
    plain_put(numbers + 4, good ? rate->cost : 0, 4);
    if (bucket) {
        bucket_units(rate, &units, &one);
        plain_put(numbers + 8, units, 8);
        plain_put(numbers + 16, one, 8);
    }
    redis_command_script(task, outbox, SCRIPT_LIMIT, 1, 2);
    add_name(task, outbox, BYTES("::limit:"));
    redis_outbox_bulk(outbox, bytes_of((const char *)head, sizeof head));
    redis_outbox_bulk(outbox, bytes_of((const char *)numbers, bucket ? 24 : 8));
}

/* allowed (1 byte), remaining, reset, retry (4 bytes each) */
static unsigned take_limit(struct redis_task *task, const struct redisReply *reply)
{
    struct engine_rate *rate = task->op->rate;
    const unsigned char *at;

    if (reply->type != REDIS_REPLY_STRING || reply->len != 13)
        return ANSWER_GARBLED;
    at = (const unsigned char *)reply->str;
    rate->allowed = at[0] == 1;
    rate->remaining = plain_get(at + 1, 4);
    rate->reset_ms = (int64_t)plain_get(at + 5, 4);
    rate->retry_ms = (int64_t)plain_get(at + 9, 4);
    return rate->allowed || rate->shadow ? ENGINE_OK : ENGINE_LIMITED;
}

/* ---- Locks ---- */

static struct bytes lock_verb(enum engine_verb verb)
{
    switch (verb) {
    case ENGINE_LOCK_ACQUIRE:
        return BYTES("acquire");
    case ENGINE_LOCK_RENEW:
        return BYTES("renew");
    case ENGINE_LOCK_RELEASE:
        return BYTES("release");
    default:
        return BYTES("get");
    }
}

static void send_lock(struct redis_task *task, struct outbox *outbox)
{
    const struct engine_lock *lock = task->op->lock;
    enum engine_verb verb = task->op->verb;
    bool gives_ttl = verb == ENGINE_LOCK_ACQUIRE || verb == ENGINE_LOCK_RENEW;

    redis_command_script(task, outbox, SCRIPT_LOCK, 1, 3);
    add_name(task, outbox, BYTES("::lock:"));
    redis_outbox_bulk(outbox, lock_verb(verb));
    redis_outbox_bulk(outbox, bytes_of((const char *)lock->token, sizeof lock->token));
    redis_outbox_bulk_number(outbox, gives_ttl ? lock->ttl_ms + (int64_t)LOCK_KEEP_MS : 0);
}

/* outcome (1 byte), fence (8 bytes), ms left (8 bytes, or not there: as asked for) */
static unsigned take_lock(struct redis_task *task, const struct redisReply *reply)
{
    static const enum engine_status outcomes[] = { ENGINE_OK, ENGINE_HELD, ENGINE_MISMATCH, ENGINE_MISS };
    struct engine_lock *lock = task->op->lock;
    const unsigned char *at;

    if (reply->type != REDIS_REPLY_STRING || (reply->len != 9 && reply->len != 17))
        return ANSWER_GARBLED;
    at = (const unsigned char *)reply->str;
    if (at[0] > 3)
        return ANSWER_GARBLED;
    lock->fence = plain_get(at + 1, 8);
    if (reply->len == 17)
        lock->ttl_ms = (int64_t)plain_get(at + 9, 8);
    return outcomes[at[0]];
}

/* ---- All ---- */

void redis_primitive_send(struct redis_task *task, struct outbox *outbox)
{
    switch (task->op->verb) {
    case ENGINE_COUNTER_ADD:
        send_add(task, outbox);
        break;
    case ENGINE_COUNTER_GET:
        redis_command_script(task, outbox, SCRIPT_COUNTER, 1, 0);
        add_name(task, outbox, COUNTER_SPACE);
        break;
    case ENGINE_COUNTER_SET:
        send_set(task, outbox);
        break;
    case ENGINE_COUNTER_DELETE:
        send_counter_delete(task, outbox);
        break;
    case ENGINE_LIMIT_TAKE:
        send_limit(task, outbox);
        break;
    case ENGINE_LIST:
    case ENGINE_NAMESPACES:
        redis_errand_send(task, outbox);
        break;
    default:
        send_lock(task, outbox);
        break;
    }
}

unsigned redis_primitive_take(struct redis_task *task, struct redisReply *reply)
{
    switch (task->op->verb) {
    case ENGINE_COUNTER_ADD:
    case ENGINE_COUNTER_GET:
        return take_counter(task, reply);
    case ENGINE_COUNTER_SET:
        return take_set(task, reply);
    case ENGINE_COUNTER_DELETE:
        return take_counter_delete(reply);
    case ENGINE_LIMIT_TAKE:
        return take_limit(task, reply);
    case ENGINE_LIST:
    case ENGINE_NAMESPACES:
        return redis_errand_take(task, reply);
    default:
        return take_lock(task, reply);
    }
}
