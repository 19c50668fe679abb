#include "service/config/option.h"

#include <stddef.h>

#define SECRET OPTION_SECRET
#define RELOADABLE OPTION_RELOADABLE
#define HIDDEN OPTION_HIDDEN
#define OPTION(type, field, name, def, min, max, unit, flags, help)                                                  \
    [OPT_##field] = { name, OPTION_##type, offsetof(struct settings, field), def, min, max, unit, flags, help },
const struct option_row option_rows[OPTION_COUNT] = {
#include "service/config/options.def"
};
#undef OPTION

enum option_id option_find(struct bytes name)
{
    for (int id = 0; id < OPTION_COUNT; id++)
        if (bytes_equal(name, bytes_str(option_rows[id].name)))
            return (enum option_id)id;
    return OPTION_COUNT;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

/* Levenshtein's distance, one row of the matrix at a time. Names that are too
 * long to be a slip of the pen are infinitely far. */
#define NAME_MAX_LEN 63
static unsigned distance_between(struct bytes a, struct bytes b)
{
    unsigned row[NAME_MAX_LEN + 1];

    if (a.len > NAME_MAX_LEN || b.len > NAME_MAX_LEN)
        return NAME_MAX_LEN;
    for (unsigned j = 0; j <= b.len; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned above = row[j];

            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a.ptr[i - 1] != b.ptr[j - 1]));
            diagonal = above;
        }
    }
    return row[b.len];
}

/* Letters behind the prefix: those that tell one setting from another. */
static size_t tail_len(struct bytes name)
{
    struct bytes rest = name;

    (void)bytes_cut(&rest, '_');
    return rest.len;
}

static const char *nearest_longer(struct bytes name)
{
    for (int id = 0; id < OPTION_COUNT && tail_len(name) >= 3; id++)
        if (!(option_rows[id].flags & OPTION_HIDDEN) && bytes_starts_with(bytes_str(option_rows[id].name), name))
            return option_rows[id].name;
    return NULL;
}

const char *option_nearest(struct bytes name, unsigned distance)
{
    const char *nearest = nearest_longer(name);
    unsigned best = tail_len(name) / 2 < distance ? (unsigned)tail_len(name) / 2 : distance;

    for (int id = 0; id < OPTION_COUNT; id++) {
        unsigned d = distance_between(name, bytes_str(option_rows[id].name));

        if (option_rows[id].flags & OPTION_HIDDEN || d > best)
            continue;
        nearest = option_rows[id].name;
        if (d == 0)
            break;
        best = d - 1;
    }
    return nearest;
}

bool option_is_text(enum option_type type)
{
    return type <= OPTION_URL;
}

void *option_field(struct settings *settings, enum option_id id)
{
    return (char *)settings + option_rows[id].offset;
}

const void *option_field_const(const struct settings *settings, enum option_id id)
{
    return (const char *)settings + option_rows[id].offset;
}

/* The word at `position` of a CHOICE's unit. */
static struct bytes choice_word(const char *words, int position)
{
    struct bytes rest = bytes_str(words), word;

    do {
        word = bytes_cut(&rest, '|');
    } while (position-- > 0 && rest.ptr);
    return word;
}

static void write_ttl(struct buffer *out, int64_t ms)
{
    if (ms == TTL_NONE)
        buffer_add_string(out, "none");
    else if (ms % 1000 == 0)
        buffer_add_i64(out, ms / 1000);
    else
        buffer_add_format(out, "%lldms", (long long)ms);
}

static void write_text(struct buffer *out, enum option_id id, const char *text)
{
    if (!text)
        return;
    buffer_add_string(out, option_rows[id].flags & OPTION_SECRET ? "***" : text);
}

void option_write_value(struct buffer *out, const struct settings *settings, enum option_id id)
{
    const void *field = option_field_const(settings, id);

    switch (option_rows[id].type) {
    case OPTION_NUMBER:
    case OPTION_SIZE:
    case OPTION_MILLIS:
        buffer_add_u64(out, *(const uint64_t *)field);
        break;
    case OPTION_TTL:
        write_ttl(out, *(const int64_t *)field);
        break;
    case OPTION_SWITCH:
        buffer_add_string(out, *(const bool *)field ? "on" : "off");
        break;
    case OPTION_CHOICE:
        buffer_add(out, choice_word(option_rows[id].unit, *(const int *)field));
        break;
    default:
        write_text(out, id, *(const char *const *)field);
    }
}

void option_show(char out[OPTION_SHOWN_MAX], enum option_id id, const char *text)
{
    size_t len = 0;

    if ((option_rows[id].flags & OPTION_SECRET) || strchr(text, '@')) {
        strcpy(out, "the value");
        return;
    }
    out[len++] = '"';
    for (; *text && len < OPTION_SHOWN_MAX - 6; text++)
        out[len++] = *text >= ' ' && *text <= '~' ? *text : '?';
    strcpy(out + len, *text ? "...\"" : "\"");
}
