#include "routes/text/percent.h"

#include "routes/text/hex.h"

enum percent_outcome percent_decode(struct bytes text, char *out, size_t max, size_t *len)
{
    size_t used = 0;

    while (text.len > 0) {
        const char *escape = memchr(text.ptr, '%', text.len);
        size_t run = escape ? (size_t)(escape - text.ptr) : text.len;

        if (run > max - used)
            return PERCENT_TOO_LONG;
        if (run > 0) /* `out` may be NULL when there is no room at all */
            memcpy(out + used, text.ptr, run);
        used += run;
        text = bytes_of(text.ptr + run, text.len - run);
        if (text.len == 0)
            break;

        int high = text.len > 1 ? hex_digit(text.ptr[1]) : -1;
        int low = text.len > 2 ? hex_digit(text.ptr[2]) : -1;

        if (high < 0 || low < 0)
            return PERCENT_BAD_ESCAPE;
        if (used == max)
            return PERCENT_TOO_LONG;
        out[used++] = (char)(high * 16 + low);
        text = bytes_of(text.ptr + 3, text.len - 3);
    }
    *len = used;
    return PERCENT_OK;
}
