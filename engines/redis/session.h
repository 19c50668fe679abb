/* session.h - the inside of the engine: nodes, tasks, sessions.
 *
 *   session.c   one thread's access: attach, submit, cancel, each turn's work
 *   node.c      one server as one session sees it, and its links
 *   task.c      one operation on its way: route, wait, send, retry, finish
 *   command.c   what an operation says to the server
 *   answer.c    what the server's reply means
 *   atomic.c    several operations as one step
 *   gather.c    several reads, or several writes, as one command
 *   flush.c     a flush of a cluster
 *   sweep.c     removes what a flush left behind
 *   facts.c     what is told of the servers
 *   confirm.c   writes that wait for replicas
 *   topology.h  which server: standalone, Sentinel, Cluster
 *
 * A task belongs to its operation until that is done or cancelled; a cancelled
 * task whose command was sent lives on, without an operation, until its reply
 * has been dropped in its turn. Threading: all of a session is its loop's
 * thread's; struct redis_engine is shared and read-only but for its atomics. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engines/engine.h"
#include "engines/redis/breaker.h"
#include "engines/redis/config.h"
#include "engines/redis/link.h"
#include "engines/redis/namespaces.h"
#include "engines/redis/record.h"

enum {
    NODE_LINKS_MAX = 8,
    SESSION_WAITING_MAX = 4096, /* operations that wait for a connection */
    SESSION_NODES_MAX = 512,
    SESSION_GUESSES = 1024,
};

struct redis_engine {
    struct engine base;
    struct redis_config *config;
    struct redis_breakers breakers;
    _Atomic unsigned links;       /* open or being opened */
    _Atomic unsigned links_ready;
    _Atomic(const char *) reason; /* why none is ready */
    _Atomic uint64_t asked_ns;    /* when someone last wanted to know facts */
    _Atomic uint64_t redirections, failovers;
    _Atomic(struct redis_breaker *) master; /* the last that Sentinel named */
};

struct redis_session;
struct redis_flush;
struct redis_confirm;
struct redis_gather;

/* One server as one session sees it. */
struct redis_node {
    struct redis_node *next;
    struct redis_session *session;
    struct redis_endpoint endpoint;
    struct redis_breaker *breaker;
    struct redis_link links[NODE_LINKS_MAX];
    struct redis_confirm *unconfirmed[NODE_LINKS_MAX]; /* this turn's writes of each link */
    unsigned link_count;
    struct redis_call look; /* INFO, while `looking` */
    bool looking;
    bool retired; /* no longer part of the topology: freed in the next tick */
    bool seen;    /* cluster: named by the newest map */
};

struct redis_task {
    struct redis_call call;   /* first; its place in a link's order */
    struct redis_call asking; /* of the ASKING before it */
    struct redis_session *session;
    struct engine_op *op;      /* NULL: cancelled */
    struct redis_flush *flush; /* it is a part of this one */
    struct redis_gather *gather; /* it reads or writes for several operations; `op` is one of them */
    struct redis_node *node;  /* where it was sent, or must be (redirected) */
    struct redis_link *link;
    struct redis_task *next, *prev; /* waiting, confirming or free */
    uint64_t not_before_ns; /* waits until then (TRYAGAIN) */
    uint64_t version;       /* PUT: the new one */
    struct redis_confirm *confirm; /* the WAIT that this write needs */
    enum engine_status answer;     /* while held for it */
    uint16_t bucket;
    uint8_t redirects;
    uint8_t tries; /* TRYAGAINs */
    bool waiting;
    bool held;
    bool writes;
    bool ordered;     /* of a batch that writes: over the same link as the others */
    bool retried;     /* a read that was lost once */
    bool scripted;    /* GET: by the READ script */
    bool with_text;   /* EVAL, the server forgot the script */
    bool redirected;  /* `node` is where to, this once */
    bool ask;         /* with ASKING */
    bool probes;      /* asks first whether the entry is there at all (TRYAGAIN) */
};

struct redis_task_list {
    struct redis_task *head, *tail;
    size_t count;
};

/* What is likely the generations of a namespace; a wrong guess costs a patch
 * of the header inside the script, never correctness. */
struct redis_guess {
    uint32_t hash;
    bool scripted; /* the last read there needed the READ script: sliding, tags */
    unsigned char generations[RECORD_GENERATIONS_BYTES];
};

struct redis_topology;

/* The walk that removes what a flush left (sweep.c). */
struct redis_sweep {
    bool active;
    bool again;     /* another round when this one is through */
    bool with_text; /* of the script */
    uint8_t ns_len; /* 0: of all namespaces */
    char ns[64];
    unsigned node_index;
    uint64_t cursor, removed;
    size_t busy; /* calls under way */
    uint64_t began_ns; /* the step under way */
    struct redis_session *session;
    struct redis_link *link;
    struct redis_call scan;
    struct loop_timer *timer; /* of the next step */
};

struct redis_session {
    struct engine_session base;
    struct redis_engine *engine;
    const struct redis_config *config;
    struct loop_hook *hook;
    struct loop_timer *timer;
    struct loop_timer *again_timer; /* for what may go again at its time */
    uint64_t again_ns;              /* when it fires; 0: not set */
    struct redis_node *nodes;
    struct redis_topology *topology;
    struct redis_task_list waiting;
    struct redis_task *free_tasks;
    size_t free_count;
    bool roused; /* what waits is to be looked at again */
    bool ordered; /* a batch that writes is being submitted */
    uint64_t random;
    struct redis_sweep sweep;
    struct redis_guess guesses[SESSION_GUESSES];
    struct redis_namespaces namespaces;
};

uint64_t redis_session_random(struct redis_session *session);
/* Starts one operation, as submit of an engine's table. */
enum engine_progress redis_session_submit(struct engine_session *base, struct engine_op *op);
/* Whether a GET is to go to the READ script at once. */
bool redis_session_scripts(struct redis_session *session, unsigned bucket, const struct engine_op *op);
struct redis_guess *redis_session_guess(struct redis_session *session, unsigned bucket, struct bytes ns);

/* ---- node.c ---- */

struct redis_node *redis_node_create(struct redis_session *session, const struct redis_endpoint *endpoint) MUST_CHECK;
/* Links are closed; their calls come back. NULL is allowed. */
void redis_node_destroy(struct redis_node *node);

/* Connects what is closed and may be tried. */
void redis_node_tick(struct redis_node *node, uint64_t now);
void redis_node_settle(struct redis_node *node);

/* The link for the next command: ready and with room, or NULL. */
struct redis_link *redis_node_link(struct redis_node *node, bool writes);
/* The same link for all of a turn, whatever it has to do: for commands whose order matters. */
struct redis_link *redis_node_ordered_link(struct redis_node *node);
bool redis_node_is_ready(const struct redis_node *node);

/* Frees the retired nodes that owe no reply. Not from inside a reply. */
void redis_nodes_drop_retired(struct redis_session *session);

/* ---- facts.c ---- */

/* The facts function of the engine's table. */
void redis_tell_facts(struct engine *base, engine_fact_fn *fn, void *context);
/* Looks at the node's server when it is time to. */
void redis_look_tick(struct redis_node *node, uint64_t now);
/* Takes what INFO answered. False, and nothing changed: it is not INFO's. */
bool redis_look_read(struct redis_look *look, struct bytes info);

/* ---- task.c ---- */

struct redis_task *redis_task_create(struct redis_session *session) MUST_CHECK;
void redis_task_free(struct redis_task *task);

/* Sends the task, or lets it wait. ENGINE_STATUSES: on its way; anything else
 * is its outcome, and `*detail` says more. Never completes it. */
enum engine_status redis_task_start(struct redis_task *task, const char **detail);

/* Completes the operation, or the part of a flush, and frees the task. Not
 * from inside submit. */
void redis_task_finish(struct redis_task *task, enum engine_status status, const char *detail);

/* Starts again from inside a callback: waits for the next look around, or
 * until monotonic `not_before_ns` if that is not 0. */
void redis_task_again(struct redis_task *task, uint64_t not_before_ns);

/* Lets go of the operation: ENGINE_BUSY if nothing was sent, else ENGINE_LATE. */
enum engine_status redis_task_cancel(struct redis_task *task);

void redis_task_list_append(struct redis_task_list *list, struct redis_task *task);
void redis_task_list_remove(struct redis_task_list *list, struct redis_task *task);

/* Looks at all that waits. */
void redis_tasks_rouse(struct redis_session *session);

/* ---- command.c ---- */

/* Writes the task's command to `link`. False: a name beyond the limits. */
bool redis_command_send(struct redis_task *task, struct redis_link *link) MUST_CHECK;

/* Begins a script's call, by its digest or with its text as the task needs;
 * `keys` and then `arguments` bulks must follow. */
void redis_command_script(struct redis_task *task, struct outbox *outbox, enum redis_script script, size_t keys,
                          size_t arguments);

/* Parts of it that other commands are made of, too. The record of a PUT and its
 * time to live: two arguments. `version` is the new one. */
void redis_command_record(struct redis_task *task, struct engine_op *op, uint64_t version, struct outbox *outbox);
/* The generations that such a record carries: one. */
void redis_command_generations(const struct redis_task *task, struct bytes ns, struct outbox *outbox);
/* Two arguments. */
void redis_command_conditions(struct outbox *outbox, const struct engine_condition *condition);
/* What a PUT asks for besides: four arguments. */
void redis_command_extras(const struct redis_task *task, const struct engine_op *op, struct outbox *outbox);
/* Three arguments of READ. */
void redis_command_read(const struct engine_op *op, struct outbox *outbox);

/* Whether a PUT stores a value for some time, and nothing else: any other takes the longer script. */
bool redis_command_is_plain(const struct redis_session *session, const struct engine_op *op) MUST_CHECK;

/* The most that the value of a PUT may have, by the engine and by its namespace. */
size_t redis_command_most_bytes(const struct redis_session *session, const struct engine_op *op);

/* ---- atomic.c ---- */

/* As redis_command_send() and a decoder, for ENGINE_ATOMIC. */
bool redis_atomic_send(struct redis_task *task, struct redis_link *link) MUST_CHECK;
unsigned redis_atomic_take(struct redis_task *task, struct redisReply *reply);

/* ---- gather.c ---- */

/* As submit_batch of an engine's table. */
void redis_gather_submit(struct engine_session *base, struct engine_op *const *ops, size_t count,
                         enum engine_progress *progress);
/* The command of those operations that are still there. */
bool redis_gather_send(struct redis_task *task, struct redis_link *link) MUST_CHECK;
/* Takes the reply; the task is gone. */
void redis_gather_take(struct redis_task *task, struct redisReply *reply);
/* As redis_task_finish() for all of them, and redis_task_cancel() for one. */
void redis_gather_finish(struct redis_task *task, enum engine_status status, const char *detail);
/* Each goes on by itself; the task is gone. */
void redis_gather_disband(struct redis_task *task);
enum engine_status redis_gather_cancel(struct redis_task *task, struct engine_op *op);

/* ---- flush.c ---- */

/* A flush of all buckets of a cluster, as submit and cancel. */
enum engine_progress redis_flush_start(struct redis_session *session, struct engine_op *op);
enum engine_status redis_flush_cancel(struct engine_op *op);

/* A part's outcome; the last one completes the flush. */
void redis_flush_part_done(struct redis_flush *flush, struct redis_session *session, struct engine_op *part,
                           enum engine_status status, const char *detail);

/* ---- sweep.c ---- */

/* `ns` was flushed (length 0: all). */
void redis_sweep_start(struct redis_session *session, struct bytes ns);
bool redis_sweep_init(struct redis_session *session) MUST_CHECK;
/* After the nodes, whose calls come back. */
void redis_sweep_release(struct redis_session *session);

/* ---- confirm.c ---- */

/* Lets a write that is about to be sent share its link's next WAIT. False:
 * out of memory. */
bool redis_confirm_join(struct redis_task *task, struct redis_confirm **open) MUST_CHECK;
/* Sends the WAIT, once a turn. */
void redis_confirm_seal(struct redis_confirm **open, struct redis_link *link);
/* Nothing of it was sent. */
void redis_confirm_abandon(struct redis_confirm **open);
/* Keeps an answered write until its WAIT is answered; or lets a cancelled go. */
void redis_confirm_hold(struct redis_task *task, enum engine_status answer);
void redis_confirm_release(struct redis_task *task);

/* ---- answer.c ---- */

/* What a decoder returns besides an outcome: to be sent anew, or nothing that
 * this command's answer can be. */
enum { ANSWER_AGAIN = ENGINE_STATUSES, ANSWER_GARBLED };

/* What the script of `op` (GET, PUT, DELETE, TOUCH) answered: an outcome or
 * ANSWER_GARBLED. `version`: PUT, the new one. */
unsigned redis_answer_decode(struct redis_task *task, struct engine_op *op, uint64_t version,
                             struct redisReply *reply);

/* What MGET found for a GET: the `index`th of `array`, which ends with both
 * generations. Also ANSWER_AGAIN: it is for the script. */
unsigned redis_answer_stored(struct redis_task *task, struct engine_op *op, struct redisReply *array, size_t index);

/* The call function of every task. */
void redis_answer_take(struct redis_call *call, enum call_end end, struct redisReply *reply);
