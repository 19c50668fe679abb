#include "service/http/private.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "service/base/buffer.h"
#include "service/base/clock.h"
#include "service/http/trace_context.h"

/* Exchanges kept for reuse, each thread. */
#define SPARE_MAX 256

const struct http_request *http_request(const struct http_exchange *ex)
{
    return &ex->request;
}

void *http_state(struct http_exchange *ex)
{
    return ex->state;
}

void *http_thread(struct http_exchange *ex)
{
    return ex->thread->app_thread;
}

void http_note_route(struct http_exchange *ex, const char *route, struct bytes ns)
{
    ex->route = route;
    ex->ns = ns;
}

void http_note_caller(struct http_exchange *ex, struct bytes label)
{
    ex->caller = label;
}

/* ---- Memory ---- */

static struct http_exchange *exchange_allocate(struct http_thread *thread)
{
    struct http_exchange *ex = thread->spare;

    if (ex) {
        thread->spare = ex->next_spare;
        thread->spare_count--;
    } else {
        ex = malloc(sizeof *ex + thread->server->app->state_bytes);
    }
    if (ex)
        /* The scratch and the app's state are written before they are read. */
        memset(ex, 0, offsetof(struct http_exchange, request_id));
    return ex;
}

static void exchange_free(struct http_exchange *ex)
{
    struct http_thread *thread = ex->thread;

    if (thread->spare_count >= SPARE_MAX) {
        free(ex);
        return;
    }
    ex->next_spare = thread->spare;
    thread->spare = ex;
    thread->spare_count++;
}

void http_exchange_free_spares(struct http_thread *thread)
{
    while (thread->spare) {
        struct http_exchange *ex = thread->spare;
        thread->spare = ex->next_spare;
        free(ex);
    }
    thread->spare_count = 0;
}

/* ---- Request id ---- */

/* The caller's id is kept when it is short and plain enough for every log. */
static bool is_sane_id(struct bytes id)
{
    if (id.len == 0 || id.len > HTTP_REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                     c == '_' || c == '.' || c == ':' || c == '/' || c == '+' || c == '=' || c == '@';
        if (!plain)
            return false;
    }
    return true;
}

static void choose_id(struct http_exchange *ex)
{
    struct bytes theirs = ex->request.fields[HTTP_FIELD_REQUEST_ID];

    if (is_sane_id(theirs)) {
        memcpy(ex->request_id, theirs.ptr, theirs.len);
        ex->request_id[theirs.len] = '\0';
        ex->request.id = bytes_of(ex->request_id, theirs.len);
        return;
    }
    format_hex64(ex->request_id, ex->thread->id_prefix + ex->thread->id_next++);
    ex->request_id[FORMAT_HEX64_LEN] = '\0';
    ex->request.id = bytes_of(ex->request_id, FORMAT_HEX64_LEN);
}

/* ---- The steps of a request ---- */

/* MHD makes a record of each parameter in the connection's memory, and closes
 * without a word when that is full. */
#define QUERY_PARAMETERS_MAX 64

/* Splits the target. MHD cuts a query into pieces where it stands, so that is
 * kept as it came. False when it is too long. */
static bool keep_target(struct http_exchange *ex, struct bytes target)
{
    const char *mark = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
    size_t path_len = mark ? (size_t)(mark - target.ptr) : target.len;
    unsigned parameters = 1;
    char *copy;

    ex->request.path = bytes_of(target.ptr, path_len);
    if (!mark)
        return true;
    ex->request.query = bytes_of(mark + 1, target.len - path_len - 1);
    for (size_t i = 0; i < ex->request.query.len; i++)
        parameters += ex->request.query.ptr[i] == '&';
    copy = http_scratch(ex, ex->request.query.len + 1);
    if (!copy || parameters > QUERY_PARAMETERS_MAX)
        return false;
    memcpy(copy, ex->request.query.ptr, ex->request.query.len);
    ex->request.query.ptr = copy;
    return true;
}

void *http_exchange_start(void *context, const char *uri, struct MHD_Connection *mhd)
{
    struct http_thread *thread = context;
    struct http_connection *connection = http_connection_of(mhd);
    struct http_exchange *ex = connection ? exchange_allocate(thread) : NULL;

    thread->progress++;
    if (!ex)
        return NULL;
    ex->thread = thread;
    ex->connection = connection;
    ex->mhd = mhd;
    ex->phase = HTTP_PHASE_STARTED;
    ex->raw_uri = uri;
    ex->raw_uri_len = uri ? strlen(uri) : 0;
    ex->request.started_ns = loop_now(thread->loop);
    ex->request.deadline_ns =
        ex->request.started_ns + thread->server->options.request_timeout_ms * NS_PER_MS;
    ex->request.from_loopback = connection->from_loopback;
    ex->request.admin = connection->admin;
    ex->request_id[0] = '\0';

    connection->exchange = ex;
    connection->bytes_seen = 0;
    http_connection_set_state(connection, HTTP_CONNECTION_RECEIVING, ex->request.deadline_ns);
    if (!keep_target(ex, bytes_of(uri, ex->raw_uri_len)))
        http_connection_refuse(connection, 414, "the query is too long");
    return ex;
}

static void refuse(struct http_exchange *ex, unsigned status, const char *detail)
{
    ex->close = true;
    http_count_refusal(ex->thread, status);
    ex->thread->server->app->refuse(ex, status, detail);
}

static const struct http_verdict shutting_down = { 503, "shutting down" };

bool http_admit(struct http_exchange *ex)
{
    struct http_thread *thread = ex->thread;

    if (atomic_load_explicit(&thread->in_flight, memory_order_relaxed) >= thread->max_in_flight) {
        tally_add(&thread->refused[HTTP_REFUSED_IN_FLIGHT], 1);
        return false;
    }
    ex->counted = true;
    http_in_flight_add(thread, 1);
    return true;
}

/* The header section is there. An answer that is prepared already goes out now
 * if a body is on its way (MHD then closes after it), else in the next step,
 * which keeps the connection. */
static enum MHD_Result step_headers(struct http_exchange *ex, const char *method, const char *version)
{
    struct http_verdict verdict;

    if (ex->status != 0)
        return MHD_NO; /* refused with its first line */
    if (!http_leaves_room(ex)) {
        http_connection_refuse(ex->connection, 431, "the header section is too long");
        return MHD_NO;
    }
    verdict = http_audit(ex, method, version);
    ex->http_1_0 = strcmp(version, "HTTP/1.0") == 0;
    choose_id(ex);
    if (verdict.status != 0) {
        refuse(ex, verdict.status, verdict.detail);
        ex->connection->linger = true;
        return http_reply_queue(ex);
    }
    if (ex->thread->abandoned) {
        refuse(ex, shutting_down.status, shutting_down.detail);
    } else {
        ex->begun = true;
        ex->thread->server->app->begin(ex);
        if (ex->status != 0 && !ex->response)
            return MHD_NO; /* an answer was sent, but there was no memory for it */
        if (!ex->response && ex->want_body && ex->request.has_length && ex->request.content_length > ex->body_max)
            refuse(ex, 413, "the body is longer than the limit");
    }
    ex->phase = HTTP_PHASE_BODY;
    if (!ex->response || !ex->request.has_body)
        return MHD_YES;
    /* The client is sending a body that nobody will read. */
    ex->connection->linger = true;
    return http_reply_queue(ex);
}

static enum MHD_Result step_body(struct http_exchange *ex, const char *upload, size_t *upload_len)
{
    struct http_verdict verdict = { 0, NULL };

    if (ex->intake)
        return http_intake_step(ex, upload, upload_len);
    if (http_body_add(ex, bytes_of(upload, *upload_len), &verdict)) {
        *upload_len = 0;
        return MHD_YES;
    }
    /* MHD takes no answer in the middle of a body. */
    http_connection_refuse(ex->connection, verdict.status, verdict.detail);
    return MHD_NO;
}

/* Suspending and resuming a connection costs MHD two epoll_ctl, an eventfd
 * write and an empty recv, half as much as the whole request. An exchange that
 * is not suspended is asked again in each run of MHD, which costs little while
 * the wait is short and those who wait are few. */
#define WAIT_NS (20 * NS_PER_MS)
#define WAITING_MAX 256

static enum MHD_Result suspend(struct http_exchange *ex)
{
    ex->phase = HTTP_PHASE_SUSPENDED;
    MHD_suspend_connection(ex->mhd);
    return MHD_YES;
}

static enum MHD_Result begin_waiting(struct http_exchange *ex)
{
    if (ex->thread->waiting >= WAITING_MAX)
        return suspend(ex);
    ex->phase = HTTP_PHASE_WAITING;
    ex->waiting_since_ns = loop_now(ex->thread->loop);
    ex->thread->waiting++;
    return MHD_YES;
}

static enum MHD_Result step_waiting(struct http_exchange *ex)
{
    if (ex->status == 0 && loop_now(ex->thread->loop) - ex->waiting_since_ns < WAIT_NS)
        return MHD_YES;
    ex->thread->waiting--;
    ex->thread->progress++;
    if (ex->status == 0)
        return suspend(ex);
    ex->phase = HTTP_PHASE_COMPLETED;
    return http_reply_queue(ex);
}

static enum MHD_Result step_complete(struct http_exchange *ex)
{
    if (ex->passed)
        return MHD_NO;
    ex->phase = HTTP_PHASE_COMPLETED;
    ex->completed_ns = loop_now(ex->thread->loop);
    http_connection_set_state(ex->connection, HTTP_CONNECTION_BUSY, 0);
    if (!ex->response) {
        if (!http_body_finish(ex))
            refuse(ex, 503, "out of memory");
        else if (ex->thread->abandoned)
            refuse(ex, shutting_down.status, shutting_down.detail);
        else
            ex->thread->server->app->complete(ex);
    }
    /* With a status and no response there was no memory for it. */
    return ex->status != 0 ? http_reply_queue(ex) : begin_waiting(ex);
}

enum MHD_Result http_exchange_step(void *thread, struct MHD_Connection *mhd, const char *url, const char *method,
                                   const char *version, const char *upload, size_t *upload_len, void **context)
{
    struct http_exchange *ex = *context;

    (void)thread;
    (void)mhd;
    (void)url;
    if (!ex)
        return MHD_NO;
    if (ex->phase == HTTP_PHASE_WAITING)
        return step_waiting(ex);
    ex->thread->progress++;
    switch (ex->phase) {
    case HTTP_PHASE_STARTED:
        return step_headers(ex, method, version);
    case HTTP_PHASE_BODY:
        return *upload_len > 0 ? step_body(ex, upload, upload_len) : step_complete(ex);
    case HTTP_PHASE_COMPLETED: /* resumed */
        return http_reply_queue(ex);
    case HTTP_PHASE_STALLED:
    case HTTP_PHASE_WAITING:
    case HTTP_PHASE_SUSPENDED:
    case HTTP_PHASE_ANSWERED:
        break;
    }
    return MHD_YES;
}

/* ---- The end ---- */

static void write_access_record(struct http_exchange *ex, const struct http_record *how)
{
    struct access_lane *lane = ex->thread->log;
    struct access_record *record;
    struct trace_context trace;

    if (!lane || ex->status == 0 || !access_lane_wants(lane, ex->status, how->ended_turn_ns))
        return;
    record = access_lane_reserve(lane);
    if (!record)
        return;
    record->ended_ns = how->ended_ns;
    record->duration_ns = how->ended_ns - how->started_ns;
    record->request_bytes = how->received_bytes;
    record->response_bytes = how->sent_bytes;
    record->method = http_method_name(ex->request.method);
    record->route = ex->route;
    record->status = (uint16_t)ex->status;
    access_record_set_ns(record, ex->ns);
    access_record_set_id(record, ex->request.id);
    access_record_set_caller(record, ex->caller);
    access_record_set_peer(record, (const struct sockaddr *)&ex->connection->peer);
    if (trace_context_read(ex->request.fields[HTTP_FIELD_TRACEPARENT], &trace))
        access_record_set_trace(record, trace.trace_id, trace.parent_id);
    access_lane_commit(lane);
}

/* One reading of the clock serves the access log and the app. */
static void record_end(struct http_exchange *ex)
{
    struct http_thread *thread = ex->thread;
    const struct http_record record = {
        .status = ex->status,
        .begun = ex->begun,
        .started_ns = ex->request.started_ns,
        .completed_ns = ex->completed_ns,
        .answered_ns = ex->answered_ns,
        .ended_turn_ns = loop_now(thread->loop),
        .ended_ns = clock_monotonic_ns(),
        .received_bytes = ex->body_len + ex->body_dropped,
        .sent_bytes = ex->response_bytes,
    };

    write_access_record(ex, &record);
    if (thread->server->app->record)
        thread->server->app->record(ex, &record);
}

void http_exchange_end(struct http_exchange *ex)
{
    struct http_thread *thread = ex->thread;
    uint64_t next_look = loop_now(thread->loop) + thread->server->options.request_timeout_ms * NS_PER_MS;

    thread->progress++;
    if (ex->phase == HTTP_PHASE_WAITING)
        thread->waiting--;
    record_end(ex);
    if (ex->begun)
        thread->server->app->end(ex);
    if (ex->counted)
        http_in_flight_add(thread, -1);
    if (ex->response)
        MHD_destroy_response(ex->response);
    http_body_release(ex);
    ex->connection->exchange = NULL;
    http_connection_set_state(ex->connection, HTTP_CONNECTION_IDLE, next_look);
    exchange_free(ex);
}

void http_exchange_completed(void *thread, struct MHD_Connection *mhd, void **context,
                             enum MHD_RequestTerminationCode code)
{
    struct http_exchange *ex = *context;

    (void)thread;
    (void)mhd;
    (void)code;
    *context = NULL;
    if (ex)
        http_exchange_end(ex);
}
