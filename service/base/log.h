/* log.h - the log of rare events: one JSON object a line, on standard output.
 *
 *   log_info("engine connected", LOG_STRING("host", host), LOG_U64("port", port));
 *
 * writes {"time":"2024-05-01T12:00:00.123Z","level":"info","msg":"engine
 * connected","host":"…","port":6379}. For what happens once a request there is
 * access_log.h.
 *
 * A line is built on the stack, at most LOG_LINE_MAX bytes, and leaves in one
 * write(2); that is PIPE_BUF, so lines of several threads never mix in a pipe.
 * Values are escaped and cut to LOG_TEXT_MAX bytes: nobody can forge a line.
 * A line for which the reader of a pipe has no room is dropped and counted
 * rather than waited for; the next one carries "lines_lost".
 *
 * Threading: any thread, no lock; the level and the descriptor are atomic.
 * The process must ignore SIGPIPE. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/base/buffer.h"
#include "service/base/bytes.h"

#define LOG_LINE_MAX 4096
#define LOG_TEXT_MAX 3072

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_field_kind { LOG_FIELD_BYTES, LOG_FIELD_U64, LOG_FIELD_I64, LOG_FIELD_BOOL };

struct log_field {
    const char *name; /* a literal */
    enum log_field_kind kind;
    union {
        struct bytes bytes;
        uint64_t u64;
        int64_t i64;
        bool boolean;
    };
};

/* Fields for log_*(); values are borrowed during the call. A NULL string is
 * written as null. */
/* clang-format off */
#define LOG_STRING(field, string) { .name = (field), .kind = LOG_FIELD_BYTES, .bytes = bytes_str(string) }
#define LOG_BYTES(field, run) { .name = (field), .kind = LOG_FIELD_BYTES, .bytes = (run) }
#define LOG_U64(field, number) { .name = (field), .kind = LOG_FIELD_U64, .u64 = (number) }
#define LOG_I64(field, number) { .name = (field), .kind = LOG_FIELD_I64, .i64 = (number) }
#define LOG_BOOL(field, truth) { .name = (field), .kind = LOG_FIELD_BOOL, .boolean = (truth) }
/* clang-format on */

/* `message` is a literal. The empty first field lets the list be empty. */
#define LOG_AT(log_at_level, message, ...)                                                                           \
    do {                                                                                                             \
        if (log_enabled(log_at_level)) {                                                                             \
            const struct log_field log_fields[] = { { .name = NULL }, __VA_ARGS__ };                                 \
            log_event((log_at_level), (message), log_fields + 1, sizeof log_fields / sizeof log_fields[0] - 1);      \
        }                                                                                                            \
    } while (0)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__, )
#define log_info(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__, )
#define log_warn(...) LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__, )
#define log_error(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__, )

void log_set_level(enum log_level level); /* LOG_LEVEL_INFO at first */
bool log_enabled(enum log_level level);

/* Where lines go; standard output at first. Not closed by this box. */
void log_set_descriptor(int fd);

const char *log_level_name(enum log_level level);

/* Writes one line now; the level has been asked for. Keeps errno. */
void log_event(enum log_level level, const char *message, const struct log_field *fields, size_t count);

/* ---- For other writers of lines ---- */

/* Begins a line: time, level, message. */
void log_line_begin(struct buffer *line, uint64_t realtime_ns, enum log_level level, const char *message);

/* Adds one field, all of it or nothing. False when the line has no room. */
bool log_line_field(struct buffer *line, const struct log_field *field);

/* "}\n". Lines keep room for it and for `"truncated":true`. */
void log_line_end(struct buffer *line);
