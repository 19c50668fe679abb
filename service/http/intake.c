#include "service/http/private.h"

#include <sys/socket.h>

#include "service/base/buffer.h"
#include "service/base/clock.h"

/* Status line and fields of an answer past MHD. */
#define ANSWER_HEAD_MAX 4096
#define ANSWER_MAX (ANSWER_HEAD_MAX + 4096)

void http_accept_pieces(struct http_exchange *ex, const struct http_intake *intake)
{
    ex->intake = intake;
}

bool http_intake_is_open(const struct http_exchange *ex)
{
    return ex->intake && (ex->phase == HTTP_PHASE_BODY || ex->phase == HTTP_PHASE_STALLED);
}

static void set_deadline(struct http_exchange *ex)
{
    const struct http_options *options = &ex->thread->server->options;

    ex->intake_bytes = 0;
    http_connection_set_state(ex->connection, HTTP_CONNECTION_RECEIVING,
                              loop_now(ex->thread->loop) + options->request_timeout_ms * NS_PER_MS);
}

/* A client that went away is not noticed while its connection is put aside;
 * that ends with what the app waits for, which has a deadline of its own. */
static enum MHD_Result stall(struct http_exchange *ex)
{
    ex->phase = HTTP_PHASE_STALLED;
    http_connection_set_state(ex->connection, HTTP_CONNECTION_BUSY, 0);
    MHD_suspend_connection(ex->mhd);
    return MHD_YES;
}

enum MHD_Result http_intake_step(struct http_exchange *ex, const char *upload, size_t *upload_len)
{
    bool taken;

    if (ex->passed)
        return MHD_NO;
    if (ex->thread->abandoned) {
        ex->intake->refuse(ex, 503, "shutting down");
        return MHD_NO;
    }
    ex->taking = true;
    taken = ex->intake->take(ex, bytes_of(upload, *upload_len));
    ex->taking = false;
    if (ex->passed)
        return MHD_NO;
    if (!taken)
        return stall(ex);
    ex->body_len += *upload_len;
    ex->intake_bytes += *upload_len;
    *upload_len = 0;
    if (ex->intake_bytes >= HTTP_INTAKE_STEP_BYTES)
        set_deadline(ex);
    return MHD_YES;
}

static void wake(struct http_exchange *ex)
{
    ex->phase = HTTP_PHASE_BODY;
    ex->thread->runnable = true;
    MHD_resume_connection(ex->mhd);
}

void http_intake_resume(struct http_exchange *ex)
{
    if (ex->phase != HTTP_PHASE_STALLED)
        return;
    set_deadline(ex);
    wake(ex);
}

/* MHD takes no answer in the middle of a body, and has nothing of its own to
 * send then. */
void http_intake_answer(struct http_exchange *ex, unsigned status, struct bytes body)
{
    char memory[ANSWER_MAX];
    struct buffer text;

    buffer_init_fixed(&text, memory, sizeof memory);
    buffer_add_format(&text, "HTTP/1.1 %u %s\r\nX-Request-Id: %s\r\n", status, MHD_get_reason_phrase_for(status),
                      ex->request_id);
    for (unsigned i = 0; i < ex->field_count; i++)
        buffer_add_format(&text, "%s: %s\r\n", ex->fields[i].name, ex->fields[i].value);
    buffer_add_format(&text, "Content-Length: %zu\r\nConnection: close\r\n\r\n", body.len);
    buffer_add(&text, body);
    if (!text.failed)
        (void)!send(ex->connection->fd, text.ptr, text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    ex->status = status;
    ex->response_bytes = body.len;
    ex->passed = true;
    ex->connection->linger = true;
    if (ex->phase == HTTP_PHASE_STALLED)
        wake(ex);
    else if (!ex->taking)
        shutdown(ex->connection->fd, SHUT_RD); /* MHD finds the end of input and closes */
}
