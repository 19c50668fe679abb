#include <stdlib.h>

#include "engines/redis/list_errand.h"
#include "engines/redis/session.h"
#include "engines/redis/topology.h"

enum { FREE_TASKS_MAX = 1024 };

/* ---- Lists and memory ---- */

void redis_task_list_append(struct redis_task_list *list, struct redis_task *task)
{
    task->next = NULL;
    task->prev = list->tail;
    *(list->tail ? &list->tail->next : &list->head) = task;
    list->tail = task;
    list->count++;
}

void redis_task_list_remove(struct redis_task_list *list, struct redis_task *task)
{
    *(task->prev ? &task->prev->next : &list->head) = task->next;
    *(task->next ? &task->next->prev : &list->tail) = task->prev;
    task->next = task->prev = NULL;
    list->count--;
}

struct redis_task *redis_task_create(struct redis_session *session)
{
    struct redis_task *task = session->free_tasks;

    if (task) {
        session->free_tasks = task->next;
        session->free_count--;
    } else {
        task = malloc(sizeof *task);
    }
    if (task)
        *task = (struct redis_task){ .session = session, .ordered = session->ordered };
    return task;
}

void redis_task_free(struct redis_task *task)
{
    struct redis_session *session = task->session;

    if (session->free_count >= FREE_TASKS_MAX) {
        free(task);
        return;
    }
    task->next = session->free_tasks;
    session->free_tasks = task;
    session->free_count++;
}

/* ---- On the way ---- */

static void arm_again(struct redis_session *session, uint64_t at_ns)
{
    if (session->again_ns != 0 && session->again_ns <= at_ns)
        return;
    session->again_ns = at_ns;
    loop_timer_at(session->again_timer, at_ns);
}

static void enqueue(struct redis_task *task)
{
    task->waiting = true;
    task->link = NULL;
    redis_task_list_append(&task->session->waiting, task);
}

static enum engine_status wait_or_refuse(struct redis_task *task, const char **detail)
{
    if (task->session->waiting.count >= SESSION_WAITING_MAX) {
        *detail = "too many operations wait for redis";
        return ENGINE_BUSY;
    }
    enqueue(task);
    return ENGINE_STATUSES;
}

static enum engine_status send_to(struct redis_task *task, struct redis_link *link, const char **detail)
{
    if (!redis_link_has_room(link)) {
        *detail = "too many operations in flight to redis";
        return ENGINE_BUSY;
    }
    task->link = link;
    if (task->writes && task->session->config->wait_replicas > 0 &&
        !redis_confirm_join(task, &task->node->unconfirmed[link - task->node->links])) {
        *detail = "out of memory";
        return ENGINE_BUSY;
    }
    if (redis_command_send(task, link))
        return ENGINE_STATUSES;
    *detail = "the name is too long";
    return ENGINE_FAILED;
}

enum engine_status redis_task_start(struct redis_task *task, const char **detail)
{
    struct redis_session *session = task->session;
    enum engine_status status = ENGINE_STATUSES;
    struct redis_link *link;

    if (!task->redirected)
        task->node = session->topology->route(session, task->bucket, &status, detail);
    if (!task->node)
        return status == ENGINE_STATUSES ? wait_or_refuse(task, detail) : status;
    if (task->not_before_ns > loop_now(session->base.loop)) {
        arm_again(session, task->not_before_ns);
        enqueue(task);
        return ENGINE_STATUSES;
    }
    link = task->ordered ? redis_node_ordered_link(task->node) : redis_node_link(task->node, task->writes);
    if (link)
        return send_to(task, link, detail);
    if (redis_node_is_ready(task->node)) {
        *detail = "too many operations in flight to redis";
        return ENGINE_BUSY;
    }
    if (redis_breaker_state(task->node->breaker) == BREAKER_DOWN) {
        *detail = atomic_load(&task->node->breaker->reason);
        return (enum engine_status)atomic_load(&task->node->breaker->status);
    }
    return wait_or_refuse(task, detail);
}

void redis_task_finish(struct redis_task *task, enum engine_status status, const char *detail)
{
    struct redis_session *session = task->session;
    struct redis_flush *flush = task->flush;
    struct engine_op *op = task->op;

    if (task->gather) {
        redis_gather_finish(task, status, detail);
        return;
    }
    redis_task_free(task);
    if (!op)
        return;
    if (flush) {
        redis_flush_part_done(flush, session, op, status, detail);
        return;
    }
    if (op->verb == ENGINE_LIST || op->verb == ENGINE_NAMESPACES) {
        redis_errand_end(op, status, detail);
        return;
    }
    op->status = status;
    op->detail = detail;
    if (op->verb == ENGINE_FLUSH && op->tag.len == 0 && status == ENGINE_OK)
        redis_sweep_start(session, op->ns);
    engine_complete(&session->base, op);
}

void redis_task_again(struct redis_task *task, uint64_t not_before_ns)
{
    struct redis_session *session = task->session;

    if (session->base.detaching) {
        redis_task_finish(task, ENGINE_UNAVAILABLE, "shutting down");
        return;
    }
    /* Over the bound, but not new: it was admitted once. */
    task->not_before_ns = not_before_ns;
    enqueue(task);
    if (not_before_ns != 0)
        arm_again(session, not_before_ns);
    else
        session->roused = true;
}

enum engine_status redis_task_cancel(struct redis_task *task)
{
    bool retried = task->retried;

    if (task->waiting) {
        redis_task_list_remove(&task->session->waiting, task);
        redis_task_free(task);
        return retried ? ENGINE_LATE : ENGINE_BUSY;
    }
    if (task->held) {
        redis_confirm_release(task);
        redis_task_free(task);
        return ENGINE_LATE;
    }
    task->op = NULL; /* its reply is dropped when it comes */
    redis_link_suspect(task->link, &task->call);
    return ENGINE_LATE;
}

void redis_tasks_rouse(struct redis_session *session)
{
    /* Those that must go on waiting come back at the end of the list. */
    size_t count = session->waiting.count;

    session->roused = false;
    while (count-- > 0 && session->waiting.head) {
        struct redis_task *task = session->waiting.head;
        const char *detail = NULL;
        enum engine_status status;

        redis_task_list_remove(&session->waiting, task);
        task->waiting = false;
        status = session->base.detaching ? ENGINE_UNAVAILABLE : redis_task_start(task, &detail);
        if (status != ENGINE_STATUSES)
            redis_task_finish(task, status, detail);
    }
}
