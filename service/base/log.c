#include "service/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "service/base/clock.h"

/* What log_line_end() may need: ,"lines_lost":<u64> is a field like any other,
 * so only the mark and the end count. */
#define TRUNCATED ",\"truncated\":true"
#define LINE_END_ROOM (sizeof TRUNCATED - 1 + 2)

/* The one log of the process: a level and a descriptor. */
static _Atomic int current_level = LOG_LEVEL_INFO;
static _Atomic int current_descriptor = STDOUT_FILENO;
static _Atomic uint64_t lines_lost;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&current_level, memory_order_relaxed);
}

void log_set_descriptor(int fd)
{
    atomic_store_explicit(&current_descriptor, fd, memory_order_relaxed);
}

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };

    return names[level];
}

/* RFC 3339 section 5.6, UTC, with milliseconds. */
static void add_time(struct buffer *line, uint64_t realtime_ns)
{
    time_t seconds = (time_t)(realtime_ns / NS_PER_SECOND);
    struct tm t;

    gmtime_r(&seconds, &t);
    buffer_add_format(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                      t.tm_hour, t.tm_min, t.tm_sec, (unsigned)(realtime_ns % NS_PER_SECOND / NS_PER_MS));
}

/* `text` cut to LOG_TEXT_MAX, at the start of a UTF-8 sequence. */
static struct bytes cut_text(struct bytes text)
{
    size_t len = LOG_TEXT_MAX;

    if (text.len <= LOG_TEXT_MAX)
        return text;
    while (len > LOG_TEXT_MAX - 4 && (text.ptr[len] & 0xc0) == 0x80)
        len--;
    return bytes_of(text.ptr, len);
}

static void add_text(struct buffer *line, struct bytes text)
{
    if (!text.ptr) {
        buffer_add_string(line, "null");
        return;
    }
    struct bytes shown = cut_text(text);

    buffer_add_char(line, '"');
    buffer_add_json_escaped(line, shown);
    if (shown.len < text.len)
        buffer_add_string(line, "\xe2\x80\xa6");
    buffer_add_char(line, '"');
}

void log_line_begin(struct buffer *line, uint64_t realtime_ns, enum log_level level, const char *message)
{
    buffer_add_string(line, "{\"time\":\"");
    add_time(line, realtime_ns);
    buffer_add_string(line, "\",\"level\":\"");
    buffer_add_string(line, log_level_name(level));
    buffer_add_string(line, "\",\"msg\":");
    add_text(line, bytes_str(message));
}

static void add_field(struct buffer *line, const struct log_field *field)
{
    buffer_add_char(line, ',');
    buffer_add_json_string(line, bytes_str(field->name));
    buffer_add_char(line, ':');
    switch (field->kind) {
    case LOG_FIELD_BYTES:
        add_text(line, field->bytes);
        break;
    case LOG_FIELD_U64:
        buffer_add_u64(line, field->u64);
        break;
    case LOG_FIELD_I64:
        buffer_add_i64(line, field->i64);
        break;
    case LOG_FIELD_BOOL:
        buffer_add_string(line, field->boolean ? "true" : "false");
        break;
    }
}

bool log_line_field(struct buffer *line, const struct log_field *field)
{
    size_t before = line->len;

    add_field(line, field);
    if (!line->failed && line->max - line->len >= LINE_END_ROOM)
        return true;
    buffer_rewind(line, before);
    return false;
}

void log_line_end(struct buffer *line)
{
    buffer_add_string(line, "}\n");
}

/* A message that fills the line alone is a fault of the program; it is then
 * replaced rather than lost. */
static void begin_or_replace(struct buffer *line, uint64_t now, enum log_level level, const char *message)
{
    log_line_begin(line, now, level, message);
    if (!line->failed && line->max - line->len >= LINE_END_ROOM)
        return;
    buffer_clear(line);
    log_line_begin(line, now, level, "(message too long)");
}

/* Never waits for a reader: the caller may be a service thread. */
static bool write_line(struct bytes line)
{
    int fd = atomic_load_explicit(&current_descriptor, memory_order_relaxed);
    struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
    ssize_t written;

    if (poll(&poll_fd, 1, 0) != 1 || !(poll_fd.revents & POLLOUT))
        return false;
    do {
        written = write(fd, line.ptr, line.len);
    } while (written < 0 && errno == EINTR);
    return written == (ssize_t)line.len;
}

void log_event(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
    char memory[LOG_LINE_MAX];
    struct buffer line;
    int saved_errno = errno;
    bool complete = true;
    uint64_t lost = atomic_exchange_explicit(&lines_lost, 0, memory_order_relaxed);

    buffer_init_fixed(&line, memory, sizeof memory);
    begin_or_replace(&line, clock_realtime_ns(), level, message);
    if (lost > 0)
        complete = log_line_field(&line, &(struct log_field)LOG_U64("lines_lost", lost));
    for (size_t i = 0; i < count; i++)
        complete = log_line_field(&line, &fields[i]) && complete;
    if (!complete)
        buffer_add_string(&line, TRUNCATED);
    log_line_end(&line);
    if (!write_line(buffer_bytes(&line)))
        atomic_fetch_add_explicit(&lines_lost, lost + 1, memory_order_relaxed);
    errno = saved_errno;
}
