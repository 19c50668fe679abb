#include "service/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "service/base/clock.h"
#include "service/base/log.h"

/* The socket address of a path or an abstract name; 0 with errno on a fault. */
static socklen_t make_address(struct sockaddr_un *out, const char *address)
{
    size_t len = strlen(address);

    if ((address[0] != '/' && address[0] != '@') || len < 2) {
        errno = EAFNOSUPPORT;
        return 0;
    }
    if (len >= sizeof out->sun_path) {
        errno = ENAMETOOLONG;
        return 0;
    }
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    memcpy(out->sun_path, address, len);
    if (address[0] == '@')
        out->sun_path[0] = '\0';
    /* Of an abstract name every byte counts, so its length is exact. */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

bool notify_send(const char *address, const char *state)
{
    const struct timeval patience = { .tv_sec = NOTIFY_TIMEOUT_MS / 1000,
                                      .tv_usec = NOTIFY_TIMEOUT_MS % 1000 * 1000 };
    struct sockaddr_un to;
    socklen_t length = make_address(&to, address);
    size_t len = strlen(state);
    int fd, saved;
    bool sent;

    if (length == 0)
        return false;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    sent = setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
           sendto(fd, state, len, MSG_NOSIGNAL, (const struct sockaddr *)&to, length) == (ssize_t)len;
    saved = errno;
    close(fd);
    errno = saved;
    return sent;
}

static void tell(const char *state)
{
    const char *address = getenv("NOTIFY_SOCKET");

    if (address && *address != '\0' && !notify_send(address, state))
        log_warn("service manager not told", LOG_STRING("state", state), LOG_STRING("reason", strerror(errno)));
}

void notify_ready(void)
{
    tell("READY=1");
}

void notify_reloading(uint64_t now_ns)
{
    char state[64];

    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_ns / NS_PER_US);
    tell(state);
}

void notify_stopping(void)
{
    tell("STOPPING=1");
}
