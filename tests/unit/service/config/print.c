/* Tests of what is shown to people: --help, the page, the start-up line, and
 * that none of it, nor a fault, holds a secret. */
#include "support.h"

#include <stdio.h>

#include "service/config/option.h"

static char *text_of(void (*write)(FILE *out))
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    cr_assert_not_null(out);
    write(out);
    fclose(out);
    return text;
}

Test(print, help_lists_every_row_with_its_default)
{
    char *help = text_of(settings_write_help);
    char wanted[256];

    for (int id = 0; id < OPTION_COUNT; id++) {
        snprintf(wanted, sizeof wanted, "\n  %s=%s\n", option_rows[id].name, option_rows[id].default_text);
        cr_expect_eq(strstr(help, wanted) == NULL, (option_rows[id].flags & OPTION_HIDDEN) != 0, "%s",
                     option_rows[id].name);
    }
    cr_expect_not_null(strstr(help, "[0 to 65535]"));
    cr_expect_not_null(strstr(help, "[1 to 512 MiB]"));
    cr_expect_not_null(strstr(help, "; secret]"));
    cr_expect_not_null(strstr(help, "[above 0 to 10 years, none; reloadable]"));
    cr_expect_null(strchr(help, '`'));
    free(help);
}

Test(print, help_fits_a_terminal)
{
    char *help = text_of(settings_write_help);

    for (char *rest = help, *line; (line = strsep(&rest, "\n"));)
        cr_expect_leq(strlen(line), 100, "%s", line);
    free(help);
}

Test(print, the_configuration_page_is_current)
{
    char *page = text_of(settings_write_markdown);
    static char file[65536];
    FILE *in = fopen(CUBBY_SOURCE_DIR "/docs/configuration.md", "r");

    cr_assert_not_null(in, "docs/configuration.md is missing: cubby --help-markdown >docs/configuration.md");
    file[fread(file, 1, sizeof file - 1, in)] = '\0';
    fclose(in);
    cr_expect_eq(strcmp(page, file), 0, "docs/configuration.md is old: cubby --help-markdown >docs/configuration.md");
    for (int id = 0; id < OPTION_COUNT; id++)
        cr_expect_not_null(strstr(page, option_rows[id].name));
    free(page);
}

Test(print, start_up_line_shows_what_is_in_force)
{
    struct outcome o = load_good(VARIABLES("HTTP_PORT=81", "MEMORY_MAX_BYTES=4M", "CACHE_DEFAULT_TTL=1.5"));
    char *line = settings_describe(o.settings);

    cr_assert_not_null(line);
    cr_expect(strncmp(line, "HTTP_HOST=127.0.0.1 HTTP_PORT=81 ", 33) == 0, "%s", line);
    cr_expect_not_null(strstr(line, " CACHE_ENGINE=memory CACHE_KEY_PREFIX=cubby CACHE_DEFAULT_TTL=1500ms "
                                    "CACHE_MAX_VALUE_BYTES=2097152 CACHE_DEADLINE_MS=500 CACHE_AUTH=on "
                                    "MEMORY_MAX_BYTES=4194304 LOG_LEVEL=info "));
    cr_expect_null(strstr(line, "REDIS_"));
    cr_expect_null(strchr(line, '\n'));
    free(line);
    end(&o);
}

#define SECRET "hunter2-correct-horse"

Test(print, start_up_line_hides_secrets)
{
    struct outcome o =
        load_good(VARIABLES("REDIS_URL=redis://user:" SECRET "@h:1/2", "REDIS_SENTINEL_PASSWORD=" SECRET));
    char *line = settings_describe(o.settings);

    cr_assert_str_eq(o.settings->redis_password, SECRET);
    cr_expect_null(strstr(line, SECRET));
    cr_expect_not_null(strstr(line, " REDIS_PASSWORD=*** "));
    cr_expect_not_null(strstr(line, " REDIS_URL=*** "));
    cr_expect_not_null(strstr(line, " REDIS_HOST=h REDIS_PORT=1 REDIS_USERNAME=user "));
    free(line);
    end(&o);
}

/* Faults of every kind around a secret. */
Test(print, reports_hide_secrets)
{
    static char long_secret[5000] = "REDIS_PASSWORD=" SECRET;
    struct outcome o;
    char *faults, *notes, *ignored;

    memset(long_secret + strlen(long_secret), 'x', sizeof long_secret - 1 - strlen(long_secret));
    o = load(VARIABLES(long_secret, "MEMCACHED_PASSWORD=" SECRET "\n", "REDIS_URL=redis://:" SECRET "@h:x/",
                       "REDIS_SENTINEL_PASSWORD=" SECRET, "REDIS_SENTINEL_PASSWORD_FILE=/nowhere",
                       "REDIS_PASWORD=" SECRET, "REDIS_SENTINELS=redis://:" SECRET "@h",
                       "HTTP_PROXY=http://u:" SECRET "@p", "REDIS_HOST=:" SECRET "@h"));
    faults = settings_texts_join(&o.report.faults, "\n");
    notes = settings_texts_join(&o.report.notes, "\n");
    ignored = settings_texts_join(&o.report.ignored, "\n");
    cr_expect_geq(o.report.faults.count, 7);
    cr_expect_null(strstr(faults, SECRET), "%s", faults);
    cr_expect(!notes || !strstr(notes, SECRET), "%s", notes);
    cr_expect_null(strstr(ignored, SECRET), "%s", ignored);
    free(faults);
    free(notes);
    free(ignored);
    end(&o);
}
