/* sweep.c - what a flush left behind is removed in the background.
 *
 * The session that flushed walks over the keys with SCAN, some at each tick,
 * and lets a script remove those entries whose generation no longer stands.
 * Nothing depends on it: a flushed entry is invisible already, and most go by
 * their TTL. A sweep that meets trouble goes on with the next tick, and one
 * whose process ends is not resumed. */
#include <stdlib.h>

#include "engines/redis/hiredis_compat.h"
#include "engines/redis/session.h"
#include "service/base/buffer.h"
#include "service/base/log.h"

enum { SCAN_COUNT = 500 };

struct reap {
    struct redis_call call; /* first */
    struct redis_sweep *sweep;
};

void redis_sweep_start(struct redis_session *session, struct bytes ns)
{
    struct redis_sweep *sweep = &session->sweep;
    bool same = sweep->active && bytes_equal(bytes_of(sweep->ns, sweep->ns_len), ns);

    /* Two namespaces at a time: all are looked at. */
    if (sweep->active && !same)
        ns = BYTES_NONE;
    if (ns.len > sizeof sweep->ns)
        return;
    sweep->active = true;
    sweep->session = session;
    sweep->again = sweep->busy > 0; /* the running step's cursor is void */
    sweep->node_index = 0;
    sweep->cursor = 0;
    sweep->removed = same ? sweep->removed : 0;
    sweep->ns_len = (uint8_t)ns.len;
    if (ns.len > 0)
        memcpy(sweep->ns, ns.ptr, ns.len);
}

/* ---- Removing ---- */

static void on_reaped(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    struct reap *reap = (struct reap *)(void *)call;
    struct redis_sweep *sweep = reap->sweep;

    if (end == CALL_REPLIED && reply->type == REDIS_REPLY_INTEGER)
        sweep->removed += (uint64_t)reply->integer;
    sweep->busy--;
    free(reap);
}

/* The namespace of an entry's or an index' name, and what stands before it
 * ("prefix" or "prefix:{tag}"). False for a generation or anything else. */
static bool take_apart(const struct redis_keys *keys, struct bytes name, struct bytes *head, struct bytes *ns)
{
    struct bytes rest;

    if (!bytes_starts_with(name, keys->prefix))
        return false;
    rest = bytes_of(name.ptr + keys->prefix.len, name.len - keys->prefix.len);
    if (keys->clustered) {
        const char *end = bytes_starts_with(rest, BYTES(":{")) ? memchr(rest.ptr, '}', rest.len) : NULL;
        if (!end)
            return false;
        rest = bytes_of(end + 1, rest.len - (size_t)(end + 1 - rest.ptr));
    }
    if (!bytes_starts_with(rest, BYTES(":")))
        return false;
    if (bytes_starts_with(rest, BYTES("::len:"))) {
        *head = bytes_of(name.ptr, (size_t)(rest.ptr - name.ptr));
        *ns = bytes_of(rest.ptr + 6, rest.len - 6);
        return ns->len > 0 && ns->len <= 64;
    }
    *head = bytes_of(name.ptr, (size_t)(rest.ptr - name.ptr));
    rest = bytes_of(rest.ptr + 1, rest.len - 1);
    *ns = bytes_cut(&rest, ':');
    return rest.ptr && ns->len > 0 && ns->len <= 64;
}

static void reap_one(struct redis_session *session, struct redis_link *link, struct bytes name)
{
    struct outbox *outbox = &link->outbox;
    struct bytes head, ns;
    struct reap *reap;

    if (!take_apart(&session->config->keys, name, &head, &ns) || !redis_link_has_room(link))
        return;
    reap = malloc(sizeof *reap);
    if (!reap)
        return;
    reap->sweep = &session->sweep;
    session->sweep.busy++;
    redis_link_push(link, &reap->call, on_reaped);
    redis_outbox_command(outbox, 6);
    redis_outbox_bulk(outbox, BYTES("EVALSHA"));
    redis_outbox_bulk(outbox, bytes_of(link->digests[SCRIPT_REAP], SCRIPT_DIGEST_LEN));
    redis_outbox_bulk(outbox, BYTES("3"));
    redis_outbox_bulk(outbox, name);
    redis_outbox_bulk_begin(outbox, head.len + 6 + ns.len);
    redis_outbox_add(outbox, head);
    redis_outbox_add(outbox, BYTES("::gen:"));
    redis_outbox_add(outbox, ns);
    redis_outbox_bulk_end(outbox);
    redis_outbox_bulk_begin(outbox, head.len + 6);
    redis_outbox_add(outbox, head);
    redis_outbox_add(outbox, BYTES("::gen:"));
    redis_outbox_bulk_end(outbox);
}

/* ---- Walking ---- */

static struct redis_node *node_at(struct redis_session *session, unsigned index)
{
    for (struct redis_node *node = session->nodes; node; node = node->next)
        if (!node->retired && index-- == 0)
            return node;
    return NULL;
}

static void on_scanned(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    struct redis_sweep *sweep = (struct redis_sweep *)(void *)((char *)call - offsetof(struct redis_sweep, scan));
    struct redis_session *session = sweep->session;
    const struct redisReply *names;
    unsigned long long cursor;

    sweep->busy--;
    if (end != CALL_REPLIED || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING || reply->element[1]->type != REDIS_REPLY_ARRAY ||
        !bytes_to_u64(bytes_of(reply->element[0]->str, reply->element[0]->len), UINT64_MAX, &cursor))
        return;
    names = reply->element[1];
    for (size_t i = 0; i < names->elements; i++)
        if (names->element[i]->type == REDIS_REPLY_STRING)
            reap_one(session, sweep->link, bytes_of(names->element[i]->str, names->element[i]->len));
    if (sweep->again) {
        sweep->again = false; /* flushed once more meanwhile: from the beginning */
        return;
    }
    sweep->cursor = cursor;
    if (cursor == 0)
        sweep->node_index++;
}

static void send_scan(struct redis_session *session, struct redis_link *link)
{
    struct redis_sweep *sweep = &session->sweep;
    const struct redis_keys *keys = &session->config->keys;
    struct outbox *outbox = &link->outbox;
    struct bytes middle = keys->clustered ? BYTES(":{*}:") : BYTES(":");
    struct bytes ns = bytes_of(sweep->ns, sweep->ns_len), end = ns.len > 0 ? BYTES(":*") : BYTES("*");
    char cursor[24];

    sweep->busy++;
    sweep->link = link;
    redis_link_push(link, &sweep->scan, on_scanned);
    redis_outbox_command(outbox, 6);
    redis_outbox_bulk(outbox, BYTES("SCAN"));
    redis_outbox_bulk(outbox, bytes_of(cursor, format_u64(cursor, sweep->cursor)));
    redis_outbox_bulk(outbox, BYTES("MATCH"));
    redis_outbox_bulk_begin(outbox, keys->prefix.len + middle.len + ns.len + end.len);
    redis_outbox_add(outbox, keys->prefix);
    redis_outbox_add(outbox, middle);
    redis_outbox_add(outbox, ns);
    redis_outbox_add(outbox, end);
    redis_outbox_bulk_end(outbox);
    redis_outbox_bulk(outbox, BYTES("COUNT"));
    redis_outbox_bulk_number(outbox, SCAN_COUNT);
}

void redis_sweep_tick(struct redis_session *session)
{
    struct redis_sweep *sweep = &session->sweep;
    struct redis_node *node;
    struct redis_link *link;

    if (!sweep->active || sweep->busy > 0 || session->base.detaching)
        return;
    node = node_at(session, sweep->node_index);
    if (!node) {
        sweep->active = false;
        log_debug("redis swept", LOG_U64("removed", sweep->removed));
        return;
    }
    link = redis_node_link(node, false);
    if (link)
        send_scan(session, link);
}
