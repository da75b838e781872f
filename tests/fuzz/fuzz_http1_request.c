/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes from a client. What reached the service is read again by llhttp: it must be the requests that
 * passed, in their order, whole where we say so, without a field that was to go. And it must not matter how
 * the bytes were cut.
 *
 * The first byte chooses the cuts.
 */
#include "sidecar/http/headers.h"
#include "tests/unit/http1_drive.h"

static struct headers_names *names;

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

static void on_request(void *ctx, struct http1_request *r, struct http1_verdict *v)
{
    struct drive *d = ctx;
    drive_request(ctx, r, v);
    for (size_t i = 0; i < r->nfields; i++)
        if (headers_names_has(names, r->fields[i].name.p, r->fields[i].name.n))
            r->fields[i].drop = true;
    CHECK(r->path.n && r->method.n && (r->host.n || !r->minor));
    CHECK(r->minor || r->body != HTTP1_CHUNKED);
    if (!v->status)
        text_addf(&d->log, "passed\n");
}

static bool on_trailer(void *ctx, enum http1_side side, const struct http_field *f)
{
    (void)ctx;
    return side == HTTP1_DOWN && headers_trailer_drop(names, f);
}

static void on_field(const char *name, size_t n, bool trailer)
{
    CHECK(!headers_names_has(names, name, n));
    CHECK(!trailer || !headers_forbidden(name, n));
    CHECK(n != 10 || strncasecmp(name, "keep-alive", 10));
    CHECK(n != 14 || strncasecmp(name, "http2-settings", 14));
    CHECK(n != 16 || strncasecmp(name, "proxy-connection", 16));
}

static size_t count(const char *text, const char *line)
{
    size_t n = 0;
    for (const char *p = text; p && (p = strstr(p, line)); p += strlen(line))
        n++;
    return n;
}

/* Feeds in portions of STEP bytes; each request that waits gets a response. Returns what it all came to. */
static char *run(const uint8_t *data, size_t size, size_t step)
{
    static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    struct drive d;
    drive_init(&d);
    d.calls.request = on_request;
    d.calls.trailer = on_trailer;
    d.status = -1;
    bool tunnel_wanted = false;
    for (size_t off = 0; off < size && d.result == HTTP1_MORE; off += step) {
        drive_feed(&d, HTTP1_DOWN, data + off, size - off < step ? size - off : step);
        tunnel_wanted |= d.log.p && strstr(d.log.p, " websocket");
        while (d.result == HTTP1_MORE && http1_progress(d.conn).phase == HTTP1_WAIT)
            drive_feed(&d, HTTP1_UP, response, sizeof(response) - 1);
    }
    CHECK(!http1_blocked(d.conn, HTTP1_DOWN));
    size_t open = http1_streams(d.conn); /* perhaps answered already */
    const char *log = d.log.p ? d.log.p : "";
    size_t passed = count(log, "passed\n"), complete = count(log, " complete ");
    struct opinion o = {.field = on_field};
    opinion_of(&o, HTTP_REQUEST, drive_out(&d, HTTP1_UP), d.out[HTTP1_UP].n, NULL);
    if (!tunnel_wanted) {
        CHECK(o.error == HPE_OK);
        CHECK(o.messages == passed);
        CHECK(o.complete == complete);
    }
    struct text all = {0};
    text_add(&all, o.text.p, o.text.n);
    text_free(&o.text);
    bool *bodiless = calloc(d.requests + 2, sizeof(bool));
    const char *p = log;
    for (unsigned i = 0; i < d.requests && (p = strstr(p, "request ")); i++, p++) {
        p += strcspn(p + 8, " ") + 9;
        bodiless[i] = !strncmp(p, "HEAD ", 5);
    }
    o = (struct opinion){0};
    opinion_of(&o, HTTP_RESPONSE, drive_out(&d, HTTP1_DOWN), d.out[HTTP1_DOWN].n, bodiless);
    free(bodiless);
    /* one response for each request that ended, and nothing else; a HEAD may be refused before we hear of it
     */
    CHECK(o.complete == d.ends || o.complete == d.ends + open ||
          (d.result != HTTP1_MORE && o.complete + 1 == d.ends));
    CHECK(o.error == HPE_OK || d.result != HTTP1_MORE);
    text_addf(&all, "\n--- %d %s ", d.result, http1_why(d.conn).text);
    text_add(&all, o.text.p, o.text.n);
    text_add(&all, d.log.p, d.log.n);
    text_free(&o.text);
    drive_free(&d);
    for (size_t i = 0; i < all.n; i++)
        if (!all.p[i])
            all.p[i] = '@';
    return all.p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!names) {
        names = headers_names_new();
        CHECK(names && headers_names_add_identity(names));
    }
    if (size < 2 || size > 60000)
        return 0;
    char *whole = run(data + 1, size - 1, size);
    char *cut = run(data + 1, size - 1, 1 + data[0] % 64);
    if (strcmp(whole, cut)) {
        fprintf(stderr, "whole:\n%s\ncut:\n%s\n", whole, cut);
        abort();
    }
    free(whole);
    free(cut);
    return 0;
}
