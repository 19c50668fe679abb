#include "engines/redis/list.h"

#include <stdlib.h>

#include "engines/page.h"
#include "engines/redis/hiredis_compat.h"
#include "engines/redis/list_cursor.h"
#include "engines/redis/list_errand.h"
#include "engines/redis/namespaces.h"
#include "engines/redis/session.h"
#include "service/base/buffer.h"
#include "service/base/clock.h"

/* A page ends with the step after which it took so long, or has made Redis look
 * at so many keys; where it has found none yet, both may be five times more. */
#define PAGE_NS (10 * NS_PER_MS)
enum { PAGE_KEYS = 10000, EMPTY_FACTOR = 5, COUNT_MIN = 32, COUNT_USUAL = 400 };

struct redis_list {
    struct redis_errand errand; /* first; the step that is under way */
    struct engine_op *op;
    struct page_builder builder;
    struct redis_list_cursor cursor;
    uint64_t began_ns;
    size_t looked;  /* COUNTs so far */
    uint16_t count; /* of the step */
    bool barren;    /* the last step found nothing */
};

/* What a reply begins with: cursor, run id, buckets. */
enum { HEAD = 3 };

/* What one step found. */
struct found {
    struct engine_listed item;
    uint64_t hash;
};

static struct redis_list *of(struct redis_errand *errand)
{
    return (struct redis_list *)(void *)errand;
}

static const struct redis_keys *keys_of(const struct redis_list *list)
{
    return &list->errand.session->config->keys;
}

static unsigned buckets_of(const struct redis_list *list)
{
    return keys_of(list)->clustered ? KEYS_BUCKETS : 1;
}

/* ---- A step ---- */

static void choose_count(struct redis_list *list)
{
    size_t wanted = list->op->listing->limit - list->builder.count;

    if (list->cursor.count != 0)
        list->count = list->cursor.count;
    else if (list->barren)
        list->count = REDIS_LIST_COUNT_MAX;
    else
        list->count = (uint16_t)(wanted < COUNT_MIN ? COUNT_MIN : wanted > COUNT_USUAL ? COUNT_USUAL : wanted);
}

/* Every bucket's tag, in their order. */
static void add_tags(const struct redis_keys *keys, struct outbox *outbox)
{
    char text[KEYS_BUCKETS * 6];
    size_t len = 0;

    for (unsigned bucket = 0; bucket < KEYS_BUCKETS; bucket++) {
        len += format_u64(text + len, keys->tags[bucket]);
        text[len++] = ' ';
    }
    redis_outbox_bulk(outbox, bytes_of(text, len));
}

static void send_step(struct redis_task *task, struct outbox *outbox)
{
    struct redis_list *list = of((struct redis_errand *)(void *)task->op);
    const struct redis_keys *keys = keys_of(list);
    char pattern[REDIS_LIST_PATTERN_MAX], scan[FORMAT_U64_MAX];
    size_t pattern_len = redis_list_pattern(keys, list->op->ns, list->op->listing->prefix, pattern);
    struct redis_name name;

    if (!redis_keys_generation(keys, task->bucket, BYTES_NONE, &name))
        name.len = 0; /* never: it is too short to be too long */
    choose_count(list);
    redis_command_script(task, outbox, SCRIPT_LIST, 1, keys->clustered ? 6 : 5);
    redis_outbox_bulk(outbox, redis_name_bytes(&name));
    redis_outbox_bulk(outbox, bytes_of(scan, format_u64(scan, list->cursor.scan)));
    redis_outbox_bulk(outbox, bytes_of(pattern, pattern_len));
    redis_outbox_bulk_number(outbox, list->count);
    redis_outbox_bulk(outbox, list->op->ns);
    redis_outbox_bulk_number(outbox, list->op->listing->with_leases ? 1 : 0);
    if (keys->clustered)
        add_tags(keys, outbox);
}

/* ---- What it found ---- */

static struct bytes string_of(const struct redisReply *reply)
{
    return bytes_of(reply->str, reply->len);
}

static bool is_well_formed(const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < HEAD || reply->elements % 3 != 0)
        return false;
    for (size_t i = 0; i < HEAD; i++)
        if (reply->element[i]->type != REDIS_REPLY_STRING)
            return false;
    for (size_t i = HEAD; i < reply->elements; i += 3)
        if (reply->element[i]->type != REDIS_REPLY_STRING || reply->element[i + 1]->type != REDIS_REPLY_INTEGER ||
            reply->element[i + 1]->integer < 0 || reply->element[i + 2]->type != REDIS_REPLY_INTEGER)
            return false;
    return true;
}

/* The key of an entry of the listing's namespace by its name. False: of a bucket
 * that is another server's, or done, or that this key does not belong to. */
static bool take_key(const struct redis_list *list, struct bytes name, struct bytes *key)
{
    const struct redis_keys *keys = keys_of(list);
    struct engine_op *op = list->op;
    struct redis_name proper;
    const char *end;
    unsigned bucket;
    size_t head = keys->prefix.len;

    if (keys->clustered) {
        end = memchr(name.ptr, '}', name.len);
        if (!end)
            return false;
        head = (size_t)(end + 1 - name.ptr);
    }
    head += op->ns.len + 2;
    if (name.len <= head)
        return false;
    *key = bytes_of(name.ptr + head, name.len - head);
    bucket = redis_keys_bucket(keys, op->ns, *key);
    return bytes_starts_with(*key, op->listing->prefix) && redis_list_bit(list->cursor.here, bucket) &&
           !redis_list_bit(list->cursor.done, bucket) && redis_keys_entry(keys, bucket, op->ns, *key, &proper) &&
           bytes_equal(redis_name_bytes(&proper), name);
}

static int compare(const void *left, const void *right)
{
    const struct found *a = left, *b = right;
    size_t shorter = a->item.key.len < b->item.key.len ? a->item.key.len : b->item.key.len;
    int order;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    order = memcmp(a->item.key.ptr, b->item.key.ptr, shorter);
    return order != 0 ? order : (a->item.key.len > b->item.key.len) - (a->item.key.len < b->item.key.len);
}

static size_t take_found(const struct redis_list *list, const struct redisReply *reply, struct found *found)
{
    size_t count = 0;

    for (size_t i = HEAD; i < reply->elements; i += 3) {
        struct found *next = &found[count];
        if (!take_key(list, string_of(reply->element[i]), &next->item.key))
            continue;
        next->item.bytes = (size_t)reply->element[i + 1]->integer;
        next->item.entries = ENGINE_UNKNOWN;
        next->item.ttl_ms = reply->element[i + 2]->integer;
        next->hash = redis_list_hash(next->item.key);
        count++;
    }
    qsort(found, count, sizeof *found, compare);
    return count;
}

/* Enters what the page has room for. False: there is more, and the cursor says
 * how to come back for it. */
static bool deliver(struct redis_list *list, const struct found *found, size_t count, uint64_t end)
{
    struct redis_list_cursor *cursor = &list->cursor;
    struct redis_list_cut cut;
    uint64_t threshold = cursor->threshold;
    uint16_t ties = cursor->ties;

    redis_list_cut_init(&cut, cursor, end);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && compare(&found[i - 1], &found[i]) == 0)
            continue; /* SCAN may name a key twice */
        if (redis_list_cut_skips(&cut, found[i].hash))
            continue;
        if (list->builder.count >= list->op->listing->limit) {
            cursor->count = list->count;
            cursor->end = end;
            cursor->threshold = threshold;
            cursor->ties = ties;
            return false;
        }
        page_builder_add(&list->builder, &found[i].item);
        if (list->builder.failed)
            return true;
        threshold = cut.hash;
        ties = cut.ties;
    }
    cursor->count = 0;
    cursor->scan = end;
    return true;
}

/* ---- Servers ---- */

/* Whether all of a bucket's slot was at the server when it answered. */
static bool holds(const struct redis_list *list, struct bytes buckets, unsigned bucket)
{
    return !keys_of(list)->clustered || (buckets.len == KEYS_BUCKETS && buckets.ptr[bucket] == '1');
}

static uint64_t name_server(const struct redis_task *task, struct bytes run_id)
{
    char text[REDIS_HOST_MAX + 16 + 64];
    size_t len;

    redis_endpoint_name(&task->link->endpoint, text, REDIS_HOST_MAX + 16);
    len = strlen(text);
    if (run_id.len > 64)
        run_id.len = 64;
    memcpy(text + len, run_id.ptr, run_id.len);
    return redis_list_hash(bytes_of(text, len + run_id.len));
}

static void forget_walk(struct redis_list_cursor *cursor)
{
    memset(cursor->here, 0, sizeof cursor->here);
    cursor->server = 0;
    cursor->scan = 0;
    cursor->count = 0;
}

static void begin_walk(struct redis_list *list, uint64_t server, struct bytes buckets)
{
    list->cursor.server = server;
    for (unsigned bucket = 0; bucket < buckets_of(list); bucket++)
        if (holds(list, buckets, bucket))
            redis_list_bit_set(list->cursor.here, bucket);
}

/* What was there at both ends of the walk is done. */
static void end_walk(struct redis_list *list, struct bytes buckets)
{
    struct redis_list_cursor *cursor = &list->cursor;

    for (unsigned bucket = 0; bucket < buckets_of(list); bucket++)
        if (redis_list_bit(cursor->here, bucket) && holds(list, buckets, bucket))
            redis_list_bit_set(cursor->done, bucket);
    forget_walk(cursor);
}

/* Enters what a step of the right walk found. */
static unsigned enter(struct redis_list *list, struct redisReply *reply, uint64_t end)
{
    struct found *found = malloc((reply->elements / 3 + 1) * sizeof *found);
    size_t count;

    if (!found)
        return ENGINE_BUSY;
    count = take_found(list, reply, found);
    list->barren = count == 0;
    if (deliver(list, found, count, end) && end == 0)
        end_walk(list, string_of(reply->element[2]));
    free(found);
    return ENGINE_OK;
}

static unsigned take_step(struct redis_task *task, struct redisReply *reply)
{
    struct redis_list *list = of((struct redis_errand *)(void *)task->op);
    struct redis_list_cursor *cursor = &list->cursor;
    unsigned long long end;
    uint64_t server;

    if (!is_well_formed(reply) || !bytes_to_u64(string_of(reply->element[0]), UINT64_MAX, &end))
        return ANSWER_GARBLED;
    list->looked += list->count;
    server = name_server(task, string_of(reply->element[1]));
    if (cursor->server != 0 && cursor->server != server) {
        forget_walk(cursor); /* those were another process's cursors: from its beginning */
        return ENGINE_OK;
    }
    if (cursor->server == 0) {
        begin_walk(list, server, string_of(reply->element[2]));
        /* Some of the slot is elsewhere: its server is not to be told yet. */
        if (task->ask || !redis_list_bit(cursor->here, task->bucket))
            return ENGINE_UNAVAILABLE;
    }
    return enter(list, reply, end);
}

/* ---- A page ---- */

static bool is_complete(const struct redis_list *list)
{
    uint64_t now = loop_now(list->errand.session->base.loop), taken = now - list->began_ns;
    uint64_t patience = (list->op->deadline_ns - list->op->now_ns) / 2;
    unsigned factor = list->builder.count > 0 ? 1 : EMPTY_FACTOR;

    return list->builder.failed || list->builder.count >= list->op->listing->limit || list->cursor.count != 0 ||
           taken >= factor * PAGE_NS || taken >= patience || list->looked >= (size_t)factor * PAGE_KEYS ||
           redis_list_cursor_bucket(&list->cursor, buckets_of(list)) == buckets_of(list);
}

static void finish(struct redis_list *list)
{
    struct engine_op *op = list->op;
    bool clustered = keys_of(list)->clustered;
    char cursor[ENGINE_CURSOR_MAX];
    size_t len = 0;

    if (redis_list_cursor_bucket(&list->cursor, buckets_of(list)) < buckets_of(list))
        len = redis_list_cursor_write(&list->cursor, clustered, op->ns, op->listing->prefix, cursor);
    op->listing->page = page_builder_finish(&list->builder, bytes_of(cursor, len));
    op->status = op->listing->page ? ENGINE_OK : ENGINE_BUSY;
    op->detail = op->listing->page ? NULL : "out of memory";
}

static void step_done(struct redis_errand *errand, enum engine_status status, const char *detail)
{
    struct redis_list *list = of(errand);
    struct engine_session *session = &errand->session->base;
    struct engine_op *op = list->op;

    if (status == ENGINE_OK && !is_complete(list)) {
        redis_errand_again(errand, redis_list_cursor_bucket(&list->cursor, buckets_of(list)));
        return;
    }
    if (status == ENGINE_OK) {
        finish(list);
    } else {
        page_builder_release(&list->builder);
        op->status = status;
        op->detail = detail ? detail : status == ENGINE_BUSY ? "out of memory" : "redis: the slot is being moved";
    }
    free(list);
    engine_complete(session, op);
}

static const struct redis_errand_kind step = { send_step, take_step, step_done };

static enum engine_progress refuse(struct engine_op *op, enum engine_status status, const char *detail)
{
    op->status = status;
    op->detail = detail;
    return ENGINE_DONE;
}

enum engine_progress redis_list_start(struct redis_session *session, struct engine_op *op)
{
    const char *detail = NULL;
    enum engine_status status;
    struct redis_list *list;

    op->listing->page = NULL;
    if (op->verb == ENGINE_NAMESPACES)
        return redis_namespaces_start(session, op);
    if (op->listing->limit == 0 || op->ns.len > 64 || op->listing->prefix.len > 1024)
        return refuse(op, ENGINE_FAILED, "a listing beyond the limits");
    list = malloc(sizeof *list);
    if (!list)
        return refuse(op, ENGINE_BUSY, "out of memory");
    *list = (struct redis_list){ .op = op, .began_ns = loop_now(session->base.loop) };
    redis_errand_init(&list->errand, &step, session, ENGINE_LIST);
    page_builder_init(&list->builder);
    op->engine_private = list;
    if (!redis_list_cursor_read(&list->cursor, op->listing->cursor, session->config->keys.clustered, op->ns,
                                op->listing->prefix) ||
        redis_list_cursor_bucket(&list->cursor, buckets_of(list)) == buckets_of(list)) {
        free(list);
        return refuse(op, ENGINE_MISMATCH, "the cursor is none of this listing's");
    }
    status = redis_errand_start(&list->errand, redis_list_cursor_bucket(&list->cursor, buckets_of(list)), &detail);
    if (status == ENGINE_STATUSES)
        return ENGINE_PENDING;
    free(list);
    return refuse(op, status, detail);
}

enum engine_status redis_list_cancel(struct engine_op *op)
{
    struct redis_list *list = op->engine_private;
    enum engine_status status;

    if (op->verb == ENGINE_NAMESPACES)
        return redis_namespaces_cancel(op);
    status = redis_errand_cancel(&list->errand);
    page_builder_release(&list->builder);
    free(list);
    return status;
}
