/* notify.h - tells the service manager how far the service is, by the
 * protocol of sd_notify(3), without its library: one datagram of NAME=value
 * lines to the socket that the environment names in NOTIFY_SOCKET.
 *
 * Without that variable nothing happens. A manager that cannot be told is a
 * warning in the log and nothing more: the service serves without it.
 * Threading: the acceptor's thread; each call may take NOTIFY_TIMEOUT_MS. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "service/base/bytes.h"

/* How long a manager that does not read may hold the service up. */
#define NOTIFY_TIMEOUT_MS 1000

/* Connections are accepted, and settings that were read again are in force. */
void notify_ready(void);

/* Settings are being read again since the monotonic `now_ns`; notify_ready()
 * follows. */
void notify_reloading(uint64_t now_ns);

/* The end has begun: draining. */
void notify_stopping(void);

/* Sends `state` to `address`: an absolute path, or an abstract name written
 * with a leading `@` (unix(7)). False with errno set: EAFNOSUPPORT for another
 * kind of address, ENAMETOOLONG for one that does not fit a socket address. */
bool notify_send(const char *address, const char *state) MUST_CHECK;
