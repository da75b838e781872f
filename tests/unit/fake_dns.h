/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A DNS server of a few made-up records for tests, UDP and TCP, on the test's own loop and a free loopback
 * port.
 */
#ifndef TESTS_UNIT_FAKE_DNS_H
#define TESTS_UNIT_FAKE_DNS_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

enum { FAKE_A = 1, FAKE_CNAME = 5, FAKE_AAAA = 28, FAKE_SERVFAIL = 2, FAKE_NXDOMAIN = 3, FAKE_REFUSED = 5 };

struct fake_record {
    const char *name;
    int type;
    unsigned ttl;
    const char *value; /* address or name as text */
};

struct fake_dns {
    uv_udp_t udp;
    uv_tcp_t tcp;
    char servers[32]; /* for resolver_options */
    struct fake_record record[64];
    unsigned count;
    unsigned udp_queries, tcp_queries;
    int rcode;      /* answered to everything; 0: the records */
    bool silent;    /* no answer at all */
    bool truncate;  /* over UDP: TC and no record */
    char last[256]; /* the name last asked for */
};

static inline void fake_dns_add(struct fake_dns *d, const char *name, int type, unsigned ttl,
                                const char *value)
{
    d->record[d->count++] = (struct fake_record){name, type, ttl, value};
}

static inline size_t fake_put_name(uint8_t *out, const char *name)
{
    size_t n = 0;
    while (*name) {
        size_t label = strcspn(name, ".");
        out[n++] = (uint8_t)label;
        memcpy(out + n, name, label);
        n += label;
        name += label + (name[label] == '.');
    }
    out[n++] = 0;
    return n;
}

static inline void fake_put16(uint8_t *out, unsigned value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static inline size_t fake_put_record(uint8_t *out, const struct fake_record *r)
{
    size_t n = fake_put_name(out, r->name), size;
    fake_put16(out + n, (unsigned)r->type);
    fake_put16(out + n + 2, 1);
    fake_put16(out + n + 4, r->ttl >> 16);
    fake_put16(out + n + 6, r->ttl & 0xffff);
    uint8_t *data = out + n + 10;
    if (r->type == FAKE_CNAME)
        size = fake_put_name(data, r->value);
    else if (r->type == FAKE_A)
        size = inet_pton(AF_INET, r->value, data) == 1 ? 4 : 0;
    else
        size = inet_pton(AF_INET6, r->value, data) == 1 ? 16 : 0;
    fake_put16(out + n + 8, (unsigned)size);
    return n + 10 + size;
}

/* Answers one question into OUT (4 KiB); returns the length, 0 for silence. */
static inline size_t fake_answer(struct fake_dns *d, const uint8_t *in, size_t size, uint8_t *out, bool udp)
{
    char name[256] = "";
    size_t at = 12, used = 0;
    while (at < size && in[at]) {
        size_t label = in[at++];
        if (at + label >= size || used + label + 2 > sizeof(name))
            return 0;
        memcpy(name + used, in + at, label);
        used += label;
        at += label;
        name[used++] = '.';
    }
    name[used ? used - 1 : 0] = 0;
    at += 5;
    if (at > size)
        return 0;
    strcpy(d->last, name);
    if (d->silent)
        return 0;

    int type = in[at - 4] << 8 | in[at - 3];
    unsigned answers = 0;
    bool exists = false;
    int rcode = d->rcode;
    memcpy(out, in, at);
    size_t n = at;
    const char *want = name;
    for (unsigned i = 0; !rcode && !(udp && d->truncate) && i < d->count; i++) {
        const struct fake_record *r = &d->record[i];
        if (strcasecmp(r->name, want) != 0)
            continue;
        exists = true;
        if (r->type != type && r->type != FAKE_CNAME)
            continue;
        n += fake_put_record(out + n, r);
        answers++;
        if (r->type == FAKE_CNAME)
            want = r->value; /* its records come after it in the list */
    }
    if (!rcode && !exists && !(udp && d->truncate))
        rcode = FAKE_NXDOMAIN;
    out[2] = (uint8_t)(0x84 | (in[2] & 1) | (udp && d->truncate ? 2 : 0));
    out[3] = (uint8_t)(0x80 | rcode);
    fake_put16(out + 4, 1);
    fake_put16(out + 6, answers);
    fake_put16(out + 8, 0);
    fake_put16(out + 10, 0);
    return n;
}

static inline void fake_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)handle;
    *buf = uv_buf_init(malloc(size), (unsigned)size);
}

static inline void fake_on_udp(uv_udp_t *udp, ssize_t size, const uv_buf_t *buf, const struct sockaddr *from,
                               unsigned flags)
{
    struct fake_dns *d = udp->data;
    uint8_t out[4096];
    (void)flags;
    if (size > 0 && from) {
        d->udp_queries++;
        size_t n = fake_answer(d, (const uint8_t *)buf->base, (size_t)size, out, true);
        uv_buf_t reply = uv_buf_init((char *)out, (unsigned)n);
        if (n)
            uv_udp_try_send(udp, &reply, 1, from);
    }
    free(buf->base);
}

static inline void fake_free(uv_handle_t *handle)
{
    free(handle);
}

/* c-ares sends a query over TCP in one piece. */
static inline void fake_on_tcp(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct fake_dns *d = stream->data;
    uint8_t out[4096];
    const uint8_t *in = (const uint8_t *)buf->base;
    if (size < 0)
        uv_close((uv_handle_t *)stream, fake_free);
    while (size > 2 && size >= 2 + (in[0] << 8 | in[1])) {
        size_t length = (size_t)(in[0] << 8 | in[1]);
        d->tcp_queries++;
        size_t n = fake_answer(d, in + 2, length, out + 2, false);
        fake_put16(out, (unsigned)n);
        uv_buf_t reply = uv_buf_init((char *)out, (unsigned)n + 2);
        if (n)
            uv_try_write(stream, &reply, 1);
        in += 2 + length;
        size -= 2 + (ssize_t)length;
    }
    free(buf->base);
}

static inline void fake_on_connection(uv_stream_t *server, int status)
{
    uv_tcp_t *stream = malloc(sizeof(*stream));
    (void)status;
    uv_tcp_init(server->loop, stream);
    stream->data = server->data;
    uv_accept(server, (uv_stream_t *)stream);
    uv_read_start((uv_stream_t *)stream, fake_alloc, fake_on_tcp);
}

/* False when no port is free for both UDP and TCP. */
static inline bool fake_dns_start(struct fake_dns *d, uv_loop_t *loop)
{
    memset(d, 0, sizeof(*d));
    for (int i = 0; i < 50; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int size = sizeof(at);
        uv_udp_init(loop, &d->udp);
        uv_tcp_init(loop, &d->tcp);
        d->udp.data = d->tcp.data = d;
        if (uv_udp_bind(&d->udp, (struct sockaddr *)&at, 0) == 0 &&
            uv_udp_getsockname(&d->udp, (struct sockaddr *)&at, &size) == 0 &&
            uv_tcp_bind(&d->tcp, (struct sockaddr *)&at, 0) == 0 &&
            uv_listen((uv_stream_t *)&d->tcp, 16, fake_on_connection) == 0) {
            snprintf(d->servers, sizeof(d->servers), "127.0.0.1:%u", ntohs(at.sin_port));
            return uv_udp_recv_start(&d->udp, fake_alloc, fake_on_udp) == 0;
        }
        uv_close((uv_handle_t *)&d->udp, NULL);
        uv_close((uv_handle_t *)&d->tcp, NULL);
        uv_run(loop, UV_RUN_NOWAIT);
    }
    return false;
}

static inline void fake_dns_stop(struct fake_dns *d)
{
    uv_close((uv_handle_t *)&d->udp, NULL);
    uv_close((uv_handle_t *)&d->tcp, NULL);
}

#endif
