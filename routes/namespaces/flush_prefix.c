/* flush_prefix.c - POST /flush with a prefix: a page of keys, all deleted in
 * one trip, the next page, until there is none.
 *
 * Keys where nothing stands but a lease is out are among them, for a delete
 * voids the lease. Each trip has CACHE_DEADLINE_MS of its own. Between two the
 * thread serves others (pause.h), so that a namespace of millions does not hold
 * up everybody else. Threading: the exchange's. */
#include <stdio.h>
#include <stdlib.h>

#include "routes/crowd.h"
#include "routes/namespaces/pages.h"
#include "routes/outcome.h"
#include "routes/pause.h"
#include "routes/problem.h"
#include "routes/route.h"
#include "routes/text/text.h"
#include "service/base/buffer.h"
#include "service/base/clock.h"

#define PAGE_KEYS 256

struct work {
    struct engine_listing listing;
    char cursor[ENGINE_CURSOR_MAX];
    struct pause *pause;
    struct crowd crowd;
    uint64_t deleted;
    size_t count; /* of ops */
    struct engine_op ops[PAGE_KEYS];
};

static struct work *work_of(struct http_exchange *ex)
{
    return route_state(ex)->work;
}

static void end_work(struct http_exchange *ex)
{
    struct work *work = work_of(ex);

    crowd_cancel(&work->crowd, work->ops, work->count);
    pause_destroy(work->pause);
    free(work->listing.page);
    free(work);
}

/* ---- Answers ---- */

static void send_done(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    struct buffer text;

    buffer_init_fixed(&text, route_thread(ex)->text, ROUTE_TEXT_SIZE);
    buffer_add(&text, BYTES("{\"flushed\":\""));
    buffer_add(&text, state->entry.ns);
    buffer_add_char(&text, '"');
    text_add_member(&text, "prefix", work_of(ex)->listing.prefix);
    buffer_add(&text, BYTES(",\"deleted\":"));
    buffer_add_u64(&text, work_of(ex)->deleted);
    buffer_add(&text, BYTES("}\n"));
    http_reply_field(ex, "Content-Type", "application/json");
    http_send_copy(ex, 200, buffer_bytes(&text));
}

static void send_failure(struct http_exchange *ex, const struct engine_op *op)
{
    struct outcome outcome = outcome_of(op);
    char *detail = http_scratch(ex, 256);

    if (detail)
        snprintf(detail, 256, "%s; %llu entries were deleted", outcome.detail,
                 (unsigned long long)work_of(ex)->deleted);
    if (outcome.unknown)
        problem_send_unknown(ex, outcome.problem, detail ? detail : outcome.detail);
    else
        problem_send(ex, outcome.problem, detail ? detail : outcome.detail);
}

static void give_up(struct http_exchange *ex)
{
    send_failure(ex, &pages_stopped);
}

/* ---- Steps ---- */

static void finish_page(struct http_exchange *ex)
{
    struct work *work = work_of(ex);
    bool more = pages_go_on(&work->listing, work->listing.page, work->cursor);

    free(work->listing.page);
    work->listing.page = NULL;
    if (more)
        pause_take(work->pause);
    else
        send_done(ex);
}

static void finish_deletes(void *context)
{
    struct http_exchange *ex = context;
    struct work *work = work_of(ex);
    const struct engine_op *failed = NULL;

    for (size_t i = 0; i < work->count; i++) {
        if (work->ops[i].status == ENGINE_OK)
            work->deleted++;
        else if (work->ops[i].status != ENGINE_MISS && !failed)
            failed = &work->ops[i];
    }
    if (failed)
        send_failure(ex, failed);
    else
        finish_page(ex);
}

static void delete_page(struct http_exchange *ex)
{
    struct routes_thread *thread = route_thread(ex);
    struct work *work = work_of(ex);
    const struct engine_page *page = work->listing.page;
    uint64_t now = loop_now(thread->loop);

    work->count = page->count;
    for (size_t i = 0; i < page->count; i++)
        work->ops[i] = (struct engine_op){
            .verb = ENGINE_DELETE, .ns = route_state(ex)->entry.ns, .key = page->items[i].key
        };
    if (!crowd_submit(&work->crowd, work->ops, work->count, now,
                      now + thread->settings->cache_deadline_ms * NS_PER_MS))
        finish_deletes(ex);
}

static void take_page(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    const struct engine_page *page = work_of(ex)->listing.page;

    if (state->op.status != ENGINE_OK)
        send_failure(ex, &state->op);
    else if (page->count > 0 && page->count <= PAGE_KEYS)
        delete_page(ex);
    else
        finish_page(ex);
}

static void ask(struct http_exchange *ex)
{
    route_state(ex)->op.listing = &work_of(ex)->listing;
    route_submit(ex, ENGINE_LIST, take_page);
}

void flush_prefix(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    struct routes_thread *thread = route_thread(ex);
    struct work *work = route_begin_work(ex, sizeof *work, end_work);

    if (!work)
        return;
    work->listing = (struct engine_listing){ .prefix = state->entry.key, .limit = PAGE_KEYS, .with_leases = true };
    work->crowd = (struct crowd){
        .session = thread->session, .finish = finish_deletes, .context = ex, .time = &state->engine_time
    };
    work->pause = pause_create(ex, ask, give_up);
    state->entry.key = BYTES_NONE; /* a listing has none */
    if (work->pause)
        ask(ex);
    else
        problem_send(ex, PROBLEM_OVERLOADED, "out of memory");
}
