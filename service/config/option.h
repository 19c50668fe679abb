/* option.h - the rows of options.def as data, and how one value is read.
 * Threading: constant tables and pure functions. */
#pragma once

#include "service/base/buffer.h"
#include "service/config/settings.h"

enum option_type {
    OPTION_STRING,
    OPTION_NAME,
    OPTION_HOST,
    OPTION_PATH,
    OPTION_SERVERS,
    OPTION_NETS,
    OPTION_URL,
    OPTION_NUMBER,
    OPTION_SIZE,
    OPTION_MILLIS,
    OPTION_TTL,
    OPTION_SWITCH,
    OPTION_CHOICE,
};

enum option_flag { OPTION_SECRET = 1 << 0, OPTION_RELOADABLE = 1 << 1, OPTION_HIDDEN = 1 << 2 };

/* OPT_http_host, ...: the rows' positions, named by field. */
enum option_id {
#define OPTION(type, field, name, def, min, max, unit, flags, help) OPT_##field,
#include "service/config/options.def"
#undef OPTION
    OPTION_COUNT
};

struct option_row {
    const char *name;
    enum option_type type;
    size_t offset; /* of the field in struct settings */
    const char *default_text;
    uint64_t min, max;
    const char *unit;
    unsigned flags;
    const char *help;
};

extern const struct option_row option_rows[OPTION_COUNT];

/* Row of that name, or OPTION_COUNT. */
enum option_id option_find(struct bytes name);

/* The known name that `name` is most like: one that it begins, or else one at
 * most `distance` edits away, and no more than half of what follows the first
 * underscore. NULL when it is like none. */
const char *option_nearest(struct bytes name, unsigned distance);

/* True for the types whose field is a `const char *`. */
bool option_is_text(enum option_type type);

/* The row's field in `settings`, of the C type that options.def names. */
void *option_field(struct settings *settings, enum option_id id);
const void *option_field_const(const struct settings *settings, enum option_id id);

/* What reading one value takes and gives. */
struct option_reading {
    char why[160]; /* what is wrong, without the value; fits behind "NAME: <value> " */
    char *settled; /* text types that are stored in another form than given: to free() */
};

/* Reads `text` into the row's field; text fields borrow `text` unless
 * reading->settled takes its place. False with reading->why on a fault. */
bool option_read(struct settings *settings, enum option_id id, const char *text,
                 struct option_reading *reading) MUST_CHECK;

/* Appends the row's value as it could be written in the environment; secrets
 * as ***, nothing for text that is not set. */
void option_write_value(struct buffer *out, const struct settings *settings, enum option_id id);

/* `text` for a message: in quotation marks, cut and made printable; or "the
 * value" where it is a secret or, having an @, could hold one. */
#define OPTION_SHOWN_MAX 80
void option_show(char out[OPTION_SHOWN_MAX], enum option_id id, const char *text);
