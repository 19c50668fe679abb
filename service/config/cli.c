#include "service/config/cli.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "service/config/settings.h"

static const struct {
    const char *word;
    enum cli_action action;
} words[] = {
    { "--help", CLI_HELP },       { "-h", CLI_HELP },    { "--help-markdown", CLI_HELP_MARKDOWN },
    { "--version", CLI_VERSION }, { "-V", CLI_VERSION }, { "--check", CLI_CHECK },
    { "--probe", CLI_PROBE },
};

/* The later in this list wins over the earlier. */
static int rank(enum cli_action action)
{
    static const enum cli_action order[] = { CLI_SERVE, CLI_CHECK, CLI_PROBE, CLI_VERSION, CLI_HELP_MARKDOWN, CLI_HELP };
    int i = 0;

    while (order[i] != action)
        i++;
    return i;
}

static enum cli_action find(const char *word)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i].word) == 0)
            return words[i].action;
    return CLI_WRONG;
}

static bool has_target(int argc, char *const *argv, int at)
{
    return at + 1 < argc && argv[at + 1][0] != '-';
}

static const char usage[] = "usage: cubby [--check | --probe [URL | PATH] | --help | --version]\n";

enum cli_action cli_parse(int argc, char *const *argv, FILE *err)
{
    enum cli_action result = CLI_SERVE;

    for (int i = 1; i < argc; i++) {
        enum cli_action action = find(argv[i]);

        if (action == CLI_WRONG) {
            fprintf(err, "cubby: unknown argument \"%.64s\"\n%s", argv[i], usage);
            return CLI_WRONG;
        }
        if (action == CLI_PROBE && has_target(argc, argv, i))
            i++;
        if (rank(action) > rank(result))
            result = action;
    }
    return result;
}

const char *cli_probe_target(int argc, char *const *argv)
{
    for (int i = 1; i < argc; i++)
        if (find(argv[i]) == CLI_PROBE)
            return has_target(argc, argv, i) ? argv[i + 1] : NULL;
    return NULL;
}

void cli_write_help(FILE *out)
{
    fputs(usage, out);
    fputs("\nAn HTTP cache service. Without an argument it serves until SIGTERM or SIGINT.\n"
          "  --check    validate the settings and exit: 0, or 78 with every fault named\n"
          "  --probe    ask a running service for /readyz, or for the path or URL that follows: 0 on a 200, else 1\n"
          "  --help     this\n"
          "  --version  the version\n\n",
          out);
    settings_write_help(out);
}

void cli_write_version(FILE *out)
{
    fprintf(out, "cubby %s\n", CUBBY_VERSION);
}
