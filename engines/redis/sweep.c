/* sweep.c - what a flush left behind is removed in the background.
 *
 * The session that flushed walks over the keys with SCAN, and lets a script
 * remove those entries whose generation no longer stands. A step is one SCAN and
 * the scripts for what it named: well below a millisecond of the server's time,
 * since whatever comes meanwhile waits for it. Then the sweep pauses for several
 * times as long as the step took, so that a server with much to do is swept
 * slowly.
 *
 * Nothing depends on it: a flushed entry is invisible already, and most go by
 * their TTL. A sweep that meets trouble goes on after a pause, and one whose
 * process ends is not resumed. A flush in the midst of a sweep adds a round to
 * it: what is flushed again and again is still swept to its end. */
#include <stdlib.h>

#include "engines/redis/hiredis_compat.h"
#include "engines/redis/session.h"
#include "service/base/buffer.h"
#include "service/base/clock.h"
#include "service/base/log.h"

enum {
    SCAN_COUNT = 100,
    /* In a cluster each name has its own generations, and a script for itself. */
    SCAN_COUNT_CLUSTERED = 25,
    REAP_KEYS_MAX = 64,
    PAUSE_FACTOR = 8,
    PAUSE_MIN_MS = 5,
    PAUSE_MAX_MS = 250,
};

/* One script for names that share their generations. */
struct reap {
    struct redis_call call; /* first */
    struct redis_sweep *sweep;
};

struct run {
    struct bytes head, ns; /* see take_apart() */
    size_t count;
    struct bytes names[REAP_KEYS_MAX];
};

void redis_sweep_start(struct redis_session *session, struct bytes ns)
{
    struct redis_sweep *sweep = &session->sweep;

    if (ns.len > sizeof sweep->ns)
        return;
    if (sweep->active) {
        sweep->again = true;
        /* Two namespaces at a time: all are looked at. */
        if (!bytes_equal(bytes_of(sweep->ns, sweep->ns_len), ns))
            sweep->ns_len = 0;
        return;
    }
    sweep->active = true;
    sweep->again = sweep->with_text = false;
    sweep->node_index = 0;
    sweep->cursor = sweep->removed = 0;
    sweep->ns_len = (uint8_t)ns.len;
    if (ns.len > 0)
        memcpy(sweep->ns, ns.ptr, ns.len);
    loop_timer_at(sweep->timer, loop_now(session->base.loop) + PAUSE_MIN_MS * NS_PER_MS);
}

/* Sets the time of the next step once nothing of this one is under way. */
static void end_call(struct redis_sweep *sweep)
{
    struct redis_session *session = sweep->session;
    uint64_t now = loop_now(session->base.loop), pause = (now - sweep->began_ns) * PAUSE_FACTOR;

    if (--sweep->busy > 0 || session->base.detaching)
        return;
    if (pause < PAUSE_MIN_MS * NS_PER_MS)
        pause = PAUSE_MIN_MS * NS_PER_MS;
    if (pause > PAUSE_MAX_MS * NS_PER_MS)
        pause = PAUSE_MAX_MS * NS_PER_MS;
    loop_timer_at(sweep->timer, now + pause);
}

/* ---- Removing ---- */

static void on_reaped(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    struct reap *reap = (struct reap *)(void *)call;
    struct redis_sweep *sweep = reap->sweep;

    if (end == CALL_REPLIED && reply->type == REDIS_REPLY_INTEGER && reply->integer > 0)
        sweep->removed += (uint64_t)reply->integer;
    /* Redis forgot the script. Once: then the text is sent. */
    if (end == CALL_REPLIED && reply->type == REDIS_REPLY_ERROR && !sweep->with_text &&
        bytes_starts_with(bytes_of(reply->str, reply->len), BYTES("NOSCRIPT")))
        sweep->with_text = sweep->again = true;
    free(reap);
    end_call(sweep);
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

static void add_generation(struct outbox *outbox, struct bytes head, struct bytes ns)
{
    redis_outbox_bulk_begin(outbox, head.len + 6 + ns.len);
    redis_outbox_add(outbox, head);
    redis_outbox_add(outbox, BYTES("::gen:"));
    redis_outbox_add(outbox, ns);
    redis_outbox_bulk_end(outbox);
}

/* What finds no room is left to the next round, or to its TTL. */
static void reap_run(struct redis_sweep *sweep, struct run *run)
{
    struct redis_link *link = sweep->link;
    struct outbox *outbox = &link->outbox;
    struct reap *reap = run->count > 0 && redis_link_has_room(link) ? malloc(sizeof *reap) : NULL;

    if (reap) {
        reap->sweep = sweep;
        sweep->busy++;
        redis_link_push(link, &reap->call, on_reaped);
        redis_outbox_command(outbox, 5 + run->count);
        if (sweep->with_text) {
            redis_outbox_bulk(outbox, BYTES("EVAL"));
            redis_outbox_bulk(outbox, bytes_str(redis_script_text(SCRIPT_REAP)));
        } else {
            redis_outbox_bulk(outbox, BYTES("EVALSHA"));
            redis_outbox_bulk(outbox, bytes_of(link->digests[SCRIPT_REAP], SCRIPT_DIGEST_LEN));
        }
        redis_outbox_bulk_number(outbox, (int64_t)(2 + run->count));
        add_generation(outbox, run->head, run->ns);
        add_generation(outbox, run->head, BYTES_NONE);
        for (size_t i = 0; i < run->count; i++)
            redis_outbox_bulk(outbox, run->names[i]);
    }
    run->count = 0;
}

static void reap_all(struct redis_sweep *sweep, const struct redisReply *names)
{
    const struct redis_keys *keys = &sweep->session->config->keys;
    struct run run = { .count = 0 };

    for (size_t i = 0; i < names->elements; i++) {
        const struct redisReply *element = names->element[i];
        struct bytes name, head, ns;
        if (element->type != REDIS_REPLY_STRING)
            continue;
        name = bytes_of(element->str, element->len);
        if (!take_apart(keys, name, &head, &ns))
            continue;
        if (run.count == REAP_KEYS_MAX || !bytes_equal(run.head, head) || !bytes_equal(run.ns, ns))
            reap_run(sweep, &run);
        run.head = head;
        run.ns = ns;
        run.names[run.count++] = name;
    }
    reap_run(sweep, &run);
}

/* ---- Walking ---- */

static struct redis_node *node_at(struct redis_session *session, unsigned index)
{
    for (struct redis_node *node = session->nodes; node; node = node->next)
        if (!node->retired && index-- == 0)
            return node;
    return NULL;
}

static void take_scanned(struct redis_sweep *sweep, const struct redisReply *reply)
{
    unsigned long long cursor;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_ARRAY ||
        !bytes_to_u64(bytes_of(reply->element[0]->str, reply->element[0]->len), UINT64_MAX, &cursor))
        return;
    reap_all(sweep, reply->element[1]);
    sweep->cursor = cursor;
    if (cursor == 0)
        sweep->node_index++;
}

static void on_scanned(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    struct redis_sweep *sweep = (struct redis_sweep *)(void *)((char *)call - offsetof(struct redis_sweep, scan));

    if (end == CALL_REPLIED)
        take_scanned(sweep, reply);
    end_call(sweep);
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
    sweep->began_ns = loop_now(session->base.loop);
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
    redis_outbox_bulk_number(outbox, keys->clustered ? SCAN_COUNT_CLUSTERED : SCAN_COUNT);
}

/* At the end of all nodes: the next round, or none. */
static bool is_over(struct redis_sweep *sweep)
{
    if (!sweep->again) {
        sweep->active = false;
        log_debug("redis swept", LOG_U64("removed", sweep->removed));
        return true;
    }
    sweep->again = false;
    sweep->node_index = 0;
    sweep->cursor = 0;
    return false;
}

static void on_step(void *context)
{
    struct redis_session *session = context;
    struct redis_sweep *sweep = &session->sweep;
    struct redis_node *node = node_at(session, sweep->node_index);
    struct redis_link *link;

    if (session->base.detaching || (!node && is_over(sweep)))
        return;
    link = node ? redis_node_link(node, false) : NULL;
    if (link)
        send_scan(session, link);
    else
        loop_timer_at(sweep->timer, loop_now(session->base.loop) + PAUSE_MAX_MS * NS_PER_MS);
}

bool redis_sweep_init(struct redis_session *session)
{
    session->sweep.session = session;
    session->sweep.timer = loop_timer_create(session->base.loop, on_step, session);
    return session->sweep.timer;
}

void redis_sweep_release(struct redis_session *session)
{
    loop_timer_destroy(session->sweep.timer);
}
