/* settings_print.c - for people: --help, the page, the start-up line.
 * Threading: pure, but for the stream. */
#include "service/config/settings_private.h"

#define HELP_WIDTH 78
#define HELP_INDENT 6
/* Above what the longest text of every row comes to. */
#define DESCRIPTION_MAX 65536

/* ---- Bounds ---- */

/* A number of bytes with the largest unit that divides it. */
static void add_size(struct buffer *out, uint64_t bytes)
{
    static const char *const units[] = { "", " KiB", " MiB", " GiB" };
    int unit = 0;

    while (unit < 3 && bytes >= 1024 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    buffer_add_u64(out, bytes);
    buffer_add_string(out, unit > 0 ? units[unit] : "");
}

/* `a|b|c` as "a, b, c"; every word between `quote`s. */
static void add_words(struct buffer *out, const char *words, const char *quote)
{
    struct bytes rest = bytes_str(words);
    bool first = true;

    while (rest.ptr) {
        buffer_add_string(out, first ? "" : ", ");
        buffer_add_string(out, quote);
        buffer_add(out, bytes_cut(&rest, '|'));
        buffer_add_string(out, quote);
        first = false;
    }
}

static void add_bounds(struct buffer *out, const struct option_row *row, const char *quote)
{
    switch (row->type) {
    case OPTION_NUMBER:
    case OPTION_MILLIS:
        buffer_add_format(out, "%llu to %llu", (unsigned long long)row->min, (unsigned long long)row->max);
        buffer_add_string(out, row->unit[0] ? " " : "");
        buffer_add_string(out, row->unit);
        break;
    case OPTION_SIZE:
        add_size(out, row->min);
        buffer_add_string(out, " to ");
        add_size(out, row->max);
        break;
    case OPTION_TTL:
        buffer_add_string(out, "above 0 to 10 years, none");
        break;
    case OPTION_SWITCH:
        add_words(out, "on|off", quote);
        break;
    case OPTION_CHOICE:
        add_words(out, row->unit, quote);
        break;
    case OPTION_SERVERS:
        buffer_add_format(out, "host:port list, port %llu where left out", (unsigned long long)row->min);
        break;
    default:
        buffer_add_format(out, "%s%sat most %llu bytes", row->unit, row->unit[0] ? ", " : "",
                          (unsigned long long)row->max);
    }
    buffer_add_string(out, row->flags & OPTION_SECRET ? "; secret" : "");
    buffer_add_string(out, row->flags & OPTION_RELOADABLE ? "; reloadable" : "");
}

/* ---- --help ---- */

/* Writes words up to the width, indented; backquotes are for the page. */
static void write_wrapped(FILE *out, const char *text)
{
    struct bytes rest = bytes_str(text);
    size_t column = 0;

    while (rest.ptr) {
        struct bytes word = bytes_cut(&rest, ' ');

        if (column > 0 && column + 1 + word.len > HELP_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        if (column == 0)
            column = (size_t)fprintf(out, "%*s", HELP_INDENT, "");
        else
            column += (size_t)fprintf(out, " ");
        for (size_t i = 0; i < word.len; i++)
            if (word.ptr[i] != '`')
                column += (size_t)(fputc(word.ptr[i], out) != EOF);
    }
    fputc('\n', out);
}

static void write_help_row(FILE *out, const struct option_row *row)
{
    char memory[512];
    struct buffer bounds;

    buffer_init_fixed(&bounds, memory, sizeof memory);
    add_bounds(&bounds, row, "");
    fprintf(out, "  %s=%s\n", row->name, row->default_text);
    write_wrapped(out, row->help);
    fprintf(out, "%*s[%.*s]\n", HELP_INDENT, "", (int)bounds.len, bounds.ptr);
}

void settings_write_help(FILE *out)
{
    fputs("Settings are environment variables, shown with their defaults. An empty one\n"
          "counts as not set. For each NAME, NAME_FILE may name a file that holds the\n"
          "value instead (a newline at its end is dropped); both at once is an error.\n"
          "Reloadable ones are read again from their NAME_FILE on SIGHUP. on is also true,\n"
          "yes, 1, and off is false, no, 0, in any case. Sizes are bytes, or a number with\n"
          "K, M, G (also KiB, MiB, GiB), powers of 1024.\n\n",
          out);
    for (int id = 0; id < OPTION_COUNT; id++)
        if (!(option_rows[id].flags & OPTION_HIDDEN))
            write_help_row(out, &option_rows[id]);
}

/* ---- docs/configuration.md ---- */

static const char page_head[] =
    "<!-- Made by `cubby --help-markdown` from service/config/options.def; edit that. -->\n"
    "# Configuration\n"
    "\n"
    "All settings are environment variables. `cubby --help` shows them, `cubby --check` validates what is set and\n"
    "exits.\n"
    "\n"
    "- An empty variable counts as not set.\n"
    "- For each setting `NAME`, the variable `NAME_FILE` may name a file that holds the value: a regular file of at\n"
    "  most 64 KiB, of which one newline at the end is dropped. An empty or unreadable file is an error, and so are\n"
    "  `NAME` and `NAME_FILE` together. Use it for secrets.\n"
    "- On SIGHUP the reloadable settings are read again from their `NAME_FILE`; a fault leaves everything as it "
    "was.\n"
    "- `on` is also `true`, `yes`, `1`, and `off` is `false`, `no`, `0`, in any case. A size is a number of bytes, "
    "or a\n"
    "  number with `K`, `M`, `G` (also `KiB`, `MiB`, `GiB`), powers of 1024.\n"
    "- A malformed value, one out of bounds, settings that contradict each other, or an unknown name that begins "
    "with\n"
    "  `HTTP_`, `CACHE_`, `MEMORY_`, `REDIS_` or `MEMCACHED_`: the service names every fault on standard error and\n"
    "  exits with status 78. Secrets are never shown. An unknown `LOG_` or `ADMIN_` name is a fault only where it "
    "looks like a slip.\n"
    "- Variables that Kubernetes injects for a Service (`REDIS_PORT=tcp://10.0.0.1:6379`, `REDIS_SERVICE_HOST`,\n"
    "  `REDIS_PORT_6379_TCP_ADDR` and the like), those of systemd, and `HTTP_PROXY` are ignored and named in one "
    "log\n"
    "  line.\n";

static struct bytes group_of(const struct option_row *row)
{
    struct bytes rest = bytes_str(row->name);

    return bytes_cut(&rest, '_');
}

static void write_markdown_row(FILE *out, const struct option_row *row)
{
    char memory[512];
    struct buffer bounds;
    const char *quote = row->default_text[0] ? "`" : "";

    buffer_init_fixed(&bounds, memory, sizeof memory);
    add_bounds(&bounds, row, "`");
    fprintf(out, "| `%s` | %s%s%s | %.*s | %s |\n", row->name, quote, row->default_text, quote, (int)bounds.len,
            bounds.ptr, row->help);
}

void settings_write_markdown(FILE *out)
{
    struct bytes group = BYTES_NONE;

    fputs(page_head, out);
    for (int id = 0; id < OPTION_COUNT; id++) {
        const struct option_row *row = &option_rows[id];

        if (row->flags & OPTION_HIDDEN)
            continue;
        if (!bytes_equal(group, group_of(row))) {
            group = group_of(row);
            fprintf(out, "\n## %.*s\n\n| setting | default | bounds | meaning |\n|---|---|---|---|\n", (int)group.len,
                    group.ptr);
        }
        write_markdown_row(out, row);
    }
}

/* ---- The start-up line ---- */

/* A row of the admin port, where there is none. */
static bool is_idle_admin(const struct settings *settings, enum option_id id)
{
    return !settings->has_admin_port && bytes_starts_with(bytes_str(option_rows[id].name), BYTES("ADMIN_"));
}

char *settings_describe(const struct settings *settings)
{
    struct buffer line;
    char *string;

    buffer_init(&line, DESCRIPTION_MAX);
    for (int id = 0; id < OPTION_COUNT; id++) {
        const char *const *text = option_field_const(settings, (enum option_id)id);

        if (settings_is_other_engines(settings, (enum option_id)id) || is_idle_admin(settings, (enum option_id)id) ||
            (option_is_text(option_rows[id].type) && !*text))
            continue;
        buffer_add_string(&line, line.len > 0 ? " " : "");
        buffer_add_string(&line, option_rows[id].name);
        buffer_add_char(&line, '=');
        option_write_value(&line, settings, (enum option_id)id);
    }
    string = buffer_take_string(&line);
    buffer_release(&line);
    return string;
}
