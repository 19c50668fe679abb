/* listing.c - GET /cache/{ns}: the keys of a namespace, a page at a time.
 * Threading: the exchange's. */
#include <stdlib.h>

#include "routes/many/batch.h"
#include "routes/namespaces/cursor.h"
#include "routes/namespaces/pages.h"
#include "routes/problem.h"
#include "routes/text/text.h"
#include "service/base/buffer.h"

/* A key of PATH_KEY_MAX bytes, each escaped to six, with the other members. */
#define ITEM_MAX (6 * PATH_KEY_MAX + 128)
#define CURSOR_KIND 'k'

struct work {
    struct pages pages; /* first */
    char prefix[PATH_KEY_MAX];
};

static void end_work(struct http_exchange *ex)
{
    struct work *work = route_state(ex)->work;

    pages_release(&work->pages);
    free(work);
}

static void add_item(struct buffer *text, const struct engine_listed *item)
{
    char ttl[TTL_TEXT_SIZE];

    buffer_add_char(text, '{');
    text_add_first(text, "key", item->key);
    buffer_add(text, BYTES(",\"bytes\":"));
    buffer_add_u64(text, item->bytes);
    buffer_add(text, BYTES(",\"ttl\":"));
    buffer_add(text, bytes_of(ttl, ttl_format_json(item->ttl_ms, ttl)));
    buffer_add_char(text, '}');
}

static void finish(struct http_exchange *ex)
{
    struct work *work = route_state(ex)->work;
    const struct engine_page *page = work->pages.listing.page;
    char cursor[CURSOR_TEXT_MAX];
    struct buffer text;
    size_t len;

    buffer_init(&text, PAGES_LIMIT_MAX * ITEM_MAX + CURSOR_TEXT_MAX + 64);
    buffer_add(&text, BYTES("{\"keys\":["));
    for (size_t i = 0; i < page->count; i++) {
        buffer_add_string(&text, i > 0 ? "," : "");
        add_item(&text, &page->items[i]);
    }
    buffer_add(&text, page->cursor.len > 0 ? BYTES("],\"cursor\":\"") : BYTES("],\"cursor\":null}\n"));
    if (page->cursor.len > 0) {
        len = cursor_write(cursor, CURSOR_KIND, route_state(ex)->entry.ns, work->pages.listing.prefix, page->cursor);
        buffer_add(&text, bytes_of(cursor, len));
        buffer_add(&text, BYTES("\"}\n"));
    }
    pages_send(ex, &text);
}

static bool read_parameters(struct http_exchange *ex, struct work *work)
{
    enum { PREFIX, LIMIT, CURSOR, NAMES };
    static const struct bytes names[NAMES] = { { "prefix", 6 }, { "limit", 5 }, { "cursor", 6 } };
    struct bytes values[NAMES];
    char decoded[PATH_KEY_MAX + CURSOR_TEXT_MAX + 64];
    struct engine_listing *listing = &work->pages.listing;

    if (!route_parameters(ex, names, NAMES, values, (struct query_scratch){ decoded, sizeof decoded }) ||
        !pages_read_limit(ex, values[LIMIT], &listing->limit) ||
        !pages_read_prefix(ex, values[PREFIX], work->prefix, listing))
        return false;
    if (!values[CURSOR].ptr)
        return true;
    if (!cursor_read(values[CURSOR], CURSOR_KIND, route_state(ex)->entry.ns, listing->prefix, work->pages.cursor,
                     &listing->cursor.len)) {
        pages_refuse_cursor(ex);
        return false;
    }
    listing->cursor.ptr = work->pages.cursor;
    return true;
}

void listing_answer(struct http_exchange *ex)
{
    struct work *work;

    if (export_wanted(http_request(ex)->fields[HTTP_FIELD_ACCEPT])) {
        export_answer(ex);
        return;
    }
    http_reply_field(ex, "Vary", "Accept");
    if (!(route_thread(ex)->session->engine->capabilities & ENGINE_CAN_LIST)) {
        problem_send(ex, PROBLEM_NOT_SUPPORTED_BY_ENGINE, "this engine cannot list keys; see GET /capabilities");
        return;
    }
    work = route_begin_work(ex, sizeof *work, end_work);
    if (work && read_parameters(ex, work))
        pages_ask(ex, &work->pages, ENGINE_LIST, finish);
}
