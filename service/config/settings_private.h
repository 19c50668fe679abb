/* settings_private.h - shared by settings.c (gathering, reading, lifetime) and
 * settings_settle.c (what depends on several settings).
 * Threading: until the object is returned it belongs to one thread. */
#pragma once

#include "service/config/option.h"

struct settings_private {
    _Atomic unsigned refs;
    char *texts[OPTION_COUNT];   /* as given; NULL: the default holds */
    char *paths[OPTION_COUNT];   /* the file that a text came from, or NULL */
    char *settled[OPTION_COUNT]; /* what a text field holds instead of its text */
    struct policies *policies;
    struct tokens *tokens;
};

/* A setting whose file could not be read counts as given. */
static inline bool settings_given(const struct settings *settings, enum option_id id)
{
    return settings->private->texts[id] != NULL || settings->private->paths[id] != NULL;
}

/* Sets a text field to `text`, which it takes over (NULL: for want of memory,
 * which is a fault). */
void settings_put_text(struct settings *settings, enum option_id id, char *text, struct settings_report *report);

/* Settles what the single settings leave open (see struct settings) and finds
 * what does not go together. Each field has been read. */
void settings_settle(struct settings *settings, struct settings_report *report);

/* Whether a row belongs to an engine that is not the chosen one. */
bool settings_is_other_engines(const struct settings *settings, enum option_id id);

/* The part for Redis; cache_engine and REDIS_URL have been settled. */
void settings_settle_redis(struct settings *settings, struct settings_report *report);

/* Copies the parts of REDIS_URL into the fields, and finds contradictions. */
void settings_settle_redis_url(struct settings *settings, struct settings_report *report);
