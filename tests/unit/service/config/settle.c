/* Tests of what depends on several settings (settings_settle.c,
 * settings_redis.c). */
#include "support.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)

static void expect_engine(char *const *environment, int engine)
{
    struct outcome o = load_good(environment);

    cr_expect_eq(o.settings->cache_engine, engine);
    end(&o);
}

Test(engine, is_chosen_by_what_is_set)
{
    expect_engine(VARIABLES(), CACHE_ENGINE_MEMORY);
    expect_engine(VARIABLES("CACHE_ENGINE=auto"), CACHE_ENGINE_MEMORY);
    expect_engine(VARIABLES("REDIS_HOST=h"), CACHE_ENGINE_REDIS);
    expect_engine(VARIABLES("REDIS_URL=redis://h"), CACHE_ENGINE_REDIS);
    expect_engine(VARIABLES("REDIS_SENTINELS=h"), CACHE_ENGINE_REDIS);
    expect_engine(VARIABLES("REDIS_NODES=h"), CACHE_ENGINE_REDIS);
    expect_engine(VARIABLES("REDIS_UNIX_SOCKET=/s"), CACHE_ENGINE_REDIS);
    expect_engine(VARIABLES("MEMCACHED_SERVERS=h"), CACHE_ENGINE_MEMCACHED);
    expect_engine(VARIABLES("REDIS_PORT=1"), CACHE_ENGINE_MEMORY);
}

Test(engine, two_candidates_need_a_choice)
{
    expect_fault(VARIABLES("REDIS_HOST=h", "MEMCACHED_SERVERS=h"),
                 "CACHE_ENGINE: both Redis and Memcached servers are set; choose with CACHE_ENGINE=redis or "
                 "CACHE_ENGINE=memcached");
    expect_engine(VARIABLES("REDIS_HOST=h", "MEMCACHED_SERVERS=h", "CACHE_ENGINE=memcached"), CACHE_ENGINE_MEMCACHED);
    expect_engine(VARIABLES("REDIS_HOST=h", "CACHE_ENGINE=memory"), CACHE_ENGINE_MEMORY);
}

Test(engine, settings_of_the_others_are_noted)
{
    struct outcome o =
        load_good(VARIABLES("REDIS_HOST=h", "REDIS_PASSWORD=x", "MEMORY_MAX_BYTES=4M", "CACHE_ENGINE=memcached"));
    char *notes = settings_texts_join(&o.report.notes, "; ");

    cr_expect_str_eq(notes, "MEMORY_MAX_BYTES: no effect with the memcached engine; REDIS_HOST: no effect with the "
                            "memcached engine; REDIS_PASSWORD: no effect with the memcached engine");
    free(notes);
    end(&o);
}

/* ---- Sizes ---- */

Test(sizes, a_default_value_limit_gives_way_to_a_small_memory)
{
    struct outcome o = load_good(VARIABLES("MEMORY_MAX_BYTES=1M"));

    cr_expect_eq(o.settings->cache_max_value_bytes, 512 * KIB);
    cr_expect(texts_have(&o.report.notes, "CACHE_MAX_VALUE_BYTES: lowered to 524288, half of MEMORY_MAX_BYTES"));
    end(&o);
    o = load_good(VARIABLES("MEMORY_MAX_BYTES=16M"));
    cr_expect_eq(o.settings->cache_max_value_bytes, 8 * MIB);
    cr_expect_eq(o.report.notes.count, 0);
    end(&o);
}

Test(sizes, a_value_limit_that_was_asked_for_does_not_give_way)
{
    struct outcome o = load_good(VARIABLES("MEMORY_MAX_BYTES=8M", "CACHE_MAX_VALUE_BYTES=7M"));

    cr_expect_eq(o.settings->cache_max_value_bytes, 7 * MIB);
    end(&o);
    expect_fault(VARIABLES("MEMORY_MAX_BYTES=8M", "CACHE_MAX_VALUE_BYTES=8M"),
                 "CACHE_MAX_VALUE_BYTES: 8388608 is not below MEMORY_MAX_BYTES, 8388608");
    o = load_good(VARIABLES("MEMORY_MAX_BYTES=8M", "CACHE_MAX_VALUE_BYTES=8M", "REDIS_HOST=h"));
    end(&o);
}

Test(sizes, a_value_fits_into_what_may_be_buffered)
{
    struct outcome o = load_good(VARIABLES("HTTP_MAX_BUFFERED_BYTES=1M"));

    cr_expect_eq(o.settings->cache_max_value_bytes, MIB);
    end(&o);
    o = load_good(VARIABLES("CACHE_MAX_VALUE_BYTES=300M", "REDIS_HOST=h"));
    cr_expect_eq(o.settings->http_max_buffered_bytes, 300 * MIB);
    cr_expect_eq(o.report.notes.count, 1);
    end(&o);
    expect_fault(VARIABLES("CACHE_MAX_VALUE_BYTES=2M", "HTTP_MAX_BUFFERED_BYTES=1M"),
                 "CACHE_MAX_VALUE_BYTES: 2097152 is above HTTP_MAX_BUFFERED_BYTES, 1048576");
}

/* ---- Redis ---- */

Test(redis, mode_follows_what_is_set)
{
    struct outcome o = load_good(VARIABLES("REDIS_SENTINELS=a, b:1 ,[::1]"));

    cr_expect_eq(o.settings->redis_mode, REDIS_MODE_SENTINEL);
    cr_expect_str_eq(o.settings->redis_sentinels, "a:26379,b:1,[::1]:26379");
    cr_expect_str_eq(o.settings->redis_master_name, "mymaster");
    end(&o);
    o = load_good(VARIABLES("REDIS_NODES=a"));
    cr_expect_eq(o.settings->redis_mode, REDIS_MODE_CLUSTER);
    cr_expect_str_eq(o.settings->redis_nodes, "a:6379");
    end(&o);
    o = load_good(VARIABLES("CACHE_ENGINE=redis"));
    cr_expect_eq(o.settings->redis_mode, REDIS_MODE_STANDALONE);
    cr_expect_str_eq(o.settings->redis_host, "127.0.0.1");
    end(&o);
}

Test(redis, cluster_may_be_named_by_one_host)
{
    struct outcome o = load_good(VARIABLES("REDIS_MODE=cluster", "REDIS_HOST=::1", "REDIS_PORT=7000"));

    cr_expect_str_eq(o.settings->redis_nodes, "[::1]:7000");
    end(&o);
    o = load_good(VARIABLES("REDIS_MODE=cluster", "REDIS_URL=rediss://:pw@c.example:7001"));
    cr_expect_str_eq(o.settings->redis_nodes, "c.example:7001");
    cr_expect(o.settings->redis_tls);
    end(&o);
    expect_fault(VARIABLES("REDIS_MODE=cluster", "CACHE_ENGINE=redis"), "REDIS_MODE: cluster needs REDIS_NODES");
    expect_fault(VARIABLES("REDIS_NODES=a", "REDIS_DB=1"), "REDIS_DB: a cluster has only database 0");
}

Test(redis, contradictions_are_faults)
{
    expect_fault(VARIABLES("REDIS_MODE=standalone", "REDIS_SENTINELS=a"),
                 "REDIS_SENTINELS: set, but REDIS_MODE is not sentinel");
    expect_fault(VARIABLES("REDIS_MODE=sentinel", "REDIS_HOST=a"), "REDIS_MODE: sentinel needs REDIS_SENTINELS");
    expect_fault(VARIABLES("REDIS_HOST=a", "REDIS_NODES=b"), "REDIS_HOST: names one server, beside REDIS_NODES");
    expect_fault(VARIABLES("REDIS_HOST=a", "REDIS_UNIX_SOCKET=/s"),
                 "REDIS_HOST, REDIS_UNIX_SOCKET: both set; choose one");
    expect_fault(VARIABLES("REDIS_HOST=a", "REDIS_USERNAME=u"), "REDIS_USERNAME: needs REDIS_PASSWORD");
    expect_fault(VARIABLES("REDIS_SENTINELS=a", "REDIS_SENTINEL_USERNAME=u"),
                 "REDIS_SENTINEL_USERNAME: needs REDIS_SENTINEL_PASSWORD");
    expect_fault(VARIABLES("REDIS_HOST=a", "REDIS_CLIENT_NAME=a b"), "REDIS_CLIENT_NAME: \"a b\" has blanks");
    expect_fault(VARIABLES("REDIS_HOST=a", "REDIS_TLS_CA=/ca"), "REDIS_TLS_CA: set, but REDIS_TLS is off");
    expect_fault(VARIABLES("REDIS_HOST=a", "REDIS_TLS=on", "REDIS_TLS_CERT=/c"),
                 "REDIS_TLS_CERT, REDIS_TLS_KEY: one needs the other");
    expect_fault(VARIABLES("REDIS_UNIX_SOCKET=/s", "REDIS_TLS=on"), "REDIS_TLS: not over a unix socket");
    expect_fault(VARIABLES("MEMCACHED_SERVERS=a", "MEMCACHED_USERNAME=u"),
                 "MEMCACHED_USERNAME, MEMCACHED_PASSWORD: one needs the other");
}

Test(redis, url_fills_the_single_settings)
{
    struct outcome o = load_good(VARIABLES("REDIS_URL=rediss://user:p%40ss@h.example:7000/3"));

    cr_expect_str_eq(o.settings->redis_host, "h.example");
    cr_expect_eq(o.settings->redis_port, 7000);
    cr_expect_eq(o.settings->redis_db, 3);
    cr_expect_str_eq(o.settings->redis_username, "user");
    cr_expect_str_eq(o.settings->redis_password, "p@ss");
    cr_expect(o.settings->redis_tls);
    end(&o);
    o = load_good(VARIABLES("REDIS_URL=redis://h", "REDIS_PASSWORD=x", "REDIS_PORT=7", "REDIS_DB=2", "REDIS_HOST=h"));
    cr_expect_eq(o.settings->redis_port, 7);
    cr_expect_eq(o.settings->redis_db, 2);
    cr_expect_str_eq(o.settings->redis_password, "x");
    end(&o);
    o = load_good(VARIABLES("REDIS_URL=unix:///run/r.sock?db=4"));
    cr_expect_str_eq(o.settings->redis_unix_socket, "/run/r.sock");
    cr_expect_eq(o.settings->redis_db, 4);
    end(&o);
}

Test(redis, url_must_not_differ_from_a_setting_of_its_own)
{
    expect_fault(VARIABLES("REDIS_URL=redis://a", "REDIS_HOST=b"), "REDIS_HOST: differs from what REDIS_URL says");
    expect_fault(VARIABLES("REDIS_URL=redis://a:1", "REDIS_PORT=2"), "REDIS_PORT: differs from what REDIS_URL says");
    expect_fault(VARIABLES("REDIS_URL=redis://a/1", "REDIS_DB=2"), "REDIS_DB: differs from what REDIS_URL says");
    expect_fault(VARIABLES("REDIS_URL=redis://:x@a", "REDIS_PASSWORD=y"),
                 "REDIS_PASSWORD: differs from what REDIS_URL says");
    expect_fault(VARIABLES("REDIS_URL=redis://a", "REDIS_TLS=on"),
                 "REDIS_TLS: differs from what REDIS_URL says (rediss:// is with TLS)");
    expect_fault(VARIABLES("REDIS_URL=redis://a", "REDIS_SENTINELS=b"),
                 "REDIS_URL: names one server, beside REDIS_SENTINELS");
    expect_fault(VARIABLES("REDIS_URL=unix:///s", "REDIS_HOST=b"), "REDIS_HOST: REDIS_URL names a unix socket");
    expect_fault(VARIABLES("REDIS_URL=redis://a", "REDIS_UNIX_SOCKET=/s"),
                 "REDIS_UNIX_SOCKET: REDIS_URL names a host");
    expect_fault(VARIABLES("REDIS_URL=redis://:%0a@a"),
                 "REDIS_URL: its part for REDIS_PASSWORD has control characters");
}
