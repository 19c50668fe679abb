/* entry_lease.h - how a GET with ?lease= is told what became of it.
 * Threading: the exchange's. */
#pragma once

#include "service/http/exchange.h"

/* Cache-Lease, and Retry-After where another holds the lease, from the results
 * of the state's op; nothing on a fresh hit. */
void entry_lease_fields(struct http_exchange *ex);
