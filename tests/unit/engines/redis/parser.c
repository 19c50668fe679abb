/* The parser's replies: one block each, bounded, RESP2 only. */
#include "engines/redis/parser.h"

#include <criterion/criterion.h>

#include "engines/redis/hiredis_compat.h"
#include "service/base/bytes.h"

static redisContext context;

static void open_parser(void)
{
    context.reader = redisReaderCreate();
    cr_assert_not_null(context.reader);
    redis_parser_install(&context);
}

static void close_parser(void)
{
    redisReaderFree(context.reader);
}

TestSuite(redis_parser, .init = open_parser, .fini = close_parser);

static redisReply *feed(struct bytes text)
{
    void *reply = NULL;

    cr_assert_eq(redisReaderFeed(context.reader, text.ptr, text.len), REDIS_OK);
    if (redisReaderGetReply(context.reader, &reply) != REDIS_OK)
        return NULL;
    return reply;
}

Test(redis_parser, every_type_of_resp2)
{
    redisReply *reply = feed(BYTES("*7\r\n+OK\r\n-ERR no\r\n:-5\r\n$3\r\na\0b\r\n$-1\r\n*0\r\n*2\r\n$0\r\n\r\n:1\r\n"));

    cr_assert_not_null(reply);
    cr_assert_eq(reply->elements, 7);
    cr_assert_eq(reply->element[0]->type, REDIS_REPLY_STATUS);
    cr_assert_str_eq(reply->element[0]->str, "OK");
    cr_assert_eq(reply->element[1]->type, REDIS_REPLY_ERROR);
    cr_assert_eq(reply->element[2]->integer, -5);
    cr_assert_eq(reply->element[3]->len, 3);
    cr_assert_arr_eq(reply->element[3]->str, "a\0b", 4);
    cr_assert_eq(reply->element[4]->type, REDIS_REPLY_NIL);
    cr_assert_eq(reply->element[5]->elements, 0);
    cr_assert_eq(reply->element[6]->element[0]->len, 0);
    cr_assert_eq(reply->element[6]->element[1]->integer, 1);
    redis_reply_free(reply);
}

Test(redis_parser, an_element_can_be_taken_out)
{
    redisReply *reply = feed(BYTES("*2\r\n$1\r\na\r\n$1\r\nb\r\n")), *taken = redis_reply_detach(reply, 0);

    redis_reply_free(reply);
    cr_assert_str_eq(taken->str, "a");
    redis_reply_free(taken);
    redis_reply_free(NULL);
}

Test(redis_parser, byte_by_byte_is_the_same)
{
    static const char text[] = "*2\r\n$3\r\nabc\r\n:12\r\n";
    redisReply *reply = NULL;

    for (size_t i = 0; i < sizeof text - 1; i++) {
        cr_assert_null(reply);
        reply = feed(bytes_of(text + i, 1));
    }
    cr_assert_not_null(reply);
    cr_assert_str_eq(reply->element[0]->str, "abc");
    redis_reply_free(reply);
}

Test(redis_parser, what_a_server_claims_is_not_allocated)
{
    cr_assert_null(feed(BYTES("*1000000000\r\n")));
    cr_assert_neq(context.reader->err, 0);
}

Test(redis_parser, nonsense_is_an_error)
{
    cr_assert_null(feed(BYTES("HTTP/1.1 400 Bad Request\r\n\r\n")));
    cr_assert_neq(context.reader->err, 0);
}

Test(redis_parser, half_an_array_leaks_nothing)
{
    cr_assert_null(feed(BYTES("*3\r\n$1\r\na\r\n*1\r\n:1\r\n$5\r\nab")));
    cr_assert_eq(context.reader->err, 0);
}
