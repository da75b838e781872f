/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /sessions: each worker writes its newest ones on its own thread; put together here, the newest first. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sidecar/proxy/codec.h"
#include "sidecar/proxy/proxy_private.h"
#include "sidecar/proxy/session.h"
#include "sidecar/proxy/tell.h"

struct ask {
    size_t limit;
};

/* A session, ready in the part's text. */
struct entry {
    uint64_t started; /* ms of the loop's clock, which all loops share */
    size_t at, size;
};

struct part {
    struct json_write json;
    struct entry *entry;
    size_t count, room;
    bool failed;
};

static const char *const states[] = {
    [SESSION_PREFACE] = "preface",     [SESSION_SNIFF] = "sniff",     [SESSION_HELLO] = "hello",
    [SESSION_HANDSHAKE] = "handshake", [SESSION_CONNECT] = "connect", [SESSION_RELAY] = "relay",
    [SESSION_FLUSH] = "flush",         [SESSION_LINGER] = "linger",   [SESSION_CLOSED] = "closed",
};

static const char *protocol_of(const struct session *s)
{
    if (s->codec)
        return s->codec->kind == CODEC_HTTP2 ? "http2" : "http1";
    return s->state == SESSION_RELAY && !s->sniff ? "tcp" : "unknown";
}

static void peer(struct json_write *json, const struct tls_peer *p)
{
    static const char *const kinds[] = {
        [TLS_SAN_DNS] = "DNS:", [TLS_SAN_URI] = "URI:", [TLS_SAN_IP] = "IP:", [TLS_SAN_EMAIL] = "email:"};
    json_text(json, "sha256", p ? p->sha256 : NULL);
    json_text(json, "subject", p ? p->subject : NULL);
    json_array(json, "sans");
    for (size_t i = 0; p && i < p->san_count; i++) {
        char text[512];
        size_t kind = strlen(kinds[p->san[i].kind]), size = p->san[i].text_size;
        size = size < sizeof text - kind ? size : sizeof text - kind;
        memcpy(text, kinds[p->san[i].kind], kind);
        memcpy(text + kind, p->san[i].text, size);
        json_bytes(json, NULL, text, kind + size);
    }
    json_array_end(json);
}

static void tls(struct json_write *json, const struct tls_stream_info *info)
{
    if (info->version == NULL) {
        json_null(json, "tls");
        return;
    }
    json_object(json, "tls");
    json_text(json, "version", info->version);
    json_text(json, "cipher", info->cipher);
    json_text(json, "group", info->group);
    json_text(json, "sni", info->sni);
    json_text(json, "alpn", info->alpn);
    json_bool(json, "resumed", info->resumed);
    json_object_end(json);
}

static const char *destination(const struct session *s, char out[NET_ADDR_TEXT])
{
    const struct config *config = s->runtime->snapshot->config;
    if (s->captured.sa.sa_family != AF_UNSPEC)
        return net_addr_text(&s->captured.sa, out, NET_ADDR_TEXT);
    return s->inbound ? config->inbound[s->index].forward.text : config->outbound[s->index].connect.text;
}

static void tell(struct json_write *json, const struct session *s, uint64_t now, int64_t wall)
{
    const struct tls_stream *stream = s->leg[session_tls_side(s)].tls;
    struct tls_stream_info info = {0};
    char address[NET_ADDR_TEXT];
    uint64_t last = s->activity ? s->activity : s->started;
    if (stream)
        info = tls_stream_info(stream);
    json_object(json, NULL);
    json_number(json, "id", s->id);
    json_number(json, "worker", s->worker->index);
    json_text(json, "direction", s->inbound ? "inbound" : "outbound");
    json_text(json, "section", session_name(s));
    json_text(json, "peer",
              s->peer.sa.sa_family == AF_UNSPEC ? "unix"
                                                : net_addr_text(&s->peer.sa, address, sizeof address));
    json_text(json, "destination", destination(s, address));
    json_text(json, "state", states[s->state]);
    json_text(json, "protocol", protocol_of(s));
    peer(json, stream ? tls_stream_peer(stream) : NULL);
    json_bool(json, "verified", info.verified);
    tls(json, &info);
    json_signed(json, "since_at", wall - (int64_t)((now - s->started) / 1000));
    json_seconds(json, "idle_seconds", (now - last) * 1000000);
    json_number(json, "bytes_in", s->bytes[DOWN]);
    json_number(json, "bytes_out", s->bytes[UP]);
    json_number(json, "requests", s->requests);
    json_object_end(json);
}

static bool note(struct part *part, uint64_t started, size_t at)
{
    if (part->count == part->room) {
        size_t room = part->room ? part->room * 2 : 64;
        struct entry *entry = realloc(part->entry, room * sizeof *entry);
        if (entry == NULL)
            return false;
        part->entry = entry;
        part->room = room;
    }
    part->entry[part->count++] = (struct entry){started, at, part->json.out.size - at};
    return true;
}

static bool visit(struct worker *w, void *memory, const void *question, bool *begun)
{
    const struct ask *ask = question;
    struct part *part = memory;
    uint64_t start = uv_hrtime(), now = uv_now(&w->loop);
    int64_t wall = time(NULL);
    if (!*begun)
        w->ask_at = w->sessions;
    *begun = true;
    while (w->ask_at && part->count < ask->limit && !part->failed) {
        const struct session *s = w->ask_at;
        size_t at = part->json.out.size;
        w->ask_at = s->next;
        part->json.comma = false;
        tell(&part->json, s, now, wall);
        part->failed = part->json.out.failed || !note(part, s->started, at);
        if (uv_hrtime() - start >= GATHER_SLICE)
            return false;
    }
    w->ask_at = NULL;
    return true;
}

static void clear(void *memory)
{
    struct part *part = memory;
    rules_buffer_free(&part->json.out);
    free(part->entry);
}

/* The newest that is not told yet, of all parts; AT says how far each is. */
static struct part *newest(void *const *parts, unsigned count, const size_t *at, unsigned *which)
{
    struct part *best = NULL;
    for (unsigned i = 0; i < count; i++) {
        struct part *part = parts[i];
        if (part == NULL || at[i] == part->count ||
            (best && part->entry[at[i]].started <= best->entry[at[*which]].started))
            continue;
        best = part;
        *which = i;
    }
    return best;
}

static void done(void *arg, void *const *parts, unsigned count)
{
    struct tell_gather *t = arg;
    struct json_write json = {0};
    struct part *part;
    size_t at[PROXY_WORKERS_MAX] = {0}, shown = 0;
    bool partial = false;
    unsigned i = 0;
    for (unsigned k = 0; k < count; k++)
        partial = partial || parts[k] == NULL || ((const struct part *)parts[k])->failed;
    json_object(&json, NULL);
    json_number(&json, "total", proxy_open_sessions(t->proxy));
    json_bool(&json, "partial", partial);
    json_array(&json, "sessions");
    while (shown < t->limit && (part = newest(parts, count, at, &i)) != NULL) {
        const struct entry *e = &part->entry[at[i]++];
        json_ready(&json, NULL, part->json.out.data + e->at, e->size);
        shown++;
    }
    json_array_end(&json);
    json_number(&json, "shown", shown);
    json_object_end(&json);
    tell_gather_answer(t, &json);
}

static const struct gather_question question = {sizeof(struct part), visit, clear, done};

void tell_sessions(struct proxy *p, struct server_request *request, size_t limit)
{
    struct ask ask = {limit};
    tell_gather(p, request, &question, &ask, sizeof ask, limit);
}
