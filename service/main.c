/* main.c - wiring only: command line, settings, engine, service. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engines/registry.h"
#include "service/base/log.h"
#include "service/config/cli.h"
#include "service/config/cpus.h"
#include "service/config/settings.h"
#include "service/http/server.h"
#include "service/probe.h"
#include "service/service.h"

static void log_joined(enum log_level level, const char *message, const struct settings_texts *texts)
{
    char *joined = settings_texts_join(texts, "; ");

    if (joined)
        LOG_AT(level, message, LOG_STRING("detail", joined));
    free(joined);
}

/* What a person who reads the log wants to know of the start. */
static void log_settings(const struct settings *settings, const struct settings_report *report)
{
    char *line = settings_describe(settings);

    if (line)
        log_info("settings", LOG_STRING("values", line));
    free(line);
    log_joined(LOG_LEVEL_INFO, "variables of other software ignored", &report->ignored);
    log_joined(LOG_LEVEL_WARN, "settings adjusted", &report->notes);
}

/* The bound of HTTP_THREADS, for machines with more CPUs. */
#define THREADS_MAX 256u

/* The engine is not asked anything yet: that its server is away is no fault of
 * the settings. */
static int check(struct engine *engine, const struct settings *settings)
{
    bool good = service_check(engine, settings);

    engine_close(engine);
    settings_unref(settings);
    if (good)
        puts("settings are good");
    return good ? EXIT_SUCCESS : SETTINGS_EXIT_STATUS;
}

static int open_and(enum cli_action action, const struct settings *settings)
{
    unsigned threads = settings->http_threads > 0 ? (unsigned)settings->http_threads : cpus_available("");
    char *error;
    struct engine *engine;

    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    if (action == CLI_CHECK)
        log_set_level(LOG_LEVEL_ERROR); /* that a server is away */
    engine = registry_open(settings, threads, &error);
    if (!engine) {
        fprintf(stderr, "cubby: %s\n", error ? error : "out of memory");
        free(error);
        settings_unref(settings);
        return SETTINGS_EXIT_STATUS;
    }
    return action == CLI_CHECK ? check(engine, settings) : service_run(engine, settings, threads);
}

static int load_and(enum cli_action action)
{
    struct settings_report report;
    const struct settings *settings;

    settings_report_init(&report);
    settings = settings_load(environ, &report);
    if (!settings) {
        settings_report_print(&report, stderr);
        settings_report_release(&report);
        return SETTINGS_EXIT_STATUS;
    }
    if (action == CLI_SERVE)
        log_settings(settings, &report);
    settings_report_release(&report);
    return open_and(action, settings);
}

int main(int argc, char **argv)
{
    enum cli_action action = cli_parse(argc, argv, stderr);

    switch (action) {
    case CLI_SERVE:
    case CLI_CHECK:
        return load_and(action);
    case CLI_HELP:
        cli_write_help(stdout);
        return EXIT_SUCCESS;
    case CLI_HELP_MARKDOWN:
        settings_write_markdown(stdout);
        return EXIT_SUCCESS;
    case CLI_VERSION:
        cli_write_version(stdout);
        printf("microhttpd %s\n", http_library_version());
        return EXIT_SUCCESS;
    case CLI_PROBE:
        return probe_run(cli_probe_target(argc, argv), environ, stderr);
    case CLI_WRONG:
        break;
    }
    return CLI_EXIT_USAGE;
}
