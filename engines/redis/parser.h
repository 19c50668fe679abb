/* parser.h - what hiredis' parser builds from a server's bytes.
 *
 * Replies look as hiredis' own (struct redisReply), but each is one block of
 * memory, an array with its elements' places, a string with its bytes: half
 * the allocations, none of them cleared, and a value can take over the block
 * its bytes came in. Arrays are bounded, where hiredis would allocate on the
 * server's word alone; RESP3 types, which nobody asked for, are refused. The
 * parser then fails as if out of memory.
 *
 * Threading: one thread a parser. */
#pragma once

#include <stddef.h>

struct redisContext;
struct redisReply;

enum { PARSER_ELEMENTS_MAX = 65536 };

/* Makes a new connection's parser build these. */
void redis_parser_install(struct redisContext *redis);

/* Instead of freeReplyObject(). NULL is allowed. */
void redis_reply_free(void *reply);

/* Takes an element out of an array; the caller frees it. */
struct redisReply *redis_reply_detach(struct redisReply *array, size_t index);
