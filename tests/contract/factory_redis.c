/* The Redis engine on real servers, which tests/support/with_redis.py started
 * and named in the environment. Each test has a key prefix of its own. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engines/redis/redis.h"
#include "service/base/clock.h"
#include "tests/contract/contract.h"

static enum redis_mode mode_under_test(void)
{
    const char *mode = getenv("CUBBY_TEST_REDIS_MODE");

    cr_assert_not_null(mode, "run this through tests/support/with_redis.py");
    return strcmp(mode, "cluster") == 0    ? REDIS_CLUSTER
           : strcmp(mode, "sentinel") == 0 ? REDIS_SENTINEL
                                           : REDIS_STANDALONE;
}

static struct engine *open_redis(void)
{
    const char *servers = getenv("CUBBY_TEST_REDIS_SERVERS");
    const char *colon = servers ? strrchr(servers, ':') : NULL;
    char prefix[64], *error = NULL;
    struct redis_options options = {
        .mode = mode_under_test(),
        .key_prefix = prefix,
        .port = (uint16_t)atoi(colon ? colon + 1 : "0"),
        .client_name = "contract",
        .sentinels = servers,
        .nodes = servers,
        .master_name = "mymaster",
        .sessions = 4,
    };
    struct engine *opened;

    snprintf(prefix, sizeof prefix, "t%ld-%llx", (long)getpid(), (unsigned long long)clock_monotonic_ns());
    opened = redis_open(&options, &error);
    cr_assert_not_null(opened, "%s", error);
    return opened;
}

static void set_stalled(struct engine *opened, bool stalled)
{
    (void)opened;
    stall_processes(getenv("CUBBY_TEST_REDIS_PIDS"), stalled);
}

static unsigned promised(void)
{
    unsigned always = CONTRACT_COMMON | ENGINE_CAN_LIST | ENGINE_IS_SHARED | ENGINE_IS_PERSISTENT;

    return mode_under_test() == REDIS_CLUSTER ? always : always | ENGINE_CAN_ATOMIC | ENGINE_CAN_QUOTA;
}

const struct contract_engine engine_under_test = {
    .name = "redis",
    .open = open_redis,
    .promises = promised,
    .stall = set_stalled,
};
