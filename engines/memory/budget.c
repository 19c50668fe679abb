#include "engines/memory/budget.h"

#include <malloc.h>
#include <stdlib.h>

bool budget_take(struct budget *budget, size_t bytes)
{
    size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);

    do {
        if (used > budget->max || bytes > budget->max - used)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&budget->used, &used, used + bytes, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

void budget_give(struct budget *budget, size_t bytes)
{
    atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
}

bool budget_fits(struct budget *budget, size_t bytes)
{
    size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);

    return used <= budget->max && bytes <= budget->max - used;
}

size_t budget_footprint(void *block)
{
    return malloc_usable_size(block) + sizeof(size_t);
}

void *budget_alloc(struct budget *budget, size_t bytes)
{
    void *block = malloc(bytes);

    if (block && !budget_take(budget, budget_footprint(block))) {
        free(block);
        return NULL;
    }
    return block;
}

void budget_free(struct budget *budget, void *block)
{
    if (!block)
        return;
    budget_give(budget, budget_footprint(block));
    free(block);
}
