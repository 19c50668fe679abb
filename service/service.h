/* service.h - a running service: settings and an engine behind HTTP, until a
 * signal ends it. main() gives it the engine that the settings choose; tests
 * give it others. */
#pragma once

#include "engines/engine.h"
#include "service/config/settings.h"

/* What --check looks at beyond the settings: the certificates, and whether the
 * engine can keep the policies of namespaces. Both are borrowed. False: told on
 * standard error. */
bool service_check(const struct engine *engine, const struct settings *settings) MUST_CHECK;

/* Serves until SIGTERM or SIGINT has drained it; SIGHUP reads again what can
 * be read again. Takes over `engine` and one reference of `settings`. Returns
 * the process's exit status. */
int service_run(struct engine *engine, const struct settings *settings, unsigned threads);
