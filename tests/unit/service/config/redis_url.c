/* Tests of service/config/redis_url.h. */
#include "service/config/redis_url.h"

#include <criterion/criterion.h>

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void expect_parts(const char *text, struct redis_url wanted)
{
    struct redis_url url;
    const char *why = NULL;

    cr_assert(redis_url_parse(text, &url, &why), "%s %s", text, why);
    cr_expect(same(url.host, wanted.host), "%s", text);
    cr_expect(same(url.username, wanted.username), "%s", text);
    cr_expect(same(url.password, wanted.password), "%s", text);
    cr_expect(same(url.socket, wanted.socket), "%s", text);
    cr_expect(url.port == wanted.port && url.db == wanted.db && url.has_db == wanted.has_db && url.tls == wanted.tls,
              "%s", text);
    redis_url_release(&url);
}

Test(redis_url, gives_its_parts)
{
    static char h[] = "h", u[] = "u", p[] = "p", v6[] = "::1", odd[] = "p/?#@:%", at[] = "p@q", s[] = "/run/r s";

    expect_parts("redis://h", (struct redis_url){ .host = h });
    expect_parts("REDIS://h/", (struct redis_url){ .host = h });
    expect_parts("rediss://h:1/0", (struct redis_url){ .host = h, .port = 1, .has_db = true, .tls = true });
    expect_parts("redis://u:p@h", (struct redis_url){ .host = h, .username = u, .password = p });
    expect_parts("redis://:p@h", (struct redis_url){ .host = h, .password = p });
    expect_parts("redis://u@h", (struct redis_url){ .host = h, .username = u });
    expect_parts("redis://:p%2F%3f%23%40:%25@[::1]:7/65535",
                 (struct redis_url){ .host = v6, .password = odd, .port = 7, .has_db = true, .db = 65535 });
    expect_parts("redis://:p@q@h", (struct redis_url){ .host = h, .password = at });
    expect_parts("unix:///run/r%20s", (struct redis_url){ .socket = s });
    expect_parts("unix://:p@/run/r%20s?db=3",
                 (struct redis_url){ .socket = s, .password = p, .has_db = true, .db = 3 });
}

Test(redis_url, refuses_everything_else_and_says_nothing_of_it)
{
    static const char *const wrong[] = {
        "",
        "redis",
        "redis:",
        "http://h",
        "redis://",
        "redis://:hunter2@",
        "redis://:hunter2@h:x",
        "redis://h:0",
        "redis://h:65536",
        "redis://h/x",
        "redis://h/65536",
        "redis://h/1/2",
        "redis://h?db=1",
        "redis://h#f",
        "redis://:@h",
        "redis://u:@h",
        "redis://:%zz@h",
        "redis://:hunter2%4@h",
        "redis://:%00@h",
        "redis://[h]",
        "redis://::1",
        "redis://h h",
        "unix://",
        "unix:///",
        "unix://h/s",
        "unix:///s?x=1",
        "unix:///s?db=x",
        "unix:///s%00t",
        "redis://h:1:2",
        "redis://hunter2/x@h",
    };
    struct redis_url url;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *why = NULL;

        cr_expect_not(redis_url_parse(wrong[i], &url, &why), "%s", wrong[i]);
        cr_assert_not_null(why, "%s", wrong[i]);
        cr_expect_null(strstr(why, "hunter2"));
        redis_url_release(&url);
    }
}
