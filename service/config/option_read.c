/* option_read.c - option_read(): one value, by its row's type.
 * Threading: pure. */
#include "service/config/option.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/config/host.h"

static bool fault(struct option_reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fault(struct option_reading *reading, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reading->why, sizeof reading->why, format, arguments);
    va_end(arguments);
    return false;
}

static bool out_of_bounds(const struct option_row *row, struct option_reading *reading)
{
    return fault(reading, "is not between %llu and %llu", (unsigned long long)row->min, (unsigned long long)row->max);
}

static bool read_number(const struct option_row *row, struct bytes text, uint64_t *out,
                        struct option_reading *reading)
{
    unsigned long long n;

    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return fault(reading, "is not a number");
    if (!bytes_to_u64(text, row->max, &n) || n < row->min)
        return out_of_bounds(row, reading);
    *out = n;
    return true;
}

/* Bytes of a size's suffix; 0: there is no such suffix. */
static uint64_t suffix_bytes(struct bytes suffix)
{
    static const char letters[] = "KMG";
    const char *letter;

    if (suffix.len == 0)
        return 1;
    letter = memchr(letters, suffix.ptr[0], 3);
    if (!letter || (suffix.len != 1 && !bytes_equal(bytes_of(suffix.ptr + 1, suffix.len - 1), BYTES("iB"))))
        return 0;
    return UINT64_C(1) << (10 * (letter - letters + 1));
}

static bool read_size(const struct option_row *row, struct bytes text, uint64_t *out, struct option_reading *reading)
{
    struct bytes digits = { text.ptr, 0 };
    unsigned long long n;
    uint64_t unit;

    while (digits.len < text.len && text.ptr[digits.len] >= '0' && text.ptr[digits.len] <= '9')
        digits.len++;
    unit = suffix_bytes(bytes_of(text.ptr + digits.len, text.len - digits.len));
    if (digits.len == 0 || unit == 0)
        return fault(reading, "is not a size: bytes, or a number with K, M, G, KiB, MiB or GiB (powers of 1024)");
    if (!bytes_to_u64(digits, row->max / unit, &n) || n * unit < row->min)
        return out_of_bounds(row, reading);
    *out = n * unit;
    return true;
}

static bool read_switch(struct bytes text, bool *out, struct option_reading *reading)
{
    static const char *const words[2][4] = { { "off", "false", "0", "no" }, { "on", "true", "1", "yes" } };

    for (int truth = 0; truth < 2; truth++)
        for (int i = 0; i < 4; i++)
            if (bytes_equal_nocase(text, bytes_str(words[truth][i]))) {
                *out = truth;
                return true;
            }
    return fault(reading, "is neither on (true, yes, 1) nor off (false, no, 0)");
}

static bool read_choice(const struct option_row *row, struct bytes text, int *out, struct option_reading *reading)
{
    struct bytes rest = bytes_str(row->unit);

    for (int position = 0; rest.ptr; position++)
        if (bytes_equal(text, bytes_cut(&rest, '|'))) {
            *out = position;
            return true;
        }
    return fault(reading, "is not one of %s", row->unit);
}

static bool read_ttl(struct bytes text, int64_t *out, struct option_reading *reading)
{
    return ttl_parse(text, out) == NULL ||
           fault(reading, "is not a time to live: seconds, a number with ms, s, m, h or d, or none; "
                          "above 0, at most 10 years");
}

static bool read_list(const struct option_row *row, struct bytes text, struct option_reading *reading)
{
    struct buffer list;
    const char *why;
    bool valid;

    /* A port of six bytes at the most may join each of the entries. */
    buffer_init(&list, row->max + 6 * HOST_LIST_MAX);
    valid = row->type == OPTION_SERVERS ? host_list_normalise(text, row->min, &list, &why)
                                        : net_list_normalise(text, &list, &why);
    if (valid)
        reading->settled = buffer_take_string(&list);
    buffer_release(&list);
    if (!valid)
        return fault(reading, "%s", why);
    return reading->settled || fault(reading, "found no memory");
}

static bool is_name(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !strchr("._-", c))
            return false;
    }
    return true;
}

static bool has_control_characters(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return true;
    return false;
}

/* What a type asks of its text beyond its length; the text is printable. */
static bool read_form(const struct option_row *row, struct bytes text, struct option_reading *reading)
{
    switch (row->type) {
    case OPTION_NAME:
        return is_name(text) || fault(reading, "has characters other than A-Z a-z 0-9 . _ -");
    case OPTION_HOST:
        return host_is_valid(text) || fault(reading, "is neither a host name nor an address");
    case OPTION_SERVERS:
    case OPTION_NETS:
        return read_list(row, text, reading);
    default:
        return true;
    }
}

static bool read_text(const struct option_row *row, struct bytes text, const char **out,
                      struct option_reading *reading)
{
    if (text.len > row->max)
        return fault(reading, "is longer than %llu bytes", (unsigned long long)row->max);
    if (has_control_characters(text))
        return fault(reading, "has control characters");
    if (!read_form(row, text, reading))
        return false;
    *out = reading->settled ? reading->settled : text.ptr;
    return true;
}

bool option_read(struct settings *settings, enum option_id id, const char *text, struct option_reading *reading)
{
    const struct option_row *row = &option_rows[id];
    struct bytes given = bytes_str(text);
    void *field = option_field(settings, id);

    reading->settled = NULL;
    reading->why[0] = '\0';
    switch (row->type) {
    case OPTION_NUMBER:
    case OPTION_MILLIS:
        return read_number(row, given, field, reading);
    case OPTION_SIZE:
        return read_size(row, given, field, reading);
    case OPTION_TTL:
        return read_ttl(given, field, reading);
    case OPTION_SWITCH:
        return read_switch(given, field, reading);
    case OPTION_CHOICE:
        return read_choice(row, given, field, reading);
    default:
        return read_text(row, given, field, reading);
    }
}
