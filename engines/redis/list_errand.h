/* list_errand.h - a command that is no operation of a submitter.
 *
 * An errand lends a task an operation of its own, so that routing, waiting,
 * retrying and redirection are those of every other command. Its operation's
 * verb is ENGINE_LIST or ENGINE_NAMESPACES, which is how the task's end comes
 * back here instead of to engine_complete().
 *
 * Ownership: embedded in its owner, who stays until `done` has run or
 * redis_errand_cancel() has returned. Threading: a session's thread. */
#pragma once

#include "engines/engine.h"

struct outbox;
struct redis_errand;
struct redis_session;
struct redis_task;
struct redisReply;

struct redis_errand_kind {
    /* Writes the command; redis_command_script() or redis_outbox_command(). */
    void (*send)(struct redis_task *task, struct outbox *outbox);
    /* An enum engine_status, ANSWER_AGAIN or ANSWER_GARBLED. */
    unsigned (*take)(struct redis_task *task, struct redisReply *reply);
    /* The end, exactly once; the errand may be started again, or freed. */
    void (*done)(struct redis_errand *errand, enum engine_status status, const char *detail);
};

struct redis_errand {
    struct engine_op op; /* first; engine_private is the task */
    const struct redis_errand_kind *kind;
    struct redis_session *session;
};

void redis_errand_init(struct redis_errand *errand, const struct redis_errand_kind *kind,
                       struct redis_session *session, enum engine_verb verb);

/* Sends it to the server of `bucket`, or lets it wait: ENGINE_STATUSES. Anything
 * else is its outcome, and `done` does not run. Not from inside a callback. */
enum engine_status redis_errand_start(struct redis_errand *errand, unsigned bucket, const char **detail) MUST_CHECK;

/* The same from anywhere, `done` included: goes with the next look around.
 * Whatever goes wrong comes as `done`, perhaps before this returns. */
void redis_errand_again(struct redis_errand *errand, unsigned bucket);

/* As engine_cancel_fn; only while it is under way. */
enum engine_status redis_errand_cancel(struct redis_errand *errand);

/* For command.c, answer.c and task.c, by way of the verb. */
void redis_errand_send(struct redis_task *task, struct outbox *outbox);
unsigned redis_errand_take(struct redis_task *task, struct redisReply *reply);
void redis_errand_end(struct engine_op *op, enum engine_status status, const char *detail);
