#include "engines/redis/namespaces.h"

#include <stdio.h>
#include <stdlib.h>

#include "engines/page.h"
#include "engines/redis/hiredis_compat.h"
#include "engines/redis/list_cursor.h"
#include "engines/redis/list_errand.h"
#include "engines/redis/session.h"
#include "service/base/clock.h"

#define NOTED_NS (600 * NS_PER_SECOND)
#define AGAIN_NS (1 * NS_PER_SECOND) /* after a failure */
enum { NAME_MAX_BYTES = 64, BUCKET = 0, CURSOR_KIND = 'n' };

static void add_key(const struct redis_errand *errand, struct outbox *outbox)
{
    const struct redis_keys *keys = &errand->session->config->keys;
    char tag[16];
    size_t tag_len = 0;

    if (keys->clustered)
        tag_len = (size_t)snprintf(tag, sizeof tag, ":{%u}", keys->tags[BUCKET]);
    redis_outbox_bulk_begin(outbox, keys->prefix.len + tag_len + 12);
    redis_outbox_add(outbox, keys->prefix);
    redis_outbox_add(outbox, bytes_of(tag, tag_len));
    redis_outbox_add(outbox, BYTES("::namespaces"));
    redis_outbox_bulk_end(outbox);
}

/* ---- Entering one ---- */

struct entering {
    struct redis_errand errand; /* first */
    struct redis_noted *noted;
    uint64_t hash;
    size_t len;
    char name[NAME_MAX_BYTES];
};

static void send_entering(struct redis_task *task, struct outbox *outbox)
{
    struct entering *entering = (struct entering *)(void *)task->op;

    redis_outbox_command(outbox, 4);
    redis_outbox_bulk(outbox, BYTES("ZADD"));
    add_key(&entering->errand, outbox);
    redis_outbox_bulk(outbox, BYTES("0"));
    redis_outbox_bulk(outbox, bytes_of(entering->name, entering->len));
}

static unsigned take_entering(struct redis_task *task, struct redisReply *reply)
{
    (void)task;
    return reply->type == REDIS_REPLY_INTEGER ? ENGINE_OK : ANSWER_GARBLED;
}

static void entering_done(struct redis_errand *errand, enum engine_status status, const char *detail)
{
    struct entering *entering = (struct entering *)(void *)errand;
    uint64_t now = loop_now(errand->session->base.loop);

    (void)detail;
    errand->session->namespaces.busy--;
    /* Its place may be another's by now. */
    if (status != ENGINE_OK && entering->noted->hash == entering->hash)
        entering->noted->until_ns = now + AGAIN_NS;
    free(entering);
}

static const struct redis_errand_kind entering_kind = { send_entering, take_entering, entering_done };

/* The place of a namespace, or the one to give it: NULL where it is known. */
static struct redis_noted *find_place(struct redis_namespaces *namespaces, uint64_t hash, uint64_t now)
{
    struct redis_noted *set = &namespaces->noted[hash % (NAMESPACES_NOTED / NAMESPACES_WAYS) * NAMESPACES_WAYS];
    struct redis_noted *oldest = set;

    for (unsigned i = 0; i < NAMESPACES_WAYS; i++) {
        if (set[i].hash == hash)
            return set[i].until_ns > now ? NULL : &set[i];
        if (set[i].until_ns < oldest->until_ns)
            oldest = &set[i];
    }
    return oldest;
}

void redis_namespaces_note(struct redis_session *session, struct bytes ns)
{
    struct redis_namespaces *namespaces = &session->namespaces;
    uint64_t hash = redis_list_hash(ns), now = loop_now(session->base.loop);
    struct redis_noted *place = find_place(namespaces, hash, now);
    struct entering *entering;

    if (!place || ns.len == 0 || ns.len > NAME_MAX_BYTES || namespaces->busy >= NAMESPACES_BUSY_MAX)
        return;
    entering = malloc(sizeof *entering);
    if (!entering)
        return;
    redis_errand_init(&entering->errand, &entering_kind, session, ENGINE_NAMESPACES);
    entering->noted = place;
    entering->hash = hash;
    entering->len = ns.len;
    memcpy(entering->name, ns.ptr, ns.len);
    *place = (struct redis_noted){ hash, now + NOTED_NS };
    namespaces->busy++;
    redis_errand_again(&entering->errand, BUCKET);
}

/* ---- Listing them ---- */

struct asking {
    struct redis_errand errand; /* first */
    struct engine_op *op;
    struct engine_page *page;
};

static struct asking *of(struct redis_errand *errand)
{
    return (struct asking *)(void *)errand;
}

/* An end of a range by name: "[x" with it, "(x" without, "-" the beginning. */
static void add_end(struct outbox *outbox, struct bytes kind, struct bytes name)
{
    redis_outbox_bulk_begin(outbox, kind.len + name.len);
    redis_outbox_add(outbox, kind);
    redis_outbox_add(outbox, name);
    redis_outbox_bulk_end(outbox);
}

static struct bytes last_name(const struct engine_op *op)
{
    struct bytes cursor = op->listing->cursor;

    return cursor.len > 0 ? bytes_of(cursor.ptr + 1, cursor.len - 1) : BYTES_NONE;
}

static void send_asking(struct redis_task *task, struct outbox *outbox)
{
    struct asking *asking = (struct asking *)(void *)task->op;
    const struct engine_op *op = asking->op;
    struct bytes last = last_name(op);

    redis_outbox_command(outbox, 8);
    redis_outbox_bulk(outbox, BYTES("ZRANGE"));
    add_key(&asking->errand, outbox);
    if (op->ns.len > 0) {
        add_end(outbox, BYTES("["), op->ns);
        add_end(outbox, BYTES("["), op->ns);
    } else {
        add_end(outbox, last.len > 0 ? BYTES("(") : BYTES("-"), last);
        add_end(outbox, BYTES("+"), BYTES_NONE);
    }
    redis_outbox_bulk(outbox, BYTES("BYLEX"));
    redis_outbox_bulk(outbox, BYTES("LIMIT"));
    redis_outbox_bulk(outbox, BYTES("0"));
    redis_outbox_bulk_number(outbox, (int64_t)op->listing->limit + 1);
}

static void add_name(struct page_builder *builder, struct bytes name)
{
    struct engine_listed item = { .key = name, .entries = ENGINE_UNKNOWN, .ttl_ms = ENGINE_NO_EXPIRY };

    page_builder_add(builder, &item);
}

static unsigned take_asking(struct redis_task *task, struct redisReply *reply)
{
    struct asking *asking = (struct asking *)(void *)task->op;
    const struct engine_op *op = asking->op;
    size_t limit = op->listing->limit, count = 0;
    char cursor[1 + NAME_MAX_BYTES] = { CURSOR_KIND };
    struct page_builder builder;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements > limit + 1)
        return ANSWER_GARBLED;
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type != REDIS_REPLY_STRING || reply->element[i]->len > NAME_MAX_BYTES)
            return ANSWER_GARBLED;
    page_builder_init(&builder);
    if (op->ns.len > 0)
        add_name(&builder, op->ns); /* the set may not know it yet, or no longer */
    for (; op->ns.len == 0 && count < reply->elements && count < limit; count++)
        add_name(&builder, bytes_of(reply->element[count]->str, reply->element[count]->len));
    if (op->ns.len > 0 || reply->elements <= limit) {
        asking->page = page_builder_finish(&builder, BYTES_NONE);
    } else {
        const struct redisReply *last = reply->element[limit - 1];
        memcpy(cursor + 1, last->str, last->len);
        asking->page = page_builder_finish(&builder, bytes_of(cursor, 1 + last->len));
    }
    return asking->page ? ENGINE_OK : ENGINE_BUSY;
}

static void asking_done(struct redis_errand *errand, enum engine_status status, const char *detail)
{
    struct asking *asking = of(errand);
    struct engine_session *session = &errand->session->base;
    struct engine_op *op = asking->op;

    op->listing->page = asking->page;
    op->status = status;
    op->detail = status == ENGINE_BUSY && !detail ? "out of memory" : detail;
    free(asking);
    engine_complete(session, op);
}

static const struct redis_errand_kind asking_kind = { send_asking, take_asking, asking_done };

/* A name that a namespace can have, so that what was cut or made up is noticed. */
static bool cursor_is_good(struct bytes cursor)
{
    if (cursor.len == 0)
        return true;
    if (cursor.len < 2 || cursor.len > 1 + NAME_MAX_BYTES || cursor.ptr[0] != CURSOR_KIND)
        return false;
    for (size_t i = 1; i < cursor.len; i++)
        if ((unsigned char)cursor.ptr[i] <= ' ' || cursor.ptr[i] == 127 || cursor.ptr[i] == ':')
            return false;
    return true;
}

enum engine_progress redis_namespaces_start(struct redis_session *session, struct engine_op *op)
{
    const char *detail = NULL;
    struct asking *asking;

    op->detail = NULL;
    op->status = ENGINE_MISMATCH;
    if (!cursor_is_good(op->listing->cursor))
        return ENGINE_DONE;
    asking = malloc(sizeof *asking);
    op->status = ENGINE_BUSY;
    if (!asking)
        return ENGINE_DONE;
    asking->op = op;
    asking->page = NULL;
    redis_errand_init(&asking->errand, &asking_kind, session, ENGINE_NAMESPACES);
    op->engine_private = asking;
    op->status = redis_errand_start(&asking->errand, BUCKET, &detail);
    if (op->status == ENGINE_STATUSES)
        return ENGINE_PENDING;
    op->detail = detail;
    free(asking);
    return ENGINE_DONE;
}

enum engine_status redis_namespaces_cancel(struct engine_op *op)
{
    struct asking *asking = op->engine_private;
    enum engine_status status = redis_errand_cancel(&asking->errand);

    free(asking);
    return status;
}
