/* probe.h - `cubby --probe`: asks a running service once whether it is well,
 * for health checks on machines and in images where no other client is.
 * Threading: none; a process that probes does nothing else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "service/base/bytes.h"

/* How long a probe takes at the most, looking up a name included. */
#define PROBE_TIMEOUT_MS 1800

#define PROBE_HOST_MAX 255
#define PROBE_PATH_MAX 1023

struct probe_target {
    char host[PROBE_HOST_MAX + 1]; /* an IPv6 address without brackets */
    char port[sizeof "65535"];
    char path[PROBE_PATH_MAX + 1];
};

/* Works out where to ask. `word` is what follows --probe: a path, an http://
 * URL, or NULL for /readyz; what it leaves out comes from `host` and `port`,
 * which are those that the service listens on: of the addresses that stand for
 * all, the loopback one is asked. On a fault false, and `*why` is a static
 * text. */
bool probe_aim(struct probe_target *target, const char *word, const char *host, uint64_t port,
               const char **why) MUST_CHECK;

/* True when `answer` begins with the status line of a 200 (RFC 9112 section 4). */
bool probe_is_good(struct bytes answer) MUST_CHECK;

/* Asks the service that runs with HTTP_HOST and HTTP_PORT of `environment`, or
 * the one that `word` names. Returns the process's exit status: 0 on a 200,
 * else 1 with one line on `err` that says what came instead. Ends the process
 * with 1 after PROBE_TIMEOUT_MS. */
int probe_run(const char *word, char *const *environment, FILE *err);
