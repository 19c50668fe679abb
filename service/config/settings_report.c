#include "service/config/settings_report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "service/base/buffer.h"

/* The most that joined texts may take. */
#define JOINED_MAX 65536

void settings_report_init(struct settings_report *report)
{
    *report = (struct settings_report){ 0 };
}

static void release(struct settings_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->items[i]);
    free(texts->items);
    *texts = (struct settings_texts){ 0 };
}

void settings_report_release(struct settings_report *report)
{
    release(&report->faults);
    release(&report->notes);
    release(&report->ignored);
}

/* Takes `text` over; NULL is one for which there was no memory. */
static void add(struct settings_texts *texts, char *text)
{
    if (!texts->items)
        texts->items = calloc(SETTINGS_TEXTS_MAX, sizeof *texts->items);
    if (!text || !texts->items || texts->count == SETTINGS_TEXTS_MAX) {
        texts->dropped++;
        free(text);
        return;
    }
    texts->items[texts->count++] = text;
}

static void add_format(struct settings_texts *texts, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static void add_format(struct settings_texts *texts, const char *format, va_list arguments)
{
    char *text;

    add(texts, vasprintf(&text, format, arguments) < 0 ? NULL : text);
}

void settings_report_fault(struct settings_report *report, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_format(&report->faults, format, arguments);
    va_end(arguments);
}

void settings_report_note(struct settings_report *report, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_format(&report->notes, format, arguments);
    va_end(arguments);
}

void settings_report_ignored(struct settings_report *report, const char *name)
{
    add(&report->ignored, strdup(name));
}

bool settings_report_has_faults(const struct settings_report *report)
{
    return report->faults.count > 0 || report->faults.dropped > 0;
}

void settings_report_print(const struct settings_report *report, FILE *out)
{
    for (size_t i = 0; i < report->faults.count; i++)
        fprintf(out, "%s\n", report->faults.items[i]);
    if (report->faults.dropped > 0)
        fprintf(out, "and %zu more\n", report->faults.dropped);
}

char *settings_texts_join(const struct settings_texts *texts, const char *separator)
{
    struct buffer joined;
    char *string = NULL;

    buffer_init(&joined, JOINED_MAX);
    for (size_t i = 0; i < texts->count; i++) {
        buffer_add_string(&joined, i > 0 ? separator : "");
        buffer_add_string(&joined, texts->items[i]);
    }
    if (texts->count > 0)
        string = buffer_take_string(&joined);
    buffer_release(&joined);
    return string;
}
