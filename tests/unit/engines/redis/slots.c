/* What servers say about slots, well-formed and not. */
#include "engines/redis/slots.h"

#include <criterion/criterion.h>

#include "engines/redis/hiredis_compat.h"

static redisReply *parse(redisReader *reader, struct bytes text)
{
    void *reply = NULL;

    redisReaderFeed(reader, text.ptr, text.len);
    cr_assert_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    cr_assert_not_null(reply);
    return reply;
}

Test(redis_slots, ranges_and_their_masters)
{
    redisReader *reader = redisReaderCreate();
    redisReply *reply = parse(reader, BYTES("*3\r\n"
        "*3\r\n:0\r\n:8191\r\n*3\r\n$9\r\n127.0.0.1\r\n:7000\r\n$2\r\nid\r\n"
        "*3\r\n:8192\r\n:16383\r\n*2\r\n$0\r\n\r\n:7001\r\n"
        "*3\r\n:5\r\n:5\r\n*2\r\n$-1\r\n:7002\r\n"));
    struct redis_slot_range range;

    cr_assert_eq(redis_slots_count(reply), 3);
    cr_assert(redis_slots_read(reply, 0, "asked", &range));
    cr_assert_eq(range.last, 8191);
    cr_assert_str_eq(range.master.host, "127.0.0.1");
    cr_assert(range.master.told);
    cr_assert(redis_slots_read(reply, 1, "asked", &range));
    cr_assert_str_eq(range.master.host, "asked");
    cr_assert(redis_slots_read(reply, 2, "asked", &range));
    cr_assert_str_eq(range.master.host, "asked");
    freeReplyObject(reply);
    redisReaderFree(reader);
}

Test(redis_slots, malformed_ranges_are_left_out)
{
    redisReader *reader = redisReaderCreate();
    redisReply *reply = parse(reader, BYTES("*7\r\n"
        ":1\r\n"
        "*2\r\n:0\r\n:1\r\n"
        "*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n"
        "*3\r\n:9\r\n:8\r\n*2\r\n$1\r\na\r\n:1\r\n"
        "*3\r\n:0\r\n:1\r\n*2\r\n$1\r\n?\r\n:1\r\n"
        "*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:0\r\n"
        "*3\r\n:0\r\n:1\r\n$1\r\na\r\n"));
    struct redis_slot_range range;

    for (size_t i = 0; i < redis_slots_count(reply); i++)
        cr_assert_not(redis_slots_read(reply, i, "asked", &range), "%zu", i);
    freeReplyObject(reply);
    redisReaderFree(reader);
}

Test(redis_slots, redirections)
{
    struct redis_endpoint endpoint;

    cr_assert(redis_slots_read_redirect(BYTES("MOVED 3999 127.0.0.1:6381"), "asked", &endpoint));
    cr_assert_str_eq(endpoint.host, "127.0.0.1");
    cr_assert_eq(endpoint.port, 6381);
    cr_assert(redis_slots_read_redirect(BYTES("ASK 3999 fd00::1:6381"), "asked", &endpoint));
    cr_assert_str_eq(endpoint.host, "fd00::1");
    cr_assert(redis_slots_read_redirect(BYTES("MOVED 3999 :6381"), "asked", &endpoint));
    cr_assert_str_eq(endpoint.host, "asked");
    cr_assert_not(redis_slots_read_redirect(BYTES("MOVED 3999"), "asked", &endpoint));
    cr_assert_not(redis_slots_read_redirect(BYTES("MOVED 3999 host"), "asked", &endpoint));
    cr_assert_not(redis_slots_read_redirect(BYTES("MOVED 3999 host:0"), "asked", &endpoint));
    cr_assert_not(redis_slots_read_redirect(BYTES("MOVED 3999 host:x"), "asked", &endpoint));
}
