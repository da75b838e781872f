/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * llhttp, as distributions build it, forgives bare LFs, folded lines and more. So every line is checked here
 * first, by RFC 9112 to the letter. llhttp is asked for a second opinion where a difference would be a way
 * round: what the first line and the fields that frame the message say.
 */
#include "sidecar/http/http1_private.h"

#include <stdlib.h>
#include <string.h>

static bool fault_set(struct http1_fault *fault, int status, const char *why)
{
    *fault = (struct http1_fault){status, why};
    return false;
}

/* --- collecting --- */

void http1_part_free(struct http1_part *part)
{
    free(part->p);
    *part = (struct http1_part){0};
}

static bool part_append(struct http1_part *part, const char *data, size_t size, struct http1_fault *fault)
{
    if (size > part->room - part->n) {
        size_t room = part->room ? part->room : 512;
        while (room < part->n + size)
            room *= 2;
        char *p = realloc(part->p, room);
        if (!p)
            return fault_set(fault, 503, "out of memory");
        part->p = p;
        part->room = (uint32_t)room;
    }
    if (size)
        memcpy(part->p + part->n, data, size);
    part->n += (uint32_t)size;
    return true;
}

/* RFC 9112, 5: no folding, no blank before the colon, no control characters. CR follows LINE. */
static bool check_field(const char *line, size_t n, struct http1_fault *fault)
{
    size_t i = 0;
    while (http_is(line[i], HTTP_TOKEN))
        i++;
    if (i == n)
        return fault_set(fault, 400, "a line without a colon");
    if (line[i] != ':') {
        if (line[i] == ' ' || line[i] == '\t')
            return fault_set(fault, 400, i ? "a blank before a colon" : "a folded line");
        return fault_set(fault, 400, "a character that no field name may have");
    }
    if (!i)
        return fault_set(fault, 400, "a field without a name");
    if (!http_all(line + i + 1, n - i - 1, HTTP_VALUE))
        return fault_set(fault, 400, "a control character in a field's value");
    return true;
}

/* status-line = HTTP-version SP status-code SP [ reason-phrase ]; the last blank is often forgotten. */
static bool status_line(struct http_str line, struct http1_head *head, struct http1_fault *fault)
{
    const char *p = line.p;
    if (line.n < 12 || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') || p[8] != ' ' ||
        !http_all(p + 9, 3, HTTP_DIGIT) || p[9] == '0' || (line.n > 12 && p[12] != ' '))
        return fault_set(fault, 502, "a status line that is none");
    if (!http_all(p + 12, line.n - 12, HTTP_VALUE))
        return fault_set(fault, 502, "a control character in the status line");
    head->minor = p[7] - '0';
    head->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
    head->reason = line.n > 13 ? (struct http_str){p + 13, line.n - 13} : HTTP_STR("");
    return true;
}

/* request-line = method SP request-target SP HTTP-version; single blanks. CR follows LINE. */
static bool request_line(const struct http1_limits *limits, struct http_str line, struct http1_head *head,
                         struct http1_fault *fault)
{
    size_t method = 0;
    while (http_is(line.p[method], HTTP_TOKEN))
        method++;
    if (!method || method == line.n || line.p[method] != ' ')
        return fault_set(fault, 400, "a request line without a method");
    const char *target = line.p + method + 1;
    size_t rest = line.n - method - 1, n = 0;
    while (http_is(target[n], HTTP_TARGET))
        n++;
    if (n > limits->target_size)
        return fault_set(fault, 414, "the request target is too long");
    if (n == rest)
        return fault_set(fault, 400, "a request line without a version");
    if (!n || target[n] != ' ')
        return fault_set(fault, 400, "a character that no request target may have");
    const char *version = target + n + 1;
    if (rest - n - 1 != 8 || memcmp(version, "HTTP/", 5) != 0 || !http_is(version[5], HTTP_DIGIT) ||
        version[6] != '.' || !http_is(version[7], HTTP_DIGIT))
        return fault_set(fault, 400, "a request line that does not end in a version");
    if (version[5] != '1' || version[7] > '1')
        return fault_set(fault, 505, "a version other than HTTP/1.1 and HTTP/1.0");
    head->method = (struct http_str){line.p, method};
    head->target = (struct http_str){target, n};
    head->minor = version[7] - '0';
    return true;
}

static bool check_line(struct http1_conn *c, enum http1_kind kind, bool first, const char *line, size_t n,
                       struct http1_fault *fault)
{
    struct http1_head head;
    if (first && kind == HTTP1_REQUEST_HEAD)
        return request_line(c->limits, (struct http_str){line, n}, &head, fault);
    if (first && kind == HTTP1_RESPONSE_HEAD)
        return status_line((struct http_str){line, n}, &head, fault);
    return check_field(line, n, fault);
}

/* What a block or its first line may measure. */
static uint32_t size_limit(const struct http1_conn *c, enum http1_kind kind, bool first)
{
    enum { BESIDE_TARGET = 64 }; /* method, version, blanks */
    if (kind == HTTP1_TRAILERS)
        return c->limits->trailer_size;
    if (kind == HTTP1_REQUEST_HEAD && first && c->limits->target_size + BESIDE_TARGET < c->limits->head_size)
        return c->limits->target_size + BESIDE_TARGET;
    return c->limits->head_size;
}

static enum http1_got too_large(enum http1_kind kind, bool first, struct http1_fault *fault)
{
    if (kind == HTTP1_REQUEST_HEAD && first)
        fault_set(fault, 414, "the request line is too long");
    else
        fault_set(fault, 431,
                  kind == HTTP1_TRAILERS ? "the trailers are too large" : "the head is too large");
    return HTTP1_GOT_BAD;
}

enum http1_got http1_collect(struct http1_conn *c, struct http1_in *in, enum http1_kind kind,
                             const char *data, size_t size, size_t *used, struct http_str *block,
                             struct http1_fault *fault)
{
    struct http1_part *part = &in->part;
    size_t had = part->n;
    const char *base = data;
    size_t n = size;
    if (had) { /* rare: a head in more than one portion. One byte over the limit is enough to tell */
        size_t most = c->limits->head_size + 1 - (had < c->limits->head_size ? had : c->limits->head_size);
        if (!part_append(part, data, size < most ? size : most, fault))
            return HTTP1_GOT_BAD;
        base = part->p;
        n = part->n;
    }
    for (size_t search = had;;) {
        bool first = part->lines == 0;
        const char *lf = memchr(base + search, '\n', n - search);
        size_t end = lf ? (size_t)(lf - base) + 1 : n;
        if (end > size_limit(c, kind, first))
            return too_large(kind, first, fault);
        if (!lf)
            break;
        const char *line = base + part->line;
        size_t length = end - part->line;
        if (length < 2 || line[length - 2] != '\r') {
            fault_set(fault, 400, "a line that does not end in CR LF");
            return HTTP1_GOT_BAD;
        }
        if (length == 2 && (!first || kind == HTTP1_TRAILERS)) {
            *block = (struct http_str){base, end};
            *used = end - had;
            return HTTP1_GOT_ALL;
        }
        if (!check_line(c, kind, first, line, length - 2, fault))
            return HTTP1_GOT_BAD;
        part->lines++;
        part->line = (uint32_t)end;
        search = end;
    }
    *used = size;
    return had || part_append(part, data, size, fault) ? HTTP1_GOT_MORE : HTTP1_GOT_BAD;
}

enum http1_got http1_collect_line(struct http1_in *in, uint32_t limit, const char *data, size_t size,
                                  size_t *used, struct http_str *line, struct http1_fault *fault)
{
    struct http1_part *part = &in->part;
    const char *lf = memchr(data, '\n', size);
    size_t n = lf ? (size_t)(lf - data) + 1 : size;
    if (part->n + n > limit) {
        fault_set(fault, 400, "a chunk's line is too long");
        return HTTP1_GOT_BAD;
    }
    *used = n;
    *line = (struct http_str){data, n};
    if (!lf || part->n) {
        if (!part_append(part, data, n, fault))
            return HTTP1_GOT_BAD;
        if (!lf)
            return HTTP1_GOT_MORE;
        *line = (struct http_str){part->p, part->n};
    }
    if (line->n < 2 || line->p[line->n - 2] != '\r') {
        fault_set(fault, 400, "a line that does not end in CR LF");
        return HTTP1_GOT_BAD;
    }
    line->n -= 2;
    return HTTP1_GOT_ALL;
}

/* --- parsing --- */

/* Every line of LINES, which have been checked, as a field. */
static bool read_lines(struct http1_scratch *s, struct http_str lines, struct http1_fault *fault)
{
    char *name = s->names;
    const char *end = lines.p + lines.n;
    for (const char *line = lines.p, *lf; line != end; line = lf + 1) {
        const char *colon = memchr(line, ':', (size_t)(end - line));
        lf = colon ? memchr(colon, '\n', (size_t)(end - colon)) : NULL;
        if (!lf)
            return fault_set(fault, 400, "fields that are read in two ways");
        if (s->nfields == s->limits->fields)
            return fault_set(fault, 431, "too many fields");
        size_t n = (size_t)(colon - line);
        struct http_str value = {colon + 1, (size_t)(lf - colon) - 2};
        http_lower_token(line, n, name);
        s->fields[s->nfields++] =
            (struct http_field){.name = {name, n}, .value = http_trim(value), .spelling = line};
        name += n;
    }
    return true;
}

/* --- the second opinion --- */

static int on_message_begin(llhttp_t *parser)
{
    struct http1_scratch *s = parser->data;
    s->messages++;
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t n)
{
    struct http1_scratch *s = parser->data;
    (void)at, (void)n;
    s->framing++;
    return 0;
}

static int on_fields_complete(llhttp_t *parser)
{
    struct http1_scratch *s = parser->data;
    s->complete = true;
    s->length = parser->flags & F_CONTENT_LENGTH ? parser->content_length : 0;
    s->has_chunked = parser->flags & F_CHUNKED;
    s->minor = parser->http_minor;
    return 1; /* the body is not llhttp's business */
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    (void)parser, (void)at, (void)n;
    return -1;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_message_begin,
    .on_header_field = on_field,
    .on_headers_complete = on_fields_complete,
    .on_body = on_body,
};

/* The fields that say where a message ends and what becomes of its connection. */
static bool is_framing(struct http_str name)
{
    switch (name.n) {
    case 7: return !memcmp(name.p, "upgrade", 7);
    case 10: return !memcmp(name.p, "connection", 10);
    case 14: return !memcmp(name.p, "content-length", 14);
    case 16: return !memcmp(name.p, "proxy-connection", 16);
    case 17: return !memcmp(name.p, "transfer-encoding", 17);
    default: return false;
    }
}

/* FIRST and the lines of the fields that frame the message, and none of the others. */
static llhttp_errno_t llhttp_read(struct http1_scratch *s, struct http_str first, struct http_str lines,
                                  unsigned *fed)
{
    llhttp_errno_t err = llhttp_execute(&s->parser, first.p, first.n);
    for (size_t i = 0; i < s->nfields && err == HPE_OK; i++) {
        const char *line = s->fields[i].spelling;
        const char *next = i + 1 < s->nfields ? s->fields[i + 1].spelling : lines.p + lines.n;
        if (!is_framing(s->fields[i].name))
            continue;
        err = llhttp_execute(&s->parser, line, (size_t)(next - line));
        ++*fed;
    }
    return err == HPE_OK ? llhttp_execute(&s->parser, "\r\n", 2) : err;
}

static bool llhttp_agrees(struct http1_scratch *s, enum http1_kind kind, struct http_str first,
                          struct http_str lines, struct http1_fault *fault)
{
    unsigned fed = 0;
    llhttp_init(&s->parser, kind == HTTP1_RESPONSE_HEAD ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
    s->parser.data = s;
    if (kind == HTTP1_TRAILERS)
        first = HTTP_STR("GET / HTTP/1.1\r\n");
    llhttp_errno_t err = llhttp_read(s, first, lines, &fed);
    if ((err == HPE_OK || err == HPE_PAUSED_UPGRADE) && s->complete && s->messages == 1 && s->framing == fed)
        return true;
    if (err == HPE_INVALID_METHOD || err == HPE_INVALID_CONSTANT || err == HPE_PAUSED_H2_UPGRADE)
        fault_set(fault, 501, "a method that is not known");
    else if (err == HPE_INVALID_URL)
        fault_set(fault, 400, "a request target that is neither a path nor an http URI");
    else if (err == HPE_OK && !s->complete) /* PRI: llhttp waits for the rest */
        fault_set(fault, 400, "the Preface of HTTP/2 in HTTP/1");
    else
        fault_set(fault, 400, s->parser.reason ? s->parser.reason : "a malformed head");
    return false;
}

/* --- what the fields say --- */

/* A name that some servers read as that of the framing: Content_Length. */
static bool is_twin(struct http_str name, const char *canonical, size_t dash)
{
    return !memcmp(name.p, canonical, dash) && !http_is(name.p[dash], HTTP_ALNUM) &&
           !memcmp(name.p + dash + 1, canonical + dash + 1, name.n - dash - 1);
}

static bool read_length(struct http1_head *h, struct http_field *f, struct http1_fault *fault)
{
    f->hop = true;
    if (h->has_length)
        return fault_set(fault, 400, "more than one Content-Length");
    if (!f->value.n || !http_all(f->value.p, f->value.n, HTTP_DIGIT))
        return fault_set(fault, 400, "a Content-Length that is no number");
    size_t i = 0;
    while (i < f->value.n && f->value.p[i] == '0')
        i++;
    if (f->value.n - i > 18)
        return fault_set(fault, 413, "a Content-Length beyond all measure");
    for (; i < f->value.n; i++)
        h->length = h->length * 10 + (uint64_t)(f->value.p[i] - '0');
    h->has_length = true;
    return true;
}

static bool read_coding(struct http1_head *h, struct http_field *f, struct http1_fault *fault)
{
    f->hop = true;
    if (h->chunked)
        return fault_set(fault, 400, "more than one Transfer-Encoding");
    h->chunked = http_same(f->value, "chunked");
    if (h->chunked)
        return true;
    struct http_str list = f->value, coding = {NULL, 0};
    bool before = false;
    while (http_list_next(&list, &coding))
        before |= list.n && http_same(coding, "chunked");
    if (before || !coding.n)
        return fault_set(fault, 400, "chunked is not the last transfer coding");
    return fault_set(fault, 501, "a transfer coding that is not known");
}

static void read_upgrade(struct http1_head *h, struct http_field *f)
{
    struct http_str list = f->value, protocol;
    f->hop = true;
    while (http_list_next(&list, &protocol))
        h->websocket |= http_same(protocol, "websocket");
}

static void read_te(struct http1_head *h, struct http_field *f)
{
    struct http_str list = f->value, coding;
    f->hop = true;
    while (http_list_next(&list, &coding))
        h->te_trailers |= http_same(coding, "trailers");
}

static bool read_field(struct http1_head *h, struct http_field *f, bool request, struct http1_fault *fault)
{
    switch (f->name.n) {
    case 2:
        if (request && !memcmp(f->name.p, "te", 2))
            read_te(h, f);
        break;
    case 4:
        if (request && !memcmp(f->name.p, "host", 4)) {
            f->hop = true;
            h->host = f->value;
            h->hosts++;
        }
        break;
    case 6:
        if (request && !memcmp(f->name.p, "expect", 6)) {
            if (!http_same(f->value, "100-continue"))
                return fault_set(fault, 417, "an expectation other than 100-continue");
            f->hop = h->minor == 0;
            h->expect_continue = h->minor == 1;
        }
        break;
    case 7:
        if (!memcmp(f->name.p, "upgrade", 7))
            read_upgrade(h, f);
        break;
    case 10: f->hop = !memcmp(f->name.p, "connection", 10) || !memcmp(f->name.p, "keep-alive", 10); break;
    case 14:
        if (!memcmp(f->name.p, "content-length", 14))
            return read_length(h, f, fault);
        if (is_twin(f->name, "content-length", 7))
            return fault_set(fault, 400, "a name that may be read as Content-Length");
        f->hop = !memcmp(f->name.p, "http2-settings", 14);
        break;
    case 16: f->hop = !memcmp(f->name.p, "proxy-connection", 16); break;
    case 17:
        if (!memcmp(f->name.p, "transfer-encoding", 17))
            return read_coding(h, f, fault);
        if (is_twin(f->name, "transfer-encoding", 8))
            return fault_set(fault, 400, "a name that may be read as Transfer-Encoding");
        break;
    default: break;
    }
    return true;
}

/* Removes what a connection option nominates (RFC 9110, 7.6.1). */
static bool nominate(struct http1_scratch *s, struct http_str option, struct http1_fault *fault)
{
    if (http_same(option, "host") || http_same(option, "content-length") ||
        http_same(option, "transfer-encoding"))
        return fault_set(fault, 400, "a connection option that names the framing");
    for (size_t i = 0; i < s->nfields; i++)
        if (http_same_str(s->fields[i].name, option))
            s->fields[i].hop = true;
    return true;
}

static bool read_connection(struct http1_scratch *s, struct http1_fault *fault)
{
    enum { OPTIONS_MAX = 32 };
    unsigned options = 0;
    for (size_t i = 0; i < s->nfields; i++) {
        const struct http_field *f = &s->fields[i];
        if (f->name.n != 10 || memcmp(f->name.p, "connection", 10) != 0)
            continue;
        struct http_str list = f->value, option;
        while (http_list_next(&list, &option)) {
            if (++options > OPTIONS_MAX)
                return fault_set(fault, 400, "too many connection options");
            if (!http_all(option.p, option.n, HTTP_TOKEN))
                return fault_set(fault, 400, "a malformed connection option");
            if (http_same(option, "close"))
                s->head.close = true;
            else if (http_same(option, "keep-alive"))
                s->head.keep_alive = true;
            else if (http_same(option, "upgrade"))
                s->head.upgrade = true;
            else if (!nominate(s, option, fault))
                return false;
        }
    }
    return true;
}

/* The framing as we read it, against llhttp's opinion. */
static bool check_framing(struct http1_scratch *s, struct http1_fault *fault)
{
    const struct http1_head *h = &s->head;
    if (h->chunked && h->has_length)
        return fault_set(fault, 400, "both Content-Length and Transfer-Encoding");
    if (h->chunked && h->minor == 0)
        return fault_set(fault, 400, "Transfer-Encoding in HTTP/1.0");
    if (s->has_chunked != h->chunked || s->length != h->length || s->minor != h->minor)
        return fault_set(fault, 400, "framing that is read in two ways");
    return true;
}

bool http1_parse(struct http1_scratch *s, enum http1_kind kind, struct http_str block, size_t lines,
                 struct http1_fault *fault)
{
    s->head = (struct http1_head){0};
    s->nfields = 0;
    s->messages = s->framing = 0;
    s->complete = false;
    const char *lf = memchr(block.p, '\n', block.n);
    size_t n = kind == HTTP1_TRAILERS ? 0 : (size_t)(lf - block.p) + 1;
    struct http_str first = {block.p, n}, line = {block.p, n ? n - 2 : 0};
    struct http_str rest = {block.p + n, block.n - n - 2}; /* without the empty line */
    if (kind == HTTP1_REQUEST_HEAD && !request_line(s->limits, line, &s->head, fault))
        return false;
    if (kind == HTTP1_RESPONSE_HEAD && !status_line(line, &s->head, fault))
        return false;
    if (!read_lines(s, rest, fault) || !llhttp_agrees(s, kind, first, rest, fault))
        return false;
    if (s->nfields != lines)
        return fault_set(fault, 400, "fields that are read in two ways");
    if (kind == HTTP1_TRAILERS)
        return true;
    for (size_t i = 0; i < s->nfields; i++)
        if (!read_field(&s->head, &s->fields[i], kind == HTTP1_REQUEST_HEAD, fault))
            return false;
    return read_connection(s, fault) && check_framing(s, fault);
}
