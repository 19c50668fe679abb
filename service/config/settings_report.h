/* settings_report.h - what there is to say about an environment.
 *
 * Faults stop the start; notes and ignored names are for one log line each.
 * No text in a report holds the value of a secret.
 * Threading: belongs to one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Texts, oldest first. Beyond SETTINGS_TEXTS_MAX they are counted only. */
#define SETTINGS_TEXTS_MAX 256
struct settings_texts {
    char **items;
    size_t count;
    size_t dropped; /* for want of room or memory */
};

struct settings_report {
    struct settings_texts faults;  /* each a full sentence part: "HTTP_PORT: ..." */
    struct settings_texts notes;   /* settings that were adjusted or have no effect */
    struct settings_texts ignored; /* names of variables that are somebody else's */
};

void settings_report_init(struct settings_report *report);
void settings_report_release(struct settings_report *report);

/* Adds a text; `format` as for printf. A fault that finds no memory is still
 * counted in `dropped`, so it still stops the start. */
void settings_report_fault(struct settings_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void settings_report_note(struct settings_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void settings_report_ignored(struct settings_report *report, const char *name);

bool settings_report_has_faults(const struct settings_report *report);

/* All faults, one a line, for standard error. */
void settings_report_print(const struct settings_report *report, FILE *out);

/* The texts joined with `separator`; a text to free(), NULL when there are
 * none or out of memory. */
char *settings_texts_join(const struct settings_texts *texts, const char *separator);
