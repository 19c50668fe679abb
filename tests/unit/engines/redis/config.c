#include "engines/redis/config.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "engines/redis/hiredis_compat.h"

static void expect_fault(struct redis_options options, const char *part)
{
    char *error = NULL;
    struct redis_config *config = redis_config_create(&options, &error);

    cr_assert_null(config, "%s", part);
    cr_assert_not_null(error);
    cr_assert_not_null(strstr(error, part), "\"%s\" does not name %s", error, part);
    free(error);
}

static struct redis_config *config_of(struct redis_options options)
{
    char *error = NULL;
    struct redis_config *config = redis_config_create(&options, &error);

    cr_assert_not_null(config, "%s", error);
    return config;
}

Test(redis_config, nothing_set_is_a_server_on_this_machine)
{
    struct redis_config *config = config_of((struct redis_options){ .sessions = 2 });

    cr_assert_eq(config->endpoint_count, 1);
    cr_assert_str_eq(config->endpoints[0].host, "127.0.0.1");
    cr_assert_eq(config->endpoints[0].port, 6379);
    cr_assert_eq(config->links_per_node, 2);
    cr_assert_not(config->keys.clustered);
    redis_config_destroy(config);
}

Test(redis_config, a_unix_socket_has_no_port)
{
    struct redis_config *config = config_of((struct redis_options){ .unix_socket = "/run/redis.sock", .port = 1 });

    cr_assert_eq(config->endpoints[0].port, 0);
    cr_assert_str_eq(config->endpoints[0].host, "/run/redis.sock");
    redis_config_destroy(config);
}

Test(redis_config, sentinels_and_nodes_are_lists)
{
    struct redis_config *config = config_of((struct redis_options){
        .mode = REDIS_SENTINEL, .sentinels = "a, b:1,[::1]:2", .master_name = "m" });

    cr_assert_eq(config->endpoint_count, 3);
    cr_assert_eq(config->endpoints[0].port, 26379);
    cr_assert_str_eq(config->endpoints[2].host, "::1");
    cr_assert(config->greeting.expect_master);
    redis_config_destroy(config);
    config = config_of((struct redis_options){ .mode = REDIS_CLUSTER, .nodes = "a:7000" });
    cr_assert(config->keys.clustered);
    redis_config_destroy(config);
}

Test(redis_config, faults_are_named_by_their_setting)
{
    expect_fault((struct redis_options){ .key_prefix = "a:b" }, "CACHE_KEY_PREFIX");
    expect_fault((struct redis_options){ .mode = REDIS_SENTINEL, .master_name = "m" }, "REDIS_SENTINELS");
    expect_fault((struct redis_options){ .mode = REDIS_SENTINEL, .sentinels = "a" }, "REDIS_MASTER_NAME");
    expect_fault((struct redis_options){ .mode = REDIS_CLUSTER }, "REDIS_NODES");
    expect_fault((struct redis_options){ .mode = REDIS_CLUSTER, .nodes = "a:b" }, "REDIS_NODES");
    expect_fault((struct redis_options){ .mode = REDIS_CLUSTER, .nodes = "a", .db = 1 }, "REDIS_DB");
    expect_fault((struct redis_options){ .allowed_addresses = "x y" }, "REDIS_ALLOWED_ADDRESSES");
    expect_fault((struct redis_options){ .sessions = 4, .max_connections = 3 }, "REDIS_MAX_CONNECTIONS");
}

Test(redis_config, tls_without_a_library_for_it_is_said)
{
    if (!REDIS_HAS_TLS)
        expect_fault((struct redis_options){ .tls = true }, "REDIS_TLS=on: this build's hiredis has no TLS");
}
