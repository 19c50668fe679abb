/* pages.h - one page of a listing of the engine for one request.
 *
 * Asks again while a page is empty and not the last, with turns for others
 * between, until CACHE_DEADLINE_MS has passed; the page is then empty and its
 * cursor says where to go on.
 * Threading: the exchange's. Ownership: state->work holds a struct pages while
 * the exchange lives; a route may put it first in a struct of its own. */
#pragma once

#include "routes/pause.h"
#include "routes/route.h"
#include "service/base/buffer.h"

#define PAGES_LIMIT_DEFAULT 100
#define PAGES_LIMIT_MAX 1000

struct pages {
    struct engine_listing listing;
    enum engine_verb verb;
    route_fn *finish; /* the op's status, and listing.page where it is OK */
    struct pause *pause;
    uint64_t until_ns;
    char cursor[ENGINE_CURSOR_MAX];
};

/* Reads ?prefix= into `memory`, where the listing finds it; false: answered. */
bool pages_read_prefix(struct http_exchange *ex, struct bytes text, char memory[PATH_KEY_MAX],
                       struct engine_listing *listing) MUST_CHECK;

/* Reads ?limit=; false: answered. */
bool pages_read_limit(struct http_exchange *ex, struct bytes text, size_t *limit) MUST_CHECK;

/* 400 for a cursor that cannot be one. */
void pages_refuse_cursor(struct http_exchange *ex);

/* Lists by `pages`, whose listing is filled in; verb and namespace are given.
 * From here on pages_release() is due. */
void pages_ask(struct http_exchange *ex, struct pages *pages, enum engine_verb verb, route_fn *finish);

/* Answers 200 with the JSON in `text`, which is released. */
void pages_send(struct http_exchange *ex, struct buffer *text);

/* Lets `listing` go on where `page` ends; the cursor is kept in `memory`. False:
 * that was the last page, and the listing would begin anew. */
bool pages_go_on(struct engine_listing *listing, const struct engine_page *page,
                 char memory[ENGINE_CURSOR_MAX]) MUST_CHECK;

/* What became of a listing when the process stops. */
extern const struct engine_op pages_stopped;

/* What is inside; `pages` itself stays. */
void pages_release(struct pages *pages);
