/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "sidecar/admin/probe.h"

/* HTTP/2 (RFC 9113). */
enum {
    FRAME = 9,
    FRAME_DATA = 0,
    FRAME_HEADERS = 1,
    FRAME_RST_STREAM = 3,
    FRAME_SETTINGS = 4,
    FRAME_GOAWAY = 7,
    END_STREAM = 1,
    END_HEADERS = 4,
    PADDED = 8,
    GRPC_PREFIX = 5
};

struct writer {
    uint8_t *out;
    size_t size;
    bool full;
};

static void put(struct writer *w, const void *data, size_t size)
{
    if (size > PROBE_REQUEST_MAX - w->size) {
        w->full = true;
        return;
    }
    memcpy(w->out + w->size, data, size);
    w->size += size;
}

static void put_frame(struct writer *w, uint8_t type, uint8_t flags, uint8_t stream, size_t size)
{
    uint8_t header[FRAME] = {0, (uint8_t)(size >> 8), (uint8_t)size, type, flags, 0, 0, 0, stream};
    put(w, header, sizeof header);
}

/* A text of less than 127 bytes as HPACK has it, not Huffman-coded (RFC 7541 section 5.2). */
static void put_text(struct writer *w, const char *text)
{
    uint8_t length = (uint8_t)strlen(text);
    put(w, &length, 1);
    put(w, text, length);
}

static void put_headers(struct writer *w)
{
    /* Names by their place in the static table (RFC 7541, appendix A), values not indexed. */
    static const uint8_t post_http[] = {0x83, 0x86}, path[] = {0x04}, authority[] = {0x01},
                         type[] = {0x0f, 0x10}, new_name[] = {0x00};
    put(w, post_http, sizeof post_http);
    put(w, path, sizeof path);
    put_text(w, "/grpc.health.v1.Health/Check");
    put(w, authority, sizeof authority);
    put_text(w, "localhost");
    put(w, type, sizeof type);
    put_text(w, "application/grpc");
    put(w, new_name, sizeof new_name);
    put_text(w, "te");
    put_text(w, "trailers");
}

static void put_grpc(struct writer *w, const char *service)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    uint8_t block[PROBE_REQUEST_MAX];
    struct writer headers = {.out = block};
    size_t length = strlen(service), message = length ? length + 2 : 0;
    uint8_t prefix[GRPC_PREFIX] = {0, 0, 0, 0, (uint8_t)message}, field[2] = {0x0a, (uint8_t)length};
    if (length > 120) {
        w->full = true;
        return;
    }
    put_headers(&headers);
    put(w, preface, sizeof preface - 1);
    put_frame(w, FRAME_SETTINGS, 0, 0, 0);
    put_frame(w, FRAME_HEADERS, END_HEADERS, 1, headers.size);
    put(w, block, headers.size);
    put_frame(w, FRAME_DATA, END_STREAM, 1, GRPC_PREFIX + message);
    put(w, prefix, sizeof prefix);
    if (length) {
        put(w, field, sizeof field);
        put(w, service, length);
    }
}

size_t probe_request(enum config_probe_kind kind, const char *request, uint8_t out[PROBE_REQUEST_MAX])
{
    struct writer w = {.out = out};
    if (kind == CONFIG_PROBE_GRPC) {
        put_grpc(&w, request);
    } else if (kind == CONFIG_PROBE_HTTP) {
        static const char before[] = "GET ", after[] = " HTTP/1.1\r\nHost: localhost\r\n"
                                                       "User-Agent: outrider-probe\r\nAccept: */*\r\n"
                                                       "Connection: close\r\n\r\n";
        put(&w, before, sizeof before - 1);
        put(&w, request, strlen(request));
        put(&w, after, sizeof after - 1);
    }
    return w.full ? 0 : w.size;
}

/* "HTTP/1.1 200 OK": as kubelet has it, 200 to 399 is good. */
static enum probe_verdict read_http(const uint8_t *data, size_t size, const char **why, unsigned *number)
{
    static const char start[] = "HTTP/1.";
    enum { VERSION = sizeof start - 1, STATUS = VERSION + 2, END = STATUS + 3 };
    size_t compare = size < VERSION ? size : VERSION;
    if (memcmp(data, start, compare) != 0 || (size > VERSION + 1 && data[VERSION + 1] != ' ')) {
        *why = "the answer is not HTTP";
        return PROBE_BAD;
    }
    if (size < END)
        return PROBE_MORE;
    *number = 0;
    for (size_t i = STATUS; i < END; i++) {
        if (data[i] < '0' || data[i] > '9') {
            *why = "the answer is not HTTP";
            return PROBE_BAD;
        }
        *number = *number * 10 + (unsigned)(data[i] - '0');
    }
    return *number >= 200 && *number < 400 ? PROBE_GOOD : PROBE_BAD;
}

/* A HealthCheckResponse: its only field, status, 1 is SERVING. */
static enum probe_verdict read_message(const uint8_t *data, size_t size, const char **why)
{
    *why = "not serving";
    return size == 2 && data[0] == 0x08 && data[1] == 1 ? PROBE_GOOD : PROBE_BAD;
}

static enum probe_verdict read_data(const uint8_t *data, size_t size, uint8_t flags, const char **why)
{
    size_t padding = 0;
    *why = "a gRPC message that is none";
    if (flags & PADDED) {
        if (size == 0 || data[0] >= size)
            return PROBE_BAD;
        padding = data[0];
        data++;
        size -= 1 + padding;
    }
    if (size == 0)
        return PROBE_MORE; /* an empty frame: the message is in the next one */
    if (size < GRPC_PREFIX || data[0] != 0 || data[1] != 0 || data[2] != 0 ||
        (size_t)(data[3] << 8 | data[4]) != size - GRPC_PREFIX)
        return PROBE_BAD;
    return read_message(data + GRPC_PREFIX, size - GRPC_PREFIX, why);
}

static enum probe_verdict read_grpc(const uint8_t *data, size_t size, const char **why)
{
    while (size >= FRAME) {
        size_t length = (size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2];
        uint8_t type = data[3], flags = data[4];
        if (length > PROBE_ANSWER_MAX - FRAME) {
            *why = "an answer that is too large, or no HTTP/2";
            return PROBE_BAD;
        }
        if (size < FRAME + length)
            return PROBE_MORE;
        if (type == FRAME_DATA) {
            enum probe_verdict verdict = read_data(data + FRAME, length, flags, why);
            if (verdict != PROBE_MORE || (flags & END_STREAM))
                return verdict == PROBE_GOOD ? PROBE_GOOD : PROBE_BAD;
        }
        if (type == FRAME_RST_STREAM || type == FRAME_GOAWAY ||
            (type == FRAME_HEADERS && (flags & END_STREAM))) {
            *why = "no gRPC health service, or not for this name";
            return PROBE_BAD;
        }
        data += FRAME + length;
        size -= FRAME + length;
    }
    return PROBE_MORE;
}

enum probe_verdict probe_read(enum config_probe_kind kind, const uint8_t *data, size_t size, const char **why,
                              unsigned *number)
{
    *why = NULL;
    *number = 0;
    switch (kind) {
    case CONFIG_PROBE_HTTP: return read_http(data, size, why, number);
    case CONFIG_PROBE_GRPC: return read_grpc(data, size, why);
    case CONFIG_PROBE_TCP: break;
    }
    return PROBE_GOOD;
}
