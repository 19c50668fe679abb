/* puppet.h - an engine that does what a test tells it, step by step. */
#pragma once

#include "engines/engine.h"

#define PUPPET_MAX 64

/* What one engine was asked; the tests use one session at a time. */
struct puppet {
    struct engine base; /* first: cast */
    struct engine_session *session;
    bool answer_at_once;            /* submit: DONE with ENGINE_OK */
    enum engine_status cancel_says; /* LATE unless set */
    bool unready;
    struct engine_op *asked[PUPPET_MAX]; /* all that were submitted, in order */
    size_t asked_count;
    size_t trips; /* calls of submit_batch */
    size_t cancelled;
};

/* `batches`: whether its table has submit_batch. Closed by engine_close(). */
struct puppet *puppet_open(bool batches);

/* Answers a pending operation. */
void puppet_answer(struct puppet *puppet, struct engine_op *op, enum engine_status status);

/* An operation whose `done` counts calls in the struct. */
struct job {
    struct engine_op op; /* first: cast */
    unsigned calls;
    void (*then)(struct job *job); /* run by done, NULL: nothing */
    struct job *other;             /* for `then` */
    struct engine_session *session;
};

void job_init(struct job *job, struct engine_session *session, enum engine_verb verb, uint64_t timeout_ms);
enum engine_progress job_submit(struct job *job);
