#include "engines/memory/memory.h"
#include "tests/contract/contract.h"

static struct engine *open_memory(void)
{
    struct memory_options options = { .max_bytes = 64 << 20 };

    return memory_open(&options);
}

static unsigned promised(void)
{
    return CONTRACT_COMMON | ENGINE_CAN_LIST | ENGINE_CAN_ATOMIC | ENGINE_CAN_QUOTA;
}

const struct contract_engine engine_under_test = {
    .name = "memory",
    .open = open_memory,
    .promises = promised,
    .virtual_time = true,
};
