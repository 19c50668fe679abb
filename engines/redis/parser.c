#include "engines/redis/parser.h"

#include <string.h>

#include "engines/redis/hiredis_compat.h"

/* Enters a finished reply into the array it belongs to. */
static void *place(const redisReadTask *task, redisReply *reply)
{
    if (task->parent)
        ((redisReply *)task->parent->obj)->element[task->idx] = reply;
    return reply;
}

static redisReply *make(const redisReadTask *task, size_t room)
{
    redisReply *reply = malloc(sizeof *reply + room);

    if (reply)
        *reply = (redisReply){ .type = task->type };
    return reply;
}

static void *create_string(const redisReadTask *task, char *bytes, size_t len)
{
    redisReply *reply;

    if (task->type != REDIS_REPLY_STRING && task->type != REDIS_REPLY_STATUS && task->type != REDIS_REPLY_ERROR)
        return NULL;
    reply = make(task, len + 1);
    if (!reply)
        return NULL;
    reply->str = (char *)(reply + 1);
    reply->len = len;
    memcpy(reply->str, bytes, len);
    reply->str[len] = 0;
    return place(task, reply);
}

static void *create_array(const redisReadTask *task, redis_array_count signed_count)
{
    size_t count = (size_t)signed_count;
    redisReply *reply;

    if (task->type != REDIS_REPLY_ARRAY || count > PARSER_ELEMENTS_MAX)
        return NULL;
    reply = make(task, count * sizeof *reply->element);
    if (!reply)
        return NULL;
    reply->elements = count;
    reply->element = (redisReply **)(void *)(reply + 1);
    memset(reply->element, 0, count * sizeof *reply->element);
    return place(task, reply);
}

static void *create_integer(const redisReadTask *task, long long number)
{
    redisReply *reply = make(task, 0);

    if (!reply)
        return NULL;
    reply->integer = number;
    return place(task, reply);
}

static void *create_nil(const redisReadTask *task)
{
    redisReply *reply = make(task, 0);

    if (!reply)
        return NULL;
    reply->type = REDIS_REPLY_NIL;
    return place(task, reply);
}

#if HIREDIS_MAJOR >= 1
static void *refuse_double(const redisReadTask *task, double number, char *text, size_t len)
{
    (void)task;
    (void)number;
    (void)text;
    (void)len;
    return NULL;
}

static void *refuse_bool(const redisReadTask *task, int truth)
{
    (void)task;
    (void)truth;
    return NULL;
}
#endif

void redis_reply_free(void *object)
{
    redisReply *reply = object;

    if (!reply)
        return;
    for (size_t i = 0; i < reply->elements; i++)
        redis_reply_free(reply->element[i]);
    free(reply);
}

struct redisReply *redis_reply_detach(struct redisReply *array, size_t index)
{
    redisReply *element = array->element[index];

    array->element[index] = NULL;
    return element;
}

void redis_parser_install(struct redisContext *redis)
{
    static redisReplyObjectFunctions functions = {
        .createString = create_string,
        .createArray = create_array,
        .createInteger = create_integer,
        .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
        .createDouble = refuse_double,
        .createBool = refuse_bool,
#endif
        .freeObject = redis_reply_free,
    };

    redis->reader->fn = &functions;
}
