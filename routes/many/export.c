/* An export: the entries of a namespace, one a line, in bounded memory.
 *
 * A page of keys, then the entries of some of them, as many as EXPORT_BYTES
 * take, then their lines, piece by piece as the client takes them; and again.
 * Each entry that stands all the while is there. One that has gone between its
 * page and its turn is left out, and so is one whose TTL is over and that is
 * only served stale. A failure before the first line is answered as such; a
 * later one cuts the connection. Between two steps that gave no line others
 * have the thread (pause.h). */
#include <stdlib.h>

#include "routes/many/batch.h"
#include "routes/many/batch_op.h"
#include "routes/many/batch_trip.h"
#include "routes/many/export_line.h"
#include "routes/namespaces/pages.h"
#include "routes/outcome.h"
#include "routes/pause.h"
#include "routes/problem.h"
#include "routes/text/field.h"
#include "service/base/clock.h"

#define PAGE_KEYS 500
#define READ_KEYS 128
/* Values that are read together, one at least. */
#define EXPORT_BYTES ((size_t)256 * 1024)

struct export {
    struct http_exchange *ex;
    char prefix[PATH_KEY_MAX];
    char cursor[ENGINE_CURSOR_MAX];
    struct engine_listing listing;
    struct engine_page *page; /* its keys are being read */
    size_t page_next;
    struct batch_op ops[READ_KEYS];
    size_t count, next; /* of `ops`; those before `next` are written */
    size_t held;        /* bytes charged for the values in `ops` */
    bool begun;         /* the answer is on its way */
    bool waiting;       /* for the engine */
    bool failed;
    bool listed;        /* there are no more pages */
    struct export_line line;
    bool in_line;
    struct buffer text; /* a piece */
    size_t text_sent;
    struct batch_trip trip;
    struct pause *pause;
    char memory[EXPORT_PIECE_MAX];
};

static struct export *export_of(struct http_exchange *ex)
{
    return route_state(ex)->work;
}

bool export_wanted(struct bytes accept)
{
    while (accept.len > 0) {
        struct field_media_type media;
        struct field_parameter parameter;
        enum field_step step;
        bool refused = false;

        field_skip_blanks(&accept);
        if (!field_take_media_type(&accept, &media))
            return false;
        while ((step = field_take_parameter(&accept, &parameter)) == FIELD_PARAMETER)
            if (bytes_equal_nocase(parameter.name, BYTES("q")))
                refused = strspn(parameter.value.ptr, "0.") >= parameter.value.len;
        if (step == FIELD_MALFORMED)
            return false;
        if (!refused && bytes_equal_nocase(media.type, BYTES("application")) &&
            bytes_equal_nocase(media.subtype, BYTES("x-ndjson")))
            return true;
        if (!field_take_char(&accept, ','))
            return false;
    }
    return false;
}

/* ---- The engine's part ---- */

static void drop_entries(struct export *export)
{
    for (size_t i = 0; i < export->count; i++)
        batch_op_release(&export->ops[i]);
    http_release_bytes(export->ex, export->held);
    export->held = 0;
    export->count = export->next = 0;
}

static void end_export(struct http_exchange *ex)
{
    struct export *export = export_of(ex);

    batch_trip_cancel(&export->trip);
    drop_entries(export);
    pause_destroy(export->pause);
    free(export->listing.page);
    free(export->page);
    free(export);
}

/* The first entry that could not be read, or NULL. */
static const struct engine_op *find_failure(const struct export *export)
{
    for (size_t i = 0; i < export->count; i++)
        if (export->ops[i].op.status != ENGINE_OK && export->ops[i].op.status != ENGINE_MISS)
            return &export->ops[i].op;
    return NULL;
}

static ssize_t fill(struct http_exchange *ex, char *out, size_t max);
static bool next_line(struct export *export);
static bool is_over(const struct export *export);

/* The engine did its part, or `failure` says why not. */
static void go_on(struct export *export, const struct engine_op *failure)
{
    struct http_exchange *ex = export->ex;

    if (!failure && !next_line(export) && !is_over(export)) {
        pause_take(export->pause);
        return;
    }
    export->waiting = false;
    export->failed = failure != NULL;
    if (export->begun) {
        http_flow_resume(ex);
        return;
    }
    if (failure) {
        outcome_send(ex, failure);
        return;
    }
    export->begun = true;
    http_reply_field(ex, "Content-Type", "application/x-ndjson");
    http_reply_field(ex, "Cache-Control", "no-store");
    http_send_flow(ex, 200, fill);
}

static void entries_read(struct batch_trip *trip)
{
    struct export *export = trip->context;

    go_on(export, find_failure(export));
}

/* How many entries of the page are read next, and how many bytes they take as
 * far as the page knows. */
static size_t choose_entries(const struct export *export, size_t *bytes)
{
    const struct engine_page *page = export->page;
    size_t count = 0;

    *bytes = 0;
    while (count < READ_KEYS && export->page_next + count < page->count) {
        size_t more = page->items[export->page_next + count].bytes;

        if (count > 0 && (*bytes + more > EXPORT_BYTES || more > EXPORT_BYTES))
            break;
        *bytes += more;
        count++;
    }
    return count;
}

static void read_entries(struct export *export)
{
    size_t bytes, count = choose_entries(export, &bytes);

    drop_entries(export);
    if (!http_hold_bytes(export->ex, bytes)) {
        static const struct engine_op full = { .status = ENGINE_BUSY, .detail = "too much in memory" };
        go_on(export, &full);
        return;
    }
    export->held = bytes;
    for (size_t i = 0; i < count; i++) {
        struct batch_op *op = &export->ops[i];

        memset(op, 0, sizeof *op);
        op->op.verb = ENGINE_GET;
        op->op.ns = route_state(export->ex)->entry.ns;
        op->op.key = export->page->items[export->page_next + i].key;
    }
    export->page_next += count;
    export->count = count;
    export->trip.session = route_thread(export->ex)->session;
    if (batch_trip_start(&export->trip, export->ops, count))
        entries_read(&export->trip);
}

static void page_listed(struct http_exchange *ex)
{
    struct export *export = export_of(ex);
    struct engine_op *op = &route_state(ex)->op;

    if (op->status != ENGINE_OK) {
        go_on(export, op);
        return;
    }
    free(export->page);
    export->page = export->listing.page;
    export->listing.page = NULL;
    export->page_next = 0;
    export->listed = !pages_go_on(&export->listing, export->page, export->cursor);
    if (export->page->count > 0)
        read_entries(export);
    else
        go_on(export, NULL);
}

static void ask(struct http_exchange *ex)
{
    struct export *export = export_of(ex);

    export->waiting = true;
    if (export->page && export->page_next < export->page->count) {
        read_entries(export);
        return;
    }
    drop_entries(export);
    route_state(ex)->op.listing = &export->listing;
    route_submit(ex, ENGINE_LIST, page_listed);
}

static void give_up(struct http_exchange *ex)
{
    go_on(export_of(ex), &pages_stopped);
}

/* ---- The client's part ---- */

/* The entry whose line is next; false: none is left of those that were read. */
static bool next_line(struct export *export)
{
    while (export->next < export->count) {
        struct engine_op *op = &export->ops[export->next].op;

        if (op->status == ENGINE_OK && !op->entry.stale) {
            export_line_init(&export->line, op);
            export->in_line = true;
            return true;
        }
        export->next++;
    }
    return false;
}

/* Prepares a piece. False: none without the engine. */
static bool next_piece(struct export *export)
{
    if (!export->in_line && !next_line(export))
        return false;
    buffer_clear(&export->text);
    export->text_sent = 0;
    if (!export_line_next(&export->line, &export->text)) {
        batch_op_release(&export->ops[export->next++]);
        export->in_line = false;
    }
    return true;
}

static bool is_over(const struct export *export)
{
    return export->listed && (!export->page || export->page_next == export->page->count);
}

static ssize_t fill(struct http_exchange *ex, char *out, size_t max)
{
    struct export *export = export_of(ex);
    size_t n = 0;

    while (n < max && !export->waiting && !export->failed) {
        size_t left = export->text.len - export->text_sent, part = left < max - n ? left : max - n;

        memcpy(out + n, export->memory + export->text_sent, part);
        export->text_sent += part;
        n += part;
        if (part > 0 || next_piece(export))
            continue;
        if (is_over(export))
            return n > 0 ? (ssize_t)n : HTTP_FLOW_END;
        if (!route_thread(ex)->session)
            export->failed = true;
        else
            ask(ex);
    }
    if (n > 0)
        return (ssize_t)n;
    return export->failed ? HTTP_FLOW_BROKEN : 0;
}

/* ---- The route ---- */

static bool read_parameters(struct http_exchange *ex, struct export *export)
{
    static const struct bytes names[] = { { "prefix", 6 } };
    struct bytes values[1];
    char decoded[PATH_KEY_MAX];

    return route_parameters(ex, names, 1, values, (struct query_scratch){ decoded, sizeof decoded }) &&
           pages_read_prefix(ex, values[0], export->prefix, &export->listing);
}

static struct export *create_export(struct http_exchange *ex)
{
    struct routes_thread *thread = route_thread(ex);
    struct export *export = http_hold_bytes(ex, sizeof *export) ? calloc(1, sizeof *export) : NULL;

    if (!export)
        return NULL;
    export->ex = ex;
    export->listing.limit = PAGE_KEYS;
    export->trip.session = thread->session;
    export->trip.loop = thread->loop;
    export->trip.time_ns = thread->settings->cache_deadline_ms * NS_PER_MS;
    export->trip.over = entries_read;
    export->trip.context = export;
    export->trip.time = &route_state(ex)->engine_time;
    buffer_init_fixed(&export->text, export->memory, sizeof export->memory);
    route_state(ex)->work = export;
    route_state(ex)->end_work = end_export;
    export->pause = pause_create(ex, ask, give_up);
    return export->pause ? export : NULL;
}

void export_answer(struct http_exchange *ex)
{
    struct export *export;

    if (!http_reply_has(ex, "Vary"))
        http_reply_field(ex, "Vary", "Accept");
    if (!(route_thread(ex)->session->engine->capabilities & ENGINE_CAN_LIST)) {
        problem_send(ex, PROBLEM_NOT_SUPPORTED_BY_ENGINE, "this engine cannot list keys; see GET /capabilities");
        return;
    }
    export = create_export(ex);
    if (!export)
        problem_send(ex, PROBLEM_OVERLOADED, "too much in memory");
    else if (read_parameters(ex, export))
        ask(ex);
}
