/* registry.h - from settings to an open engine: the one place that knows both
 * the settings and every concrete engine. */
#pragma once

#include "engines/engine.h"
#include "service/config/settings.h"

/* Opens the engine that the settings choose, traced when LOG_LEVEL is debug.
 * On failure NULL, and `*error` is a text to free(), or NULL when out of
 * memory. */
struct engine *registry_open(const struct settings *settings, unsigned threads, char **error) MUST_CHECK;
