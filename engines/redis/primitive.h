/* primitive.h - counters, limits and locks: what is said, and what it means.
 *
 * Names, in spaces of their own (a namespace is never empty, so none of them
 * is an entry's), in a cluster with the tag of the namespace and key:
 *
 *   <prefix>::counter:<ns>:<key>   decimal text, as INCRBY has it
 *   <prefix>::limit:<ns>:<key>     the record of engines/primitives/limit.h
 *   <prefix>::lock:<ns>:<key>      'K', the last fence (8 bytes, big-endian), the token or
 *                                  zeroes; held while it has more than an hour to live
 *
 *   primitive.c         commands and answers of a task
 *   primitive_script.c  the scripts
 *
 * Threading: a session's thread. */
#pragma once

#include "engines/redis/script.h"

struct outbox;
struct redis_task;
struct redisReply;

/* Writes the one command of a counter, limit or lock to the outbox of the
 * task's link; its call has been pushed, and namespace and key are within
 * their limits. redis_command_script() begins it. */
void redis_primitive_send(struct redis_task *task, struct outbox *outbox);

/* The outcome (an enum engine_status), or ANSWER_GARBLED. Errors do not come here. */
unsigned redis_primitive_take(struct redis_task *task, struct redisReply *reply);

/* SCRIPT_COUNTER, SCRIPT_LIMIT or SCRIPT_LOCK. */
const char *redis_primitive_script_text(enum redis_script script);
