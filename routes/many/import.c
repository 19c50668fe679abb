/* An import: one put a line, in bounded memory however long the body is.
 *
 * There are two sides. Pieces of the body gather in one side's text, whose
 * whole lines are read where they lie into operations; the other side's
 * operations are at the engine meanwhile. When the engine is done the sides
 * change places, and an unfinished line moves along. When the filling side is
 * full before that, the client is held up. So batches are as large as the
 * engine is slow, and no two of them are on the way together, which keeps the
 * order of lines with one key. */
#include <stdio.h>
#include <stdlib.h>

#include "routes/answer.h"
#include "routes/many/batch.h"
#include "routes/many/batch_op.h"
#include "routes/many/batch_trip.h"
#include "routes/outcome.h"
#include "service/base/clock.h"

#define LINES_MAX 512
/* A side's text, unless a line is longer. There is always room for a piece
 * behind it. */
#define TEXT_BYTES ((size_t)64 * 1024)

struct side {
    char *text;
    size_t capacity, len;
    size_t read;    /* lines up to here are in `ops` */
    size_t scanned; /* no newline between `read` and here */
    size_t count;
    struct arena arena;
    struct batch_op ops[LINES_MAX];
    uint64_t lines[LINES_MAX]; /* their numbers */
};

struct import {
    struct http_exchange *ex;
    struct side sides[2];
    struct side *filling, *other;
    bool in_flight; /* `other` is at the engine */
    bool stalled;   /* the client is held up */
    bool ended;     /* the whole body is there */
    bool answered;
    uint64_t line;   /* the last that was begun, from 1 */
    uint64_t stored;
    uint64_t total;  /* lines that are not empty */
    /* The first line that went wrong; 0: none. */
    uint64_t fault_line;
    bool fault_is_the_engines; /* nothing more is stored */
    bool fault_unknown;
    struct batch_fault fault;
    struct batch_trip trip;
};

static struct import *import_of(struct http_exchange *ex)
{
    return route_state(ex)->work;
}

/* ---- Answers ---- */

static void send_problem(struct import *import, enum problem problem, const char *detail, uint64_t line, bool unknown)
{
    char members[96];

    import->answered = true;
    snprintf(members, sizeof members, "\"line\":%llu,\"stored\":%llu%s", (unsigned long long)line,
             (unsigned long long)import->stored, unknown ? ",\"outcome\":\"unknown\"" : "");
    problem_send_with(import->ex, problem, detail, bytes_str(members));
}

static void send_fault(struct import *import)
{
    send_problem(import, import->fault.problem, import->fault.detail, import->fault_line, import->fault_unknown);
}

static void send_success(struct import *import)
{
    char text[96];
    int len = snprintf(text, sizeof text, "{\"stored\":%llu,\"lines\":%llu}\n", (unsigned long long)import->stored,
                       (unsigned long long)import->total);

    import->answered = true;
    answer_json(import->ex, 200, bytes_of(text, (size_t)len));
}

static void refuse(struct http_exchange *ex, unsigned status, const char *detail)
{
    struct import *import = import_of(ex);

    send_problem(import, problem_refused(status), detail, import->line + 1, false);
}

/* ---- Lines ---- */

static void fail_line(struct import *import, enum problem problem, const char *detail)
{
    import->fault_line = import->line;
    import->fault.problem = problem;
    snprintf(import->fault.detail, sizeof import->fault.detail, "%s", detail);
}

static bool is_blank(struct bytes line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] != ' ' && line.ptr[i] != '\t' && line.ptr[i] != '\r')
            return false;
    return true;
}

static void read_line(struct import *import, struct side *side, struct bytes line)
{
    struct routes_thread *thread = route_thread(import->ex);
    struct batch_scope scope = { thread->settings, thread->session->engine, route_state(import->ex)->entry.ns,
                                 &side->arena, true };

    import->line++;
    if (line.len == 0 || is_blank(line))
        return;
    if (line.len > batch_line_max(thread->settings)) {
        fail_line(import, PROBLEM_CONTENT_TOO_LARGE, "the line is longer than CACHE_MAX_VALUE_BYTES in base64");
        return;
    }
    if (!batch_op_read(&scope, line, &side->ops[side->count], &import->fault)) {
        import->fault_line = import->line;
        return;
    }
    side->lines[side->count++] = import->line;
    import->total++;
}

/* Reads the whole lines that are there, as far as there is room for them. True
 * when there were any. */
static bool read_lines(struct import *import)
{
    struct side *side = import->filling;
    size_t before = side->read;

    while (side->count < LINES_MAX && import->fault_line == 0) {
        const char *start = side->text + side->read;
        const char *end = memchr(side->text + side->scanned, '\n', side->len - side->scanned);

        if (!end) {
            side->scanned = side->len;
            break;
        }
        side->read = side->scanned = (size_t)(end - side->text) + 1;
        read_line(import, side, bytes_of(start, (size_t)(end - start)));
    }
    return side->read > before;
}

/* What follows the last newline is a line too. */
static bool read_last_line(struct import *import)
{
    struct side *side = import->filling;
    struct bytes line = bytes_of(side->text + side->read, side->len - side->read);

    if (line.len == 0)
        return false;
    side->read = side->scanned = side->len;
    read_line(import, side, line);
    return true;
}

/* ---- To the engine ---- */

static void empty_side(struct side *side)
{
    for (size_t i = 0; i < side->count; i++)
        batch_op_release(&side->ops[i]);
    arena_release(&side->arena);
    side->count = 0;
}

/* What became of the side that was at the engine. */
static void settle(struct import *import)
{
    struct side *side = import->other;

    import->in_flight = false;
    for (size_t i = 0; i < side->count; i++) {
        struct engine_op *op = &side->ops[i].op;
        struct outcome outcome;

        if (op->status == ENGINE_OK || op->status == ENGINE_CREATED) {
            import->stored++;
            continue;
        }
        outcome = outcome_of(op);
        import->line = side->lines[i];
        fail_line(import, outcome.problem, outcome.detail);
        import->fault_unknown = outcome.unknown;
        import->fault_is_the_engines = true;
        break;
    }
    empty_side(side);
}

static bool grow(struct import *import, struct side *side, size_t need)
{
    size_t capacity = side->capacity * 2 > need ? side->capacity * 2 : need;
    char *text;

    if (!http_hold_bytes(import->ex, capacity - side->capacity))
        return false;
    text = realloc(side->text, capacity);
    if (!text)
        return false;
    side->text = text;
    side->capacity = capacity;
    return true;
}

/* The sides change places; the unfinished line goes to the new filling one. */
static bool change_sides(struct import *import)
{
    struct side *from = import->filling, *to = import->other;
    size_t rest = from->len - from->read;

    if (rest + HTTP_PIECE_MAX > to->capacity && !grow(import, to, rest + HTTP_PIECE_MAX))
        return false;
    memcpy(to->text, from->text + from->read, rest);
    to->len = rest;
    to->read = 0;
    to->scanned = from->scanned - from->read;
    import->filling = to;
    import->other = from;
    return true;
}

/* Sends the filling side off. */
static void submit(struct import *import)
{
    if (!change_sides(import)) {
        fail_line(import, PROBLEM_OVERLOADED, "too many request bodies in memory");
        import->fault_is_the_engines = true;
        return;
    }
    import->in_flight = !batch_trip_start(&import->trip, import->other->ops, import->other->count);
    if (!import->in_flight)
        settle(import);
}

/* One thing at a time, until the engine or the client must do the next. */
static void advance(struct import *import)
{
    while (!import->in_flight && !import->answered) {
        if (import->fault_is_the_engines)
            send_fault(import);
        else if (import->filling->count > 0)
            submit(import);
        else if (import->fault_line != 0)
            send_fault(import);
        else if (read_lines(import) || (import->ended && read_last_line(import)))
            continue;
        else if (import->ended)
            send_success(import);
        else
            break;
    }
    if (!import->stalled || import->answered || import->fault_line != 0)
        return;
    import->stalled = false;
    http_intake_resume(import->ex);
}

static void trip_over(struct batch_trip *trip)
{
    struct import *import = trip->context;

    settle(import);
    advance(import);
}

/* ---- The body ---- */

/* Room for a piece behind what is there. Only a line that does not fit makes
 * the text grow: whole lines are to leave first. */
static bool make_room(struct import *import, size_t bytes)
{
    struct side *side = import->filling;
    size_t line = side->len - side->read;

    if (side->len + bytes <= side->capacity)
        return true;
    if (side->count > 0 || import->in_flight)
        return false;
    /* Nothing before this line is needed any more. */
    memmove(side->text, side->text + side->read, line);
    side->scanned -= side->read;
    side->len = line;
    side->read = 0;
    return line + bytes <= side->capacity || grow(import, side, line + bytes);
}

static bool take(struct http_exchange *ex, struct bytes piece)
{
    struct import *import = import_of(ex);
    struct side *side = import->filling;

    if (import->fault_line != 0 || !make_room(import, piece.len)) {
        import->stalled = true;
        return false;
    }
    side = import->filling;
    memcpy(side->text + side->len, piece.ptr, piece.len);
    side->len += piece.len;
    (void)read_lines(import);
    if (import->fault_line == 0 && side->scanned - side->read > batch_line_max(route_thread(ex)->settings)) {
        import->line++;
        fail_line(import, PROBLEM_CONTENT_TOO_LARGE, "the line is longer than CACHE_MAX_VALUE_BYTES in base64");
    }
    advance(import);
    return true;
}

static void end_import(struct http_exchange *ex)
{
    struct import *import = import_of(ex);

    batch_trip_cancel(&import->trip);
    for (int i = 0; i < 2; i++) {
        empty_side(&import->sides[i]);
        free(import->sides[i].text);
    }
    free(import);
}

static struct import *create_import(struct http_exchange *ex)
{
    struct routes_thread *thread = route_thread(ex);
    struct import *import = calloc(1, sizeof *import);

    if (!import)
        return NULL;
    import->ex = ex;
    import->filling = &import->sides[0];
    import->other = &import->sides[1];
    import->trip.session = thread->session;
    import->trip.loop = thread->loop;
    import->trip.time_ns = thread->settings->cache_deadline_ms * NS_PER_MS;
    import->trip.renews = true; /* an import has no deadline: only what hangs ends it */
    import->trip.over = trip_over;
    import->trip.context = import;
    import->trip.time = &route_state(ex)->engine_time;
    for (int i = 0; i < 2; i++) {
        import->sides[i].capacity = TEXT_BYTES + HTTP_PIECE_MAX;
        import->sides[i].text = malloc(import->sides[i].capacity);
    }
    route_state(ex)->work = import;
    route_state(ex)->end_work = end_import;
    return import->sides[0].text && import->sides[1].text ? import : NULL;
}

void import_begin(struct http_exchange *ex)
{
    static const struct http_intake intake = { take, refuse };

    if (!http_hold_bytes(ex, sizeof(struct import) + 2 * (TEXT_BYTES + HTTP_PIECE_MAX)) || !create_import(ex))
        problem_send(ex, PROBLEM_OVERLOADED, "too many request bodies in memory");
    else
        http_accept_pieces(ex, &intake);
}

void import_complete(struct http_exchange *ex)
{
    struct import *import = import_of(ex);

    import->ended = true;
    advance(import);
}
