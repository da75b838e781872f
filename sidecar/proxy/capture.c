/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/capture.h"

#include <sys/socket.h>
#include <unistd.h>

#include "sidecar/net/origdst.h"

static bool has_address(const struct config_cidrs *cidrs, const struct sockaddr *to)
{
    for (size_t i = 0; i < cidrs->count; i++) {
        if (net_addr_in(to, (const struct sockaddr *)&cidrs->item[i].ip, cidrs->item[i].bits))
            return true;
    }
    return false;
}

static bool has_port(const struct config_ranges *ports, uint16_t port)
{
    for (size_t i = 0; i < ports->count; i++) {
        if (port >= ports->item[i].first && port <= ports->item[i].last)
            return true;
    }
    return ports->count == 0;
}

bool capture_choose(const struct config *config, const struct sockaddr *to, size_t *index)
{
    for (size_t i = 0; i < config->outbound_count; i++) {
        const struct config_outbound *out = &config->outbound[i];
        if (has_address(&out->destinations, to) && has_port(&out->ports, net_addr_port(to))) {
            *index = i;
            return true;
        }
    }
    return false;
}

static void refuse(struct worker *w, int fd, const struct sockaddr *peer, const struct sockaddr *to,
                   const char *why)
{
    char from[NET_ADDR_TEXT], wanted[NET_ADDR_TEXT];
    struct linger reset = {.l_onoff = 1};
    struct log_line line;
    struct worker_unsaid unsaid;
    counter_add(&w->counters, COUNTER_ACCEPTED_OUT, 1);
    counter_add(&w->counters, COUNTER_END_REFUSED, 1);
    if (log_wants(w->log, LOG_WARN) && worker_may_log_refusal(w, 0, &unsaid)) {
        log_begin(&line, w->log, LOG_WARN, "refused", why);
        log_text(&line, "outbound", "[capture]");
        log_text(&line, "peer", net_addr_text(peer, from, sizeof from));
        if (to->sa_family != AF_UNSPEC)
            log_text(&line, "destination", net_addr_text(to, wanted, sizeof wanted));
        worker_log_unsaid(&line, &unsaid);
        log_end(&line);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)close(fd);
}

bool capture_accept(struct worker *w, int fd, const struct sockaddr *peer, union net_addr *to, size_t *index)
{
    const char *why;
    if (net_origdst(fd, to, &why)) {
        if (capture_choose(w->runtime->snapshot->config, &to->sa, index))
            return true;
        why = "no [outbound NAME] has this destination";
    }
    refuse(w, fd, peer, &to->sa, why);
    return false;
}
