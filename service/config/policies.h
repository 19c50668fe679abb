/* policies.h - what a namespace asks of those who write to it:
 * CACHE_NAMESPACES_FILE, read.
 *
 *   {"users": {"default_ttl": 600, "max_ttl": "1d"},
 *    "img-*": {"tier": "ephemeral", "max_bytes": 1048576},
 *    "*":     {"require_ttl": true}}
 *
 * A name is a namespace, or the beginning of some with a `*` behind it. An exact
 * name goes before every prefix, a longer prefix before a shorter one; one
 * policy holds, they do not add up. Members:
 *
 *   default_ttl, max_ttl    as ?ttl= takes them: a number of seconds, "90s",
 *                           "none"; null is none
 *   require_ttl             true: who writes must say a TTL
 *   max_value_bytes, max_entries, max_bytes    from 1; null: no bound
 *   tier                    a preset that the other members override
 *
 *   tier       default_ttl  TTLs allowed     besides
 *   ephemeral  60 s         5 s to 3600 s
 *   session    30 min       any              sliding by default_ttl, 1000 entries
 *
 * Ownership: policies_read() gives one reference, which settings then own.
 * Threading: immutable once made, but for the count, which is atomic. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/base/bytes.h"
#include "service/base/ttl.h"
#include "service/config/settings_report.h"
#include "service/config/text_file.h"

#define POLICIES_MAX 4096                    /* names in the file */
#define POLICIES_FILE_MAX (1024 * 1024)      /* its bytes */
#define POLICY_NAME_MAX 64                   /* without the `*` */
#define POLICY_NUMBER_MAX (INT64_C(1) << 53) /* of bytes and entries */

/* In a default_ttl: the service's own, CACHE_DEFAULT_TTL. */
#define POLICY_TTL_OPEN INT64_C(0)

enum policy_tier { POLICY_TIER_NONE, POLICY_TIER_EPHEMERAL, POLICY_TIER_SESSION, POLICY_TIERS };

struct policy {
    char name[POLICY_NAME_MAX + 2]; /* as in the file, NUL-terminated */
    size_t name_len;                /* without the `*` */
    bool is_prefix;
    enum policy_tier tier;
    bool require_ttl;
    int64_t default_ttl_ms; /* TTL_NONE: never expires; or POLICY_TTL_OPEN */
    int64_t min_ttl_ms;     /* 0: no bound */
    int64_t max_ttl_ms;     /* 0: no bound */
    int64_t idle_ms;        /* what an entry slides by that was written without ?idle=; 0: it does not */
    uint64_t max_value_bytes, max_entries, max_bytes; /* 0: no bound */
    /* What to tell who is outside of the bounds; "" without a bound. */
    char below_min[80], above_max[80];
};

struct policies;

/* Reads the file at `path`. NULL when `report` then holds a fault; all that is
 * wrong is named. */
struct policies *policies_read(const char *path, struct settings_report *report) MUST_CHECK;

/* The same from the text of a file that is called `path` in faults. */
struct policies *policies_parse(struct bytes text, const char *path, struct settings_report *report) MUST_CHECK;

struct policies *policies_ref(struct policies *policies);
void policies_unref(struct policies *policies); /* NULL is allowed */

/* The policy of namespace `ns`, or NULL. `policies` may be NULL. */
const struct policy *policies_find(const struct policies *policies, struct bytes ns);

/* All of them: the exact ones first, each part in the order of their bytes. */
size_t policies_count(const struct policies *policies);
const struct policy *policies_at(const struct policies *policies, size_t index);

/* The index of the first exact name behind `name`; how many there are when none
 * is. */
size_t policies_after(const struct policies *policies, struct bytes name);

/* Which file was read. */
const struct file_stamp *policies_stamp(const struct policies *policies);

/* "none", "ephemeral", "session". */
const char *policy_tier_name(enum policy_tier tier);

/* What an engine must be able to do. Each policy that needs what it cannot is
 * a fault. */
struct policies_abilities {
    const char *engine; /* its name, for the fault */
    bool quota;         /* max_entries, max_bytes */
    bool slide;         /* tier session */
};
void policies_check(const struct policies *policies, const struct policies_abilities *abilities,
                    struct settings_report *report);
