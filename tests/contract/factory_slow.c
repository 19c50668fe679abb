/* The memory engine at a distance: every second answer comes later, and it can
 * fall silent. What an engine behind a network must be able to do, without one. */
#include "engines/fault.h"
#include "engines/memory/memory.h"
#include "tests/contract/contract.h"

static void set_stalled(struct engine *slow, bool stalled)
{
    static const struct fault_rule delays = { .verbs = FAULT_ALL_VERBS, .every = 2, .delay_ms = 1 };
    static const struct fault_rule drops = { .verbs = FAULT_ALL_VERBS, .drop = true };

    fault_set_rules(slow, stalled ? &drops : &delays, 1);
}

static struct engine *open_slow(void)
{
    struct memory_options options = { .max_bytes = 64 << 20 };
    struct engine *slow = fault_open(memory_open(&options));

    if (slow)
        set_stalled(slow, false);
    return slow;
}

static unsigned promised(void)
{
    return CONTRACT_COMMON | ENGINE_CAN_LIST | ENGINE_CAN_ATOMIC | ENGINE_CAN_QUOTA;
}

const struct contract_engine engine_under_test = {
    .name = "slow",
    .open = open_slow,
    .promises = promised,
    .stall = set_stalled,
    .virtual_time = true,
};
