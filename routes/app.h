/* app.h - the application behind the HTTP box: the routes and what they need.
 *
 * Ownership: struct routes borrows the engine and the drain question for its
 * life; it holds references to settings.
 * Threading: routes_reload() and creation belong to the main thread; each
 * service thread works with its own struct routes_thread. */
#pragma once

#include "engines/engine.h"
#include "routes/observability/metrics.h"
#include "service/config/settings.h"
#include "service/http/exchange.h"

struct routes;

/* `draining(context)` is asked by /readyz, on any thread. NULL when out of
 * memory. */
struct routes *routes_create(struct engine *engine, const struct settings *settings) MUST_CHECK;
void routes_set_draining(struct routes *routes, bool (*draining)(void *context), void *context);
void routes_destroy(struct routes *routes); /* NULL is allowed */

/* Any thread: a file was read again, or refused (metrics). */
void routes_count_reload(struct routes *routes, enum metrics_file file, bool taken);

/* The callbacks for http_server_start(); lives as long as `routes`. */
const struct http_app *routes_app(struct routes *routes);

/* Gives every service thread new settings; each takes them in a turn of its
 * own. */
void routes_reload(struct routes *routes, const struct settings *settings);
