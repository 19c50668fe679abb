#include "service/config/settings.h"

#include <stdlib.h>

#include "service/config/environment.h"
#include "service/config/policies.h"
#include "service/config/settings_private.h"
#include "service/config/text_file.h"
#include "service/config/tokens.h"

/* A name this many edits from a known one is a slip. LOG_ and ADMIN_ are
 * common beginnings: there only what is very near is taken for one. */
#define SLIP_DISTANCE 4
#define SLIP_DISTANCE_COMMON 2

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void destroy(struct settings *settings)
{
    struct settings_private *private = settings->private;

    for (int id = 0; private && id < OPTION_COUNT; id++) {
        wipe(private->texts[id]);
        wipe(private->settled[id]);
        free(private->paths[id]);
    }
    if (private) {
        policies_unref(private->policies);
        tokens_unref(private->tokens);
    }
    free(private);
    free(settings);
}

static struct settings *create(struct settings_report *report)
{
    struct settings *settings = calloc(1, sizeof *settings);

    if (settings)
        settings->private = calloc(1, sizeof *settings->private);
    if (!settings || !settings->private) {
        settings_report_fault(report, "settings: no memory");
        free(settings);
        return NULL;
    }
    atomic_init(&settings->private->refs, 1);
    return settings;
}

/* ---- Gathering: whose variable is it ---- */

static void copy_text(char **out, const char *text, struct settings_report *report)
{
    if (*out)
        return; /* a name twice: the first holds, as getenv() has it */
    *out = strdup(text);
    if (!*out)
        settings_report_fault(report, "settings: no memory");
}

/* Cuts "_FILE" off the end of `*name`. */
static bool cut_file(struct bytes *name)
{
    static const struct bytes suffix = { "_FILE", 5 };

    if (name->len <= suffix.len || !bytes_equal(bytes_of(name->ptr + name->len - suffix.len, suffix.len), suffix))
        return false;
    name->len -= suffix.len;
    return true;
}

/* A name of our prefixes that no row has. Its value may be a mistyped secret's
 * and is not shown. */
static void report_unknown(struct bytes name, const char *value, struct settings_report *report)
{
    bool common = bytes_starts_with(name, BYTES("LOG_")) || bytes_starts_with(name, BYTES("ADMIN_"));
    struct bytes stem = name;
    const char *suffix = cut_file(&stem) ? "_FILE" : "";
    const char *nearest = option_nearest(stem, common ? SLIP_DISTANCE_COMMON : SLIP_DISTANCE);
    char shown[64];

    snprintf(shown, sizeof shown, "%.*s", (int)name.len, name.ptr);
    for (char *c = shown; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    if (environment_is_foreign(name) || environment_is_injected(name, bytes_str(value)) || (common && !nearest))
        settings_report_ignored(report, shown);
    else if (nearest)
        settings_report_fault(report, "%s: unknown setting (did you mean %s%s?)", shown, nearest, suffix);
    else
        settings_report_fault(report, "%s: unknown setting (--help lists all)", shown);
}

static void gather_variable(struct settings *settings, const char *variable, struct settings_report *report)
{
    const char *equals = strchr(variable, '=');
    struct bytes name, stem;
    enum option_id id;

    /* Empty is not set: templates write NAME= for what they leave out. */
    if (!equals || equals[1] == '\0')
        return;
    name = bytes_of(variable, (size_t)(equals - variable));
    if (!environment_is_reserved(name))
        return;
    id = option_find(name);
    if (id != OPTION_COUNT) {
        if (environment_is_injected(name, bytes_str(equals + 1)))
            settings_report_ignored(report, option_rows[id].name);
        else
            copy_text(&settings->private->texts[id], equals + 1, report);
        return;
    }
    stem = name;
    id = cut_file(&stem) ? option_find(stem) : OPTION_COUNT;
    if (id != OPTION_COUNT)
        copy_text(&settings->private->paths[id], equals + 1, report);
    else
        report_unknown(name, equals + 1, report);
}

static void read_file(struct settings *settings, enum option_id id, struct settings_report *report)
{
    const char *path = settings->private->paths[id];
    const char *why = "";
    char *text = text_file_read(path, &why);

    if (!text) {
        settings_report_fault(report, "%s_FILE: %s: %s", option_rows[id].name, path, why);
        return;
    }
    wipe(settings->private->texts[id]);
    settings->private->texts[id] = text;
}

static void gather(struct settings *settings, char *const *environment, struct settings_report *report)
{
    struct settings_private *private = settings->private;

    for (; *environment; environment++)
        gather_variable(settings, *environment, report);
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (private->paths[id] && private->texts[id])
            settings_report_fault(report, "%s: given both as it is and as %s_FILE", option_rows[id].name,
                                  option_rows[id].name);
        else if (private->paths[id])
            read_file(settings, (enum option_id)id, report);
    }
}

/* ---- Reading: each field from its text or its default ---- */

void settings_put_text(struct settings *settings, enum option_id id, char *text, struct settings_report *report)
{
    if (!text) {
        settings_report_fault(report, "%s: no memory", option_rows[id].name);
        return;
    }
    wipe(settings->private->settled[id]);
    settings->private->settled[id] = text;
    *(const char **)option_field(settings, id) = text;
}

static bool read_text(struct settings *settings, enum option_id id, const char *text, struct settings_report *report)
{
    struct option_reading reading;
    char shown[OPTION_SHOWN_MAX];

    if (!option_read(settings, id, text, &reading)) {
        option_show(shown, id, text);
        settings_report_fault(report, "%s: %s %s", option_rows[id].name, shown, reading.why);
        return false;
    }
    if (reading.settled)
        settings_put_text(settings, id, reading.settled, report);
    return true;
}

/* A field at fault gets its default, so that what is looked at later makes
 * sense. */
static void read_option(struct settings *settings, enum option_id id, struct settings_report *report)
{
    const char *text = settings->private->texts[id];
    const char *default_text = option_rows[id].default_text;

    if (text && read_text(settings, id, text, report))
        return;
    if (*default_text != '\0')
        (void)read_text(settings, id, default_text, report);
}

/* All fields, and what follows from them. */
static void read_options(struct settings *settings, struct settings_report *report)
{
    for (int id = 0; id < OPTION_COUNT; id++)
        read_option(settings, (enum option_id)id, report);
    settings_settle(settings, report);
}

/* Takes the JSON files' contents over. */
static void put_documents(struct settings *settings, struct policies *policies, struct tokens *tokens)
{
    settings->policies = settings->private->policies = policies;
    settings->tokens = settings->private->tokens = tokens;
}

const struct settings *settings_load(char *const *environment, struct settings_report *report)
{
    struct settings *settings = create(report);

    if (!settings)
        return NULL;
    gather(settings, environment, report);
    read_options(settings, report);
    put_documents(settings,
                  settings->cache_namespaces_file ? policies_read(settings->cache_namespaces_file, report) : NULL,
                  settings->cache_tokens_file ? tokens_read(settings->cache_tokens_file, report) : NULL);
    if (!settings_report_has_faults(report))
        return settings;
    destroy(settings);
    return NULL;
}

/* ---- Reading again: each file on its own ---- */

static size_t faults_of(const struct settings_report *report)
{
    return report->faults.count + report->faults.dropped;
}

/* What a file cannot be read for, or holds at fault, stays as it was. */
static void read_file_again(struct settings *settings, const struct settings *old, enum option_id id,
                            struct settings_report *report, struct settings_report *fatal)
{
    char **text = &settings->private->texts[id];

    read_file(settings, id, report);
    if (*text && read_text(settings, id, *text, report))
        return;
    wipe(*text);
    *text = NULL;
    if (old->private->texts[id])
        copy_text(text, old->private->texts[id], fatal);
}

static void gather_again(struct settings *settings, const struct settings *old, struct settings_report *report,
                         struct settings_report *fatal)
{
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (old->private->paths[id])
            copy_text(&settings->private->paths[id], old->private->paths[id], fatal);
        if (settings->private->paths[id] && (option_rows[id].flags & OPTION_RELOADABLE))
            read_file_again(settings, old, (enum option_id)id, report, fatal);
        else if (old->private->texts[id])
            copy_text(&settings->private->texts[id], old->private->texts[id], fatal);
    }
}

static struct policies *policies_again(const struct settings *old, const struct policies_abilities *abilities,
                                       struct settings_report *report)
{
    size_t before = faults_of(report);
    struct policies *fresh;

    if (!old->cache_namespaces_file)
        return NULL;
    fresh = policies_read(old->cache_namespaces_file, report);
    if (fresh && abilities)
        policies_check(fresh, abilities, report);
    if (faults_of(report) == before)
        return fresh;
    policies_unref(fresh);
    return policies_ref(old->private->policies);
}

static struct tokens *tokens_again(const struct settings *old, struct settings_report *report)
{
    struct tokens *fresh;

    if (!old->cache_tokens_file)
        return NULL;
    fresh = tokens_read(old->cache_tokens_file, report);
    return fresh ? fresh : tokens_ref(old->private->tokens);
}

const struct settings *settings_reload(const struct settings *old, const struct policies_abilities *abilities,
                                       struct settings_report *report)
{
    struct settings *settings = create(report);
    struct settings_report fatal;
    bool good;

    if (!settings)
        return NULL;
    settings_report_init(&fatal);
    gather_again(settings, old, report, &fatal);
    read_options(settings, &fatal);
    put_documents(settings, policies_again(old, abilities, report), tokens_again(old, report));
    good = !settings_report_has_faults(&fatal);
    for (size_t i = 0; i < fatal.faults.count; i++)
        settings_report_fault(report, "%s", fatal.faults.items[i]);
    settings_report_release(&fatal);
    if (good)
        return settings;
    destroy(settings);
    return NULL;
}

/* ---- Lifetime ---- */

const struct settings *settings_ref(const struct settings *settings)
{
    atomic_fetch_add_explicit(&settings->private->refs, 1, memory_order_relaxed);
    return settings;
}

void settings_unref(const struct settings *settings)
{
    if (!settings || atomic_fetch_sub_explicit(&settings->private->refs, 1, memory_order_acq_rel) != 1)
        return;
    destroy((struct settings *)(uintptr_t)settings);
}
