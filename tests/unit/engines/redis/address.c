#include "engines/redis/address.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>

static void expect_endpoint(struct bytes text, const char *host, unsigned port)
{
    struct redis_endpoint endpoint;

    cr_assert(redis_endpoint_parse(text, 6379, &endpoint), "%.*s", (int)text.len, text.ptr);
    cr_assert_str_eq(endpoint.host, host);
    cr_assert_eq(endpoint.port, port);
}

Test(redis_address, hosts_and_ports)
{
    expect_endpoint(BYTES("redis"), "redis", 6379);
    expect_endpoint(BYTES("redis:7000"), "redis", 7000);
    expect_endpoint(BYTES("10.0.0.1:7000"), "10.0.0.1", 7000);
    expect_endpoint(BYTES("::1"), "::1", 6379);
    expect_endpoint(BYTES("[::1]"), "::1", 6379);
    expect_endpoint(BYTES("[::1]:7000"), "::1", 7000);
}

Test(redis_address, malformed_ones_are_refused)
{
    static const char *const bad[] = { "",     ":7000",  "a:",  "a:0", "a:65536", "a:x",
                                       "[::1", "[::1]7", "a b", "a/b", "u@h" };
    struct redis_endpoint endpoint;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(redis_endpoint_parse(bytes_str(bad[i]), 6379, &endpoint), "%s", bad[i]);
}

static bool permits(const char *list, const char *host, const char *address)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    struct redis_allow allow;
    struct bytes fault;
    bool permitted;

    if (!is_v4)
        cr_assert_eq(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    cr_assert(redis_allow_parse(&allow, bytes_str(list), &fault), "%s", list);
    permitted = redis_allow_permits(&allow, host, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6);
    redis_allow_release(&allow);
    return permitted;
}

Test(redis_address, allowed_networks_and_names)
{
    cr_assert(permits("", "anything", "8.8.8.8"), "an empty list allows all");
    cr_assert(permits("10.0.0.0/8", "h", "10.255.0.1"));
    cr_assert_not(permits("10.0.0.0/8", "h", "11.0.0.1"));
    cr_assert(permits("10.16.0.0/12", "h", "10.31.0.1"));
    cr_assert_not(permits("10.16.0.0/12", "h", "10.32.0.1"));
    cr_assert(permits("127.0.0.1", "h", "127.0.0.1"));
    cr_assert_not(permits("127.0.0.1", "h", "127.0.0.2"));
    cr_assert(permits("fd00::/8", "h", "fd12::1"));
    cr_assert_not(permits("fd00::/8", "h", "fe80::1"));
    cr_assert_not(permits("0.0.0.0/0", "h", "::1"));
    cr_assert(permits("redis-*", "Redis-3", "1.2.3.4"));
    cr_assert(permits("*.internal, 10.0.0.1", "a.internal", "1.2.3.4"));
    cr_assert_not(permits("*.internal", "a.internal.evil", "1.2.3.4"));
    cr_assert(permits("redis", "redis", "1.2.3.4"));
    cr_assert_not(permits("redis", "redis2", "1.2.3.4"));
}

Test(redis_address, a_malformed_list_names_its_fault)
{
    static const char *const bad[] = { "10.0.0.0/33", "a b", "10.0.0.1,,b", "a*b", "10.0.0.0/x" };
    struct redis_allow allow;
    struct bytes fault;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(redis_allow_parse(&allow, bytes_str(bad[i]), &fault), "%s", bad[i]);
}
