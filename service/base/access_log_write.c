/* access_log_write.c - the access log's lines, and getting them out.
 * Threading: the logger thread, or whoever destroys the log after it. */
#include "service/base/access_log_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "service/base/clock.h"

/* A record's line at its longest: three texts of which each byte takes six, and
 * everything else. Also what is kept free for one, so a batch never splits. */
#define RECORD_LINE_MAX (3 * 6 * ACCESS_TEXT_MAX + 800)
_Static_assert(RECORD_LINE_MAX <= LOG_LINE_MAX, "a line fits a batch");

/* How long one wait for the log's reader lasts before the end is looked for. */
#define WAIT_STEP_MS 50

static bool patience_is_over(struct access_log *log)
{
    return atomic_load(&log->stopping) && clock_monotonic_ns() >= atomic_load(&log->patience_ends_ns);
}

/* Waits until the descriptor takes a batch without blocking. False when the
 * log is being destroyed and its patience is over. */
static bool wait_for_reader(struct access_log *log)
{
    struct pollfd fd = { .fd = log->fd, .events = POLLOUT };

    while (poll(&fd, 1, patience_is_over(log) ? 0 : WAIT_STEP_MS) <= 0)
        if (patience_is_over(log))
            return false;
    return true;
}

static bool write_all(struct access_log *log, struct bytes bytes)
{
    while (bytes.len > 0) {
        ssize_t n;

        if (!wait_for_reader(log))
            return false;
        n = write(log->fd, bytes.ptr, bytes.len);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        if (n > 0)
            bytes = bytes_of(bytes.ptr + n, bytes.len - (size_t)n);
    }
    return true;
}

void access_log_flush(struct access_log *log)
{
    if (log->batch.len > 0 && !write_all(log, buffer_bytes(&log->batch)))
        log->unwritten += log->batch_lines;
    buffer_clear(&log->batch);
    log->batch_lines = 0;
}

static struct buffer *begin_line(struct access_log *log)
{
    if (log->batch.max - log->batch.len < RECORD_LINE_MAX)
        access_log_flush(log);
    log->batch_lines++;
    return &log->batch;
}

static void add_fields(struct buffer *line, const struct log_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)log_line_field(line, &fields[i]); /* RECORD_LINE_MAX says that it fits */
}

/* NULL where the peer has no address to show. */
static const char *peer_text(const struct access_record *record, char out[INET6_ADDRSTRLEN])
{
    if (record->peer_family == AF_UNIX)
        return "unix";
    if (record->peer_family != AF_INET && record->peer_family != AF_INET6)
        return NULL;
    return inet_ntop(record->peer_family, record->peer, out, INET6_ADDRSTRLEN);
}

void access_log_write_record(struct access_log *log, const struct access_record *record, uint64_t realtime_ns)
{
    char peer[INET6_ADDRSTRLEN];
    const struct log_field fields[] = {
        LOG_STRING("method", record->method),
        LOG_STRING("route", record->route),
        LOG_BYTES("ns", bytes_of(record->ns_len > 0 ? record->ns : NULL, record->ns_len)),
        LOG_U64("status", record->status),
        LOG_U64("request_bytes", record->request_bytes),
        LOG_U64("response_bytes", record->response_bytes),
        LOG_U64("duration_us", record->duration_ns / NS_PER_US),
        LOG_BYTES("request_id", bytes_of(record->id_len > 0 ? record->id : NULL, record->id_len)),
        LOG_STRING("peer", peer_text(record, peer)),
    };
    const struct log_field caller = LOG_BYTES("caller", bytes_of(record->caller, record->caller_len));
    const struct log_field trace[] = {
        LOG_BYTES("trace_id", bytes_of(record->trace_id, ACCESS_TRACE_ID_LEN)),
        LOG_BYTES("parent_id", bytes_of(record->parent_id, ACCESS_PARENT_ID_LEN)),
    };
    struct buffer *line = begin_line(log);

    log_line_begin(line, realtime_ns, record->status >= 500 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "request");
    add_fields(line, fields, sizeof fields / sizeof fields[0]);
    add_fields(line, &caller, record->caller_len > 0 ? 1 : 0);
    add_fields(line, trace, record->traced ? 2 : 0);
    log_line_end(line);
}

void access_log_write_left_out(struct access_log *log, uint64_t suppressed, uint64_t dropped, uint64_t realtime_ns)
{
    const struct log_field fields[] = { LOG_U64("suppressed", suppressed), LOG_U64("dropped", dropped) };
    struct buffer *line = begin_line(log);

    log_line_begin(line, realtime_ns, LOG_LEVEL_WARN, "requests not logged");
    add_fields(line, fields, sizeof fields / sizeof fields[0]);
    log_line_end(line);
}
