/* namespaces.c - GET /namespaces and GET /namespaces/{ns}: policies and counts.
 *
 * /namespaces has two parts. First those that CACHE_NAMESPACES_FILE names
 * exactly, in the order of their bytes, each asked for in one trip; then those
 * that the engine knows besides, in the engine's own order. An engine that
 * cannot list knows none, and has no counts. A cursor tells the part by its
 * kind. A caller is told of the namespaces that his token is for.
 * Threading: the exchange's. */
#include <stdlib.h>

#include "routes/access.h"
#include "routes/crowd.h"
#include "routes/namespaces/cursor.h"
#include "routes/namespaces/pages.h"
#include "routes/outcome.h"
#include "routes/policy.h"
#include "routes/problem.h"
#include "routes/text/text.h"
#include "service/base/buffer.h"
#include "service/base/clock.h"

#define KIND_NAMED 'p' /* the last name that was told */
#define KIND_KNOWN 'e' /* the engine's cursor; empty: its first page */

#define ITEM_MAX 1024

struct work {
    struct pages pages;              /* first */
    const struct settings *settings; /* one reference: policies stay while the engine is asked */
    struct buffer text;
    size_t told;
    size_t from; /* policies with an exact name: those before it were told earlier */
    struct access access; /* by these settings */
    /* One trip about these, by their places among the policies. */
    size_t *named;
    struct crowd crowd;
    struct engine_op *ops;
    struct engine_listing *listings;
    size_t count;
};

static struct work *work_of(struct http_exchange *ex)
{
    return route_state(ex)->work;
}

static void end_work(struct http_exchange *ex)
{
    struct work *work = work_of(ex);

    crowd_cancel(&work->crowd, work->ops, work->count);
    for (size_t i = 0; i < work->count; i++)
        free(work->listings[i].page);
    free(work->named);
    free(work->ops);
    free(work->listings);
    pages_release(&work->pages);
    buffer_release(&work->text);
    settings_unref(work->settings);
    free(work);
}

static struct work *create_work(struct http_exchange *ex)
{
    struct routes_thread *thread = route_thread(ex);
    struct work *work = route_begin_work(ex, sizeof *work, end_work);

    if (!work)
        return NULL;
    work->settings = settings_ref(thread->settings);
    work->access = access_of(ex, work->settings);
    work->pages.listing.limit = 1;
    work->crowd = (struct crowd){ .session = thread->session, .context = ex, .time = &route_state(ex)->engine_time };
    buffer_init(&work->text, PAGES_LIMIT_MAX * ITEM_MAX);
    return work;
}

static bool engine_lists(struct http_exchange *ex)
{
    return route_thread(ex)->session->engine->capabilities & ENGINE_CAN_LIST;
}

/* ---- One namespace as JSON ---- */

static void add_ttl(struct buffer *text, const char *name, int64_t ttl_ms)
{
    char ttl[TTL_TEXT_SIZE];

    ttl_format_json(ttl_ms > 0 ? ttl_ms : TTL_NONE, ttl);
    buffer_add_format(text, "\"%s\":%s,", name, ttl);
}

static void add_bound(struct buffer *text, const char *name, uint64_t bound)
{
    if (bound > 0)
        buffer_add_format(text, "\"%s\":%llu,", name, (unsigned long long)bound);
    else
        buffer_add_format(text, "\"%s\":null,", name);
}

static void add_policy(struct http_exchange *ex, struct buffer *text, struct bytes ns)
{
    static const struct policy none = { .default_ttl_ms = POLICY_TTL_OPEN };
    const struct settings *settings = work_of(ex)->settings;
    const struct policy *found = policy_of(settings, ns), *policy = found ? found : &none;

    buffer_add(text, BYTES("\"policy\":{"));
    add_ttl(text, "default_ttl", policy_default_ttl(policy, settings->cache_default_ttl_ms));
    add_ttl(text, "min_ttl", policy->min_ttl_ms);
    add_ttl(text, "max_ttl", policy->max_ttl_ms);
    add_ttl(text, "idle", policy->idle_ms);
    buffer_add_format(text, "\"require_ttl\":%s,", policy->require_ttl ? "true" : "false");
    add_bound(text, "max_value_bytes", policy_value_max(policy, settings, route_thread(ex)->session->engine));
    add_bound(text, "max_entries", policy->max_entries);
    add_bound(text, "max_bytes", policy->max_bytes);
    if (policy->tier == POLICY_TIER_NONE)
        buffer_add(text, BYTES("\"tier\":null,"));
    else
        buffer_add_format(text, "\"tier\":\"%s\",", policy_tier_name(policy->tier));
    if (found)
        buffer_add_format(text, "\"matched_by\":\"%s\"}", found->name);
    else
        buffer_add(text, BYTES("\"matched_by\":null}"));
}

/* `counts` is NULL where the engine cannot tell. */
static void add_namespace(struct http_exchange *ex, struct bytes ns, const struct engine_listed *counts)
{
    struct buffer *text = &work_of(ex)->text;

    buffer_add_char(text, '{');
    text_add_first(text, "namespace", ns);
    buffer_add_char(text, ',');
    add_policy(ex, text, ns);
    if (counts && counts->entries != ENGINE_UNKNOWN)
        buffer_add_format(text, ",\"entries\":%llu,\"bytes\":%llu}", (unsigned long long)counts->entries,
                          (unsigned long long)counts->bytes);
    else
        buffer_add(text, BYTES(",\"entries\":null,\"bytes\":null}"));
}

/* What a page about one namespace says; nothing there is no entries. */
static struct engine_listed counts_in(const struct engine_page *page)
{
    return page && page->count > 0 ? page->items[0] : (struct engine_listed){ .entries = 0 };
}

/* ---- GET /namespaces/{ns} ---- */

static void finish_one(struct http_exchange *ex)
{
    struct engine_listed counts = counts_in(work_of(ex)->pages.listing.page);

    add_namespace(ex, route_state(ex)->entry.ns, engine_lists(ex) ? &counts : NULL);
    buffer_add_char(&work_of(ex)->text, '\n');
    pages_send(ex, &work_of(ex)->text);
}

void namespace_answer(struct http_exchange *ex)
{
    struct work *work;

    if (!route_no_parameters(ex))
        return;
    work = create_work(ex);
    if (!work)
        return;
    if (engine_lists(ex))
        pages_ask(ex, &work->pages, ENGINE_NAMESPACES, finish_one);
    else
        finish_one(ex);
}

/* ---- GET /namespaces ---- */

static void begin_item(struct work *work)
{
    buffer_add_string(&work->text, work->told++ > 0 ? "," : "");
}

/* Ends the answer; BYTES_NONE as `*cursor`: that was all. */
static void send_page(struct http_exchange *ex, char kind, const struct bytes *cursor)
{
    struct work *work = work_of(ex);
    char written[CURSOR_TEXT_MAX];

    if (cursor) {
        buffer_add(&work->text, BYTES("],\"cursor\":\""));
        buffer_add(&work->text, bytes_of(written, cursor_write(written, kind, BYTES_NONE, BYTES_NONE, *cursor)));
        buffer_add(&work->text, BYTES("\"}\n"));
    } else {
        buffer_add(&work->text, BYTES("],\"cursor\":null}\n"));
    }
    pages_send(ex, &work->text);
}

static void finish_known(struct http_exchange *ex)
{
    struct work *work = work_of(ex);
    const struct engine_page *page = work->pages.listing.page;

    for (size_t i = 0; i < page->count; i++) {
        const struct policy *policy = policy_of(work->settings, page->items[i].key);

        if (policy && !policy->is_prefix)
            continue; /* told in the first part */
        if (!access_sees(&work->access, page->items[i].key))
            continue;
        begin_item(work);
        add_namespace(ex, page->items[i].key, &page->items[i]);
    }
    send_page(ex, KIND_KNOWN, page->cursor.len > 0 ? &page->cursor : NULL);
}

/* The part that the engine knows, as far as the limit goes. */
static void go_on_with_known(struct http_exchange *ex)
{
    static const struct bytes first_page = { "", 0 };
    struct work *work = work_of(ex);

    if (!engine_lists(ex)) {
        send_page(ex, KIND_KNOWN, NULL);
    } else if (work->told >= work->pages.listing.limit) {
        send_page(ex, KIND_KNOWN, &first_page);
    } else {
        work->pages.listing.limit -= work->told;
        pages_ask(ex, &work->pages, ENGINE_NAMESPACES, finish_known);
    }
}

static size_t named_count(const struct policies *policies)
{
    size_t count = policies_count(policies);

    while (count > 0 && policies_at(policies, count - 1)->is_prefix)
        count--;
    return count;
}

static struct bytes name_at(const struct work *work, size_t index)
{
    const struct policy *policy = policies_at(work->settings->policies, index);

    return bytes_of(policy->name, policy->name_len);
}

static void finish_named(void *context)
{
    struct http_exchange *ex = context;
    struct work *work = work_of(ex);
    bool lists = engine_lists(ex);
    struct bytes last;

    for (size_t i = 0; i < work->count; i++) {
        struct engine_listed counts = counts_in(work->listings[i].page);

        if (lists && work->ops[i].status != ENGINE_OK && work->ops[i].status != ENGINE_MISS) {
            outcome_send(ex, &work->ops[i]);
            return;
        }
        begin_item(work);
        add_namespace(ex, name_at(work, work->named[i]), lists ? &counts : NULL);
    }
    if (work->from < named_count(work->settings->policies)) {
        last = name_at(work, work->named[work->count - 1]);
        send_page(ex, KIND_NAMED, &last);
    } else {
        go_on_with_known(ex);
    }
}

/* The next names that the caller may see, up to the limit. */
static void choose_named(struct work *work, size_t limit)
{
    size_t end = named_count(work->settings->policies);

    while (work->from < end && work->count < limit) {
        size_t at = work->from++;

        if (!access_sees(&work->access, name_at(work, at)))
            continue;
        work->named[work->count] = at;
        work->listings[work->count].limit = 1;
        work->ops[work->count].verb = ENGINE_NAMESPACES;
        work->ops[work->count].ns = name_at(work, at);
        work->ops[work->count].listing = &work->listings[work->count];
        work->count++;
    }
    while (work->from < end && !access_sees(&work->access, name_at(work, work->from)))
        work->from++;
}

static void tell_named(struct http_exchange *ex)
{
    struct routes_thread *thread = route_thread(ex);
    struct work *work = work_of(ex);
    size_t left = named_count(work->settings->policies) - work->from;
    size_t most = left < work->pages.listing.limit ? left : work->pages.listing.limit;
    uint64_t now = loop_now(thread->loop);

    if (most > 0) {
        work->named = calloc(most, sizeof *work->named);
        work->ops = calloc(most, sizeof *work->ops);
        work->listings = calloc(most, sizeof *work->listings);
        if (!work->named || !work->ops || !work->listings) {
            problem_send(ex, PROBLEM_OVERLOADED, "out of memory");
            return;
        }
        choose_named(work, most);
    }
    work->crowd.finish = finish_named;
    if (!engine_lists(ex) || !crowd_submit(&work->crowd, work->ops, work->count, now,
                                           now + thread->settings->cache_deadline_ms * NS_PER_MS))
        finish_named(ex);
}

/* Where the last page ended. `*known`: in the second part. */
static bool read_cursor(struct http_exchange *ex, struct bytes text, bool *known)
{
    struct work *work = work_of(ex);
    struct engine_listing *listing = &work->pages.listing;
    struct bytes last = { work->pages.cursor, 0 };

    *known = cursor_read(text, KIND_KNOWN, BYTES_NONE, BYTES_NONE, work->pages.cursor, &listing->cursor.len);
    if (*known) {
        listing->cursor.ptr = work->pages.cursor;
        return true;
    }
    if (!cursor_read(text, KIND_NAMED, BYTES_NONE, BYTES_NONE, work->pages.cursor, &last.len)) {
        pages_refuse_cursor(ex);
        return false;
    }
    /* The policies may have changed since: on with the names behind that one. */
    work->from = policies_after(work->settings->policies, last);
    return true;
}

void namespaces_answer(struct http_exchange *ex)
{
    static const struct bytes names[] = { { "limit", 5 }, { "cursor", 6 } };
    struct bytes values[2];
    char decoded[CURSOR_TEXT_MAX + 64];
    bool known = false;
    size_t limit;
    struct work *work;

    if (!route_parameters(ex, names, 2, values, (struct query_scratch){ decoded, sizeof decoded }) ||
        !pages_read_limit(ex, values[0], &limit))
        return;
    work = create_work(ex);
    if (!work)
        return;
    work->pages.listing.limit = limit;
    if (values[1].ptr && !read_cursor(ex, values[1], &known))
        return;
    buffer_add(&work->text, BYTES("{\"namespaces\":["));
    if (known)
        go_on_with_known(ex);
    else
        tell_named(ex);
}
