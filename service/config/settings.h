/* settings.h - the service's settings: one immutable object, made from the
 * environment by the table in options.def.
 *
 * Everything that is wrong is found in one pass and reported together; with
 * any fault there are no settings, so nothing starts half configured. A reload
 * makes a new object and leaves the old one alone.
 *
 * Ownership: settings_load() and settings_reload() return one reference.
 * Threading: the count is atomic and the contents never change, so any thread
 * may read what it holds a reference to. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "service/base/bytes.h"
#include "service/base/ttl.h"
#include "service/config/settings_report.h"

/* Exit status when settings are at fault (sysexits.h, EX_CONFIG). */
#define SETTINGS_EXIT_STATUS 78

/* The words of each CHOICE, in the order of options.def. */
enum settings_cache_engine { CACHE_ENGINE_AUTO, CACHE_ENGINE_MEMORY, CACHE_ENGINE_REDIS, CACHE_ENGINE_MEMCACHED };
enum settings_redis_mode { REDIS_MODE_AUTO, REDIS_MODE_STANDALONE, REDIS_MODE_SENTINEL, REDIS_MODE_CLUSTER };
enum settings_dead_server { MEMCACHED_DEAD_SERVER_FAIL, MEMCACHED_DEAD_SERVER_MISS };
/* LOG_LEVEL and LOG_ACCESS: enum log_level (service/base/log.h) and enum
 * access_log_mode (service/base/access_log.h). */

struct settings_private;
struct policies; /* service/config/policies.h; so is this: */
struct policies_abilities;
struct tokens; /* service/config/tokens.h */

/* One field a row. Text that was not set is NULL, never "". What the
 * environment leaves open is settled when the settings are made: cache_engine
 * and redis_mode are never AUTO, the parts of REDIS_URL stand in redis_host
 * and its siblings, REDIS_MODE=cluster without REDIS_NODES has its one host in
 * redis_nodes, and every entry of a host:port list carries its port. */
struct settings {
#define SETTINGS_TYPE_STRING const char *
#define SETTINGS_TYPE_NAME const char *
#define SETTINGS_TYPE_HOST const char *
#define SETTINGS_TYPE_PATH const char *
#define SETTINGS_TYPE_SERVERS const char *
#define SETTINGS_TYPE_NETS const char *
#define SETTINGS_TYPE_URL const char *
#define SETTINGS_TYPE_NUMBER uint64_t
#define SETTINGS_TYPE_SIZE uint64_t
#define SETTINGS_TYPE_MILLIS uint64_t
#define SETTINGS_TYPE_TTL int64_t
#define SETTINGS_TYPE_SWITCH bool
#define SETTINGS_TYPE_CHOICE int
#define OPTION(type, field, name, def, min, max, unit, flags, help) SETTINGS_TYPE_##type field;
#include "service/config/options.def"
#undef OPTION
    const struct policies *policies;  /* from cache_namespaces_file; NULL without one */
    const struct tokens *tokens;      /* from cache_tokens_file; NULL without one */
    bool has_admin_port;              /* ADMIN_PORT was given, if as 0 */
    struct settings_private *private; /* texts, their sources, the count */
};

/* Reads `environment` (NULL-terminated NAME=value strings, as environ) and the
 * files that NAME_FILE variables point to. NULL when `report` then holds a
 * fault; it may hold notes and ignored names either way. `report` is an
 * initialised one and keeps what it held. */
const struct settings *settings_load(char *const *environment, struct settings_report *report) MUST_CHECK;

/* The same settings with what came from files read again: the reloadable ones
 * among them, the policies of namespaces, the tokens. Each file stands for
 * itself: one at fault keeps what it held (then `policies` or `tokens` are those
 * of `old`) and has its faults in `report`, the others count. Policies beyond
 * `abilities` are faults (NULL: not looked at). NULL when out of memory: keep
 * `old`. */
const struct settings *settings_reload(const struct settings *old, const struct policies_abilities *abilities,
                                       struct settings_report *report) MUST_CHECK;

const struct settings *settings_ref(const struct settings *settings);
void settings_unref(const struct settings *settings); /* NULL is allowed */

/* ---- For people ---- */

/* One line of NAME=value pairs, without a newline, in the order of the table:
 * what is in force, without text that is not set and without the engines that
 * are not chosen; secrets as `***`. A text to free(); NULL when out of memory. */
char *settings_describe(const struct settings *settings) MUST_CHECK;

/* The body of --help: every row with default, bounds and help. */
void settings_write_help(FILE *out);

/* docs/configuration.md, all of it. */
void settings_write_markdown(FILE *out);
