/* environment.h - whose variable is it: ours, somebody else's, or a slip?
 * Threading: pure. */
#pragma once

#include <stdbool.h>

#include "service/base/bytes.h"

/* True for names that begin as this service's settings do. */
bool environment_is_reserved(struct bytes name) MUST_CHECK;

/* True for the variables that Kubernetes injects for each Service in the
 * namespace (kubernetes.io/docs/concepts/services-networking/service,
 * "Environment variables"): X_SERVICE_HOST, X_SERVICE_PORT,
 * X_SERVICE_PORT_<name>, X_PORT=tcp://address:port, X_PORT_6379_TCP and that
 * with _PROTO, _PORT, _ADDR. */
bool environment_is_injected(struct bytes name, struct bytes value) MUST_CHECK;

/* True for names that other software sets for every process: proxies and
 * systemd (systemd.exec(5), "Environment Variables Set or Propagated"). */
bool environment_is_foreign(struct bytes name) MUST_CHECK;
