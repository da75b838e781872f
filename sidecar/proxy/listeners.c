/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/listeners.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The addresses of CONFIG in order: its inbounds, then its outbounds. */
static const struct config_addr *address(const struct config *config, size_t i)
{
    return i < config->inbound_count ? &config->inbound[i].listen
                                     : &config->outbound[i - config->inbound_count].listen;
}

bool listeners_update(struct listeners *l, const struct config *config, char error[NET_LISTEN_ERROR])
{
    size_t count = config->inbound_count + config->outbound_count;
    struct worker_socket *sockets = calloc(count + 1, sizeof *sockets);
    if (sockets == NULL) {
        (void)strcpy(error, "out of memory");
        return false;
    }
    for (struct place *p = l->places; p; p = p->next)
        p->fresh = false;
    for (size_t i = 0; i < count; i++) {
        if (find(l, address(config, i)->text))
            continue;
        struct place *p = place_open(l, address(config, i), error);
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
        struct place *p = find(l, address(config, i)->text);
        p->wanted = true;
        p->inbound = i < config->inbound_count;
        p->index = p->inbound ? i : i - config->inbound_count;
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
