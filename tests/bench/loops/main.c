/* main.c - `loops --loop=epoll|libev|libuv|none --port=N [variant…]`, until killed.
 * Options have the names of struct variant's members. On SIGTERM each thread's
 * requests and turns are printed, to tell how many requests a turn serves. */
#include "loops.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 64

static struct worker workers[THREADS_MAX];

struct flag {
    const char *name;
    size_t offset;
};

#define FLAG(member)                                                                                                 \
    {                                                                                                                \
#member, offsetof(struct variant, member)                                                                    \
    }
static const struct flag flags[] = { FLAG(no_date), FLAG(own_date), FLAG(suspendable), FLAG(suspend),
                                     FLAG(turbo),   FLAG(prepared), FLAG(audit),       FLAG(early) };

static bool parse_flag(struct variant *variant, const char *name)
{
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(name, flags[i].name) == 0) {
            *(bool *)((char *)variant + flags[i].offset) = true;
            return true;
        }
    }
    return false;
}

static drive_fn *find_drive(const char *name)
{
    static const struct {
        const char *name;
        drive_fn *drive;
    } table[] = {
        { "epoll", drive_epoll }, { "libev", drive_libev }, { "libuv", drive_libuv }, { "none", drive_none }
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(name, table[i].name) == 0)
            return table[i].drive;
    }
    return NULL;
}

static bool parse_option(struct variant *variant, drive_fn **drive, const char *option)
{
    const char *value = strchr(option, '=');
    if (!value)
        return parse_flag(variant, option);
    size_t len = (size_t)(value++ - option);
#define IS(text) (len == sizeof(text) - 1 && memcmp(option, text, len) == 0)
    if (IS("port"))
        variant->port = (uint16_t)atoi(value);
    else if (IS("threads"))
        variant->threads = (unsigned)atoi(value);
    else if (IS("pool"))
        variant->pool_bytes = (size_t)atol(value);
    else if (IS("increment"))
        variant->increment_bytes = (size_t)atol(value);
    else if (IS("bytes"))
        variant->body_bytes = (size_t)atol(value);
    else if (IS("fields"))
        variant->fields = (unsigned)atoi(value);
    else if (IS("body"))
        variant->body = strcmp(value, "iovec") == 0  ? BODY_IOVEC
                        : strcmp(value, "copy") == 0 ? BODY_COPY
                                                     : BODY_BUFFER;
    else if (IS("source"))
        variant->source = strcmp(value, "add") == 0 ? SOURCE_ADD : SOURCE_LISTEN;
    else if (IS("loop"))
        return (*drive = find_drive(value)) != NULL;
    else
        return false;
#undef IS
    return true;
}

static void *thread_main(void *arg)
{
    struct worker *worker = arg;
    exit(worker->drive(worker));
}

static bool start_workers(const struct variant *variant, drive_fn *drive)
{
    for (unsigned i = 0; i < variant->threads; i++) {
        pthread_t thread;
        workers[i] = (struct worker){ .variant = variant, .drive = drive };
        if (!worker_open(&workers[i]) || pthread_create(&thread, NULL, thread_main, &workers[i]) != 0)
            return false;
        pthread_detach(thread);
    }
    return true;
}

int main(int argc, char **argv)
{
    struct variant variant = { .port = 8080, .threads = 1, .pool_bytes = 8192, .body_bytes = 100, .fields = 5 };
    drive_fn *drive = drive_epoll;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0 || !parse_option(&variant, &drive, argv[i] + 2)) {
            fprintf(stderr, "loops: unknown option %s\n", argv[i]);
            return 64;
        }
    }
    if (variant.threads < 1 || variant.threads > THREADS_MAX || variant.body_bytes > (8u << 20) ||
        variant.fields > 10)
        return 64;
    sigset_t quit;
    int signal_number;
    sigemptyset(&quit);
    sigaddset(&quit, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &quit, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!start_workers(&variant, drive))
        return 1;
    sigwait(&quit, &signal_number);
    for (unsigned i = 0; i < variant.threads; i++)
        printf("%llu requests in %llu turns\n", (unsigned long long)workers[i].requests,
               (unsigned long long)workers[i].turns);
    fflush(stdout);
    _exit(0);
}
