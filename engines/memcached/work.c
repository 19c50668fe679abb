/* work.c - what all writes share: stores, their failures, and the patience of
 * those who lose a race. */
#include <sodium.h>
#include <time.h>

#include "engines/memcached/batch.h"
#include "service/base/clock.h"

/* Who has this little time left, and has tried this often, gives up while it
 * can still say that nothing was changed. */
#define GIVE_UP_NS (50 * NS_PER_MS)
#define TRIES_MIN 3
/* A lost race says that another writer won, so the first time it is worth to
 * try at once. */
#define BACK_OFF_FIRST_US 50
#define BACK_OFF_DOUBLINGS 5

uint64_t work_now_ms(void)
{
    return clock_realtime_ns() / NS_PER_MS;
}

bool work_connect(struct worker *worker, struct job *job)
{
    if (worker_connect(worker))
        return true;
    lane_answer(worker->lane, job);
    return false;
}

enum peer_result work_store(struct worker *worker, const struct peer_write *write)
{
    enum peer_result result = peer_store(worker->peer, write);

    worker_note_failure(worker, result);
    return result;
}

enum peer_result work_store_over(struct worker *worker, const struct job *job, struct bytes data, int64_t expiry)
{
    return work_store(worker, &(struct peer_write){
        .verb = job->found.present ? PEER_REPLACE : PEER_ADD,
        .name = bytes_of(job->name.text, job->name.len),
        .data = data,
        .expiry = expiry,
        .cas = job->found.cas,
    });
}

void work_answer_failure(struct job *job, enum peer_result result)
{
    switch (result) {
    case PEER_FULL:
        job_answer(job, ENGINE_FULL, "the memcached server has no memory left and may not evict");
        break;
    case PEER_REFUSED:
        job_answer(job, ENGINE_REFUSED, "the memcached server refuses the credentials");
        break;
    case PEER_SILENT:
        job_answer(job, ENGINE_LATE, "the memcached server does not answer");
        break;
    case PEER_LOST:
        job_answer(job, ENGINE_FAILED, "the connection to the memcached server broke during a write");
        break;
    default:
        job_answer(job, ENGINE_FAILED, "the memcached server answers with errors");
        break;
    }
}

bool work_may_try(struct job *job, unsigned number)
{
    if (number == 0)
        return true;
    if (!job_is_cancelled(job) &&
        (number < TRIES_MIN || clock_monotonic_ns() + GIVE_UP_NS < job->deadline_ns))
        return true;
    job_answer(job, ENGINE_BUSY, "too many writers of this at once: nothing was changed");
    return false;
}

void work_back_off(unsigned number)
{
    unsigned doublings = number < 2 ? 0 : number - 2;
    struct timespec pause = { 0 };

    if (number < 2)
        return;
    doublings = doublings < BACK_OFF_DOUBLINGS ? doublings : BACK_OFF_DOUBLINGS;
    pause.tv_nsec = 1000L * randombytes_uniform(BACK_OFF_FIRST_US << doublings);
    nanosleep(&pause, NULL);
}
