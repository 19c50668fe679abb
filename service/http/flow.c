#include "service/http/private.h"

#include <sys/socket.h>

/* MHD's own buffer for the answer to HTTP/1.0; chunks are made in the
 * connection's memory. */
#define FLOW_BLOCK_BYTES ((size_t)8 * 1024)

/* An answer that ends with the connection must not end well: reset it. */
static void reset(const struct http_exchange *ex)
{
    const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

    (void)!connect(ex->connection->fd, &nowhere, sizeof nowhere);
}

static ssize_t read_flow(void *context, uint64_t at, char *out, size_t max)
{
    struct http_exchange *ex = context;
    ssize_t n;

    (void)at;
    ex->thread->progress++;
    n = ex->fill(ex, out, max);
    if (n > 0) {
        ex->response_bytes += (size_t)n;
        return n;
    }
    if (n == HTTP_FLOW_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n < 0 || ex->thread->abandoned) {
        if (ex->http_1_0)
            reset(ex);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    ex->flow_waits = true;
    MHD_suspend_connection(ex->mhd);
    return 0;
}

void http_send_flow(struct http_exchange *ex, unsigned status, http_fill_fn *fill)
{
    ex->fill = fill;
    http_reply_prepared(ex, status,
                        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, FLOW_BLOCK_BYTES, read_flow, ex, NULL), 0);
}

void http_flow_resume(struct http_exchange *ex)
{
    if (!ex->flow_waits)
        return;
    ex->flow_waits = false;
    ex->thread->runnable = true;
    MHD_resume_connection(ex->mhd);
}
