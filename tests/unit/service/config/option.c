/* Tests of how single values are read (option.h, host.h). */
#include "service/config/option.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/config/host.h"

/* Whether the row takes `text`; its fields then hold what was read. */
static bool takes(struct settings *s, enum option_id id, const char *text)
{
    struct option_reading reading;
    bool taken = option_read(s, id, text, &reading);

    cr_expect_eq(taken, reading.why[0] == '\0');
    free(reading.settled);
    return taken;
}

Test(option, every_default_is_readable_and_every_row_explains_itself)
{
    struct settings s = { 0 };

    for (int id = 0; id < OPTION_COUNT; id++) {
        const struct option_row *row = &option_rows[id];

        cr_expect_eq(option_find(bytes_str(row->name)), (enum option_id)id, "%s is there twice", row->name);
        if (row->default_text[0])
            cr_expect(takes(&s, (enum option_id)id, row->default_text), "%s", row->name);
        cr_expect_gt(strlen(row->help), 5, "%s", row->name);
        cr_expect_eq(row->flags & OPTION_SECRET && !option_is_text(row->type), 0, "%s", row->name);
        cr_expect_null(strchr(row->help, '|'), "%s: a bar breaks the page's table", row->name);
    }
}

Test(option, passwords_and_urls_are_secret)
{
    for (int id = 0; id < OPTION_COUNT; id++)
        if (strstr(option_rows[id].name, "PASSWORD") || strstr(option_rows[id].name, "_URL"))
            cr_expect(option_rows[id].flags & OPTION_SECRET, "%s", option_rows[id].name);
}

Test(option, sizes_take_binary_suffixes)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = { { "65536", 65536 },  { "64K", 65536 },     { "64KiB", 65536 },     { "1M", 1048576 },
                 { "3MiB", 3145728 }, { "1G", 1073741824 }, { "1GiB", 1073741824 }, { "1024G", 1099511627776 } };
    static const char *const wrong[] = { "",   "K",    "1KB", "1k",   "1 M",   "1Mi",   "1MiBs",
                                         "-1", "1.5G", "1T",  "0x10", "65535", "1025G", "18446744073709551615G" };
    struct settings s = { 0 };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_expect(takes(&s, OPT_http_max_buffered_bytes, good[i].text), "%s", good[i].text);
        cr_expect_eq(s.http_max_buffered_bytes, good[i].bytes, "%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_expect_not(takes(&s, OPT_http_max_buffered_bytes, wrong[i]), "%s", wrong[i]);
}

Test(option, switches_take_their_words_in_any_case)
{
    static const char *const on[] = { "on", "ON", "true", "True", "yes", "1" };
    static const char *const off[] = { "off", "False", "no", "NO", "0" };
    struct settings s = { 0 };

    for (size_t i = 0; i < sizeof on / sizeof on[0]; i++)
        cr_expect(takes(&s, OPT_cache_auth, on[i]) && s.cache_auth, "%s", on[i]);
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++)
        cr_expect(takes(&s, OPT_cache_auth, off[i]) && !s.cache_auth, "%s", off[i]);
    cr_expect_not(takes(&s, OPT_cache_auth, "2"));
    cr_expect_not(takes(&s, OPT_cache_auth, "on "));
}

Test(option, hosts_are_names_or_addresses)
{
    static const char *const good[] = { "localhost", "a.b-c.example", "redis_1", "10.0.0.1",
                                        "::1",       "fe80::1:2",     "x.",      "1a" };
    static const char *const wrong[] = { "",       ".",        "a..b",  "-a",        "a-",        "a b",
                                         "a:1",    "[::1]",    "1.2.3", "256.1.1.1", "1.2.3.4.5", "a/b",
                                         "user@h", "\xc3\xa4", "::g",   "12345" };
    char label[65];

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(host_is_valid(bytes_str(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_expect_not(host_is_valid(bytes_str(wrong[i])), "%s", wrong[i]);
    memset(label, 'a', sizeof label);
    cr_expect(host_is_valid(bytes_of(label, 63)));
    cr_expect_not(host_is_valid(bytes_of(label, 64)));
}

Test(option, server_lists_are_brought_into_one_form)
{
    struct settings s = { 0 };
    struct option_reading reading;

    cr_assert(option_read(&s, OPT_memcached_servers, " a , b:1,[::1],[::2]:3", &reading));
    cr_expect_str_eq(reading.settled, "a:11211,b:1,[::1]:11211,[::2]:3");
    free(reading.settled);
    static const char *const wrong[] = { ",",  "a,",  "a,,b",  "a:0",  "a:65536", "a:",
                                         ":1", "::1", "[a]:1", "[::1", "[::1]1",  "a;b" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_expect_not(takes(&s, OPT_memcached_servers, wrong[i]), "%s", wrong[i]);
}

Test(option, server_lists_have_a_bound)
{
    struct settings s = { 0 };
    char list[3 * HOST_LIST_MAX + 3] = "";

    for (int i = 0; i < HOST_LIST_MAX; i++)
        strcat(list, i > 0 ? ",a" : "a");
    cr_expect(takes(&s, OPT_redis_nodes, list));
    strcat(list, ",a");
    cr_expect_not(takes(&s, OPT_redis_nodes, list));
}

Test(option, address_lists_take_networks)
{
    struct settings s = { 0 };
    static const char *const good[] = { "10.0.0.0/8", "::/0, fd00::/8", "1.2.3.4,h.example" };
    static const char *const wrong[] = {
        "10.0.0.0/33", "::/129", "h/8", "10.0.0.0/", "10.0.0.0/-1", "1.2.3.4:5", "/8"
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(takes(&s, OPT_redis_allowed_addresses, good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_expect_not(takes(&s, OPT_redis_allowed_addresses, wrong[i]), "%s", wrong[i]);
}

Test(option, shown_values_are_printable_short_and_never_secret)
{
    char shown[OPTION_SHOWN_MAX], expected[OPTION_SHOWN_MAX], text[300];

    option_show(shown, OPT_http_host, "a\x1b\n\xff");
    cr_expect_str_eq(shown, "\"a???\"");
    option_show(shown, OPT_redis_password, "hunter2");
    cr_expect_str_eq(shown, "the value");
    option_show(shown, OPT_redis_nodes, "redis://:hunter2@h");
    cr_expect_str_eq(shown, "the value");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    option_show(shown, OPT_http_host, text);
    snprintf(expected, sizeof expected, "\"%.*s...\"", (int)strlen(shown) - 5, text);
    cr_expect_str_eq(shown, expected);
    for (size_t len = 60; len < 100; len++) {
        text[len] = '\0';
        option_show(shown, OPT_http_host, text);
        cr_expect_lt(strlen(shown), OPTION_SHOWN_MAX);
        text[len] = 'x';
    }
}
