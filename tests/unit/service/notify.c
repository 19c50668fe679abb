/* Tests of service/notify.h, with real sockets as the manager's end. */
#include "service/notify.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64];
static char path[96];

static int bind_manager(const char *name, size_t len)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, name, len);
    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
    return fd;
}

/* What the manager was told, or "" when it was told nothing more. */
static const char *told(int fd)
{
    static char text[256];
    ssize_t len = recv(fd, text, sizeof text - 1, 0);

    text[len > 0 ? len : 0] = '\0';
    return text;
}

static int manager_with_a_path(void)
{
    snprintf(folder, sizeof folder, "/tmp/cubby-notify-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    return bind_manager(path, strlen(path));
}

static void remove_manager(int fd)
{
    close(fd);
    unlink(path);
    rmdir(folder);
}

Test(notify, a_path_is_told_one_datagram)
{
    int fd = manager_with_a_path();

    cr_expect(notify_send(path, "READY=1"));
    cr_expect_str_eq(told(fd), "READY=1");
    cr_expect_str_eq(told(fd), "");
    remove_manager(fd);
}

Test(notify, an_abstract_name_is_told)
{
    char name[64];
    int len = snprintf(name, sizeof name, "@cubby-notify-%ld", (long)getpid());
    int fd;

    name[0] = '\0';
    fd = bind_manager(name, (size_t)len);
    name[0] = '@';
    cr_expect(notify_send(name, "STOPPING=1"));
    cr_expect_str_eq(told(fd), "STOPPING=1");
    close(fd);
}

Test(notify, an_address_that_fits_exactly_is_taken_and_a_longer_one_refused)
{
    char name[128];
    int fd;

    memset(name, 'x', sizeof name);
    name[0] = '\0';
    fd = bind_manager(name, 107);
    name[0] = '@';
    name[107] = '\0';
    cr_expect(notify_send(name, "READY=1"));
    cr_expect_str_eq(told(fd), "READY=1");
    name[107] = 'x';
    name[108] = '\0';
    cr_expect_not(notify_send(name, "READY=1"));
    cr_expect_eq(errno, ENAMETOOLONG);
    close(fd);
}

Test(notify, other_kinds_of_address_are_refused)
{
    static const char *const addresses[] = { "", "@", "/", "relative/path", "vsock:2:1234" };

    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        errno = 0;
        cr_expect_not(notify_send(addresses[i], "READY=1"), "%s", addresses[i]);
        cr_expect_eq(errno, EAFNOSUPPORT, "%s", addresses[i]);
    }
}

Test(notify, a_manager_that_is_gone_is_an_error)
{
    cr_expect_not(notify_send("/nonexistent/socket", "READY=1"));
    cr_expect_eq(errno, ENOENT);
}

Test(notify, states_go_to_the_socket_of_the_environment)
{
    int fd = manager_with_a_path();

    setenv("NOTIFY_SOCKET", path, 1);
    notify_ready();
    cr_expect_str_eq(told(fd), "READY=1");
    notify_reloading(UINT64_C(12345678901));
    cr_expect_str_eq(told(fd), "RELOADING=1\nMONOTONIC_USEC=12345678");
    notify_stopping();
    cr_expect_str_eq(told(fd), "STOPPING=1");
    setenv("NOTIFY_SOCKET", "", 1);
    notify_ready();
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    cr_expect_str_eq(told(fd), "");
    remove_manager(fd);
}
