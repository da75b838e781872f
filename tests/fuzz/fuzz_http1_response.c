/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes from a service. What reached the client is read again by llhttp: one response, whole unless the
 * connection was aborted, and never another behind it. And it must not matter how the bytes were cut.
 *
 * The first byte chooses the cuts, the second the request and whether the service's transport ends at last.
 */
#include "tests/unit/http1_drive.h"

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

static const char *const requests[] = {
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc",
};

static char *run(const uint8_t *data, size_t size, size_t step, unsigned kind, bool eof, bool anew)
{
    static const bool bodiless[64] = {true};
    struct drive d;
    struct text all = {0};
    drive_init(&d);
    if (!anew)
        d.calls.service_done = NULL;
    CHECK(drive_text(&d, HTTP1_DOWN, requests[kind]) == HTTP1_MORE);
    for (size_t off = 0; off < size && d.result == HTTP1_MORE; off += step)
        drive_feed(&d, HTTP1_UP, data + off, size - off < step ? size - off : step);
    if (eof && d.result == HTTP1_MORE)
        drive_eof(&d, HTTP1_UP);
    bool tunnel = http1_progress(d.conn).phase == HTTP1_TUNNEL;
    struct opinion o = {0};
    opinion_of(&o, HTTP_RESPONSE, drive_out(&d, HTTP1_DOWN), d.out[HTTP1_DOWN].n,
               kind == 1 ? bodiless : NULL);
    if (!tunnel) {
        CHECK(o.error == HPE_OK || kind == 1);
        CHECK(o.complete <= 1);
        CHECK(d.result == HTTP1_ABORT || o.complete == d.ends || kind == 1 || kind == 2 || kind == 5);
        CHECK(d.result != HTTP1_ABORT || o.complete == 0 ||
              kind == 2); /* HTTP/1.0 may end with the connection */
    }
    text_addf(&all, "%d %s\n", d.result, http1_why(d.conn).text);
    text_add(&all, o.text.p, o.text.n);
    text_add(&all, d.log.p, d.log.n);
    text_free(&o.text);
    drive_free(&d);
    CHECK(d.ends == 1);
    for (size_t i = 0; i < all.n; i++)
        if (!all.p[i])
            all.p[i] = '@';
    return all.p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 60000)
        return 0;
    unsigned kind = data[1] & 15;
    if (kind >= sizeof(requests) / sizeof(*requests))
        kind = 0;
    bool eof = data[1] & 16, anew = !(data[1] & 32);
    char *whole = run(data + 2, size - 2, size, kind, eof, anew);
    char *cut = run(data + 2, size - 2, 1 + data[0] % 64, kind, eof, anew);
    if (strcmp(whole, cut)) {
        fprintf(stderr, "whole:\n%s\ncut:\n%s\n", whole, cut);
        abort();
    }
    free(whole);
    free(cut);
    return 0;
}
