/* The hash table and the segments under it, against a plain model. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "engines/memory/table.h"

#define NODES 5000

static struct table_node nodes[NODES];
static bool present[NODES];
static struct budget budget;
static struct table table;

static void open_table(void)
{
    budget.max = 1 << 20;
    table_init(&table, &budget);
    srandom(1);
}

static void close_table(void)
{
    table_release(&table);
    cr_assert_eq(budget.used, 0, "the budget was not given back");
}

TestSuite(table, .init = open_table, .fini = close_table);

static bool has(const struct table_node *wanted)
{
    struct table_node *node = table_first(&table, wanted->hash);

    while (node && node != wanted)
        node = table_next(node);
    return node == wanted;
}

static void insert(size_t i)
{
    cr_assert(table_reserve(&table));
    table_insert(&table, &nodes[i]);
    present[i] = true;
}

static void expect_model(void)
{
    size_t count = 0;

    for (size_t i = 0; i < NODES; i++) {
        cr_assert_eq(has(&nodes[i]), present[i], "node %zu", i);
        count += present[i];
    }
    cr_assert_eq(table.count, count);
}

/* Hashes that differ in few bits, equal ones among them. */
static void fill(uint64_t mask)
{
    for (size_t i = 0; i < NODES; i++) {
        nodes[i].hash = ((uint64_t)random() << 31 ^ (uint64_t)random()) & mask;
        insert(i);
    }
}

Test(table, an_empty_one_takes_no_memory_and_finds_nothing)
{
    nodes[0].hash = 1;
    cr_assert_not(has(&nodes[0]));
    cr_assert_eq(budget.used, 0);
}

Test(table, finds_every_node_while_it_grows_and_shrinks)
{
    fill(UINT64_MAX);
    expect_model();
    cr_assert_geq(table.buckets, NODES);
    for (size_t round = 0; round < NODES; round++) {
        size_t i = (round * 2654435761u) % NODES;
        if (present[i])
            table_remove(&table, &nodes[i]);
        present[i] = false;
        if (round % 500 == 0)
            expect_model();
    }
    expect_model();
    cr_assert_eq(table.count, 0);
    cr_assert_eq(table.buckets, SEGMENT_LENGTH, "%zu buckets left", table.buckets);
}

Test(table, equal_hashes_are_told_apart)
{
    fill(15);
    expect_model();
    for (size_t i = 0; i < NODES; i += 2) {
        table_remove(&table, &nodes[i]);
        present[i] = false;
    }
    expect_model();
    for (size_t i = 1; i < NODES; i += 2)
        table_remove(&table, &nodes[i]);
}

Test(table, random_steps_agree_with_the_model)
{
    for (size_t i = 0; i < NODES; i++)
        nodes[i].hash = (uint64_t)random() << 31 ^ (uint64_t)random();
    for (int step = 0; step < 60000; step++) {
        /* Phases of growth and of decline. */
        bool grow = random() % 8 < (step / 10000 % 2 ? 2 : 6);
        size_t i = (size_t)random() % NODES;
        if (grow && !present[i]) {
            insert(i);
        } else if (!grow && present[i]) {
            table_remove(&table, &nodes[i]);
            present[i] = false;
        }
        if (step % 5000 == 0)
            expect_model();
    }
    expect_model();
}

Test(table, without_budget_for_growth_the_chains_get_longer)
{
    cr_assert(table_reserve(&table));
    budget.max = budget.used;
    fill(UINT64_MAX);
    expect_model();
    cr_assert_eq(table.buckets, SEGMENT_LENGTH);
    budget.max = 1 << 20;
    for (size_t i = 0; i < NODES; i++)
        table_remove(&table, &nodes[i]);
}

Test(table, without_budget_for_its_first_segment_it_says_so)
{
    budget.max = 10;
    cr_assert_not(table_reserve(&table));
    cr_assert_eq(budget.used, 0);
}
