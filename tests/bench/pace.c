/* pace.c - constant-rate HTTP load, for latencies at a load below the peak.
 *
 *   pace PORT RATE SECONDS CONNECTIONS PATHS_FILE
 *
 * Sends RATE GET requests a second over CONNECTIONS keep-alive connections, each
 * with a timetable of its own. A request's latency counts from the moment it was
 * due, not from when it was sent, so a server that stalls is not spared the
 * requests it kept waiting ("coordinated omission"; G. Tene, wrk2). The paths of
 * PATHS_FILE (one a line) are asked for in turn. Prints one line of JSON.
 *
 * One thread; answers need a Content-Length. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define PATHS_MAX 4096
#define ANSWER_MAX 65536
#define SECOND UINT64_C(1000000000)

struct client {
    int fd;
    bool waiting; /* for the answer of the request that was due at due_ns */
    uint64_t due_ns;
    size_t filled;
    char answer[ANSWER_MAX];
};

static struct client clients[CONNECTIONS_MAX];
static unsigned client_count;
static char *requests[PATHS_MAX];
static unsigned request_count, request_next;
static uint64_t interval_ns;
static uint64_t *latencies;
static size_t latency_count, latency_room;
static size_t unexpected, late_sends;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void read_paths(const char *file)
{
    char line[2048];
    FILE *in = fopen(file, "r");
    if (!in)
        die(file);
    while (request_count < PATHS_MAX && fgets(line, sizeof(line), in)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (asprintf(&requests[request_count++], "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", line) < 0)
            die("asprintf");
    }
    fclose(in);
    if (request_count == 0) {
        fputs("pace: no paths\n", stderr);
        exit(1);
    }
}

static int connect_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void client_send(struct client *client, uint64_t now)
{
    const char *request = requests[request_next];
    request_next = (request_next + 1) % request_count;
    if (now > client->due_ns + interval_ns)
        late_sends++;
    if (send(client->fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        die("send");
    client->waiting = true;
    client->filled = 0;
}

/* The whole length of the answer in the buffer, or 0 while it is not known. */
static size_t answer_length(const struct client *client)
{
    const char *end = memmem(client->answer, client->filled, "\r\n\r\n", 4);
    if (!end)
        return 0;
    for (const char *line = client->answer; line < end; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, "content-length:", 15) == 0)
            return (size_t)(end + 4 - client->answer) + strtoul(line + 15, NULL, 10);
    }
    fputs("pace: an answer without Content-Length\n", stderr);
    exit(1);
}

static void client_note(struct client *client)
{
    if (memcmp(client->answer, "HTTP/1.1 200", 12) != 0)
        unexpected++;
    else if (latency_count < latency_room)
        latencies[latency_count++] = now_ns() - client->due_ns;
    client->waiting = false;
    client->due_ns += interval_ns;
}

static void client_read(struct client *client)
{
    ssize_t got = recv(client->fd, client->answer + client->filled, ANSWER_MAX - 1 - client->filled, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        fprintf(stderr, "pace: connection lost: %s\n", got == 0 ? "closed" : strerror(errno));
        exit(1);
    }
    client->filled += (size_t)got;
    client->answer[client->filled] = '\0';
    size_t length = answer_length(client);
    if (length >= ANSWER_MAX) {
        fputs("pace: an answer is too long\n", stderr);
        exit(1);
    }
    if (length > 0 && client->filled >= length)
        client_note(client);
}

/* Sends what is due; returns the time the next request is due at. */
static uint64_t send_due(uint64_t end)
{
    uint64_t now = now_ns(), next = end;
    for (unsigned i = 0; i < client_count; i++) {
        struct client *client = &clients[i];
        if (client->waiting || client->due_ns >= end)
            continue;
        if (client->due_ns <= now)
            client_send(client, now);
        else if (client->due_ns < next)
            next = client->due_ns;
    }
    return next;
}

static void wait_until(int epoll, uint64_t next)
{
    struct epoll_event events[64];
    uint64_t now = now_ns();
    uint64_t left = next > now ? next - now : 0;
    struct timespec timeout = { .tv_sec = (time_t)(left / SECOND), .tv_nsec = (long)(left % SECOND) };
    int count = epoll_pwait2(epoll, events, 64, &timeout, NULL);
    if (count < 0 && errno != EINTR)
        die("epoll_pwait2");
    for (int i = 0; i < count; i++)
        client_read(events[i].data.ptr);
}

static bool any_waiting(void)
{
    for (unsigned i = 0; i < client_count; i++) {
        if (clients[i].waiting)
            return true;
    }
    return false;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double quantile_us(double q)
{
    return latency_count ? (double)latencies[(size_t)(q * (double)(latency_count - 1))] / 1e3 : 0;
}

static void open_clients(int epoll, uint16_t port, uint64_t start)
{
    for (unsigned i = 0; i < client_count; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &clients[i] };
        clients[i].fd = connect_to(port);
        clients[i].due_ns = start + interval_ns * i / client_count;
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event) < 0)
            die("epoll_ctl");
    }
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fputs("usage: pace PORT RATE SECONDS CONNECTIONS PATHS_FILE\n", stderr);
        return 64;
    }
    double rate = atof(argv[2]), seconds = atof(argv[3]);
    client_count = (unsigned)atoi(argv[4]);
    if (rate < 1 || seconds <= 0 || client_count < 1 || client_count > CONNECTIONS_MAX)
        return 64;
    read_paths(argv[5]);
    interval_ns = (uint64_t)(1e9 * client_count / rate);
    latency_room = (size_t)(rate * seconds) + client_count;
    latencies = calloc(latency_room, sizeof(*latencies));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!latencies || epoll < 0)
        die("pace");
    prctl(PR_SET_TIMERSLACK, 1);
    uint64_t start = now_ns() + SECOND / 10, end = start + (uint64_t)(seconds * 1e9);
    open_clients(epoll, (uint16_t)atoi(argv[1]), start);
    for (;;) {
        uint64_t next = send_due(end), limit = end + 5 * SECOND;
        bool waiting = any_waiting();
        if (next >= end && !waiting)
            break;
        if (now_ns() > limit) {
            fputs("pace: no answer within 5 s\n", stderr);
            return 1;
        }
        wait_until(epoll, waiting && next >= end ? limit : next);
    }
    qsort(latencies, latency_count, sizeof(*latencies), compare);
    printf(
        "{\"requests\":%zu,\"unexpected\":%zu,\"late\":%zu,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}\n",
        latency_count, unexpected, late_sends, quantile_us(0.5), quantile_us(0.99), quantile_us(0.999),
        quantile_us(1.0));
    return 0;
}
