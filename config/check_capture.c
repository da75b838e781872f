/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Outbounds with an address of their own, outbounds with destinations, and [capture], which feeds the latter.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "config/build.h"

static void place_of_own(struct config_build *b, const struct config_lines_section *s)
{
    bool listen = config_build_entry(s, "listen") != NULL, connect = config_build_entry(s, "connect") != NULL;
    if (!listen && !connect)
        config_build_tell(b, CONFIG_ERROR, s, NULL, NULL,
                          "an outbound needs the keys listen and connect, or destinations");
    else if (!listen || !connect)
        config_build_tell(b, CONFIG_ERROR, s, listen ? "listen" : "connect", NULL,
                          "%s needs the key %s beside it", listen ? "listen" : "connect",
                          listen ? "connect" : "listen");
    if (config_build_entry(s, "ports"))
        config_build_tell(b, CONFIG_ERROR, s, "ports", NULL, "ports belongs to destinations");
    if (config_build_entry(s, "passthrough"))
        config_build_tell(b, CONFIG_ERROR, s, "passthrough", NULL, "passthrough belongs to destinations");
}

static void place_of_captured(struct config_build *b, const struct config_lines_section *s,
                              const struct config_outbound *out)
{
    static const char *const own[] = {"listen", "connect"};
    static const char *const tls[] = {"server_name", "allow_san", "protocol", "alpn", "send_proxy"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (config_build_entry(s, own[i]))
            config_build_tell(b, CONFIG_ERROR, s, own[i], NULL,
                              "destinations stands in place of listen and connect");
    for (size_t i = 0; out->passthrough && i < sizeof tls / sizeof *tls; i++)
        if (config_build_entry(s, tls[i]))
            config_build_tell(b, CONFIG_ERROR, s, tls[i], NULL,
                              "%s cannot hold with passthrough = allow: there is no TLS", tls[i]);
    if (!out->passthrough && !config_build_entry(s, "server_name") && !config_build_entry(s, "allow_san"))
        config_build_tell(b, CONFIG_ERROR, s, "destinations", NULL,
                          "with neither server_name nor allow_san, anybody whom the CA knows could answer");
    if (b->config->capture.port == 0)
        config_build_tell(b, CONFIG_ERROR, s, "destinations", NULL,
                          "destinations needs [capture] port: nothing is captured otherwise");
}

static bool listen_on(struct config_build *b, unsigned port)
{
    struct config_addr *listen = b->config->capture.listen;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&listen[0].ip;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&listen[1].ip;
    char text[32];
    v4->sin_family = AF_INET;
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v4->sin_port = htons((uint16_t)port);
    v6->sin6_family = AF_INET6;
    v6->sin6_addr = in6addr_loopback;
    v6->sin6_port = htons((uint16_t)port);
    for (size_t i = 0; i < 2; i++) {
        int length = snprintf(text, sizeof text, i == 0 ? "127.0.0.1:%u" : "[::1]:%u", port);
        listen[i].kind = CONFIG_ADDR_IP;
        listen[i].text = config_arena_copy(b->arena, text, (size_t)length);
        if (!listen[i].text)
            return false;
    }
    return true;
}

bool config_check_capture(struct config_build *b)
{
    struct config *c = b->config;
    const struct config_lines_section *capture = b->origin[SECTION_CAPTURE][0];
    bool any = false;
    for (size_t i = 0; i < c->outbound_count; i++) {
        const struct config_lines_section *s = b->origin[SECTION_OUTBOUND][i];
        if (c->outbound[i].http && config_build_entry(s, "alpn"))
            config_build_tell(
                b, CONFIG_ERROR, s, "alpn", NULL,
                "alpn cannot hold with protocol = http: what the local service speaks decides it");
        if (config_build_entry(s, "destinations")) {
            any = true;
            place_of_captured(b, s, &c->outbound[i]);
        } else {
            place_of_own(b, s);
        }
    }
    if (c->capture.port == 0)
        return true;
    if (!any)
        config_build_tell(b, CONFIG_WARNING, capture, "port", NULL,
                          "whatever is captured is refused: no [outbound NAME] has destinations");
    return listen_on(b, c->capture.port);
}
