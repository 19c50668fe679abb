/* confirm.c - WAIT: writes that count only when replicas have them.
 *
 * One WAIT follows all writes that a turn of the loop sent over a link; it
 * confirms each of them, since Redis waits for the connection's last write.
 * A write whose own reply was good is held here until then. */
#include <stdlib.h>

#include "engines/redis/hiredis_compat.h"
#include "engines/redis/session.h"

struct redis_confirm {
    struct redis_call call; /* first; of the WAIT */
    unsigned wanted;
    struct redis_task_list held; /* answered, not confirmed */
};

static void on_wait(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    struct redis_confirm *confirm = (struct redis_confirm *)(void *)call;
    bool confirmed = false;
    const char *detail = "the connection to redis was lost before replicas confirmed the write";
    enum engine_status status = ENGINE_FAILED;

    if (end == CALL_REPLIED) {
        confirmed = reply->type == REDIS_REPLY_INTEGER && reply->integer >= (long long)confirm->wanted;
        detail = "too few replicas confirmed the write in time";
        status = ENGINE_LATE;
    }
    while (confirm->held.head) {
        struct redis_task *task = confirm->held.head;
        redis_task_list_remove(&confirm->held, task);
        task->confirm = NULL;
        if (confirmed)
            redis_task_finish(task, task->answer, NULL);
        else
            redis_task_finish(task, status, detail);
    }
    free(confirm);
}

bool redis_confirm_join(struct redis_task *task, struct redis_confirm **open)
{
    if (!*open) {
        *open = calloc(1, sizeof **open);
        if (!*open)
            return false;
        (*open)->wanted = task->session->config->wait_replicas;
    }
    task->confirm = *open;
    return true;
}

void redis_confirm_seal(struct redis_confirm **open, struct redis_link *link)
{
    struct redis_confirm *confirm = *open;

    if (!confirm)
        return;
    *open = NULL;
    redis_link_push(link, &confirm->call, on_wait);
    redis_outbox_command(&link->outbox, 3);
    redis_outbox_bulk(&link->outbox, BYTES("WAIT"));
    redis_outbox_bulk_number(&link->outbox, confirm->wanted);
    redis_outbox_bulk_number(&link->outbox, (int64_t)link->config->wait_timeout_ms);
}

void redis_confirm_abandon(struct redis_confirm **open)
{
    free(*open);
    *open = NULL;
}

void redis_confirm_hold(struct redis_task *task, enum engine_status answer)
{
    task->answer = answer;
    task->held = true;
    redis_task_list_append(&task->confirm->held, task);
}

void redis_confirm_release(struct redis_task *task)
{
    task->held = false;
    redis_task_list_remove(&task->confirm->held, task);
}
