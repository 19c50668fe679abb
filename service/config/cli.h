/* cli.h - the command line: a few words, everything else is environment.
 * Threading: pure. */
#pragma once

#include <stdio.h>

/* Exit status for a wrong command line (sysexits.h, EX_USAGE). */
#define CLI_EXIT_USAGE 64

enum cli_action {
    CLI_SERVE,
    CLI_CHECK,         /* --check: validate the settings, then exit */
    CLI_HELP,          /* --help: cli_write_help(), then exit 0 */
    CLI_HELP_MARKDOWN, /* --help-markdown: settings_write_markdown(), then exit 0 */
    CLI_VERSION,       /* --version, then exit 0 */
    CLI_PROBE,         /* --probe [URL | PATH]: probe_run() of cli_probe_target() */
    CLI_WRONG,         /* said on `err`; exit CLI_EXIT_USAGE */
};

/* What the arguments ask for. --help wins over --version over --probe over --check; a word
 * that is not known makes the line CLI_WRONG, which is then said on `err`. */
enum cli_action cli_parse(int argc, char *const *argv, FILE *err);

/* The word behind --probe, or NULL. */
const char *cli_probe_target(int argc, char *const *argv);

void cli_write_help(FILE *out);
void cli_write_version(FILE *out);
