/* Tests of service/base/access_log.h: without its thread, with time given. */
#include "service/base/access_log.h"

#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "service/base/clock.h"

/* 2024-05-01T12:00:00Z, and the monotonic time of that moment. */
#define WALL (UINT64_C(1714564800) * NS_PER_SECOND)
#define NOW (UINT64_C(5000) * NS_PER_SECOND)

static int file = -1;

static struct access_log *create(unsigned lanes, enum access_log_mode mode, uint64_t rate)
{
    struct access_log *log;

    file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    cr_assert_geq(file, 0);
    log = access_log_create(lanes, mode, rate, file);
    cr_assert_not_null(log);
    return log;
}

static const char *written(void)
{
    static char text[1 << 20];
    ssize_t n = pread(file, text, sizeof text - 1, 0);

    cr_assert_geq(n, 0);
    text[n] = '\0';
    return text;
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;

    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        n++;
    return n;
}

/* How many of `asked` answers at `now` get a line. */
static unsigned wanted(struct access_lane *lane, unsigned status, uint64_t now, unsigned asked)
{
    unsigned n = 0;

    for (unsigned i = 0; i < asked; i++)
        n += access_lane_wants(lane, status, now);
    return n;
}

static void push(struct access_lane *lane, unsigned status)
{
    struct access_record *record = access_lane_reserve(lane);

    cr_assert_not_null(record);
    record->ended_ns = NOW;
    record->method = "GET";
    record->status = (uint16_t)status;
    access_lane_commit(lane);
}

Test(access_log, line_holds_what_the_record_says)
{
    struct access_log *log = create(1, ACCESS_LOG_ON, 0);
    struct sockaddr_in peer = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
    struct access_record *record = access_lane_reserve(access_log_lane(log, 0));

    record->ended_ns = NOW - 250 * NS_PER_MS;
    record->duration_ns = 1234567;
    record->request_bytes = 5;
    record->response_bytes = 17;
    record->method = "PUT";
    record->route = "/cache/{ns}/{key}";
    record->status = 201;
    access_record_set_ns(record, BYTES("users"));
    access_record_set_id(record, BYTES("id-1"));
    access_record_set_caller(record, BYTES("billing"));
    access_record_set_peer(record, (struct sockaddr *)&peer);
    access_lane_commit(access_log_lane(log, 0));
    cr_expect_eq(access_log_drain(log, NOW, WALL), 1);
    cr_expect_str_eq(
        written(), "{\"time\":\"2024-05-01T11:59:59.750Z\",\"level\":\"info\",\"msg\":\"request\",\"method\":\"PUT\","
                   "\"route\":\"/cache/{ns}/{key}\",\"ns\":\"users\",\"status\":201,\"request_bytes\":5,"
                   "\"response_bytes\":17,\"duration_us\":1234,\"request_id\":\"id-1\",\"peer\":\"127.0.0.1\","
                   "\"caller\":\"billing\"}\n");
    access_log_destroy(log);
}

Test(access_log, line_of_an_empty_record_says_null_and_errors_are_errors)
{
    struct access_log *log = create(1, ACCESS_LOG_ON, 0);

    push(access_log_lane(log, 0), 503);
    access_log_drain(log, NOW, WALL);
    cr_expect_not_null(strstr(written(), "\"level\":\"error\""));
    cr_expect_not_null(strstr(written(), "\"route\":null,\"ns\":null,"));
    cr_expect_not_null(strstr(written(), "\"request_id\":null,\"peer\":null}\n"));
    access_log_destroy(log);
}

Test(access_log, texts_are_cut_and_cannot_forge_lines)
{
    struct access_log *log = create(1, ACCESS_LOG_ON, 0);
    struct access_record *record = access_lane_reserve(access_log_lane(log, 0));
    struct sockaddr_in6 peer = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    char hostile[200];

    memset(hostile, '\x01', sizeof hostile);
    record->method = "GET";
    access_record_set_ns(record, bytes_of(hostile, sizeof hostile));
    memset(hostile, '\n', sizeof hostile);
    access_record_set_id(record, bytes_of(hostile, sizeof hostile));
    memset(hostile, '\x02', sizeof hostile);
    access_record_set_caller(record, bytes_of(hostile, sizeof hostile));
    access_record_set_peer(record, (struct sockaddr *)&peer);
    access_lane_commit(access_log_lane(log, 0));
    access_log_drain(log, NOW, WALL);
    cr_expect_eq(count(written(), "\n"), 1);
    cr_expect_eq(count(written(), "\\u0001"), ACCESS_TEXT_MAX);
    cr_expect_eq(count(written(), "\\n"), ACCESS_TEXT_MAX);
    cr_expect_eq(count(written(), "\\u0002"), ACCESS_TEXT_MAX);
    cr_expect_not_null(strstr(written(), "\"peer\":\"::1\",\"caller\":"));
    access_log_destroy(log);
}

Test(access_log, a_reserved_record_is_a_clean_one)
{
    struct access_log *log = create(1, ACCESS_LOG_ON, 0);
    struct access_lane *lane = access_log_lane(log, 0);

    for (unsigned i = 0; i < ACCESS_RING_RECORDS; i++) {
        struct access_record *record = access_lane_reserve(lane);

        memset(record, 0xff, sizeof *record);
        record->method = record->route = "x";
        record->ns_len = record->id_len = record->caller_len = 1;
        access_lane_commit(lane);
    }
    access_log_drain(log, NOW, WALL);
    struct access_record *record = access_lane_reserve(lane);
    cr_expect(record->status == 0 && record->ns_len == 0 && record->id_len == 0 && record->caller_len == 0 && record->peer_family == 0);
    cr_expect(record->method == NULL && record->route == NULL && record->response_bytes == 0);
    access_log_destroy(log);
}

Test(access_log, modes_choose_the_lines)
{
    struct access_log *log = create(1, ACCESS_LOG_ON, 0);
    struct access_lane *lane = access_log_lane(log, 0);

    cr_expect(access_lane_wants(lane, 200, NOW));
    cr_expect(access_lane_wants(lane, 500, NOW));
    access_log_set(log, ACCESS_LOG_ERRORS, 0);
    cr_expect_not(access_lane_wants(lane, 499, NOW));
    cr_expect(access_lane_wants(lane, 500, NOW));
    access_log_set(log, ACCESS_LOG_OFF, 0);
    cr_expect_not(access_lane_wants(lane, 500, NOW));
    access_log_drain(log, NOW, WALL);
    cr_expect_str_eq(written(), "", "what is switched off is not counted as suppressed");
    access_log_destroy(log);
}

Test(access_log, rate_gives_a_second_s_burst_and_then_its_pace)
{
    struct access_log *log = create(1, ACCESS_LOG_ON, 100);
    struct access_lane *lane = access_log_lane(log, 0);

    cr_expect_eq(wanted(lane, 200, NOW, 1000), 100);
    cr_expect_eq(wanted(lane, 200, NOW + 9 * NS_PER_MS, 10), 0);
    cr_expect_eq(wanted(lane, 200, NOW + 10 * NS_PER_MS, 10), 1);
    cr_expect_eq(wanted(lane, 200, NOW + 510 * NS_PER_MS, 1000), 50);
    cr_expect_eq(wanted(lane, 200, NOW + 3600 * NS_PER_SECOND, 1000), 100, "an idle hour saves up one second");
    access_log_destroy(log);
}

Test(access_log, errors_have_a_bucket_of_their_own)
{
    struct access_log *log = create(1, ACCESS_LOG_ON, 100);
    struct access_lane *lane = access_log_lane(log, 0);

    cr_expect_eq(wanted(lane, 404, NOW, 5000), 100);
    cr_expect_eq(wanted(lane, 503, NOW, 5000), 100);
    access_log_destroy(log);
}

Test(access_log, lanes_share_the_rate)
{
    struct access_log *log = create(4, ACCESS_LOG_ON, 100);

    for (unsigned i = 0; i < 4; i++)
        cr_expect_eq(wanted(access_log_lane(log, i), 200, NOW, 1000), 25);
    access_log_destroy(log);
}

Test(access_log, a_rate_below_one_a_second_and_lane_still_writes)
{
    struct access_log *log = create(8, ACCESS_LOG_ON, 1);
    struct access_lane *lane = access_log_lane(log, 0);

    cr_expect_eq(wanted(lane, 200, NOW, 10), 1);
    cr_expect_eq(wanted(lane, 200, NOW + 8 * NS_PER_SECOND - 1, 10), 0);
    cr_expect_eq(wanted(lane, 200, NOW + 8 * NS_PER_SECOND, 10), 1);
    access_log_destroy(log);
}

Test(access_log, a_raised_rate_counts_at_once)
{
    struct access_log *log = create(256, ACCESS_LOG_ON, 1);
    struct access_lane *lane = access_log_lane(log, 0);

    cr_expect_eq(wanted(lane, 200, NOW, 1), 1);
    access_log_set(log, ACCESS_LOG_ON, 256 * 10);
    (void)wanted(lane, 200, NOW, 1);
    cr_expect_eq(wanted(lane, 200, NOW + NS_PER_SECOND, 100), 10);
    access_log_destroy(log);
}

Test(access_log, what_is_left_out_is_reported_once_a_second)
{
    struct access_log *log = create(2, ACCESS_LOG_ON, 20);
    static const char report[] = "\"level\":\"warn\",\"msg\":\"requests not logged\",\"suppressed\":";

    (void)wanted(access_log_lane(log, 0), 200, NOW, 15);
    (void)wanted(access_log_lane(log, 1), 200, NOW, 12);
    access_log_drain(log, NOW, WALL);
    cr_expect_not_null(strstr(written(), "\"suppressed\":7,\"dropped\":0}\n"));
    (void)wanted(access_log_lane(log, 0), 200, NOW, 3);
    access_log_drain(log, NOW + NS_PER_SECOND - 1, WALL);
    cr_expect_eq(count(written(), report), 1);
    access_log_drain(log, NOW + NS_PER_SECOND, WALL);
    cr_expect_eq(count(written(), report), 2);
    cr_expect_not_null(strstr(written(), "\"suppressed\":3,\"dropped\":0}\n"));
    access_log_drain(log, NOW + 9 * NS_PER_SECOND, WALL);
    cr_expect_eq(count(written(), report), 2, "nothing new, no line");
    access_log_destroy(log);
}

Test(access_log, a_full_ring_drops_and_counts)
{
    struct access_log *log = create(1, ACCESS_LOG_ON, 0);
    struct access_lane *lane = access_log_lane(log, 0);

    for (unsigned i = 0; i < ACCESS_RING_RECORDS; i++)
        push(lane, 200);
    cr_expect_null(access_lane_reserve(lane));
    cr_expect_null(access_lane_reserve(lane));
    cr_expect_eq(access_log_drain(log, NOW, WALL), ACCESS_RING_RECORDS);
    cr_expect_eq(count(written(), "\"msg\":\"request\""), ACCESS_RING_RECORDS);
    cr_expect_not_null(strstr(written(), "\"suppressed\":0,\"dropped\":2}\n"));
    push(lane, 200);
    cr_expect_eq(access_log_drain(log, NOW, WALL), 1);
    access_log_destroy(log);
}

Test(access_log, lines_that_cannot_be_written_are_counted_as_dropped)
{
    struct access_log *log = create(1, ACCESS_LOG_ON, 0);
    int full = open("/dev/full", O_WRONLY), kept = dup(file);

    cr_assert_eq(dup2(full, file), file);
    push(access_log_lane(log, 0), 200);
    push(access_log_lane(log, 0), 200);
    cr_expect_eq(access_log_drain(log, NOW, WALL), 2);
    cr_assert_eq(dup2(kept, file), file);
    access_log_drain(log, NOW, WALL);
    cr_expect_eq(count(written(), "\n"), 1);
    cr_expect_not_null(strstr(written(), "\"suppressed\":0,\"dropped\":2}\n"));
    access_log_destroy(log);
    close(full);
    close(kept);
}

Test(access_log, destroy_writes_what_is_left)
{
    struct access_log *log = create(2, ACCESS_LOG_ON, 0);

    cr_assert(access_log_start(log));
    push(access_log_lane(log, 0), 200);
    push(access_log_lane(log, 1), 200);
    access_log_destroy(log);
    cr_expect_eq(count(written(), "\"msg\":\"request\""), 2);
    access_log_destroy(NULL);
}

Test(access_log, destroy_does_not_hang_on_a_reader_that_does_not_read, .timeout = 20)
{
    int ends[2];
    char fill[4096] = { 0 };
    struct access_log *log;

    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], fill, sizeof fill) > 0) {
    }
    log = access_log_create(1, ACCESS_LOG_ON, 0, ends[1]);
    cr_assert(access_log_start(log));
    for (unsigned i = 0; i < 100; i++)
        push(access_log_lane(log, 0), 200);
    access_log_destroy(log);
    close(ends[0]);
    close(ends[1]);
}
