/* cells.c - counters, limits and locks: small records in a table of their own.
 *
 * What a step does is in engines/primitives; here it is made atomic by the
 * shard's lock. No flush reaches a cell and no eviction; it goes when it is
 * removed or its time is over. Cells live by wall time: the store's monotonic
 * time plus the difference of the two clocks when the store was made, so that
 * a clock that is set neither ends nor extends them. */
#include "engines/memory/store.h"

#include "engines/memory/names.h"
#include "engines/memory/ops.h"
#include "engines/primitives/cell.h"

#define CELL_OF_NODE(n) LIST_OWNER(n, struct cell_record, node)
#define CELL_NAME_MAX (2 + STORE_NAMESPACE_MAX + STORE_KEY_MAX)
/* Room for the bytes is rounded up, so that most growth is in place. */
#define CELL_STEP 16

struct cell_record {
    struct table_node node;    /* in shard->cells */
    struct expiry_node expiry; /* in shard->cell_expiry, if it expires */
    uint64_t expires_ms;
    uint16_t name_len;
    uint16_t len, room;   /* of the bytes */
    unsigned char text[]; /* the name, the bytes */
};

struct cell_name {
    uint64_t hash;
    size_t len;
    unsigned char text[CELL_NAME_MAX]; /* kind, length of the namespace, namespace, key */
};

/* ---- Records ---- */

static void name_cell(const struct store *store, const struct engine_op *op, struct cell_name *name)
{
    name->text[0] = (unsigned char)cell_kind_of(op->verb);
    name->text[1] = (unsigned char)op->ns.len;
    if (op->ns.len > 0)
        memcpy(name->text + 2, op->ns.ptr, op->ns.len);
    if (op->key.len > 0)
        memcpy(name->text + 2 + op->ns.len, op->key.ptr, op->key.len);
    name->len = 2 + op->ns.len + op->key.len;
    name->hash = name_hash(store->hash_key, name->text, name->len);
}

static struct cell_record *find_cell(const struct shard *shard, const struct cell_name *name)
{
    struct table_node *node;

    for (node = table_first(&shard->cells, name->hash); node; node = table_next(node)) {
        struct cell_record *record = CELL_OF_NODE(node);
        if (record->name_len == name->len && memcmp(record->text, name->text, name->len) == 0)
            return record;
    }
    return NULL;
}

static void remove_cell(struct shard *shard, struct cell_record *record)
{
    table_remove(&shard->cells, &record->node);
    expiry_remove(&shard->cell_expiry, &record->expiry);
    budget_free(shard->budget, record);
}

static struct cell_record *make_cell(struct shard *shard, const struct cell_name *name, size_t len)
{
    size_t room = (len + CELL_STEP - 1) / CELL_STEP * CELL_STEP;
    struct cell_record *record;

    if (!table_reserve(&shard->cells))
        return NULL;
    record = budget_alloc(shard->budget, sizeof *record + name->len + room);
    if (!record)
        return NULL;
    record->node.hash = name->hash;
    record->expiry.place = 0;
    record->name_len = (uint16_t)name->len;
    record->room = (uint16_t)room;
    memcpy(record->text, name->text, name->len);
    return record;
}

/* The monotonic time of a moment of wall time; moments before the store's
 * monotonic zero are that zero. */
static uint64_t monotonic_of(const struct store *store, uint64_t epoch_ms)
{
    uint64_t ns = epoch_ms > NEVER / NS_PER_MS ? NEVER - 1 : epoch_ms * NS_PER_MS;

    return ns > store->epoch_offset_ns ? ns - store->epoch_offset_ns : 0;
}

static void fill_cell(struct store *store, struct shard *shard, struct cell_record *record, const struct cell *cell)
{
    memcpy(record->text + record->name_len, cell->bytes, cell->len);
    record->len = (uint16_t)cell->len;
    record->expires_ms = cell->expires_ms;
    if (cell->expires_ms == 0)
        expiry_remove(&shard->cell_expiry, &record->expiry);
    else
        expiry_set(&shard->cell_expiry, &record->expiry, monotonic_of(store, cell->expires_ms));
}

/* False: no room, and the old record stands. */
static bool store_cell(struct attempt *attempt, struct cell_record *old, const struct cell_name *name,
                       const struct cell *cell)
{
    struct shard *shard = attempt->shard;
    struct cell_record *record = old;
    bool fits = old && old->room >= cell->len;
    bool has_place = fits && old->expiry.place != 0;

    attempt->room.need = sizeof *record + name->len + cell->len;
    /* What needs no more than it has is never refused, however full it is. */
    if (cell->expires_ms != 0 && !has_place && !expiry_reserve(&shard->cell_expiry))
        return false;
    if (!fits) {
        record = make_cell(shard, name, cell->len);
        if (!record)
            return false;
        /* One segment of the heap always stays, so the place that was reserved
         * does too. */
        if (old)
            remove_cell(shard, old);
        table_insert(&shard->cells, &record->node);
    }
    fill_cell(attempt->store, shard, record, cell);
    return true;
}

/* ---- Steps ---- */

/* What a step reads and writes in the op, kept for another try. */
union cell_terms {
    struct engine_counter counter;
    struct engine_rate rate;
    struct engine_lock lock;
};

static void *terms_of(struct engine_op *op, size_t *size)
{
    switch (cell_kind_of(op->verb)) {
    case CELL_LIMIT:
        *size = sizeof *op->rate;
        return op->rate;
    case CELL_LOCK:
        *size = sizeof *op->lock;
        return op->lock;
    default:
        *size = sizeof *op->counter;
        return op->counter;
    }
}

static bool try_cell(struct attempt *attempt)
{
    struct store *store = attempt->store;
    struct engine_op *op = attempt->op;
    uint64_t now_us = (store->epoch_offset_ns + op->now_ns) / NS_PER_US;
    const struct cell_name *name = attempt->context;
    struct cell_record *record = find_cell(attempt->shard, name);
    union cell_terms before;
    struct cell cell;
    size_t size;
    void *terms = terms_of(op, &size);

    cell.len = record ? record->len : 0;
    cell.expires_ms = record ? record->expires_ms : 0;
    if (record)
        memcpy(cell.bytes, record->text + record->name_len, record->len);
    if (terms)
        memcpy(&before, terms, size);
    switch (cell_apply(op, &cell, now_us)) {
    case CELL_STORE:
        if (store_cell(attempt, record, name, &cell))
            break;
        if (terms)
            memcpy(terms, &before, size);
        return false;
    case CELL_REMOVE:
        if (record)
            remove_cell(attempt->shard, record);
        break;
    default:
        break;
    }
    return true;
}

void store_step_cell(struct store *store, struct engine_op *op)
{
    struct cell_name name;
    struct attempt attempt = { .context = &name };

    if (op->ns.len > STORE_NAMESPACE_MAX || op->key.len > STORE_KEY_MAX) {
        op->detail = "the name is too long";
        return;
    }
    name_cell(store, op, &name);
    store_try(store, store_shard_of(store, name.hash), op, &attempt, try_cell);
}

/* ---- Collecting, freeing, checking ---- */

bool cells_collect_locked(struct shard *shard, uint64_t now)
{
    struct expiry_node *node;
    uint64_t due;

    node = expiry_first(&shard->cell_expiry, &due);
    if (!node || due > now)
        return false;
    remove_cell(shard, LIST_OWNER(node, struct cell_record, expiry));
    return true;
}

static void free_cell(struct table_node *node, void *context)
{
    struct budget *budget = context;

    budget_free(budget, CELL_OF_NODE(node));
}

void cells_free_all(struct shard *shard)
{
    table_each(&shard->cells, free_cell, shard->budget);
}

struct cells_seen {
    const struct shard *shard;
    size_t count, expiring, bytes;
    bool wrong;
};

static void see_cell(struct table_node *node, void *context)
{
    struct cell_record *record = CELL_OF_NODE(node);
    struct cells_seen *seen = context;

    seen->count++;
    seen->expiring += record->expiry.place != 0;
    seen->bytes += budget_footprint(record);
    if ((record->expires_ms != 0) != (record->expiry.place != 0) || record->len > record->room)
        seen->wrong = true;
}

const char *cells_check_locked(struct shard *shard, size_t *bytes)
{
    struct cells_seen seen = { .shard = shard };

    table_each(&shard->cells, see_cell, &seen);
    *bytes += seen.bytes;
    if (seen.wrong)
        return "a cell that expires is not in the heap, or one that does not is";
    if (seen.count != shard->cells.count)
        return "the table of cells is miscounted";
    if (seen.expiring != shard->cell_expiry.count)
        return "the heap of cells holds what is none";
    return NULL;
}
