#include "engines/memory/tally.h"

#include "engines/memory/list.h"

#define TALLY_OF_NODE(n) LIST_OWNER(n, struct tally, node)
/* Records that are seen under one hold of the lock. */
#define WALK_CHUNK 512

bool tallies_init(struct tallies *tallies, struct budget *budget)
{
    tallies->budget = budget;
    table_init(&tallies->table, budget);
    vector_init(&tallies->all, budget);
    return pthread_mutex_init(&tallies->lock, NULL) == 0;
}

void tallies_release(struct tallies *tallies)
{
    table_release(&tallies->table);
    vector_release(&tallies->all);
    pthread_mutex_destroy(&tallies->lock);
}

static struct tally *find_locked(struct tallies *tallies, struct bytes name, uint64_t hash, uint64_t epoch)
{
    struct table_node *node;

    for (node = table_first(&tallies->table, hash); node; node = table_next(node)) {
        struct tally *tally = TALLY_OF_NODE(node);
        if (tally->epoch == epoch && bytes_equal(bytes_of(tally->name, tally->name_len), name))
            return tally;
    }
    return NULL;
}

static struct tally *make_locked(struct tallies *tallies, struct bytes name, uint64_t hash, uint64_t epoch)
{
    struct tally *tally;

    if (!table_reserve(&tallies->table) || !vector_reserve(&tallies->all))
        return NULL;
    tally = budget_alloc(tallies->budget, sizeof *tally + name.len);
    if (!tally)
        return NULL;
    tally->node.hash = hash;
    tally->epoch = epoch;
    atomic_init(&tally->entries, 0);
    atomic_init(&tally->bytes, 0);
    tally->refs = 0;
    tally->name_len = (uint8_t)name.len;
    if (name.len > 0)
        memcpy(tally->name, name.ptr, name.len);
    tally->place = vector_push(&tallies->all, tally);
    table_insert(&tallies->table, &tally->node);
    return tally;
}

struct tally *tally_get(struct tallies *tallies, struct bytes name, uint64_t hash, uint64_t epoch)
{
    struct tally *tally;

    pthread_mutex_lock(&tallies->lock);
    tally = find_locked(tallies, name, hash, epoch);
    if (!tally)
        tally = make_locked(tallies, name, hash, epoch);
    if (tally)
        tally->refs++;
    pthread_mutex_unlock(&tallies->lock);
    return tally;
}

static void free_locked(struct tallies *tallies, struct tally *tally)
{
    struct tally *moved = vector_take(&tallies->all, tally->place);

    if (moved)
        moved->place = tally->place;
    table_remove(&tallies->table, &tally->node);
    budget_free(tallies->budget, tally);
}

void tally_unref(struct tallies *tallies, struct tally *tally)
{
    if (!tally)
        return;
    pthread_mutex_lock(&tallies->lock);
    if (--tally->refs == 0)
        free_locked(tallies, tally);
    pthread_mutex_unlock(&tallies->lock);
}

void tallies_find(struct tallies *tallies, struct bytes name, uint64_t hash, uint64_t epoch, uint64_t *entries,
                  uint64_t *bytes)
{
    struct tally *tally;

    pthread_mutex_lock(&tallies->lock);
    tally = find_locked(tallies, name, hash, epoch);
    *entries = tally ? atomic_load_explicit(&tally->entries, memory_order_relaxed) : 0;
    *bytes = tally ? atomic_load_explicit(&tally->bytes, memory_order_relaxed) : 0;
    pthread_mutex_unlock(&tallies->lock);
}

bool tallies_walk(struct tallies *tallies, size_t *place, tally_see_fn *see, void *context)
{
    pthread_mutex_lock(&tallies->lock);
    if (*place > tallies->all.count)
        *place = tallies->all.count;
    for (unsigned i = 0; i<WALK_CHUNK && * place> 0; i++)
        see(vector_at(&tallies->all, --*place), context);
    pthread_mutex_unlock(&tallies->lock);
    return *place > 0;
}
