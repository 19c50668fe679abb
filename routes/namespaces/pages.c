#include "routes/namespaces/pages.h"

#include <stdlib.h>

#include "routes/answer.h"
#include "routes/outcome.h"
#include "routes/problem.h"
#include "service/base/clock.h"

const struct engine_op pages_stopped = { .verb = ENGINE_LIST,
                                         .status = ENGINE_UNAVAILABLE,
                                         .detail = "shutting down" };

bool pages_read_prefix(struct http_exchange *ex, struct bytes text, char memory[PATH_KEY_MAX],
                       struct engine_listing *listing)
{
    if (text.len > PATH_KEY_MAX) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("prefix"), "longer than 1024 bytes, as no key is");
        return false;
    }
    if (text.len > 0)
        memcpy(memory, text.ptr, text.len);
    listing->prefix = bytes_of(memory, text.len);
    return true;
}

bool pages_read_limit(struct http_exchange *ex, struct bytes text, size_t *limit)
{
    unsigned long long number = 0;

    *limit = PAGES_LIMIT_DEFAULT;
    if (!text.ptr)
        return true;
    if (!bytes_to_u64(text, PAGES_LIMIT_MAX, &number) || number == 0) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("limit"), "must be 1 to 1000");
        return false;
    }
    *limit = number;
    return true;
}

void pages_refuse_cursor(struct http_exchange *ex)
{
    problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("cursor"), "not one that this listing gave");
}

static void give_up(struct http_exchange *ex)
{
    outcome_send(ex, &pages_stopped);
}

bool pages_go_on(struct engine_listing *listing, const struct engine_page *page, char memory[ENGINE_CURSOR_MAX])
{
    size_t len = page->cursor.len <= ENGINE_CURSOR_MAX ? page->cursor.len : 0; /* no engine makes a longer one */

    if (len > 0)
        memcpy(memory, page->cursor.ptr, len);
    listing->cursor = bytes_of(memory, len);
    return len > 0;
}

/* True when the engine is to be asked again, for the page is empty and not the
 * last. */
static bool asks_again(struct http_exchange *ex, struct pages *pages)
{
    struct engine_page *page = pages->listing.page;

    if (route_state(ex)->op.status != ENGINE_OK || page->count > 0 ||
        loop_now(route_thread(ex)->loop) >= pages->until_ns || !pages_go_on(&pages->listing, page, pages->cursor))
        return false;
    pages->listing.page = NULL;
    free(page);
    return true;
}

static void take_page(struct http_exchange *ex)
{
    struct pages *pages = route_state(ex)->work;

    if (asks_again(ex, pages))
        pause_take(pages->pause);
    else if (route_state(ex)->op.status == ENGINE_MISMATCH)
        pages_refuse_cursor(ex);
    else if (route_state(ex)->op.status != ENGINE_OK)
        outcome_send(ex, &route_state(ex)->op);
    else
        pages->finish(ex);
}

static void ask(struct http_exchange *ex)
{
    struct pages *pages = route_state(ex)->work;

    route_state(ex)->op.listing = &pages->listing;
    route_submit(ex, pages->verb, take_page);
}

void pages_ask(struct http_exchange *ex, struct pages *pages, enum engine_verb verb, route_fn *finish)
{
    struct routes_thread *thread = route_thread(ex);

    pages->verb = verb;
    pages->finish = finish;
    pages->until_ns = loop_now(thread->loop) + thread->settings->cache_deadline_ms * NS_PER_MS;
    pages->pause = pause_create(ex, ask, give_up);
    if (pages->pause)
        ask(ex);
    else
        problem_send(ex, PROBLEM_OVERLOADED, "out of memory");
}

void pages_send(struct http_exchange *ex, struct buffer *text)
{
    size_t len = text->len;
    char *body = buffer_take_string(text);

    buffer_release(text);
    if (!body) {
        problem_send(ex, PROBLEM_OVERLOADED, "out of memory");
        return;
    }
    answer_json_owned(ex, 200, body, len);
}

void pages_release(struct pages *pages)
{
    pause_destroy(pages->pause);
    free(pages->listing.page);
}
