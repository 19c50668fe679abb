/* tchar.h - what tokens of HTTP are made of (RFC 9110 section 5.6.2).
 * Threading: pure. */
#pragma once

#include <stdbool.h>

/* By byte. */
extern const bool tchar_bytes[256];

static inline bool is_tchar(char c)
{
    return tchar_bytes[(unsigned char)c];
}
