/* listing.c - pages of keys, and of namespaces.
 *
 * Keys: shard after shard, and in each from the highest place of the
 * namespace's vector down to the first, so that a key that stands all the
 * while is met (see vector.h); one that was met may be met again when others
 * have been removed. The cursor says shard, place, and which record of the
 * namespace the place is in: another record is walked from its top, for
 * nothing in it stood when the earlier one was walked.
 *
 * Namespaces: in the order of their names; the cursor is the last one.
 *
 * Threading: one shard's lock, or that of the tallies, for some hundred steps
 * at a time. */
#include "engines/memory/store.h"

#include <stdlib.h>

#include "engines/memory/ops.h"
#include "engines/page.h"

/* Entries that one page looks at, and under one hold of a lock. */
#define LIST_WORK 10000
#define LIST_CHUNK 256

/* ---- Keys ---- */

#define KEYS_MARK 'k'

struct keys_cursor {
    uint32_t shard;
    uint64_t space; /* its id */
    uint64_t place; /* all from here on was met; UINT64_MAX: nothing was */
};

#define KEYS_CURSOR_BYTES (1 + sizeof(uint32_t) + 2 * sizeof(uint64_t))

static size_t write_keys_cursor(const struct keys_cursor *cursor, char *to)
{
    to[0] = KEYS_MARK;
    memcpy(to + 1, &cursor->shard, sizeof cursor->shard);
    memcpy(to + 1 + sizeof cursor->shard, &cursor->space, sizeof cursor->space);
    memcpy(to + 1 + sizeof cursor->shard + sizeof cursor->space, &cursor->place, sizeof cursor->place);
    return KEYS_CURSOR_BYTES;
}

/* False: it cannot be one. */
static bool read_keys_cursor(const struct store *store, struct bytes from, struct keys_cursor *cursor)
{
    *cursor = (struct keys_cursor){ .place = UINT64_MAX };
    if (from.len == 0)
        return true;
    if (from.len != KEYS_CURSOR_BYTES || from.ptr[0] != KEYS_MARK)
        return false;
    memcpy(&cursor->shard, from.ptr + 1, sizeof cursor->shard);
    memcpy(&cursor->space, from.ptr + 1 + sizeof cursor->shard, sizeof cursor->space);
    memcpy(&cursor->place, from.ptr + 1 + sizeof cursor->shard + sizeof cursor->space, sizeof cursor->place);
    return cursor->shard < store->shard_count;
}

static void list_entry(const struct shard *shard, const struct entry *entry, const struct engine_op *op,
                       struct page_builder *builder)
{
    struct engine_op view = { .now_ns = op->now_ns };
    struct engine_listed item = { .key = bytes_of(entry->key, entry->key_len) };

    if (!bytes_starts_with(item.key, op->listing->prefix))
        return;
    if (entry->value && entry->due_ns > op->now_ns && entry_stands(shard, entry)) {
        entry_describe(entry, &view);
        item.bytes = view.entry.bytes;
        item.ttl_ms = view.entry.ttl_ms;
    } else if (!op->listing->with_leases) {
        return;
    }
    page_builder_add(builder, &item);
}

/* Some steps in the cursor's shard; at its end the cursor goes to the next. */
static void list_some(struct shard *shard, const struct entry_name *name, const struct engine_op *op,
                      struct keys_cursor *cursor, struct page_builder *builder, size_t *work)
{
    struct space *space;
    unsigned steps = 0;

    shard_lock(shard);
    space = space_find_locked(shard, name->ns, name->ns_hash);
    if (space && (cursor->space != space->id || cursor->place > space->entries.count)) {
        cursor->space = space->id;
        cursor->place = space->entries.count;
    }
    while (space && cursor->place > 0 && steps < LIST_CHUNK && builder->count < op->listing->limit) {
        list_entry(shard, vector_at(&space->entries, --cursor->place), op, builder);
        steps++;
    }
    if (!space || cursor->place == 0)
        *cursor = (struct keys_cursor){ .shard = cursor->shard + 1, .place = UINT64_MAX };
    pthread_mutex_unlock(&shard->lock);
    *work -= steps + 1 < *work ? steps + 1 : *work;
}

static void answer_page(struct engine_op *op, struct page_builder *builder, struct bytes cursor)
{
    op->listing->page = page_builder_finish(builder, cursor);
    op->status = op->listing->page ? ENGINE_OK : ENGINE_FAILED;
    if (!op->listing->page)
        op->detail = "out of memory";
}

void store_list(struct store *store, struct engine_op *op)
{
    char text[KEYS_CURSOR_BYTES];
    struct page_builder builder;
    struct keys_cursor cursor;
    struct entry_name name;
    size_t work = LIST_WORK;

    if (!store_name(store, op, &name))
        return;
    if (!read_keys_cursor(store, op->listing->cursor, &cursor)) {
        op->status = ENGINE_MISMATCH;
        return;
    }
    page_builder_init(&builder);
    while (cursor.shard < store->shard_count && work > 0 && builder.count < op->listing->limit && !builder.failed)
        list_some(&store->shards[cursor.shard], &name, op, &cursor, &builder, &work);
    if (cursor.shard < store->shard_count)
        answer_page(op, &builder, bytes_of(text, write_keys_cursor(&cursor, text)));
    else
        answer_page(op, &builder, BYTES_NONE);
}

/* ---- Namespaces ---- */

#define NAMES_MARK 'n'
/* Longer names than a cursor can hold are not listed; the service's are shorter. */
#define LISTED_NAME_MAX (ENGINE_CURSOR_MAX - 1)

struct named {
    uint64_t entries, bytes;
    uint8_t len;
    char name[LISTED_NAME_MAX];
};

/* The first `room` names after `after`, in order. */
struct names {
    struct bytes after;
    uint64_t epoch;
    size_t count, room;
    bool more;
    struct named **sorted; /* into `block` */
    struct named *block;
};

static int compare_names(struct bytes a, struct bytes b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter > 0 ? memcmp(a.ptr, b.ptr, shorter) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static struct bytes name_of(const struct named *named)
{
    return bytes_of(named->name, named->len);
}

/* The place of the first name that is not before `name`. */
static size_t find_place(const struct names *names, struct bytes name)
{
    size_t low = 0, high = names->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_names(name_of(names->sorted[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void see_tally(const struct tally *tally, void *context)
{
    struct names *names = context;
    struct bytes name = bytes_of(tally->name, tally->name_len);
    uint64_t entries = atomic_load_explicit(&tally->entries, memory_order_relaxed);
    struct named *named;
    size_t place;

    if (tally->epoch != names->epoch || entries == 0 || name.len > LISTED_NAME_MAX ||
        (names->after.ptr && compare_names(name, names->after) <= 0))
        return;
    place = find_place(names, name);
    if (place < names->count && bytes_equal(name_of(names->sorted[place]), name))
        return;
    if (names->count == names->room) {
        names->more = true;
        if (place == names->count)
            return;
        named = names->sorted[--names->count]; /* the last one makes room */
    } else {
        named = &names->block[names->count];
    }
    memmove(names->sorted + place + 1, names->sorted + place, (names->count - place) * sizeof *names->sorted);
    named->entries = entries;
    named->bytes = atomic_load_explicit(&tally->bytes, memory_order_relaxed);
    named->len = (uint8_t)name.len;
    if (name.len > 0)
        memcpy(named->name, name.ptr, name.len);
    names->sorted[place] = named;
    names->count++;
}

static void answer_names(struct engine_op *op, const struct names *names)
{
    char text[ENGINE_CURSOR_MAX];
    struct bytes cursor = BYTES_NONE;
    struct page_builder builder;

    page_builder_init(&builder);
    for (size_t i = 0; i < names->count; i++) {
        const struct named *named = names->sorted[i];
        struct engine_listed item = { .key = name_of(named),
                                      .entries = named->entries,
                                      .bytes = (size_t)named->bytes,
                                      .ttl_ms = ENGINE_NO_EXPIRY };
        page_builder_add(&builder, &item);
    }
    if (names->more) {
        struct bytes last = name_of(names->sorted[names->count - 1]);
        text[0] = NAMES_MARK;
        memcpy(text + 1, last.ptr, last.len);
        cursor = bytes_of(text, 1 + last.len);
    }
    answer_page(op, &builder, cursor);
}

static void list_all_names(struct store *store, struct engine_op *op)
{
    struct bytes cursor = op->listing->cursor;
    struct names names = { .epoch = atomic_load(&store->flushes), .room = op->listing->limit };
    size_t place = SIZE_MAX;

    if (cursor.len > ENGINE_CURSOR_MAX || (cursor.len > 0 && cursor.ptr[0] != NAMES_MARK)) {
        op->status = ENGINE_MISMATCH;
        return;
    }
    if (cursor.len > 0)
        names.after = bytes_of(cursor.ptr + 1, cursor.len - 1);
    names.block = malloc(names.room * sizeof *names.block);
    names.sorted = malloc((names.room + 1) * sizeof *names.sorted);
    if (names.block && names.sorted) {
        while (tallies_walk(&store->tallies, &place, see_tally, &names))
            continue;
        answer_names(op, &names);
    } else {
        op->detail = "out of memory";
    }
    free(names.block);
    free(names.sorted);
}

void store_namespaces(struct store *store, struct engine_op *op)
{
    struct page_builder builder;
    struct engine_listed item = { .key = op->ns, .ttl_ms = ENGINE_NO_EXPIRY };
    struct entry_name name;
    uint64_t bytes;

    if (op->ns.len == 0) {
        list_all_names(store, op);
        return;
    }
    if (!store_name(store, op, &name))
        return;
    tallies_find(&store->tallies, name.ns, name.ns_hash, atomic_load(&store->flushes), &item.entries, &bytes);
    item.bytes = (size_t)bytes;
    page_builder_init(&builder);
    page_builder_add(&builder, &item);
    answer_page(op, &builder, BYTES_NONE);
}
