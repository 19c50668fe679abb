/* policies_private.h - shared by policies.c (looking up, lifetime) and
 * policies_read.c (the file). Threading: until the object is returned it
 * belongs to one thread. */
#pragma once

#include "service/config/policies.h"

struct policies {
    _Atomic unsigned refs;
    struct file_stamp stamp;
    uint64_t prefix_lengths[2]; /* bit n: there is a prefix of n bytes, 0 to 64 */
    size_t count, exact;        /* items[0, exact) are exact names, the rest prefixes; each part sorted */
    struct policy items[];
};

/* Sorts what was read and makes it ready for policies_find(). */
void policies_settle(struct policies *policies);
