/* probe.h - `cubby --probe`: asks a running service once whether it is well,
 * for health checks on machines and in images where no other client is.
 * Threading: none; a process that probes does nothing else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "service/base/bytes.h"
#include "service/config/settings.h"

/* How long a probe takes at the most, looking up a name included. */
#define PROBE_TIMEOUT_MS 1800

#define PROBE_HOST_MAX 255
#define PROBE_PATH_MAX 1023

struct probe_target {
    char host[PROBE_HOST_MAX + 1]; /* an IPv6 address without brackets */
    char port[sizeof "65535"];
    char path[PROBE_PATH_MAX + 1];
    bool tls;
};

/* Where a service listens. */
struct probe_place {
    const char *host;
    uint64_t port; /* 0: not known */
    bool tls;
};

/* Works out where to ask. `word` is what follows --probe: a path, an http:// or
 * https:// URL, or NULL for /readyz; what it leaves out comes from `place`: of
 * the addresses that stand for all, the loopback one is asked. On a fault
 * false, and `*why` is a static text. */
bool probe_aim(struct probe_target *target, const char *word, const struct probe_place *place,
               const char **why) MUST_CHECK;

/* Where the service of these settings is asked what `word` says. Its admin port
 * where its main port takes only clients with certificates and the admin port
 * can answer: /readyz and /healthz; else its main port. */
struct probe_place probe_place_of(const struct settings *settings, const char *word);

/* True when `answer` begins with the status line of a 200 (RFC 9112 section 4). */
bool probe_is_good(struct bytes answer) MUST_CHECK;

/* Asks the service that runs with the HTTP_* and ADMIN_* of `environment`, or
 * the one that `word` names. By TLS whom it asks is not verified; a service that
 * wants to see a certificate is shown that of HTTP_TLS_CERT. Returns the
 * process's exit status: 0 on a 200, else 1 with one line on `err` that says
 * what came instead. Ends the process with 1 after PROBE_TIMEOUT_MS. */
int probe_run(const char *word, char *const *environment, FILE *err);
