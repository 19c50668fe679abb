/* Tests of service/base/log.h. */
#include "service/base/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int pipe_ends[2];

static void open_pipe(void)
{
    cr_assert_eq(pipe2(pipe_ends, O_NONBLOCK), 0);
    log_set_descriptor(pipe_ends[1]);
    log_set_level(LOG_LEVEL_INFO);
}

static void close_pipe(void)
{
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

TestSuite(log, .init = open_pipe, .fini = close_pipe);

/* What was written, without the time at its beginning. */
static const char *written(void)
{
    static char text[2 * LOG_LINE_MAX];
    static const char shape[] = "{\"time\":\"dddd-dd-ddTdd:dd:dd.dddZ\",";
    ssize_t n = read(pipe_ends[0], text, sizeof text - 1);

    text[n > 0 ? n : 0] = '\0';
    if (n <= 0)
        return text;
    for (size_t i = 0; i < sizeof shape - 1; i++)
        cr_assert(shape[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == shape[i], "%s", text);
    return text + sizeof shape - 1;
}

Test(log, line_has_time_level_message_and_fields)
{
    log_warn("engine down", LOG_STRING("host", "h"), LOG_U64("port", 6379), LOG_I64("delta", -5),
             LOG_BOOL("again", true), LOG_STRING("none", NULL), LOG_BYTES("run", bytes_of("abc", 2)));
    cr_expect_str_eq(written(),
                     "\"level\":\"warn\",\"msg\":\"engine down\",\"host\":\"h\",\"port\":6379,\"delta\":-5,"
                     "\"again\":true,\"none\":null,\"run\":\"ab\"}\n");
}

Test(log, line_may_have_no_fields)
{
    log_error("over");
    cr_expect_str_eq(written(), "\"level\":\"error\",\"msg\":\"over\"}\n");
}

Test(log, levels_below_the_least_are_not_written)
{
    log_debug("quiet");
    cr_expect_str_eq(written(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("loud");
    cr_expect_str_eq(written(), "\"level\":\"debug\",\"msg\":\"loud\"}\n");
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("quiet");
    cr_expect_str_eq(written(), "");
}

Test(log, no_value_can_forge_a_line_or_a_field)
{
    log_info("x", LOG_STRING("key", "a\",\"level\":\"error\"}\n{\"time\":1\r\x1b[2J\xff"));
    cr_expect_str_eq(written(), "\"level\":\"info\",\"msg\":\"x\",\"key\":\"a\\\",\\\"level\\\":\\\"error\\\"}\\n{"
                                "\\\"time\\\":1\\r\\u001b[2J\xef\xbf\xbd\"}\n");
}

Test(log, long_texts_are_cut_at_a_character)
{
    static char text[2 * LOG_TEXT_MAX];
    const char *line;

    memset(text, 'x', sizeof text - 1);
    memcpy(text + LOG_TEXT_MAX - 1, "\xc3\xa4", 2);
    log_info("x", LOG_STRING("long", text), LOG_U64("after", 1));
    line = written();
    cr_expect_not_null(strstr(line, "x\xe2\x80\xa6\",\"after\":1}\n"));
    cr_expect_eq(strspn(strchr(line, 'g') ? strstr(line, "\"long\":\"") + 8 : "", "x"), LOG_TEXT_MAX - 1);
}

Test(log, fields_without_room_are_left_out_and_said_so)
{
    static char text[LOG_TEXT_MAX];
    const char *line;

    memset(text, 'x', sizeof text - 1);
    log_info("x", LOG_STRING("one", text), LOG_STRING("two", text), LOG_U64("three", 3));
    line = written();
    cr_expect_leq(strlen(line), LOG_LINE_MAX);
    cr_expect_not_null(strstr(line, "\"one\":"));
    cr_expect_null(strstr(line, "\"two\":"));
    cr_expect_not_null(strstr(line, ",\"three\":3,\"truncated\":true}\n"));
}

Test(log, a_message_of_controls_does_not_break_the_line)
{
    static char text[LOG_TEXT_MAX];

    memset(text, '\x01', sizeof text - 1);
    log_event(LOG_LEVEL_INFO, text, NULL, 0);
    cr_expect_str_eq(written(), "\"level\":\"info\",\"msg\":\"(message too long)\"}\n");
}

Test(log, a_reader_that_does_not_read_is_not_waited_for)
{
    static char drained[1 << 20];
    char fill[4096] = { 0 };

    while (write(pipe_ends[1], fill, sizeof fill) > 0) {
    }
    errno = ENOENT;
    log_info("lost");
    log_info("lost");
    cr_expect_eq(errno, ENOENT, "errno is kept");
    while (read(pipe_ends[0], drained, sizeof drained) > 0) {
    }
    log_info("found");
    cr_expect_str_eq(written(), "\"level\":\"info\",\"msg\":\"found\",\"lines_lost\":2}\n");
    log_info("again");
    cr_expect_str_eq(written(), "\"level\":\"info\",\"msg\":\"again\"}\n");
}

Test(log, times_are_those_of_the_clock)
{
    char memory[LOG_LINE_MAX];
    struct buffer line;

    buffer_init_fixed(&line, memory, sizeof memory);
    log_line_begin(&line, UINT64_C(1714564800123999999), LOG_LEVEL_INFO, "m");
    log_line_end(&line);
    cr_expect(bytes_equal(buffer_bytes(&line),
                          BYTES("{\"time\":\"2024-05-01T12:00:00.123Z\",\"level\":\"info\",\"msg\":\"m\"}\n")));
}
