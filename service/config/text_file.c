#include "service/config/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads up to `max` bytes; -1 on a failure. */
static ssize_t read_some(int fd, char *out, size_t max)
{
    size_t len = 0;

    while (len < max) {
        ssize_t n = read(fd, out + len, max - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static size_t without_newline(const char *text, size_t len)
{
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    return len;
}

/* The text of the open file, or NULL with *why. */
static char *read_text(int fd, const char **why)
{
    char *text = malloc(TEXT_FILE_MAX + 1);
    ssize_t n = text ? read_some(fd, text, TEXT_FILE_MAX + 1) : -1;
    size_t len = n > 0 ? without_newline(text, (size_t)n) : 0;

    if (n < 0)
        *why = strerror(errno);
    else if (n > TEXT_FILE_MAX)
        *why = "larger than 65536 bytes";
    else if (len == 0)
        *why = "empty";
    else if (memchr(text, '\0', len))
        *why = "holds a NUL byte";
    else {
        text[len] = '\0';
        return text;
    }
    if (n > 0)
        explicit_bzero(text, (size_t)n);
    free(text);
    return NULL;
}

char *text_file_read(const char *path, const char **why)
{
    /* Without waiting, should it be a pipe. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    char *text = NULL;

    if (fd < 0) {
        *why = strerror(errno);
        return NULL;
    }
    if (fstat(fd, &status) != 0)
        *why = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        *why = "not a regular file";
    else
        text = read_text(fd, why);
    close(fd);
    return text;
}
