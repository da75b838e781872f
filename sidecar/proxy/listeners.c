/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/listeners.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sidecar/net/origdst.h"

/* One address with the sockets of all workers. */
struct place {
    struct place *next;
    char *address;
    char *path; /* UNIX: to be unlinked */
    bool inbound;
    size_t index;
    bool wanted;
    bool fresh; /* the workers do not have the sockets yet */
    int fd[];
};

struct listeners {
    unsigned workers;
    struct place *places;
    struct worker_socket *sockets;
};

struct listeners *listeners_new(unsigned workers)
{
    struct listeners *l = calloc(1, sizeof *l);
    if (l)
        l->workers = workers;
    return l;
}

static void place_free(struct place *p)
{
    if (p->path)
        (void)unlink(p->path);
    free(p->path);
    free(p->address);
    free(p);
}

void listeners_free(struct listeners *l)
{
    while (l && l->places) {
        struct place *next = l->places->next;
        place_free(l->places);
        l->places = next;
    }
    if (l)
        free(l->sockets);
    free(l);
}

static struct place *find(const struct listeners *l, const char *address)
{
    for (struct place *p = l->places; p; p = p->next) {
        if (strcmp(p->address, address) == 0)
            return p;
    }
    return NULL;
}

static void close_sockets(const struct place *p, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        (void)close(p->fd[i]);
}

static int open_one(const struct config_addr *addr, const struct place *p, unsigned worker,
                    char error[NET_LISTEN_ERROR])
{
    if (addr->kind == CONFIG_ADDR_UNIX)
        return worker == 0 ? net_listen_unix(addr->path, 0660, 0, error) : dup(p->fd[0]);
    /* The first one makes sure that nobody else has the port; the others share it with the first. */
    return net_listen_ip((const struct sockaddr *)&addr->ip,
                         NET_LISTEN_REUSEPORT | (worker == 0 ? NET_LISTEN_EXCLUSIVE : 0), 0, error);
}

static struct place *place_open(const struct listeners *l, const struct config_addr *addr,
                                char error[NET_LISTEN_ERROR])
{
    struct place *p = calloc(1, sizeof *p + l->workers * sizeof *p->fd);
    (void)strcpy(error, "out of memory");
    if (p == NULL)
        return NULL;
    p->fresh = true;
    for (unsigned i = 0; i < l->workers; i++) {
        p->fd[i] = open_one(addr, p, i, error);
        if (p->fd[i] < 0) {
            close_sockets(p, i);
            free(p);
            return NULL;
        }
    }
    p->address = strdup(addr->text);
    p->path = addr->kind == CONFIG_ADDR_UNIX && addr->path[0] != '@' ? strdup(addr->path) : NULL;
    if (p->address == NULL) {
        close_sockets(p, l->workers);
        place_free(p);
        return NULL;
    }
    return p;
}

static void drop(struct listeners *l, bool (*unwanted)(const struct place *), bool close_too)
{
    for (struct place **at = &l->places; *at;) {
        struct place *p = *at;
        if (!unwanted(p)) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        if (close_too)
            close_sockets(p, l->workers);
        place_free(p);
    }
}

static bool is_fresh(const struct place *p)
{
    return p->fresh;
}

static bool is_unwanted(const struct place *p)
{
    return !p->wanted;
}

/*
 * The I-th socket of CONFIG and its address: its inbounds, then its outbounds, then the two of [capture].
 * False where there is none to open: the outbound has destinations, nothing is captured, the host has no ::1.
 */
static bool address(const struct config *config, size_t i, struct worker_socket *socket,
                    const struct config_addr **addr)
{
    *socket = (struct worker_socket){.inbound = i < config->inbound_count, .index = i};
    if (socket->inbound) {
        *addr = &config->inbound[i].listen;
        return true;
    }
    i -= config->inbound_count;
    socket->index = i;
    if (i < config->outbound_count) {
        *addr = &config->outbound[i].listen;
        return (*addr)->kind != CONFIG_ADDR_NONE;
    }
    i -= config->outbound_count;
    socket->index = WORKER_CAPTURE;
    *addr = &config->capture.listen[i];
    return (*addr)->kind != CONFIG_ADDR_NONE && (i == 0 || net_has_ipv6_loopback());
}

bool listeners_update(struct listeners *l, const struct config *config, char error[NET_LISTEN_ERROR])
{
    size_t count = config->inbound_count + config->outbound_count + 2;
    struct worker_socket socket;
    const struct config_addr *addr;
    struct worker_socket *sockets = calloc(count + 1, sizeof *sockets);
    if (sockets == NULL) {
        (void)strcpy(error, "out of memory");
        return false;
    }
    for (struct place *p = l->places; p; p = p->next)
        p->fresh = false;
    for (size_t i = 0; i < count; i++) {
        if (!address(config, i, &socket, &addr) || find(l, addr->text))
            continue;
        struct place *p = place_open(l, addr, error);
        if (p == NULL) {
            drop(l, is_fresh, true);
            free(sockets);
            return false;
        }
        p->next = l->places;
        l->places = p;
    }
    for (struct place *p = l->places; p; p = p->next)
        p->wanted = false;
    for (size_t i = 0; i < count; i++) {
        struct place *p = address(config, i, &socket, &addr) ? find(l, addr->text) : NULL;
        if (p == NULL)
            continue;
        p->wanted = true;
        p->inbound = socket.inbound;
        p->index = socket.index;
    }
    /* The workers close the sockets of those that go. */
    drop(l, is_unwanted, false);
    free(l->sockets);
    l->sockets = sockets;
    return true;
}

size_t listeners_sockets(struct listeners *l, unsigned worker, const struct worker_socket **sockets)
{
    size_t count = 0;
    for (const struct place *p = l->places; p; p = p->next)
        l->sockets[count++] = (struct worker_socket){p->inbound, p->index, p->fd[worker], p->fresh};
    *sockets = l->sockets;
    return count;
}
