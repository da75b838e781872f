/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/net/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sidecar/net/addr.h"

enum { BACKLOG = 4096 };

/* Says why; takes errno's number. Returns -1. */
static int refuse(char error[NET_LISTEN_ERROR], const char *where, const char *what, int number)
{
    char cause[96];
    uv_strerror_r(-number, cause, sizeof(cause));
    snprintf(error, NET_LISTEN_ERROR, "listen on %s: %s%s%s", where, what ? what : "", what ? ": " : "",
             cause);
    return -1;
}

static int stream_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* A socket that would not share the port cannot be bound to one where anybody listens. */
static bool port_is_free(const struct sockaddr *addr)
{
    int fd = stream_socket(addr->sa_family);
    if (fd < 0)
        return true; /* the real attempt will say why */
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (addr->sa_family == AF_INET6)
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    bool taken = bind(fd, addr, net_addr_size(addr)) != 0 && errno == EADDRINUSE;
    close(fd);
    return !taken;
}

int net_listen_ip(const struct sockaddr *addr, unsigned flags, int backlog, char error[NET_LISTEN_ERROR])
{
    char where[NET_ADDR_TEXT];
    net_addr_text(addr, where, sizeof(where));
    socklen_t size = net_addr_size(addr);
    if (!size)
        return refuse(error, where, NULL, EAFNOSUPPORT);
    if ((flags & NET_LISTEN_EXCLUSIVE) && net_addr_port(addr) && !port_is_free(addr))
        return refuse(error, where, NULL, EADDRINUSE);

    int fd = stream_socket(addr->sa_family);
    if (fd < 0)
        return refuse(error, where, NULL, errno);
    bool ok = set(fd, SOL_SOCKET, SO_REUSEADDR, 1) && set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (ok && (flags & NET_LISTEN_REUSEPORT))
        ok = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (ok && addr->sa_family == AF_INET6)
        ok = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (ok && bind(fd, addr, size) == 0 && listen(fd, backlog > 0 ? backlog : BACKLOG) == 0)
        return fd;
    refuse(error, where, NULL, errno);
    close(fd);
    return -1;
}

static bool unix_name(const char *path, struct sockaddr_un *un, socklen_t *size)
{
    size_t length = strlen(path);
    memset(un, 0, sizeof(*un));
    un->sun_family = AF_UNIX;
    if (length == 0 || length >= sizeof(un->sun_path))
        return false;
    memcpy(un->sun_path, path, length);
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    if (path[0] == '@') {
        un->sun_path[0] = 0;
        *size -= 1; /* an abstract name has no closing zero */
    }
    return true;
}

/* Removes a socket file where nobody answers. 0: the way is clear; else an errno's number and perhaps words.
 */
static int clear_stale(const struct sockaddr_un *un, socklen_t size, const char **what)
{
    struct stat st;
    if (lstat(un->sun_path, &st) != 0)
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(st.st_mode)) {
        *what = "a file that is no socket is in the way";
        return EEXIST;
    }
    int fd = stream_socket(AF_UNIX);
    if (fd < 0)
        return errno;
    int number = connect(fd, (const struct sockaddr *)un, size) == 0 ? 0 : errno;
    close(fd);
    if (number == 0 || number == EAGAIN) /* EAGAIN: its backlog is full */
        return EADDRINUSE;
    if (number != ECONNREFUSED && number != ENOENT) {
        *what = "the socket file that is there";
        return number;
    }
    return unlink(un->sun_path) == 0 || errno == ENOENT ? 0 : errno;
}

int net_listen_unix(const char *path, mode_t mode, int backlog, char error[NET_LISTEN_ERROR])
{
    char where[160];
    snprintf(where, sizeof(where), "unix:%s", path);
    struct sockaddr_un un;
    socklen_t size;
    if (!unix_name(path, &un, &size))
        return refuse(error, where, NULL, *path ? ENAMETOOLONG : EINVAL);
    bool file = path[0] != '@';
    const char *what = NULL;
    int number = file ? clear_stale(&un, size, &what) : 0;
    if (number)
        return refuse(error, where, what, number);

    int fd = stream_socket(AF_UNIX);
    if (fd < 0)
        return refuse(error, where, NULL, errno);
    bool bound = false;
    /* The mode of the descriptor is the file's from its first moment on, less the umask: never wider than
     * asked. */
    if (file && fchmod(fd, mode) != 0)
        goto fail;
    if (bind(fd, (const struct sockaddr *)&un, size) != 0)
        goto fail;
    bound = true;
    if (file && chmod(path, mode) != 0)
        goto fail;
    if (listen(fd, backlog > 0 ? backlog : BACKLOG) == 0)
        return fd;
fail:
    refuse(error, where, NULL, errno);
    if (bound && file)
        unlink(path);
    close(fd);
    return -1;
}
