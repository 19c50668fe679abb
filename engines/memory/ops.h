/* ops.h - what the operations of the store have in common.
 *
 * Private to the store; the lock protocol is at the head of store.c. */
#pragma once

#include "engines/memory/draft.h"
#include "engines/memory/room.h"
#include "engines/memory/store.h"

/* Fills in the name that `op` is about. False: op is answered, it is too long. */
bool store_name(const struct store *store, struct engine_op *op, struct entry_name *name) MUST_CHECK;

struct shard *store_shard_of(const struct store *store, uint64_t hash);

/* The logical time of a read. */
static inline uint64_t store_clock(struct store *store)
{
    return atomic_load_explicit(&store->versions, memory_order_relaxed);
}

/* A new version, which is the logical time of its write. */
static inline uint64_t store_next_version(struct store *store)
{
    return atomic_fetch_add_explicit(&store->versions, 1, memory_order_relaxed) + 1;
}

/* Fills in op->entry, but for the value. */
void entry_describe(const struct entry *entry, struct engine_op *op);

/* Answers a GET with the entry that stands: its use, its description, a
 * reference to its value. The shard's lock is held. */
void entry_read_locked(struct store *store, struct shard *shard, struct entry *entry, struct engine_op *op);

/* What a write is judged against. */
struct standing {
    engine_version version; /* 0: nothing stands */
    uint64_t fence;
    uint64_t lease; /* the token that is out; 0: none */
};

struct standing entry_standing(const struct entry *entry, uint64_t now); /* NULL: nothing */

/* True: op is answered with MISMATCH, and its fence or lease (PUT) likewise
 * with FENCED or VOID. */
bool op_is_refused(struct engine_op *op, const struct standing *standing);

/* True: op, a PUT, can never be done and is answered. */
bool op_is_impossible(struct engine_op *op);

/* What a PUT is to leave, but for the version and its logical time. */
void content_of_put(const struct engine_op *op, const struct standing *standing, struct content *content);

/* One try of a write, under the lock; false: it needs `room->need` bytes, and
 * nothing has changed. */
struct attempt {
    struct store *store;
    struct shard *shard;
    struct entry_name name;
    struct engine_op *op;
    struct room room;
    struct garbage garbage;
    struct draft draft;
    bool over_quota;     /* PUT: the namespace is beyond its bounds */
    uint64_t epoch;      /* of the namespace's record */
    const void *context; /* the try_fn's */
};
typedef bool try_fn(struct attempt *attempt);

/* Tries under the shard's lock, and makes room in between; in the end op is
 * answered, with ENGINE_FULL if need be. */
void store_try(struct store *store, struct shard *shard, struct engine_op *op, struct attempt *attempt, try_fn *try);

/* Answers with ENGINE_FULL. */
void op_is_full(struct engine_op *op);

/* A GET that asks for a lease (lease.c). */
void store_get_leased(struct store *store, struct engine_op *op, const struct entry_name *name);

/* ---- A namespace's bounds (quota.c) ---- */

bool quota_is_passed(const struct engine_put *put, uint64_t entries, uint64_t bytes);

/* Whether the namespace of an entry that was just written is beyond the bounds
 * of its PUT; under the shard's lock. */
static inline bool quota_is_passed_by(const struct entry *entry, const struct engine_put *put)
{
    const struct tally *tally = entry->space->tally;

    return put && tally &&
           quota_is_passed(put, atomic_load_explicit(&tally->entries, memory_order_relaxed),
                           atomic_load_explicit(&tally->bytes, memory_order_relaxed));
}

/* Makes the debt of `op`, a PUT that has just written into a namespace which
 * is now beyond its bounds; `epoch` is that of the namespace's record. */
void quota_owe(struct quota_debt *quota, const struct engine_op *op, const struct entry_name *name, uint64_t epoch);
