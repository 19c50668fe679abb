/* tokens_private.h - shared by tokens.c (looking up, lifetime) and
 * tokens_read.c (the file). Threading: until the object is returned it belongs
 * to one thread. */
#pragma once

#include "service/config/tokens.h"

struct tokens {
    struct file_stamp stamp;
    size_t count;
    struct token items[];
};
