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
#include "service/http/tls_client.h"

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

/* Cuts the scheme and `host:port` off the front of `*rest`. */
static bool read_url(struct bytes *rest, struct bytes *host, uint64_t *port, bool *tls, const char **why)
{
    static const struct bytes plain = { "http://", 7 }, secure = { "https://", 8 };
    const char *slash;
    struct bytes authority;

    *tls = bytes_starts_with(*rest, secure);
    if (!*tls && !bytes_starts_with(*rest, plain)) {
        *why = "neither a path nor an http:// or https:// URL";
        return false;
    }
    authority = bytes_of(rest->ptr + (*tls ? secure : plain).len, rest->len - (*tls ? secure : plain).len);
    slash = memchr(authority.ptr, '/', authority.len);
    *rest = slash ? bytes_of(slash, (size_t)(rest->ptr + rest->len - slash)) : BYTES(DEFAULT_PATH);
    if (slash)
        authority.len = (size_t)(slash - authority.ptr);
    *port = *tls ? 443 : 80;
    return host_port_parse(authority, host, port, why);
}

bool probe_aim(struct probe_target *target, const char *word, const struct probe_place *place, const char **why)
{
    struct bytes at = bytes_str(place->host);
    struct bytes path = word ? bytes_str(word) : BYTES(DEFAULT_PATH);
    uint64_t port = place->port;

    target->tls = place->tls;
    if (path.len == 0 || path.ptr[0] != '/') {
        if (!read_url(&path, &at, &port, &target->tls, why))
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

struct probe_place probe_place_of(const struct settings *settings, const char *word)
{
    bool both = !word || strcmp(word, "/readyz") == 0 || strcmp(word, "/healthz") == 0;

    if (both && settings->http_tls_client_ca && settings->has_admin_port && settings->admin_port != 0)
        return (struct probe_place){ settings->admin_host, settings->admin_port, false };
    return (struct probe_place){ settings->http_host, settings->http_port, settings->http_tls_cert != NULL };
}

/* The service's own variables, and no more of them than a probe needs: it must
 * not fail for a file that the service has long read. */
static const struct settings *load_some(char *const *environment, FILE *err)
{
    static const char *const wanted[] = { "HTTP_HOST", "HTTP_PORT", "HTTP_TLS_", "ADMIN_" };
    struct settings_report report;
    const struct settings *settings = NULL;
    size_t count = 0, kept = 0;
    char **some;

    settings_report_init(&report);
    while (environment[count])
        count++;
    some = calloc(count + 1, sizeof *some);
    for (size_t i = 0; some && i < count; i++)
        for (size_t j = 0; j < sizeof wanted / sizeof wanted[0]; j++)
            if (strncmp(environment[i], wanted[j], strlen(wanted[j])) == 0)
                some[kept++] = environment[i];
    if (some)
        settings = settings_load(some, &report);
    if (settings_report_has_faults(&report))
        settings_report_print(&report, err);
    else if (!settings)
        fputs("cubby: --probe: out of memory\n", err);
    settings_report_release(&report);
    free(some);
    return settings;
}

/* ---- Asking ---- */

/* What carries the bytes. */
struct wire {
    int fd;
    struct tls_client *tls; /* NULL: without */
};

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

/* Where certificates are asked for, the service's own pair is shown; what its
 * authorities make of it is theirs to say. */
static bool wire_secure(struct wire *wire, const struct probe_target *target, const struct settings *settings,
                        const char **why)
{
    bool shows = settings->http_tls_client_ca != NULL;

    wire->tls = tls_client_create(wire->fd, target->host, shows ? settings->http_tls_cert : NULL,
                                  shows ? settings->http_tls_key : NULL, why);
    return wire->tls && tls_client_open(wire->tls, why);
}

static bool wire_open(struct wire *wire, const struct probe_target *target, const struct settings *settings,
                      const char **why)
{
    *wire = (struct wire){ .fd = connect_to(target, why) };
    return wire->fd >= 0 && (!target->tls || wire_secure(wire, target, settings, why));
}

static bool wire_send(struct wire *wire, struct bytes bytes, const char **why)
{
    if (wire->tls)
        return tls_client_send(wire->tls, bytes, why);
    *why = "cannot send";
    return send(wire->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL) == (ssize_t)bytes.len;
}

static ssize_t wire_receive(struct wire *wire, char *out, size_t size, const char **why)
{
    return wire->tls ? tls_client_receive(wire->tls, out, size, why) : recv(wire->fd, out, size, 0);
}

static void wire_close(struct wire *wire)
{
    tls_client_destroy(wire->tls);
    if (wire->fd >= 0)
        close(wire->fd);
}

static bool send_request(struct wire *wire, const struct probe_target *target, const char **why)
{
    char request[PROBE_PATH_MAX + PROBE_HOST_MAX + 128];
    bool v6 = strchr(target->host, ':') != NULL;
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUser-Agent: cubby-probe\r\nConnection: close\r\n\r\n",
                       target->path, v6 ? "[" : "", target->host, v6 ? "]" : "", target->port);

    *why = "the request is too long";
    return len > 0 && (size_t)len < sizeof request && wire_send(wire, bytes_of(request, (size_t)len), why);
}

/* Reads until the service closes; what does not fit is read and dropped. */
static struct bytes receive(struct wire *wire, char *answer, size_t size, const char **why)
{
    size_t len = 0;
    char rest[1024];
    ssize_t got;

    *why = "no answer";
    do {
        bool fits = len < size;

        got = wire_receive(wire, fits ? answer + len : rest, fits ? size - len : sizeof rest, why);
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

static void say_failure(const struct probe_target *target, const struct settings *settings, const char *why, FILE *err)
{
    fprintf(err, "cubby: --probe %s: %s port %s: %s%s\n", target->path, target->host, target->port, why,
            target->tls && settings->http_tls_client_ca
                ? "; where HTTP_TLS_CLIENT_CA does not take the certificate of HTTP_TLS_CERT, a probe needs ADMIN_PORT"
                : "");
}

/* Asks once; true on a 200. */
static bool ask(const struct probe_target *target, const struct settings *settings, FILE *err)
{
    struct bytes answer = BYTES_NONE;
    char kept[ANSWER_MAX];
    const char *why = "";
    struct wire wire;
    bool good;

    if (wire_open(&wire, target, settings, &why) && send_request(&wire, target, &why))
        answer = receive(&wire, kept, sizeof kept, &why);
    wire_close(&wire);
    good = probe_is_good(answer);
    if (answer.len == 0)
        say_failure(target, settings, why, err);
    else if (!good)
        say(target, answer, err);
    return good;
}

int probe_run(const char *word, char *const *environment, FILE *err)
{
    struct probe_target target;
    const struct settings *settings;
    struct probe_place place;
    const char *why;
    bool good;

    end_when_late();
    settings = load_some(environment, err);
    if (!settings)
        return EXIT_FAILURE;
    place = probe_place_of(settings, word);
    good = probe_aim(&target, word, &place, &why);
    if (!good)
        fprintf(err, "cubby: --probe %.200s: %s\n", word ? word : "", why);
    good = good && ask(&target, settings, err);
    settings_unref(settings);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
