/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * HTTP between the legs of a session: which codec it is, how the relay drives it, and the transport to the
 * service, which may come and go while the client's stays.
 */
#ifndef SIDECAR_PROXY_CODEC_H
#define SIDECAR_PROXY_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/http/http1.h"
#include "sidecar/http/http2.h"
#include "sidecar/proxy/session.h"

enum codec_kind { CODEC_HTTP1, CODEC_HTTP2 };

/* A worker's: limits, and buffers that all its codecs share. */
struct codec_shared {
    struct http1_limits limits1;
    struct http2_limits limits2;
    struct http1_scratch *scratch1;
    struct http2_scratch *scratch2;
    uint8_t *gather[2]; /* what was emitted for a side and not sent yet; ENDPOINT_BUFFER bytes each */
    size_t gathered[2];
    struct headers_out out;
    char answer[512]; /* body of the answer being made */
};

struct codec_shared *codec_shared_new(void) __attribute__((warn_unused_result)); /* NULL without memory */
void codec_shared_free(struct codec_shared *shared);                             /* NULL is fine */

struct codec {
    struct session *session;
    enum codec_kind kind;
    struct http1_conn *http1;
    struct http2_conn *http2;
    uint8_t *held; /* emitted for the service while there is no transport to it; heap */
    size_t held_size;
    /* The open request, to be sent once more should the service end an idle connection just now. */
    uint8_t *kept;
    size_t kept_size;
    uint64_t
        keep_alive; /* ms that the service says it keeps an idle connection; UINT64_MAX: it does not say */
    size_t mark;    /* where the request just judged begins in what is gathered for the service; SIZE_MAX:
                       nowhere */
    uint64_t readable_ms[2]; /* since when a side is read from without a pause; ms of the loop's clock */
    bool repeatable;         /* the open request was whole when it came, and may be sent twice */
    bool fresh;              /* the open request was sent once already: now by a transport of its own */
    bool wanted;  /* the service's transport is wanted, and to be dialled once the old one has closed */
    bool wanting; /* ... which is being seen to */
    bool ending;  /* CLOSE or ABORT came: nothing is fed any more */
};

/*
 * What the first bytes of a client are. MORE: SIZE is too little to tell; NEITHER: not HTTP.
 */
enum codec_sniff { CODEC_SNIFF_MORE, CODEC_SNIFF_HTTP1, CODEC_SNIFF_HTTP2, CODEC_SNIFF_NEITHER };
enum codec_sniff codec_sniff(const uint8_t *data, size_t size);

/* NULL without memory. */
struct codec *codec_new(struct session *s, enum codec_kind kind) __attribute__((warn_unused_result));
/* Tells of requests that are still open. NULL is fine. */
void codec_free(struct codec *codec);

/* Bytes and the end of bytes from a side. What comes of it is sent, and the session ended where it is over.
 */
void codec_feed(struct codec *codec, enum session_side side, const uint8_t *data, size_t size);
void codec_end(struct codec *codec, enum session_side side);
/* The service's transport is lost, or could not be had: STATUS (502, 504) and MESSAGE for who waits for it.
 */
void codec_service_lost(struct codec *codec, int status, const char *message);
/* The service's transport is there (again). */
void codec_connected(struct codec *codec);
/* The service's old transport has closed. */
void codec_service_closed(struct codec *codec);
/* Finish: what is open goes on; NOW: nothing is waited for. */
void codec_drain(struct codec *codec, bool now);
/* The deadline of codec_deadline() has passed. */
void codec_timeout(struct codec *codec);

/* Outbound: whether the request that waits for a transport may have one that lay idle. */
bool codec_may_reuse(const struct codec *codec);
/* Outbound: whether the transport may go to another session's requests, and for how many ms at most. */
bool codec_reusable(const struct codec *codec);
uint64_t codec_keep_alive(const struct codec *codec);
/* Whether the protocol agreed on by ALPN (NULL: none was) is another than the one spoken. */
bool codec_alpn_contradicts(const struct codec *codec, const char *alpn);

/* Whether reading from SIDE has to wait. */
bool codec_blocked(const struct codec *codec, enum session_side side);
/* No request is open. */
bool codec_idle(const struct codec *codec);
/* When the codec's patience ends, in ms of the loop's clock; 0: never. */
uint64_t codec_deadline(const struct codec *codec);

#endif
