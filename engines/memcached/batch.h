/* batch.h - what a lane's thread took from the queue and reads in one go.
 *
 *   read.c         the multi-gets
 *   batch.c        the answers of reads, the way home, the order of writes
 *   work.c         stores and their failures, and when to try again
 *   generations.c  making generations; flushes
 *   write.c        writes of entries, leases
 *   cells.c        counters, limits, locks
 *
 * Threading: all of it runs on one of the lane's threads. */
#pragma once

#include "engines/memcached/lane.h"

struct scope {
    struct bytes ns;
    struct item_name name;
    uint64_t generation; /* 0: there is none */
};

/* The names of one multi-get, in order. */
struct wanted {
    unsigned count;
    const char *names[2 * LANE_BATCH_MAX + 1];
    size_t lengths[2 * LANE_BATCH_MAX + 1];
};

struct batch {
    struct worker *worker;
    unsigned count, scope_count;
    uint64_t all_generation;
    struct job *jobs[LANE_BATCH_MAX];
    struct wanted wanted;
    struct scope scopes[LANE_BATCH_MAX];
};

/* ---- read.c ---- */

void batch_init(struct batch *batch, struct worker *worker);
void batch_add(struct batch *batch, struct job *job);

/* Fills in what stands for each job, and the generations. */
enum peer_result batch_read(struct batch *batch) MUST_CHECK;

/* The generations that hold for the job, as they were read. */
struct item_stamp batch_stamp(const struct batch *batch, const struct job *job);

/* The read failed: nothing was changed. */
void batch_answer_failed(const struct lane *lane, struct job *job, enum peer_result result);

/* Reads for a job that is alone; false: the job is answered. */
bool batch_read_again(struct worker *worker, struct job *job, struct item_stamp *stamp) MUST_CHECK;

/* ---- batch.c ---- */

/* Whether what was found was not flushed since it was written, and whether it
 * is an entry besides. */
bool batch_found_holds(const struct job *job, const struct item_stamp *stamp);
bool batch_entry_stands(const struct job *job, const struct item_stamp *stamp, uint64_t now_ms);

/* Answers a GET. False: a sliding entry is to be extended, or a lease taken. */
bool batch_answer_get(struct job *job, const struct item_stamp *stamp, uint64_t now_ms) MUST_CHECK;

/* Fills in entry from what was found or written. */
void job_describe(struct job *job, const struct item *item, size_t bytes, uint64_t now_ms);

/* ---- work.c ---- */

enum progress { ANSWERED, AGAIN };

uint64_t work_now_ms(void);

/* Connected; else the job is answered, and nothing was changed. */
bool work_connect(struct worker *worker, struct job *job) MUST_CHECK;

enum peer_result work_store(struct worker *worker, const struct peer_write *write) MUST_CHECK;

/* Stores over what the job found, with its token, or adds where nothing was.
 * PEER_ABSENT and PEER_EXISTS: another writer was faster. */
enum peer_result work_store_over(struct worker *worker, const struct job *job, struct bytes data,
                                 int64_t expiry) MUST_CHECK;

/* A write that failed may have happened, unless the server said otherwise. */
void work_answer_failure(struct job *job, enum peer_result result);

/* Whether attempt `number`, from 0, is still in time. If not, the job is answered:
 * nothing was changed. */
bool work_may_try(struct job *job, unsigned number) MUST_CHECK;

/* Before attempt `number`: keeps writers that lost a race from meeting again. */
void work_back_off(unsigned number);

/* ---- generations.c ---- */

/* Makes what is missing of the job's generations, its tags' included; true when
 * all are there, else `*progress` says how it ended. */
bool generations_have(struct worker *worker, struct job *job, struct item_stamp *stamp,
                      enum progress *progress) MUST_CHECK;
void generations_flush(struct worker *worker, struct job *job);

/* ---- write.c ---- */

/* Carries out a write, or what a GET leaves to do; `stamp` is what the read found. */
void write_job(struct worker *worker, struct job *job, struct item_stamp stamp);

/* ---- cells.c ---- */

/* Answers a read of a counter or lock. */
void cells_look(struct job *job);

/* Carries out the steps of several jobs on one cell, the first's of which was read. */
void cells_write(struct worker *worker, struct job **jobs, unsigned count);
