#include <criterion/criterion.h>

#include "engines/redis/session.h"

static struct redis_look look;

static bool reads(const char *info)
{
    return redis_look_read(&look, bytes_str(info));
}

static uint64_t fact(int which)
{
    return atomic_load(&look.facts[which]);
}

Test(redis_facts, a_master_with_replicas)
{
    cr_assert(reads("# Server\r\nredis_version:7.0.15\r\nuptime_in_seconds:86\r\n\r\n"
                    "# Clients\r\nconnected_clients:3\r\n"
                    "# Memory\r\nused_memory:1048576\r\nused_memory_human:1M\r\nmaxmemory:2097152\r\n"
                    "# Stats\r\nevicted_keys:17\r\n"
                    "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n"
                    "slave0:ip=127.0.0.1,port=6380,state=online,offset=98,lag=1\r\n"
                    "slave1:ip=127.0.0.1,port=6381,state=online,offset=42,lag=12\r\n"));
    cr_expect_eq(fact(LOOK_IS_MASTER), 1);
    cr_expect_eq(fact(LOOK_USED_BYTES), 1048576);
    cr_expect_eq(fact(LOOK_MAX_BYTES), 2097152);
    cr_expect_eq(fact(LOOK_EVICTIONS), 17);
    cr_expect_eq(fact(LOOK_REPLICAS), 2);
    cr_expect_eq(fact(LOOK_CONNECTIONS), 3);
    cr_expect_eq(fact(LOOK_UPTIME), 86);
    cr_expect_eq(fact(LOOK_LAG), 12, "of the one furthest behind");
}

Test(redis_facts, without_replicas_there_is_no_lag)
{
    cr_assert(reads("role:master\r\nconnected_slaves:0\r\nslave_read_repl_offset:7\r\n"));
    cr_expect_eq(fact(LOOK_REPLICAS), 0);
    cr_expect_eq(fact(LOOK_LAG), LOOK_NONE);
}

Test(redis_facts, a_replica_is_no_master)
{
    cr_assert(reads("role:slave\r\nconnected_slaves:0\r\n"));
    cr_expect_eq(fact(LOOK_IS_MASTER), 0);
}

/* Servers that speak the protocol and know less. */
Test(redis_facts, what_is_not_told_is_not_known)
{
    cr_assert(reads("role:master\r\nused_memory:9\r\nmaxmemory:-1\r\nevicted_keys:99999999999999999999999\r\n"));
    cr_expect_eq(fact(LOOK_USED_BYTES), 9);
    cr_expect_eq(fact(LOOK_MAX_BYTES), LOOK_NONE);
    cr_expect_eq(fact(LOOK_EVICTIONS), LOOK_NONE);
    cr_expect_eq(fact(LOOK_CONNECTIONS), LOOK_NONE);
}

Test(redis_facts, an_answer_without_a_role_is_none)
{
    const char *const texts[] = { "", "used_memory:9\r\n", "role:", "role:\r\n", "PONG", "slave0:,,lag=,lag" };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_expect_not(reads(texts[i]), "%s", texts[i]);
}

Test(redis_facts, odd_lines_of_replicas_harm_nothing)
{
    cr_assert(reads("role:master\r\nslave0:\r\nslave1\r\nslave2:lag=\r\nslave3:lag=x,lag=4\nslave4:lag=99999999999999\r\n"));
    cr_expect_eq(fact(LOOK_LAG), 4);
}
