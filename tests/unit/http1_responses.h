/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a service may answer, and what the client gets of it.
 */
#ifndef TESTS_UNIT_HTTP1_RESPONSES_H
#define TESTS_UNIT_HTTP1_RESPONSES_H

#include "sidecar/http/http1.h"

enum after {
    GOES_ON,      /* the client's connection does, on the same transport of the service */
    GOES_ON_ANEW, /* it does, but the service's transport is done with */
    OPEN_STILL,   /* the response is not complete */
    CLOSES,       /* the client was told so */
    ABORTS,       /* in mid-response */
};

struct answer {
    const char *request;
    const char *response;
    size_t n;
    bool eof; /* the service's transport ends behind it */
    enum after after;
    enum http1_outcome outcome;
    const char *client; /* NULL: 502 with "the upstream server's response is malformed" */
    const char *why;
};

#define G "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define H "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"
#define C "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
#define OLD "GET / HTTP/1.0\r\n\r\n"
#define R(text) (text), sizeof(text) - 1

static const struct answer answers[] = {
    /* with a length */
    {G, R("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: y\r\n\r\nabc"), false, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 3\r\n\r\nabc", ""},
    {G, R("HTTP/1.1 200 OK\r\ncontent-length: 000\r\n\r\n"), false, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
    {G, R("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), false, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", ""},
    {G, R("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"), false, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", ""},
    {G, R("HTTP/1.1 999 Denied \xe9 (\t)\r\nContent-Length: 0\r\n\r\n"), false, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 999 Denied \xe9 (\t)\r\nContent-Length: 0\r\n\r\n", ""},
    {G, R("HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 0\r\n\r\n"), false, GOES_ON,
     HTTP1_COMPLETE, "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 0\r\n\r\n", ""},
    /* hop by hop */
    {G,
     R("HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nUpgrade: "
       "h2c\r\n"
       "Proxy-Connection: x\r\nX: 2\r\nContent-Length: 0\r\n\r\n"),
     false, GOES_ON, HTTP1_COMPLETE, "HTTP/1.1 200 OK\r\nX: 2\r\nContent-Length: 0\r\n\r\n", ""},
    /* chunked */
    {G,
     R("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n00A;x=y\r\n0123456789\r\n0\r\n\r\n"),
     false, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n", ""},
    {G,
     R("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n0;last\r\nX-Sum: "
       "1\r\nContent-Length: 9\r\n"
       "transfer_encoding: chunked\r\nSet-Cookie: a\r\nHost: y\r\nx-more:2 \r\n\r\n"),
     false, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\nx-more: "
     "2\r\n\r\n",
     ""},
    {OLD, R("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"),
     false, CLOSES, HTTP1_COMPLETE, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde", ""},
    /* until the end */
    {G, R("HTTP/1.1 200 OK\r\n\r\nabc"), true, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", ""},
    {G, R("HTTP/1.1 200 OK\r\n\r\n"), true, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""},
    {G, R("HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6 Python/3.11\r\n\r\nabc"), true, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nServer: BaseHTTP/0.6 Python/3.11\r\nTransfer-Encoding: "
     "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
     ""},
    {OLD, R("HTTP/1.0 200 OK\r\n\r\nabc"), true, CLOSES, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", ""},
    {C, R("HTTP/1.1 200 OK\r\n\r\nabc"), true, CLOSES, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n", ""},
    {G, R("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), true, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n13\r\nHTTP/1.1 200 OK\r\n\r\n\r\n0\r\n\r\n", ""},
    /* without a body */
    {H, R("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"), false, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", ""},
    {H, R("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), false, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\n\r\n", ""},
    {H, R("HTTP/1.1 200 OK\r\n\r\n"), false, GOES_ON, HTTP1_COMPLETE, "HTTP/1.1 200 OK\r\n\r\n", ""},
    {G, R("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), false, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 204 No Content\r\n\r\n", ""},
    {G, R("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"), false, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 204 No Content\r\n\r\n", ""},
    {G, R("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\n"), false, GOES_ON,
     HTTP1_COMPLETE, "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\n", ""},
    /* who goes on, who closes */
    {G, R("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"), false, GOES_ON_ANEW,
     HTTP1_COMPLETE, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", ""},
    {G, R("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"), false, GOES_ON_ANEW, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", ""},
    {G, R("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi"), false, GOES_ON,
     HTTP1_COMPLETE, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", ""},
    {G, R("HTTP/1.1 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 2\r\n\r\nhi"), false,
     GOES_ON_ANEW, HTTP1_COMPLETE, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", ""},
    {C, R("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), false, CLOSES, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", ""},
    {OLD, R("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), false, CLOSES, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", ""},
    {C,
     R("HTTP/1.1 103 E\r\nLink: l\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
       "2\r\n\r\nhi"),
     false, CLOSES, HTTP1_COMPLETE,
     "HTTP/1.1 103 E\r\nLink: l\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
     ""},
    /* more than one */
    {G, R("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
     false, GOES_ON_ANEW, HTTP1_COMPLETE, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", ""},
    {H, R("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), false, GOES_ON_ANEW, HTTP1_COMPLETE,
     "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", ""},
    {G, R("HTTP/1.1 304 Not\r\n\r\nevil"), false, GOES_ON_ANEW, HTTP1_COMPLETE, "HTTP/1.1 304 Not\r\n\r\n",
     ""},
    /* interim */
    {G,
     R("HTTP/1.1 100 Continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\nHTTP/1.1 103 Early "
       "Hints\r\nLink: </a>\r\n\r\n"
       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
     false, GOES_ON, HTTP1_COMPLETE,
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
     ""},
    {OLD, R("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), false, CLOSES,
     HTTP1_COMPLETE, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", ""},
    {G, R("HTTP/1.1 100 Continue\r\n\r\n"), false, OPEN_STILL, HTTP1_COMPLETE,
     "HTTP/1.1 100 Continue\r\n\r\n", ""},
    /* truncated */
    {G, R("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"), true, ABORTS, HTTP1_LOST_UP,
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "mid-response"},
    {G, R("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"), true, ABORTS, HTTP1_LOST_UP,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "mid-response"},
    {G, R("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"), true, ABORTS,
     HTTP1_LOST_UP, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "mid-response"},
    {OLD, R("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"), true, ABORTS, HTTP1_LOST_UP,
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", "mid-response"},
    /* broken in mid-response */
    {G, R("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n"), false, ABORTS,
     HTTP1_BROKEN_UP, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "without a size"},
    {G, R("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n"), false, ABORTS,
     HTTP1_BROKEN_UP, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "CR LF"},
    {G, R("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX : y\r\n\r\n"), false, ABORTS,
     HTTP1_BROKEN_UP, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "a blank before a colon"},
/* malformed: nothing of them reaches the client */
#define MALFORMED(why, text)                                  \
    {                                                         \
        G, R(text), false, CLOSES, HTTP1_BROKEN_UP, NULL, why \
    }
    MALFORMED("status line", "SSH-2.0-OpenSSH_9.2\r\n"),
    MALFORMED("status line", "\r\nHTTP/1.1 200 OK\r\n\r\n"),
    MALFORMED("status line", "HTTP/2.0 200 OK\r\n\r\n"),
    MALFORMED("status line", "HTTP/1.2 200 OK\r\n\r\n"),
    MALFORMED("status line", "HTTP/0.9 200 OK\r\n\r\n"),
    MALFORMED("status line", "http/1.1 200 OK\r\n\r\n"),
    MALFORMED("status line", "HTTP/1.1  200 OK\r\n\r\n"),
    MALFORMED("status line", "HTTP/1.1\t200 OK\r\n\r\n"),
    MALFORMED("status line", "HTTP/1.1 20 OK\r\n\r\n"),
    MALFORMED("status line", "HTTP/1.1 2000 OK\r\n\r\n"),
    MALFORMED("status line", "HTTP/1.1 099 OK\r\n\r\n"),
    MALFORMED("status line", "HTTP/1.1 +20 OK\r\n\r\n"),
    MALFORMED("status line", "HTTP/1.1 2x0 OK\r\n\r\n"),
    MALFORMED("status line", "HTTP/1.1\r\n\r\n"),
    MALFORMED("status line", " HTTP/1.1 200 OK\r\n\r\n"),
    MALFORMED("control character", "HTTP/1.1 200 O\0K\r\n\r\n"),
    MALFORMED("control character", "HTTP/1.1 200 OK\rX: y\r\n\r\n"),
    MALFORMED("control character", "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\n\r\n"),
    MALFORMED("control character", "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n"),
    MALFORMED("CR LF", "HTTP/1.1 200 OK\nX: y\n\n"),
    MALFORMED("CR LF", "HTTP/1.1 200 OK\r\nX: y\nSet-Cookie: b\r\n\r\n"),
    MALFORMED("CR LF", "HTTP/1.1 200 OK\r\nX: y\r\n\n"),
    MALFORMED("folded", "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n"),
    MALFORMED("blank before a colon", "HTTP/1.1 200 OK\r\nX : y\r\n\r\n"),
    MALFORMED("without a name", "HTTP/1.1 200 OK\r\n: y\r\n\r\n"),
    MALFORMED("without a colon", "HTTP/1.1 200 OK\r\nX\r\n\r\n"),
    MALFORMED("no field name", "HTTP/1.1 200 OK\r\nX\x01: y\r\n\r\n"),
    MALFORMED("", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    MALFORMED("", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"),
    MALFORMED("", "HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc"),
    MALFORMED("", "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc"),
    MALFORMED("", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nabc"),
    MALFORMED("", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    MALFORMED("", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    MALFORMED("", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
    MALFORMED("", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    MALFORMED("", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    MALFORMED("",
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    MALFORMED("", "HTTP/1.1 200 OK\r\ntransfer_encoding: chunked\r\n\r\n0\r\n\r\n"),
    MALFORMED("HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    MALFORMED("not asked for",
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
    MALFORMED("names the framing",
              "HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 0\r\n\r\n"),
#undef MALFORMED
};

enum { ANSWER_COUNT = sizeof(answers) / sizeof(*answers) };

#undef G
#undef H
#undef C
#undef OLD
#undef R

#endif
