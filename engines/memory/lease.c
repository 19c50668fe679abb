/* lease.c - leases: at most one reader of a key has the right to refill it.
 *
 * Where a stale entry stands, its lease is in the entry's side block. Where
 * nothing stands it is in a marker, which goes with the lease's time, with the
 * key's next write, delete or flush, or by eviction. */
#include "engines/memory/ops.h"
#include "engines/memory/store.h"

/* `extra` is of what stands: its lease, if it is out, or a new one. */
static void offer_lease(struct extra *extra, struct engine_op *op)
{
    if (extra->lease != 0 && extra->lease_until > op->now_ns) {
        op->lease = ENGINE_LEASE_HELD;
        op->lease_left_ms = time_left_ms(extra->lease_until, op->now_ns);
        return;
    }
    extra->lease = op->lease_token;
    extra->lease_until = time_after(op->now_ns, op->lease_ms);
    op->lease = ENGINE_LEASE_WON;
}

static bool add_marker(struct attempt *attempt)
{
    struct engine_op *op = attempt->op;
    struct content content = { .used_at = store_clock(attempt->store),
                               .now = op->now_ns,
                               .ttl_ms = op->lease_ms,
                               .idle_ms = ENGINE_NO_IDLE,
                               .lease = op->lease_token };

    attempt->room.need = sizeof(struct entry) + sizeof(struct extra) + attempt->name.key.len;
    if (!draft_prepare_locked(&attempt->draft, attempt->shard, &attempt->name, NULL, &content))
        return false;
    (void)draft_commit_locked(&attempt->draft, attempt->shard, &attempt->name, NULL, &content);
    op->lease = ENGINE_LEASE_WON;
    return true;
}

static bool try_leased(struct attempt *attempt)
{
    struct engine_op *op = attempt->op;
    struct entry *entry = shard_find_locked(attempt->shard, &attempt->name, op->now_ns, &attempt->garbage);

    op->status = ENGINE_MISS;
    if (!entry)
        return add_marker(attempt);
    if (entry->value)
        entry_read_locked(attempt->store, attempt->shard, entry, op);
    if (!entry->value || op->entry.stale)
        offer_lease(entry->extra, op);
    return true;
}

void store_get_leased(struct store *store, struct engine_op *op, const struct entry_name *name)
{
    struct attempt attempt = { .name = *name };

    store_try(store, store_shard_of(store, name->hash), op, &attempt, try_leased);
    /* Without room for a marker nobody wins; the read is what it is. */
    if (op->status == ENGINE_FULL) {
        op->status = ENGINE_MISS;
        op->detail = NULL;
    }
}
