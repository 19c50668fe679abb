/* support.h - makes settings from a few variables, and looks at the report. */
#pragma once

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "service/config/settings.h"

/* Literals are const, an environment is not; nothing writes to it. */
#define VARIABLES(...) ((char *const *)(uintptr_t)(const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

struct outcome {
    const struct settings *settings;
    struct settings_report report;
};

static inline struct outcome load(char *const *environment)
{
    struct outcome outcome;

    settings_report_init(&outcome.report);
    outcome.settings = settings_load(environment, &outcome.report);
    cr_expect_eq(outcome.settings == NULL, settings_report_has_faults(&outcome.report));
    return outcome;
}

static inline void end(struct outcome *outcome)
{
    settings_unref(outcome->settings);
    settings_report_release(&outcome->report);
}

static inline bool texts_have(const struct settings_texts *texts, const char *part)
{
    for (size_t i = 0; i < texts->count; i++)
        if (strstr(texts->items[i], part))
            return true;
    return false;
}

/* These variables have exactly one fault, and it reads so. */
static inline void expect_fault(char *const *environment, const char *fault)
{
    struct outcome outcome = load(environment);
    char *all = settings_texts_join(&outcome.report.faults, "; ");

    cr_expect(outcome.report.faults.count == 1 && strcmp(all, fault) == 0, "%s\n  instead of %s",
              all ? all : "(no fault)", fault);
    free(all);
    end(&outcome);
}

/* The settings that these variables make; they must be good. */
static inline struct outcome load_good(char *const *environment)
{
    struct outcome outcome = load(environment);
    char *all = settings_texts_join(&outcome.report.faults, "; ");

    cr_assert_not_null(outcome.settings, "%s", all);
    free(all);
    return outcome;
}
