/* The Memcached engine on real servers, which tests/support/memcached_run.py
 * started and named in the environment. Each test has a key prefix of its own. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engines/memcached/memcached.h"
#include "service/base/clock.h"
#include "tests/contract/contract.h"

static struct engine *open_memcached(void)
{
    char prefix[33], *error = NULL;
    struct memcached_options options = {
        .servers = getenv("CUBBY_TEST_MEMCACHED_SERVERS"),
        .key_prefix = prefix,
        .max_value_bytes = 16 << 20,
    };
    struct engine *opened;

    cr_assert_not_null(options.servers, "run this through tests/support/memcached_run.py");
    snprintf(prefix, sizeof prefix, "t%ld-%llx", (long)getpid(), (unsigned long long)clock_monotonic_ns());
    opened = memcached_open(&options, &error);
    cr_assert_not_null(opened, "%s", error);
    return opened;
}

static void set_stalled(struct engine *opened, bool stalled)
{
    (void)opened;
    stall_processes(getenv("CUBBY_TEST_MEMCACHED_PIDS"), stalled);
}

static unsigned promised(void)
{
    return CONTRACT_COMMON | ENGINE_IS_SHARED;
}

const struct contract_engine engine_under_test = {
    .name = "memcached",
    .open = open_memcached,
    .promises = promised,
    .stall = set_stalled,
};
