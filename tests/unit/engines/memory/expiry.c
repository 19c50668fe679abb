/* The expiry heap against a plain model. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "engines/memory/expiry.h"

#define NODES 3000

static struct expiry_node nodes[NODES];
static uint64_t due[NODES]; /* 0: not in the heap */
static struct budget budget = { .max = 1 << 20 };
static struct expiry expiry;

static void open_heap(void)
{
    expiry_init(&expiry, &budget);
    srandom(2);
}

static void close_heap(void)
{
    expiry_release(&expiry);
    cr_assert_eq(budget.used, 0, "the budget was not given back");
}

TestSuite(expiry, .init = open_heap, .fini = close_heap);

static void set(size_t i, uint64_t at)
{
    if (due[i] == 0)
        cr_assert(expiry_reserve(&expiry));
    expiry_set(&expiry, &nodes[i], at);
    due[i] = at;
}

static void expect_soonest(void)
{
    uint64_t best = UINT64_MAX, found = UINT64_MAX;
    size_t count = 0;

    for (size_t i = 0; i < NODES; i++) {
        if (due[i] == 0)
            continue;
        count++;
        best = due[i] < best ? due[i] : best;
        cr_assert_eq(expiry_due(&expiry, &nodes[i]), due[i]);
    }
    cr_assert_eq(expiry.count, count);
    cr_assert_eq(expiry_first(&expiry, &found) == NULL, count == 0);
    cr_assert_eq(found, best);
}

Test(expiry, gives_nodes_back_in_the_order_of_their_times)
{
    uint64_t last = 0, at;
    struct expiry_node *node;
    size_t taken = 0;

    for (size_t i = 0; i < NODES; i++)
        set(i, 1 + (uint64_t)random() % 1000);
    while ((node = expiry_first(&expiry, &at))) {
        cr_assert_geq(at, last);
        cr_assert_eq(due[node - nodes], at);
        last = at;
        expiry_remove(&expiry, node);
        cr_assert_eq(node->place, 0);
        taken++;
    }
    cr_assert_eq(taken, NODES);
}

Test(expiry, random_steps_agree_with_the_model)
{
    for (int step = 0; step < 30000; step++) {
        size_t i = (size_t)random() % NODES;
        if (random() % 3) {
            set(i, 1 + (uint64_t)random() % 100000);
        } else {
            expiry_remove(&expiry, &nodes[i]);
            due[i] = 0;
        }
        if (step % 300 == 0)
            expect_soonest();
    }
    expect_soonest();
}

Test(expiry, gives_memory_back_when_it_shrinks)
{
    size_t full;

    for (size_t i = 0; i < NODES; i++)
        set(i, i + 1);
    full = budget.used;
    for (size_t i = 0; i < NODES; i++)
        expiry_remove(&expiry, &nodes[i]);
    cr_assert_lt(budget.used, full / 10);
}

Test(expiry, without_budget_it_says_so_beforehand)
{
    budget.max = 10;
    cr_assert_not(expiry_reserve(&expiry));
    cr_assert_eq(budget.used, 0);
}
