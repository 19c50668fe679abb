#include "engines/memory/table.h"

/* Buckets are merged when fewer nodes than a fourth of them are left. */
#define SPARSE 4

void table_init(struct table *table, struct budget *budget)
{
    *table = (struct table){ .buckets = 0 };
    segments_init(&table->segments, budget, sizeof(struct table_node *));
}

void table_release(struct table *table)
{
    segments_release(&table->segments);
    table->buckets = table->count = 0;
}

static struct table_node **bucket_at(const struct table *table, size_t index)
{
    return segments_at(&table->segments, index);
}

static struct table_node **bucket_of(const struct table *table, uint64_t hash)
{
    size_t index = hash & (table->low_mask << 1 | 1);

    return bucket_at(table, index < table->buckets ? index : index & table->low_mask);
}

bool table_reserve(struct table *table)
{
    if (table->buckets > 0)
        return true;
    if (!segments_reserve(&table->segments, SEGMENT_LENGTH))
        return false;
    table->buckets = SEGMENT_LENGTH;
    table->low_mask = SEGMENT_LENGTH - 1;
    return true;
}

/* Moves what belongs there into one new bucket. */
static void split_bucket(struct table *table)
{
    size_t added = table->buckets;
    size_t mask = table->low_mask << 1 | 1;
    struct table_node **from = bucket_at(table, added & table->low_mask);
    struct table_node **to = bucket_at(table, added);

    while (*from) {
        struct table_node *node = *from;
        if ((node->hash & mask) == added) {
            *from = node->next;
            *to = node;
            to = &node->next;
        } else {
            from = &node->next;
        }
    }
    *to = NULL;
    table->buckets++;
    if (table->buckets == mask + 1)
        table->low_mask = mask;
}

static void merge_bucket(struct table *table)
{
    size_t last = table->buckets - 1;
    struct table_node **into;

    if (last == table->low_mask)
        table->low_mask >>= 1;
    into = bucket_at(table, last & table->low_mask);
    while (*into)
        into = &(*into)->next;
    *into = *bucket_at(table, last);
    *bucket_at(table, last) = NULL;
    table->buckets--;
    segments_trim(&table->segments, table->buckets);
}

void table_insert(struct table *table, struct table_node *node)
{
    struct table_node **bucket;

    if (table->count >= table->buckets && segments_reserve(&table->segments, table->buckets + 1))
        split_bucket(table);
    bucket = bucket_of(table, node->hash);
    node->next = *bucket;
    *bucket = node;
    table->count++;
}

void table_remove(struct table *table, struct table_node *node)
{
    struct table_node **link = bucket_of(table, node->hash);

    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    table->count--;
    for (int i = 0; i < TABLE_MERGES; i++)
        if (table->buckets > SEGMENT_LENGTH && table->count < table->buckets / SPARSE)
            merge_bucket(table);
}

static struct table_node *skip_to(struct table_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct table_node *table_first(const struct table *table, uint64_t hash)
{
    return table->buckets > 0 ? skip_to(*bucket_of(table, hash), hash) : NULL;
}

struct table_node *table_next(const struct table_node *node)
{
    return skip_to(node->next, node->hash);
}

void table_each(const struct table *table, void (*fn)(struct table_node *node, void *context), void *context)
{
    for (size_t i = 0; i < table->buckets; i++) {
        struct table_node *next;
        for (struct table_node *node = *bucket_at(table, i); node; node = next) {
            next = node->next;
            fn(node, context);
        }
    }
}
