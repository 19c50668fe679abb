/* Tests of service/config/settings.h: defaults, values, names, files. */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/base/access_log.h"
#include "service/base/log.h"

#define MIB (UINT64_C(1) << 20)

Test(settings, defaults_are_those_of_the_table)
{
    struct outcome o = load_good(VARIABLES());
    const struct settings *s = o.settings;

    cr_expect_str_eq(s->http_host, "127.0.0.1");
    cr_expect_eq(s->http_port, 8080);
    cr_expect_eq(s->http_threads, 0);
    cr_expect_eq(s->http_max_buffered_bytes, 256 * MIB);
    cr_expect_eq(s->cache_engine, CACHE_ENGINE_MEMORY);
    cr_expect_eq(s->cache_default_ttl_ms, 3600000);
    cr_expect_eq(s->cache_max_value_bytes, 8 * MIB);
    cr_expect_eq(s->cache_deadline_ms, 500);
    cr_expect(s->cache_auth);
    cr_expect_eq(s->memory_max_bytes, 256 * MIB);
    cr_expect_null(s->redis_password);
    cr_expect_eq(s->redis_port, 6379);
    cr_expect(s->redis_tls_verify);
    cr_expect_str_eq(s->memcached_servers, "127.0.0.1:11211");
    cr_expect_eq(s->memcached_dead_server, MEMCACHED_DEAD_SERVER_FAIL);
    cr_expect_eq(s->log_level, LOG_LEVEL_INFO);
    cr_expect_eq(s->log_access, ACCESS_LOG_ON);
    cr_expect_eq(o.report.notes.count + o.report.ignored.count, 0);
    end(&o);
}

Test(settings, given_values_replace_defaults)
{
    struct outcome o = load_good(VARIABLES("HTTP_HOST=::1", "HTTP_PORT=0", "CACHE_DEFAULT_TTL=none", "CACHE_AUTH=No",
                                           "MEMORY_MAX_BYTES=1GiB", "LOG_LEVEL=error", "LOG_ACCESS=errors",
                                           "LOG_ACCESS_RATE=0", "CACHE_DEADLINE_MS=60000", "UNRELATED=x"));

    cr_expect_str_eq(o.settings->http_host, "::1");
    cr_expect_eq(o.settings->http_port, 0);
    cr_expect_eq(o.settings->cache_default_ttl_ms, TTL_NONE);
    cr_expect_not(o.settings->cache_auth);
    cr_expect_eq(o.settings->memory_max_bytes, 1024 * MIB);
    cr_expect_eq(o.settings->log_level, LOG_LEVEL_ERROR);
    cr_expect_eq(o.settings->log_access, ACCESS_LOG_ERRORS);
    cr_expect_eq(o.settings->log_access_rate, 0);
    cr_expect_eq(o.settings->cache_deadline_ms, 60000);
    end(&o);
}

Test(settings, an_empty_variable_is_not_set)
{
    struct outcome o = load_good(VARIABLES(
        "HTTP_PORT=", "REDIS_HOST=", "REDIS_PASSWORD=", "REDIS_PASSWORD_FILE=", "HTTP_UNKNOWN=", "NO_EQUALS_SIGN"));

    cr_expect_eq(o.settings->http_port, 8080);
    cr_expect_eq(o.settings->cache_engine, CACHE_ENGINE_MEMORY);
    end(&o);
}

Test(settings, settings_outlive_their_environment_and_are_counted)
{
    char variable[] = "HTTP_HOST=localhost";
    struct outcome o = load_good(VARIABLES(variable));

    memset(variable, 'x', sizeof variable - 1);
    cr_expect_eq(settings_ref(o.settings), o.settings);
    settings_unref(o.settings);
    cr_expect_str_eq(o.settings->http_host, "localhost");
    settings_unref(NULL);
    end(&o);
}

/* ---- Faults ---- */

Test(settings, malformed_values_are_faults)
{
    expect_fault(VARIABLES("HTTP_PORT=abc"), "HTTP_PORT: \"abc\" is not a number");
    expect_fault(VARIABLES("HTTP_PORT=80 "), "HTTP_PORT: \"80 \" is not a number");
    expect_fault(VARIABLES("HTTP_IDLE_TIMEOUT_MS=1s"), "HTTP_IDLE_TIMEOUT_MS: \"1s\" is not a number");
    expect_fault(VARIABLES("CACHE_AUTH=maybe"),
                 "CACHE_AUTH: \"maybe\" is neither on (true, yes, 1) nor off (false, no, 0)");
    expect_fault(VARIABLES("CACHE_ENGINE=Memory"),
                 "CACHE_ENGINE: \"Memory\" is not one of auto|memory|redis|memcached");
    expect_fault(
        VARIABLES("CACHE_DEFAULT_TTL=soon"),
        "CACHE_DEFAULT_TTL: \"soon\" is not a time to live: seconds, a number with ms, s, m, h or d, or none; "
        "above 0, at most 10 years");
    expect_fault(VARIABLES("MEMORY_MAX_BYTES=1MB"),
                 "MEMORY_MAX_BYTES: \"1MB\" is not a size: bytes, or a number with "
                 "K, M, G, KiB, MiB or GiB (powers of 1024)");
    expect_fault(VARIABLES("CACHE_KEY_PREFIX=a:b"),
                 "CACHE_KEY_PREFIX: \"a:b\" has characters other than A-Z a-z 0-9 . _ -");
    expect_fault(VARIABLES("HTTP_HOST=not a host"),
                 "HTTP_HOST: \"not a host\" is neither a host name nor an address");
    expect_fault(VARIABLES("MEMCACHED_SERVERS=h:p:x"),
                 "MEMCACHED_SERVERS: \"h:p:x\" has more than one colon (an IPv6 "
                 "address needs brackets)");
    expect_fault(VARIABLES("REDIS_CLIENT_NAME=a\nb"), "REDIS_CLIENT_NAME: \"a?b\" has control characters");
}

Test(settings, values_out_of_bounds_are_faults)
{
    expect_fault(VARIABLES("HTTP_PORT=65536"), "HTTP_PORT: \"65536\" is not between 0 and 65535");
    expect_fault(VARIABLES("HTTP_THREADS=257"), "HTTP_THREADS: \"257\" is not between 0 and 256");
    expect_fault(VARIABLES("CACHE_DEADLINE_MS=0"), "CACHE_DEADLINE_MS: \"0\" is not between 1 and 60000");
    expect_fault(VARIABLES("CACHE_MAX_VALUE_BYTES=513M"),
                 "CACHE_MAX_VALUE_BYTES: \"513M\" is not between 1 and 536870912");
    expect_fault(VARIABLES("CACHE_MAX_VALUE_BYTES=99999999999999999999G"),
                 "CACHE_MAX_VALUE_BYTES: \"99999999999999999999G\" is not between 1 and 536870912");
    expect_fault(VARIABLES("CACHE_KEY_PREFIX=123456789012345678901234567890123"),
                 "CACHE_KEY_PREFIX: \"123456789012345678901234567890123\" is longer than 32 bytes");
}

Test(settings, unknown_names_are_faults_with_the_nearest_known_one)
{
    expect_fault(VARIABLES("HTTP_PROT=80"), "HTTP_PROT: unknown setting (did you mean HTTP_PORT?)");
    expect_fault(VARIABLES("REDIS_HOTS=x"), "REDIS_HOTS: unknown setting (did you mean REDIS_HOST?)");
    expect_fault(VARIABLES("REDIS_PASS=x"), "REDIS_PASS: unknown setting (did you mean REDIS_PASSWORD?)");
    expect_fault(VARIABLES("REDIS_PASSWRD_FILE=/x"),
                 "REDIS_PASSWRD_FILE: unknown setting (did you mean REDIS_PASSWORD_FILE?)");
    expect_fault(VARIABLES("CACHE_SOMETHING_ELSE=5"), "CACHE_SOMETHING_ELSE: unknown setting (--help lists all)");
    expect_fault(VARIABLES("LOG_LEVELS=info"), "LOG_LEVELS: unknown setting (did you mean LOG_LEVEL?)");
    expect_fault(VARIABLES("CACHE_SOMETHING_FILE=/etc/x"), "CACHE_SOMETHING_FILE: unknown setting (--help lists all)");
    expect_fault(VARIABLES("HTTP_\x1b[2J=1"), "HTTP_?[2J: unknown setting (--help lists all)");
}

Test(settings, all_faults_are_found_at_once)
{
    struct outcome o = load(VARIABLES("HTTP_PORT=abc", "HTTP_THREADS=x", "CACHE_ENGINE=sqlite", "HTTP_BOGUS=1",
                                      "REDIS_HOST=a b", "REDIS_PASSWORD_FILE=/nowhere"));

    cr_expect_eq(o.report.faults.count, 6);
    end(&o);
}

Test(settings, more_faults_than_are_kept_are_counted)
{
    static char names[SETTINGS_TEXTS_MAX + 10][32];
    char *environment[SETTINGS_TEXTS_MAX + 11] = { NULL };
    struct outcome o;
    char *printed = NULL;
    size_t len;
    FILE *out = open_memstream(&printed, &len);

    for (unsigned i = 0; i < SETTINGS_TEXTS_MAX + 10; i++) {
        snprintf(names[i], sizeof names[i], "CACHE_NOT_A_NAME_%u=1", i);
        environment[i] = names[i];
    }
    o = load(environment);
    settings_report_print(&o.report, out);
    fclose(out);
    cr_expect_eq(o.report.faults.count, SETTINGS_TEXTS_MAX);
    cr_expect_not_null(strstr(printed, "\nand 10 more\n"));
    free(printed);
    end(&o);
}

/* ---- Somebody else's variables ---- */

Test(settings, what_kubernetes_injects_is_ignored_and_named)
{
    struct outcome o = load_good(
        VARIABLES("REDIS_PORT=tcp://10.0.0.1:6379", "REDIS_SERVICE_HOST=10.0.0.1", "REDIS_SERVICE_PORT=6379",
                  "REDIS_SERVICE_PORT_HTTP_METRICS=9121", "REDIS_PORT_6379_TCP=tcp://10.0.0.1:6379",
                  "REDIS_PORT_6379_TCP_PROTO=tcp", "REDIS_PORT_6379_TCP_PORT=6379",
                  "REDIS_PORT_6379_TCP_ADDR=10.0.0.1", "REDIS_MASTER_SERVICE_HOST=10.0.0.2",
                  "REDIS_MASTER_PORT_6379_TCP_ADDR=10.0.0.2", "HTTP_PORT=tcp://[fd00::1]:80",
                  "CACHE_PORT=udp://10.0.0.4:53", "MEMCACHED_PORT_11211_UDP=udp://10.0.0.3:11211"));
    char *names = settings_texts_join(&o.report.ignored, " ");

    cr_expect_str_eq(names, "REDIS_PORT REDIS_SERVICE_HOST REDIS_SERVICE_PORT REDIS_SERVICE_PORT_HTTP_METRICS "
                            "REDIS_PORT_6379_TCP REDIS_PORT_6379_TCP_PROTO REDIS_PORT_6379_TCP_PORT "
                            "REDIS_PORT_6379_TCP_ADDR REDIS_MASTER_SERVICE_HOST REDIS_MASTER_PORT_6379_TCP_ADDR "
                            "HTTP_PORT CACHE_PORT MEMCACHED_PORT_11211_UDP");
    cr_expect_eq(o.settings->cache_engine, CACHE_ENGINE_MEMORY, "it chooses no engine");
    cr_expect_eq(o.settings->redis_port, 6379);
    cr_expect_eq(o.settings->http_port, 8080);
    free(names);
    end(&o);
}

Test(settings, what_only_looks_injected_is_a_fault)
{
    expect_fault(VARIABLES("REDIS_PORT=tcp://redis:port"), "REDIS_PORT: \"tcp://redis:port\" is not a number");
    expect_fault(VARIABLES("REDIS_PORT=http://10.0.0.1:6379"),
                 "REDIS_PORT: \"http://10.0.0.1:6379\" is not a number");
    expect_fault(VARIABLES("CACHE_BACKEND_PORT=6379"), "CACHE_BACKEND_PORT: unknown setting (--help lists all)");
    expect_fault(VARIABLES("MEMCACHED_PORT__TCP=1"), "MEMCACHED_PORT__TCP: unknown setting (--help lists all)");
    expect_fault(VARIABLES("MEMCACHED_PORT_X_TCP=1"), "MEMCACHED_PORT_X_TCP: unknown setting (--help lists all)");
}

Test(settings, what_other_software_sets_is_ignored)
{
    struct outcome o =
        load_good(VARIABLES("HTTP_PROXY=http://user:pass@proxy:3128", "MEMORY_PRESSURE_WATCH=/sys/fs/cgroup/x",
                            "CACHE_DIRECTORY=/var/cache/x", "LOG_FORMAT=json", "http_proxy=x", "HTTPS_PROXY=x"));
    char *names = settings_texts_join(&o.report.ignored, " ");

    cr_expect_str_eq(names, "HTTP_PROXY MEMORY_PRESSURE_WATCH CACHE_DIRECTORY LOG_FORMAT");
    free(names);
    end(&o);
}

/* ---- Files ---- */

static char path[64];

/* A file of `content` at `path`, and NAME_FILE=path in `variable`. */
static void put_file(const char *content, size_t len)
{
    int fd;

    if (!path[0]) {
        strcpy(path, "/tmp/cubby-settings-XXXXXX");
        fd = mkstemp(path);
    } else {
        fd = open(path, O_WRONLY | O_TRUNC);
    }
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, len), (ssize_t)len);
    close(fd);
}

static char *file_variable(const char *name)
{
    static char variable[128];

    snprintf(variable, sizeof variable, "%s_FILE=%s", name, path);
    return variable;
}

static void remove_file(void)
{
    if (path[0])
        unlink(path);
}

TestSuite(settings_file, .fini = remove_file);

Test(settings_file, gives_the_value_without_its_newline)
{
    struct outcome o;

    put_file("pass word\n", 10);
    o = load_good(VARIABLES("REDIS_HOST=h", file_variable("REDIS_PASSWORD")));
    cr_expect_str_eq(o.settings->redis_password, "pass word");
    end(&o);
    put_file("9000\r\n", 6);
    o = load_good(VARIABLES("REDIS_PORT=tcp://10.0.0.1:6379", "REDIS_HOST=h", file_variable("REDIS_PORT")));
    cr_expect_eq(o.settings->redis_port, 9000);
    end(&o);
}

static void expect_file_fault(const char *name, const char *why)
{
    char fault[256];

    snprintf(fault, sizeof fault, "%s_FILE: %s: %s", name, path, why);
    expect_fault(VARIABLES(file_variable(name)), fault);
}

Test(settings_file, that_is_no_value_is_a_fault)
{
    static char large[65537];

    put_file("", 0);
    expect_file_fault("REDIS_PASSWORD", "empty");
    put_file("\n", 1);
    expect_file_fault("REDIS_PASSWORD", "empty");
    put_file("a\0b", 3);
    expect_file_fault("REDIS_PASSWORD", "holds a NUL byte");
    memset(large, 'x', sizeof large);
    put_file(large, sizeof large);
    expect_file_fault("REDIS_PASSWORD", "larger than 65536 bytes");
}

Test(settings_file, that_cannot_be_read_is_a_fault)
{
    strcpy(path, "/tmp/cubby-settings-is-not-there");
    expect_file_fault("HTTP_PORT", "No such file or directory");
    strcpy(path, "/tmp");
    expect_file_fault("HTTP_PORT", "not a regular file");
    snprintf(path, sizeof path, "/tmp/cubby-settings-fifo-%d", (int)getpid());
    cr_assert_eq(mkfifo(path, 0600), 0);
    expect_file_fault("HTTP_PORT", "not a regular file");
}

Test(settings_file, beside_the_variable_is_a_fault)
{
    put_file("x", 1);
    expect_fault(VARIABLES("REDIS_PASSWORD=y", file_variable("REDIS_PASSWORD")),
                 "REDIS_PASSWORD: given both as it is and as REDIS_PASSWORD_FILE");
    struct outcome o = load_good(VARIABLES("REDIS_PASSWORD=", file_variable("REDIS_PASSWORD")));
    cr_expect_str_eq(o.settings->redis_password, "x");
    end(&o);
}

Test(settings_file, reload_reads_reloadable_settings_again)
{
    struct outcome o;
    const struct settings *again;

    put_file("60\n", 3);
    o = load_good(VARIABLES("HTTP_PORT=99", "REDIS_NODES=a,b:2", file_variable("CACHE_DEFAULT_TTL")));
    cr_expect_eq(o.settings->cache_default_ttl_ms, 60000);
    put_file("90\n", 3);
    again = settings_reload(o.settings, NULL, &o.report);
    cr_assert_not_null(again);
    cr_expect_eq(again->cache_default_ttl_ms, 90000);
    cr_expect_eq(again->http_port, 99);
    cr_expect_str_eq(again->redis_nodes, "a:6379,b:2");
    cr_expect_eq(o.settings->cache_default_ttl_ms, 60000, "the old object stays as it was");
    settings_unref(o.settings);
    o.settings = again;
    put_file("never\n", 6);
    again = settings_reload(o.settings, NULL, &o.report);
    cr_assert_not_null(again);
    cr_expect(texts_have(&o.report.faults, "CACHE_DEFAULT_TTL: \"never\" is not"));
    cr_expect_eq(again->cache_default_ttl_ms, 90000, "what it held stays");
    settings_unref(again);
    end(&o);
}

Test(settings_file, reload_keeps_what_a_file_held_that_is_gone_and_takes_the_others)
{
    char other[] = "/tmp/cubby-settings-XXXXXX", variable[64];
    int fd = mkstemp(other);
    const struct settings *again;
    struct outcome o;

    cr_assert(fd >= 0 && write(fd, "600", 3) == 3);
    put_file("60", 2);
    snprintf(variable, sizeof variable, "CACHE_DEADLINE_MS_FILE=%s", other);
    o = load_good(VARIABLES(variable, file_variable("CACHE_DEFAULT_TTL")));
    unlink(other);
    put_file("90", 2);
    again = settings_reload(o.settings, NULL, &o.report);
    cr_assert_not_null(again);
    cr_expect_eq(again->cache_default_ttl_ms, 90000);
    cr_expect_eq(again->cache_deadline_ms, 600);
    cr_expect_eq(o.report.faults.count, 1);
    cr_expect(texts_have(&o.report.faults, "CACHE_DEADLINE_MS_FILE: "));
    settings_unref(again);
    close(fd);
    end(&o);
}

Test(settings_file, reload_keeps_settings_that_are_not_reloadable)
{
    struct outcome o;
    const struct settings *again;

    put_file("one", 3);
    o = load_good(VARIABLES("REDIS_HOST=h", file_variable("REDIS_PASSWORD")));
    put_file("two", 3);
    again = settings_reload(o.settings, NULL, &o.report);
    cr_assert_not_null(again);
    cr_expect_str_eq(again->redis_password, "one");
    settings_unref(again);
    end(&o);
}
