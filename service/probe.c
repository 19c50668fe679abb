#include "service/probe.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "service/config/host.h"
#include "service/config/settings.h"

#define DEFAULT_PATH "/readyz"
/* What is kept of an answer. */
#define ANSWER_MAX 4096

/* ---- Where to ask ---- */

static bool set_text(char *out, size_t size, struct bytes text)
{
    if (text.len >= size)
        return false;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

/* A path goes into the request line as it is: no blanks, no controls. */
static bool set_path(struct probe_target *target, struct bytes path)
{
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] <= ' ' || path.ptr[i] > '~')
            return false;
    return path.len > 0 && path.ptr[0] == '/' && set_text(target->path, sizeof target->path, path);
}

/* What a listener on all addresses can be asked by. */
static struct bytes reachable(struct bytes host)
{
    if (bytes_equal(host, BYTES("0.0.0.0")))
        return BYTES("127.0.0.1");
    if (bytes_equal(host, BYTES("::")))
        return BYTES("::1");
    return host;
}

/* Cuts `http://host:port` off the front of `*rest`. */
static bool read_url(struct bytes *rest, struct bytes *host, uint64_t *port, const char **why)
{
    static const struct bytes scheme = { "http://", 7 };
    const char *slash;
    struct bytes authority;

    if (!bytes_starts_with(*rest, scheme)) {
        *why = "neither a path nor an http:// URL";
        return false;
    }
    authority = bytes_of(rest->ptr + scheme.len, rest->len - scheme.len);
    slash = memchr(authority.ptr, '/', authority.len);
    *rest = slash ? bytes_of(slash, (size_t)(rest->ptr + rest->len - slash)) : BYTES(DEFAULT_PATH);
    if (slash)
        authority.len = (size_t)(slash - authority.ptr);
    *port = 80;
    return host_port_parse(authority, host, port, why);
}

bool probe_aim(struct probe_target *target, const char *word, const char *host, uint64_t port, const char **why)
{
    struct bytes at = bytes_str(host);
    struct bytes path = word ? bytes_str(word) : BYTES(DEFAULT_PATH);

    if (path.len == 0 || path.ptr[0] != '/') {
        if (!read_url(&path, &at, &port, why))
            return false;
    } else if (port == 0) {
        *why = "HTTP_PORT=0 does not say which port was taken; give a URL";
        return false;
    }
    snprintf(target->port, sizeof target->port, "%" PRIu64, port);
    if (!set_text(target->host, sizeof target->host, reachable(at))) {
        *why = "the host is too long";
        return false;
    }
    if (!set_path(target, path)) {
        *why = "the path is too long, or holds what must be percent-encoded";
        return false;
    }
    return true;
}

/* The service's own variables, and no more of them than a probe needs: it must
 * not fail for a file that the service has long read. */
static bool aim_by_environment(struct probe_target *target, const char *word, char *const *environment, FILE *err)
{
    struct settings_report report;
    const struct settings *settings = NULL;
    const char *why = "out of memory";
    size_t count = 0, kept = 0;
    char **some;
    bool good = false;

    settings_report_init(&report);
    while (environment[count])
        count++;
    some = calloc(count + 1, sizeof *some);
    for (size_t i = 0; some && i < count; i++)
        if (strncmp(environment[i], "HTTP_HOST", 9) == 0 || strncmp(environment[i], "HTTP_PORT", 9) == 0)
            some[kept++] = environment[i];
    if (some)
        settings = settings_load(some, &report);
    if (settings)
        good = probe_aim(target, word, settings->http_host, settings->http_port, &why);
    if (settings_report_has_faults(&report))
        settings_report_print(&report, err);
    else if (!good)
        fprintf(err, "cubby: --probe %.200s: %s\n", word ? word : "", why);
    settings_unref(settings);
    settings_report_release(&report);
    free(some);
    return good;
}

/* ---- Asking ---- */

/* The only place that knows what carries the bytes: another transport (TLS)
 * begins here, in send_request() and in receive(). */
static int connect_to(const struct probe_target *target, const char **why)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *addresses = NULL;
    int failure = getaddrinfo(target->host, target->port, &hints, &addresses);
    int fd = -1;

    *why = failure != 0 ? gai_strerror(failure) : "no address";
    for (struct addrinfo *at = addresses; at && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0)
            break;
        *why = strerror(errno);
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    if (addresses)
        freeaddrinfo(addresses);
    return fd;
}

static bool send_request(int fd, const struct probe_target *target)
{
    char request[PROBE_PATH_MAX + PROBE_HOST_MAX + 128];
    bool v6 = strchr(target->host, ':') != NULL;
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUser-Agent: cubby-probe\r\nConnection: close\r\n\r\n",
                       target->path, v6 ? "[" : "", target->host, v6 ? "]" : "", target->port);

    return len > 0 && (size_t)len < sizeof request && send(fd, request, (size_t)len, MSG_NOSIGNAL) == len;
}

/* Reads until the service closes; what does not fit is read and dropped. */
static struct bytes receive(int fd, char *answer, size_t size)
{
    size_t len = 0;
    char rest[1024];
    ssize_t got;

    do {
        bool fits = len < size;

        got = recv(fd, fits ? answer + len : rest, fits ? size - len : sizeof rest, 0);
        if (fits && got > 0)
            len += (size_t)got;
    } while (got > 0);
    return bytes_of(answer, len);
}

bool probe_is_good(struct bytes answer)
{
    static const char version[] = "HTTP/1.x 200";
    const size_t minor = sizeof "HTTP/1." - 1, len = sizeof version - 1;

    /* A blank ends the code, also where no reason follows it. */
    return answer.len > len && memcmp(answer.ptr, version, minor) == 0 && answer.ptr[minor] >= '0' &&
           answer.ptr[minor] <= '9' && memcmp(answer.ptr + minor + 1, version + minor + 1, len - minor - 1) == 0 &&
           (answer.ptr[len] == ' ' || answer.ptr[len] == '\r');
}

/* Status line and body of an answer that is not good, for whoever reads the
 * health log. */
static void say(const struct probe_target *target, struct bytes answer, FILE *err)
{
    struct bytes body = BYTES_NONE, line = answer;
    const char *end = memmem(answer.ptr, answer.len, "\r\n\r\n", 4);
    const char *eol = memchr(answer.ptr, '\r', answer.len);

    if (end)
        body = bytes_of(end + 4, (size_t)(answer.ptr + answer.len - end - 4));
    if (eol)
        line.len = (size_t)(eol - answer.ptr);
    fprintf(err, "cubby: --probe %s: ", target->path);
    if (answer.len == 0)
        fputs("no answer", err);
    for (size_t i = 0; i < line.len && i < 80; i++)
        fputc(line.ptr[i] < ' ' || line.ptr[i] > '~' ? '?' : line.ptr[i], err);
    if (body.len > 0)
        fputc(' ', err);
    for (size_t i = 0; i < body.len && i < 400; i++)
        fputc(body.ptr[i] < ' ' || body.ptr[i] > '~' ? ' ' : body.ptr[i], err);
    fputc('\n', err);
}

static void on_late(int number)
{
    static const char text[] = "cubby: --probe: no answer in time\n";

    (void)number;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(EXIT_FAILURE);
    _exit(EXIT_FAILURE);
}

/* One clock for all of it: a name's look-up and a peer that trickles, too. */
static void end_when_late(void)
{
    const struct itimerval timer = { .it_value = { .tv_sec = PROBE_TIMEOUT_MS / 1000,
                                                   .tv_usec = PROBE_TIMEOUT_MS % 1000 * 1000 } };
    const struct sigaction action = { .sa_handler = on_late };

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

int probe_run(const char *word, char *const *environment, FILE *err)
{
    struct probe_target target;
    struct bytes answer = BYTES_NONE;
    char kept[ANSWER_MAX];
    const char *why;
    int fd;

    end_when_late();
    if (!aim_by_environment(&target, word, environment, err))
        return EXIT_FAILURE;
    fd = connect_to(&target, &why);
    if (fd < 0) {
        fprintf(err, "cubby: --probe %s: %s port %s: %s\n", target.path, target.host, target.port, why);
        return EXIT_FAILURE;
    }
    if (send_request(fd, &target))
        answer = receive(fd, kept, sizeof kept);
    close(fd);
    if (probe_is_good(answer))
        return EXIT_SUCCESS;
    say(&target, answer, err);
    return EXIT_FAILURE;
}
