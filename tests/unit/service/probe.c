/* Tests of service/probe.h; tests/packaging/test_probe.py asks real services. */
#include "service/probe.h"

#include <criterion/criterion.h>

static struct probe_target target;
static const char *why;

static bool aim(const char *word, const char *host, uint64_t port)
{
    const struct probe_place place = { host, port, false };

    why = NULL;
    memset(&target, 0, sizeof target);
    return probe_aim(&target, word, &place, &why);
}

static void expect(const char *host, const char *port, const char *path)
{
    cr_expect_str_eq(target.host, host);
    cr_expect_str_eq(target.port, port);
    cr_expect_str_eq(target.path, path);
}

Test(probe, without_a_word_readiness_is_asked_where_the_service_listens)
{
    cr_assert(aim(NULL, "127.0.0.1", 8080));
    expect("127.0.0.1", "8080", "/readyz");
}

Test(probe, a_listener_on_all_addresses_is_asked_on_loopback)
{
    cr_assert(aim(NULL, "0.0.0.0", 8080));
    expect("127.0.0.1", "8080", "/readyz");
    cr_assert(aim(NULL, "::", 65535));
    expect("::1", "65535", "/readyz");
    cr_assert(aim(NULL, "10.0.0.5", 80));
    expect("10.0.0.5", "80", "/readyz");
}

Test(probe, a_path_is_asked_at_the_same_place)
{
    cr_assert(aim("/healthz", "0.0.0.0", 8080));
    expect("127.0.0.1", "8080", "/healthz");
}

Test(probe, a_url_says_it_all)
{
    cr_assert(aim("http://cache.example:9000/healthz", "127.0.0.1", 0));
    expect("cache.example", "9000", "/healthz");
    cr_assert(aim("http://[::1]:9000", "127.0.0.1", 8080));
    expect("::1", "9000", "/readyz");
    cr_assert(aim("http://127.0.0.1/a?b=c", "127.0.0.1", 8080));
    expect("127.0.0.1", "80", "/a?b=c");
}

Test(probe, a_url_says_whether_tls_is_spoken_and_a_path_leaves_it_to_the_service)
{
    const struct probe_place place = { "127.0.0.1", 8443, true };

    cr_assert(aim("https://cache.example/healthz", "127.0.0.1", 0));
    expect("cache.example", "443", "/healthz");
    cr_expect(target.tls);
    cr_assert(aim("https://[::1]:9000", "127.0.0.1", 0));
    expect("::1", "9000", "/readyz");
    cr_expect(target.tls);
    cr_assert(aim(NULL, "127.0.0.1", 8080));
    cr_expect_not(target.tls);
    cr_assert(probe_aim(&target, "/healthz", &place, &why));
    cr_expect(target.tls);
    cr_assert(probe_aim(&target, "http://127.0.0.1:9000/", &place, &why));
    cr_expect_not(target.tls);
}

Test(probe, the_admin_port_is_asked_where_the_main_port_wants_certificates)
{
    struct settings settings = { .http_host = "a", .http_port = 1, .admin_host = "b", .admin_port = 2,
                                 .has_admin_port = true, .http_tls_cert = "c", .http_tls_key = "k" };
    struct probe_place place = probe_place_of(&settings, NULL);

    cr_expect(place.tls && place.port == 1, "no certificates are asked for");
    settings.http_tls_client_ca = "ca";
    place = probe_place_of(&settings, "/healthz");
    cr_expect(!place.tls && place.port == 2 && strcmp(place.host, "b") == 0);
    place = probe_place_of(&settings, "/capabilities");
    cr_expect(place.tls && place.port == 1, "not on the admin port");
    settings.admin_port = 0;
    place = probe_place_of(&settings, NULL);
    cr_expect(place.tls && place.port == 1, "nobody knows which port it is");
}

Test(probe, what_cannot_be_asked_is_refused_with_a_reason)
{
    static const char *const words[] = {
        "",         "readyz",     "https:/127.0.0.1/",     "http://", "http:///", "http://a:b/", "http://a:70000/",
        "ftp://a/", "/with room", "/line\r\nSmuggled: 1", "https://", "https://a:b/"
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        cr_expect_not(aim(words[i], "127.0.0.1", 8080), "%s", words[i]);
        cr_expect_not_null(why, "%s", words[i]);
    }
    cr_expect_not(aim(NULL, "127.0.0.1", 0), "no port to be known");
    cr_expect_not_null(why);
}

Test(probe, a_path_of_the_longest_is_taken_and_a_longer_one_refused)
{
    char path[PROBE_PATH_MAX + 2];

    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[PROBE_PATH_MAX] = '\0';
    cr_expect(aim(path, "127.0.0.1", 8080));
    cr_expect_eq(strlen(target.path), PROBE_PATH_MAX);
    path[PROBE_PATH_MAX] = 'x';
    path[PROBE_PATH_MAX + 1] = '\0';
    cr_expect_not(aim(path, "127.0.0.1", 8080));
}

Test(probe, only_a_200_is_good)
{
    cr_expect(probe_is_good(BYTES("HTTP/1.1 200 OK\r\n\r\n")));
    cr_expect(probe_is_good(BYTES("HTTP/1.0 200 \r\n")));
    cr_expect(probe_is_good(BYTES("HTTP/1.1 200\r\n")));
    cr_expect_not(probe_is_good(BYTES("HTTP/1.1 503 Service Unavailable\r\n\r\n")));
    cr_expect_not(probe_is_good(BYTES("HTTP/1.1 2000 \r\n")));
    cr_expect_not(probe_is_good(BYTES("HTTP/1.1 204 No Content\r\n")));
    cr_expect_not(probe_is_good(BYTES("HTTP/2.0 200 OK\r\n")));
    cr_expect_not(probe_is_good(BYTES("HTTP/1.x 200 OK\r\n")));
    cr_expect_not(probe_is_good(BYTES("HTTP/1.1 200")));
    cr_expect_not(probe_is_good(BYTES("200 OK\r\n")));
    cr_expect_not(probe_is_good(BYTES_NONE));
}
