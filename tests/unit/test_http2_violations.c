/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What RFC 9113 and RFC 7541 forbid, each with the error that it must lead to, and the near misses that are
 * allowed.
 *
 * A script is a list of steps parted by ';'. A step is a side, c or s, and what it sends:
 *   raw TEXT          bytes as they are        pre          the client's preface
 *   F T FL ID HEX     a frame (- empty, zN: N zero bytes)    X L T FL ID    the 9 bytes of a head only
 *   H ID LIST         HEADERS; HE with END_STREAM; HC without END_HEADERS    B ID HEX   HEADERS of this block
 *   D ID N            DATA of N bytes; DE with END_STREAM
 *   S ID=V,...        SETTINGS                 A            its ACK
 *   W ID N, R ID CODE, P                       WINDOW_UPDATE, RST_STREAM, PING
 * "limit N" first allows N streams, "bare" leaves out the greetings. In lists %XX is a byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "http2_wire.h"

#define GET WIRE_GET
#define POST WIRE_POST
#define REST ":scheme=https|:authority=a|:path=/"
#define OPEN "c H 1 " POST ";"
#define ASK "c HE 1 " GET ";"
#define OK "s H 1 :status=200;"

enum { C = HTTP2_DOWN, S = HTTP2_UP, RESET = -1, NOTHING = 0 };
enum { FINE = 0xffff };

struct violation {
    const char *section; /* RFC 9113, or RFC 7541 with a # */
    const char *script;
    int side;        /* who is told */
    uint32_t stream; /* 0: the connection's end */
    uint32_t code;
    int client; /* what the client sees on the stream when the service is to blame: a status or RESET */
};

static const struct violation violations[] = {
    /* connection preface */
    {"3.4", "bare;c raw GET / HTTP/1.1\r\n\r\n", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"3.4", "bare;c raw PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"3.4", "bare;c pre;c P", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"3.4", "bare;c pre;c A", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"3.4", "bare;c pre;c HE 1 " GET, C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"3.4", "bare;c pre;c S;s P", S, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"3.4", "bare;c pre;c S;s raw HTTP/1.1 400 Bad Request\r\n\r\n", S, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"3.4", "bare;s F 8 0 0 00000001", S, 0, HTTP2_PROTOCOL_ERROR, 0},
    /* frame sizes */
    {"4.2", OPEN "c X 16385 0 0 1", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"4.2", "c X 16385 1 4 1", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"4.2", "c X 16386 4 0 0", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"4.2", "c X 16385 77 0 0", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"4.2", "c X 16777215 0 0 0", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"4.2", OPEN "s X 16385 1 4 1", S, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"4.2", OPEN "s S 5=20000;c X 20001 0 0 1", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"4.2", OPEN "s S 5=16777215;c X 65537 0 0 1", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.7", "c F 6 0 0 z7", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.7", "c F 6 0 0 z9", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.7", "s F 6 1 0 -", S, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.4", OPEN "c F 3 0 1 z3", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.4", OPEN "s F 3 0 1 z5", S, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.9", "c F 8 0 0 000001", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.9", OPEN "c F 8 0 1 0000000001", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.3", OPEN "c F 2 0 1 z4", C, 1, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.3", OPEN "c F 2 0 1 z6", C, 1, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.3", OPEN "c F 2 0 1 -", C, 1, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.3", "c F 2 0 7 z6", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.5", "c F 4 0 0 0001", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.5", "s F 4 0 0 00010000000102", S, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.5", "c F 4 1 0 000100000001", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.8", "c F 7 0 0 z7", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.1", OPEN "c F 0 8 1 -", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.2", "c F 1 12 1 -", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.2", "c F 1 36 1 00000000", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    {"6.2", "c F 1 44 1 0000000000", C, 0, HTTP2_FRAME_SIZE_ERROR, 0},
    /* stream states */
    {"5.1", "c D 1 1", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"5.1", OPEN "c D 3 1", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"5.1", OPEN "s D 3 1", S, 0, HTTP2_PROTOCOL_ERROR, 502},
    {"5.1", OPEN "s H 3 :status=200", S, 0, HTTP2_PROTOCOL_ERROR, 502},
    {"5.1", OPEN OK "s H 3 :status=200", S, 0, HTTP2_PROTOCOL_ERROR, RESET},
    {"5.1", "c R 1 8", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"5.1", OPEN "s R 5 8", S, 0, HTTP2_PROTOCOL_ERROR, 502},
    {"5.1", "c W 1 1", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"5.1", OPEN "s W 3 1", S, 0, HTTP2_PROTOCOL_ERROR, 502},
    {"5.1", ASK "c D 1 1", C, 1, HTTP2_STREAM_CLOSED, 0},
    {"5.1", ASK "c DE 1 0", C, 1, HTTP2_STREAM_CLOSED, 0},
    {"5.1", ASK "c HE 1 a=b", C, 1, HTTP2_STREAM_CLOSED, 0},
    {"5.1", OPEN "s HE 1 :status=200;s D 1 1", S, 1, HTTP2_STREAM_CLOSED, RESET},
    {"5.1", OPEN "s HE 1 :status=200;s HE 1 a=b", S, 1, HTTP2_STREAM_CLOSED, RESET},
    {"5.1.1", "c HE 2 " GET, C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"5.1.1", "c HE 7 " GET ";c HE 5 " GET, C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"5.1.1", ASK "s HE 1 :status=200;c HE 1 " GET, C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"5.1.1", ASK "s H 2 :status=200", S, 0, HTTP2_PROTOCOL_ERROR, 502},
    {"5.1.1", ASK "s D 2 1", S, 0, HTTP2_PROTOCOL_ERROR, 502},
    {"5.1.2", "limit 1;" OPEN "c HE 3 " GET, C, 3, HTTP2_REFUSED_STREAM, 0},
    /* flow control */
    {"6.9.1", "s W 0 100000;" OPEN "c D 1 16384;c D 1 16384;c D 1 16384;c D 1 16384", C, 1,
     HTTP2_FLOW_CONTROL_ERROR, 0},
    {"6.9.1", OPEN "s W 1 100000;c D 1 16384;c D 1 16384;c D 1 16384;c D 1 16384", C, 0,
     HTTP2_FLOW_CONTROL_ERROR, 0},
    {"6.9.1", "c W 0 200000;" ASK OK "s D 1 16384;s D 1 16384;s D 1 16384;s D 1 16384", S, 1,
     HTTP2_FLOW_CONTROL_ERROR, RESET},
    {"6.9.1", ASK OK "c W 1 100000;s D 1 16384;s D 1 16384;s D 1 16384;s D 1 16384", S, 0,
     HTTP2_FLOW_CONTROL_ERROR, RESET},
    {"6.9.2", "s S 4=10;c A;" OPEN "c D 1 11", C, 1, HTTP2_FLOW_CONTROL_ERROR, 0},
    {"6.9.2", "s S 4=0;c A;" OPEN "c F 0 8 1 0000", C, 1, HTTP2_FLOW_CONTROL_ERROR, 0},
    {"6.9.2", OPEN "s W 1 2147418112;s S 4=65536", S, 0, HTTP2_FLOW_CONTROL_ERROR, 502},
    {"6.9", "c W 0 0", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.9", "s W 0 0", S, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.9", OPEN "c W 1 0", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"6.9", OPEN "s W 1 0", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"6.9.1", "c W 0 2147418113", C, 0, HTTP2_FLOW_CONTROL_ERROR, 0},
    {"6.9.1", "s W 0 2147483647", S, 0, HTTP2_FLOW_CONTROL_ERROR, 0},
    {"6.9.1", OPEN "c W 1 2147418113", C, 1, HTTP2_FLOW_CONTROL_ERROR, 0},
    {"6.9.1", OPEN "s W 1 2147483647", S, 1, HTTP2_FLOW_CONTROL_ERROR, 502},
    /* frames where they do not belong */
    {"6.1", "c D 0 1", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.1", OPEN "c F 0 8 1 01", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.1", OPEN "c F 0 8 1 05616263", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.1", OPEN OK "s F 0 8 1 04616263", S, 0, HTTP2_PROTOCOL_ERROR, RESET},
    {"6.2", "c HE 0 " GET, C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.2", "c F 1 12 1 0482", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c F 1 44 1 01000000000082", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"6.3", "c F 2 0 0 z5", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.4", "c R 0 8", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.5", "c F 4 0 1 -", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.5", "s F 4 1 1 -", S, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.5", "c A", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.5.2", "c S 2=2", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.5.2", "s S 2=1", S, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.5.2", "c S 4=2147483648", C, 0, HTTP2_FLOW_CONTROL_ERROR, 0},
    {"6.5.2", "s S 4=4294967295", S, 0, HTTP2_FLOW_CONTROL_ERROR, 0},
    {"6.5.2", "c S 5=16383", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.5.2", "s S 5=16777216", S, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.6", OPEN "c F 5 4 1 0000000282", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.6", OPEN "s F 5 4 1 0000000282", S, 0, HTTP2_PROTOCOL_ERROR, 502},
    {"6.7", "c F 6 0 1 z8", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.8", "s F 7 0 1 z8", S, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.10", "c F 9 4 1 82", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.10", "c F 9 4 0 82", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.10", ASK "c F 9 4 1 82", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.10", "c HC 1 " GET ";c D 1 1", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.10", "c HC 1 " GET ";c HE 3 " GET, C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.10", "c HC 1 " GET ";c HE 1 " GET, C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.10", "c HC 1 " GET ";c F 9 4 3 -", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.10", "c HC 1 " GET ";c P", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.10", "c HC 1 " GET ";c S", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.10", "c HC 1 " GET ";c F 77 0 0 -", C, 0, HTTP2_PROTOCOL_ERROR, 0},
    {"6.10", ASK "s HC 1 :status=200;s D 1 1", S, 0, HTTP2_PROTOCOL_ERROR, 502},
    /* HPACK */
    {"4.3", "c B 1 ffffffffff7f", C, 0, HTTP2_COMPRESSION_ERROR, 0},
    {"#2.3.3", "c B 1 80", C, 0, HTTP2_COMPRESSION_ERROR, 0},
    {"#2.3.3", "c B 1 be", C, 0, HTTP2_COMPRESSION_ERROR, 0},
    {"#5.1", "c B 1 82ff", C, 0, HTTP2_COMPRESSION_ERROR, 0},
    {"#5.1", "c B 1 40ffffffffffffffffff01", C, 0, HTTP2_COMPRESSION_ERROR, 0},
    {"#5.2", "c B 1 400161058461", C, 0, HTTP2_COMPRESSION_ERROR, 0},
    {"#5.2", "c B 1 40016184ffffffff", C, 0, HTTP2_COMPRESSION_ERROR, 0},
    {"#4.2", "c B 1 8286843fe21f", C, 0, HTTP2_COMPRESSION_ERROR, 0},
    {"#4.2", "c B 1 8286844120", C, 0, HTTP2_COMPRESSION_ERROR, 0},
    {"#6.3", "c B 1 3fe21f82", C, 0, HTTP2_COMPRESSION_ERROR, 0},
    {"4.3", ASK "s B 1 80", S, 0, HTTP2_COMPRESSION_ERROR, 502},
    {"4.3", ASK "c HE 1 " GET ";c B 1 80", C, 0, HTTP2_COMPRESSION_ERROR, 0},
    /* how messages are framed */
    {"8.1", OPEN "c H 1 a=b", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.1", OPEN OK "s H 1 a=b", S, 1, HTTP2_PROTOCOL_ERROR, RESET},
    {"8.1", OPEN OK "s H 1 :status=200", S, 1, HTTP2_PROTOCOL_ERROR, RESET},
    {"8.1", OPEN "s D 1 1", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.1", OPEN "s H 1 :status=100;s D 1 1", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.1", OPEN "s HE 1 :status=100", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.1", OPEN "s HE 1 a=b", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.1.1", "c HE 1 " POST "|content-length=1", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.1.1", "c H 1 " POST "|content-length=3;c DE 1 2", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.1.1", "c H 1 " POST "|content-length=3;c D 1 4", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.1.1", "c H 1 " POST "|content-length=3;c D 1 2;c HE 1 a=b", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.1.1", "c H 1 " POST "|content-length=3;c D 1 2;c DE 1 0", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.1.1", "c H 1 " POST "|content-length=-1", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.1.1", "c H 1 " POST "|content-length=+1", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.1.1", "c H 1 " POST "|content-length=", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.1.1", "c H 1 " POST "|content-length=0x1", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.1.1", "c H 1 " POST "|content-length=1, 1", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.1.1", "c H 1 " POST "|content-length=1|content-length=2", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.1.1", "c H 1 " POST "|content-length=18446744073709551617", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.1.1", ASK "s HE 1 :status=200|content-length=1", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.1.1", ASK "s H 1 :status=200|content-length=3;s D 1 4", S, 1, HTTP2_PROTOCOL_ERROR, RESET},
    {"8.1.1", ASK "s H 1 :status=200|content-length=3;s DE 1 2", S, 1, HTTP2_PROTOCOL_ERROR, RESET},
    {"8.1.1", ASK "s H 1 :status=204;s D 1 1", S, 1, HTTP2_PROTOCOL_ERROR, RESET},
    {"8.1.1", ASK "s H 1 :status=304|content-length=5;s D 1 5", S, 1, HTTP2_PROTOCOL_ERROR, RESET},
    {"8.1.1", "c HE 1 :method=HEAD|" REST ";s H 1 :status=200|content-length=5;s D 1 5", S, 1,
     HTTP2_PROTOCOL_ERROR, RESET},
    /* fields */
    {"8.2", "c HE 1 " GET "|X-Upper=1", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", "c HE 1 " GET "|a b=1", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", "c HE 1 " GET "|a:b=1", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", "c HE 1 " GET "|a%00=1", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", "c HE 1 " GET "|a%7f=1", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", "c HE 1 " GET "|caf%c3%a9=1", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", "c B 1 82878441016100000161", C, 1, HTTP2_PROTOCOL_ERROR, 0}, /* an empty name */
    {"8.2.1", "c HE 1 " GET "|a=x%00y", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", "c HE 1 " GET "|a=x%0dy", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", "c HE 1 " GET "|a=x%0ab: c", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", "c HE 1 " GET "|a=x%0d%0ab: c", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", "c HE 1 " GET "|a= x", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", "c HE 1 " GET "|a=x%09", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", "c HE 1 " GET "|a=x%7f", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", OPEN "c HE 1 A=b", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.1", ASK "s HE 1 :status=200|A=b", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.2.1", ASK "s HE 1 :status=200|a=x%0d%0ay: z", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.2.2", "c HE 1 " GET "|connection=close", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.2", "c HE 1 " GET "|keep-alive=1", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.2", "c HE 1 " GET "|proxy-connection=x", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.2", "c HE 1 " GET "|transfer-encoding=chunked", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.2", "c HE 1 " GET "|upgrade=h2c", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.2", "c HE 1 " GET "|te=gzip", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.2", "c HE 1 " GET "|te=trailers, deflate", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.2", OPEN "c HE 1 transfer-encoding=chunked", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.2.2", ASK "s H 1 :status=200|connection=close", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.2.2", ASK "s H 1 :status=200|transfer-encoding=chunked", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    /* pseudo-header fields */
    {"8.3", "c HE 1 a=b|" GET, C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3", "c HE 1 :method=GET|:scheme=https|:authority=a|a=b|:path=/", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3", "c HE 1 " GET "|:foo=bar", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3", "c HE 1 " GET "|:=bar", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3", "c HE 1 " GET "|:status=200", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3", "c HE 1 " GET "|:method=GET", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3", "c HE 1 " GET "|:path=/", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3", "c HE 1 " GET "|:scheme=https", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3", "c HE 1 " GET "|:authority=a.example", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3", OPEN "c HE 1 :path=/", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3", OPEN OK "s HE 1 :status=200", S, 1, HTTP2_PROTOCOL_ERROR, RESET},
    {"8.3.1", "c HE 1 " REST, C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:authority=a|:path=/", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:authority=a", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:authority=a|:path=", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:authority=a|:path=x", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:authority=a|:path=*", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:authority=a|:path=https://a/", C, 1, HTTP2_PROTOCOL_ERROR,
     0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:authority=a|:path=/a b", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:authority=a|:path=/%0d%0a", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:authority=a|:path=/a#b", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=|" REST, C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=G T|" REST, C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=ftp|:authority=a|:path=/", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=|:authority=a|:path=/", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:path=/", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:authority=|:path=/", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:path=/|host=", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:authority=u@a|:path=/", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:authority=a b|:path=/", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:authority=a/b|:path=/", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 " GET "|host=b.example", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.1", "c HE 1 :method=GET|:scheme=https|:path=/|host=a|host=a", C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.3.2", ASK "s HE 1 a=b", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.3.2", ASK "s HE 1 :status=20", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.3.2", ASK "s HE 1 :status=2000", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.3.2", ASK "s HE 1 :status=20x", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.3.2", ASK "s HE 1 :status=099", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.3.2", ASK "s HE 1 :status=200|:status=200", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.3.2", ASK "s HE 1 a=b|:status=200", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.3.2", ASK "s HE 1 :status=200|:path=/", S, 1, HTTP2_PROTOCOL_ERROR, 502},
    {"8.5", "c H 1 :method=CONNECT|" REST, C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.5", "c H 1 :method=CONNECT|:protocol=websocket|" REST, C, 1, HTTP2_PROTOCOL_ERROR, 0},
    {"8.6", ASK "s H 1 :status=101", S, 1, HTTP2_PROTOCOL_ERROR, 502},

    /* near misses: none of these may cost more than the frame itself */
    {"5.1", "c F 2 0 9 z5", C, FINE, 0, 0},
    {"5.1", ASK "s HE 1 :status=200;c W 1 5;c R 1 8", C, FINE, 0, 0},
    {"5.1", OPEN "c R 1 8;s H 1 :status=200;s D 1 10;s DE 1 0;s R 1 0", C, FINE, 0, 0},
    {"5.1", OPEN "s R 1 8;c D 1 10;c W 1 1;c HE 1 a=b", C, FINE, 0, 0},
    {"5.5", "c F 77 255 0 616263;s F 78 1 0 -;c F 79 0 1 61", C, FINE, 0, 0},
    {"6.1", OPEN "c F 0 8 1 02610000;c F 0 9 1 0000", C, FINE, 0, 0},
    {"6.5", "c S 9=1,77=5,65535=4294967295;s A", C, FINE, 0, 0},
    {"6.9.2", "s S 4=10;" OPEN "c D 1 1000", C, FINE, 0, 0}, /* not acknowledged yet */
    {"6.9.2", "s W 0 100000;s S 4=70000;" OPEN "c D 1 16384;c D 1 16384;c D 1 16384;c D 1 16384", C, FINE, 0,
     0},
    {"6.10", "c HC 1 " GET ";c F 9 0 1 -;c F 9 4 1 -", C, FINE, 0, 0},
    {"8.2.1", "c HE 1 " GET "|a=|b=x y%09z|c=%c3%a9|_=1", C, FINE, 0, 0},
    {"8.2.2", "c HE 1 " GET "|te=trailers", C, FINE, 0, 0},
    {"8.3.1", "c HE 1 :method=OPTIONS|:scheme=https|:authority=a|:path=*", C, FINE, 0, 0},
    {"8.3.1", "c HE 1 " GET "|host=a.example", C, FINE, 0, 0},
    {"8.1.1", ASK "s HE 1 :status=304|content-length=5", C, FINE, 0, 0},
    {"8.1.1", "c HE 1 :method=HEAD|" REST ";s HE 1 :status=200|content-length=5", C, FINE, 0, 0},
    {"8.1", OPEN "s H 1 :status=100;s H 1 :status=103;s HE 1 :status=200;c DE 1 4", C, FINE, 0, 0},
};

/* --- scripts ----------------------------------------------------------------------------------------- */

static void put_hex(struct wire_bytes *b, const char *hex)
{
    if (*hex == 'z') {
        for (int n = atoi(hex + 1); n; n--)
            wire_append(b, "", 1);
        return;
    }
    for (unsigned byte; *hex && *hex != '-'; hex += 2) {
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        wire_append(b, &(uint8_t){(uint8_t)byte}, 1);
    }
}

/* Like wire_encode, with %XX and anything else that is not allowed. */
static void put_block(struct wire *w, struct wire_bytes *b, int side, const char *list)
{
    nghttp2_nv nv[64];
    size_t n = 0;
    uint8_t text[2048], *out = text, buf[4096];
    bool value = false;
    nv[0] = (nghttp2_nv){.name = text};
    for (; *list; list++) {
        unsigned byte = (uint8_t)*list;
        if (*list == '|') {
            nv[++n] = (nghttp2_nv){.name = out};
            value = false;
            continue;
        }
        if (*list == '=' && !value) {
            nv[n].value = out;
            value = true;
            continue;
        }
        if (*list == '%') {
            assert_int_equal(sscanf(list + 1, "%2x", &byte), 1);
            list += 2;
        }
        *out++ = (uint8_t)byte;
        *(value ? &nv[n].valuelen : &nv[n].namelen) += 1;
    }
    ssize_t size = nghttp2_hd_deflate_hd(w->deflater[side], buf, sizeof(buf), nv, n + 1);
    assert_true(size >= 0);
    wire_append(b, buf, (size_t)size);
}

static void step(struct wire *w, const char *text)
{
    char op[8] = "", rest[2048] = "";
    int side = text[0] == 's' ? S : C, used = 0;
    unsigned a = 0, b = 0, id = 0;
    struct wire_bytes p = {0};
    if (w->closed)
        return;
    assert_true(sscanf(text + 1, " %7s%n", op, &used) >= 1);
    const char *args = text + 1 + used + (text[1 + used] == ' ');
    if (!strcmp(op, "raw")) {
        wire_feed(w, side, args, strlen(args));
    } else if (!strcmp(op, "pre")) {
        wire_feed(w, side, HTTP2_PREFACE, 24);
    } else if (!strcmp(op, "F")) {
        assert_int_equal(sscanf(args, "%u %u %u %2047s", &a, &b, &id, rest), 4);
        put_hex(&p, rest);
        wire_send(w, side, a, b, id, p.p, p.n);
    } else if (!strcmp(op, "X")) {
        uint8_t head[9];
        unsigned length;
        assert_int_equal(sscanf(args, "%u %u %u %u", &length, &a, &b, &id), 4);
        http2_put_head(head, length, a, b, id);
        wire_feed(w, side, head, 9);
    } else if (op[0] == 'H') {
        id = (unsigned)strtoul(args, NULL, 10);
        put_block(w, &p, side, strchr(args, ' ') + 1);
        wire_send(w, side, HTTP2_HEADERS, op[1] == 'C' ? 0 : op[1] == 'E' ? 5 : 4, id, p.p, p.n);
    } else if (!strcmp(op, "B")) {
        assert_int_equal(sscanf(args, "%u %2047s", &id, rest), 2);
        put_hex(&p, rest);
        wire_send(w, side, HTTP2_HEADERS, 5, id, p.p, p.n);
    } else if (op[0] == 'D') {
        assert_int_equal(sscanf(args, "%u %u", &id, &a), 2);
        wire_data(w, side, id, op[1] == 'E', a);
    } else if (!strcmp(op, "S")) {
        for (const char *s = args; sscanf(s, "%u=%u", &a, &b) == 2; s = strchr(s, ',') + 1) {
            uint8_t e[6] = {(uint8_t)(a >> 8), (uint8_t)a};
            http2_put32(e + 2, b);
            wire_append(&p, e, 6);
            if (a == 4)
                w->watch[side].initial = b > w->watch[side].initial ? b : w->watch[side].initial;
            if (a == 5)
                w->watch[side].frame_max = b;
            if (!strchr(s, ','))
                break;
        }
        wire_send(w, side, HTTP2_SETTINGS, 0, 0, p.p, p.n);
    } else if (!strcmp(op, "A")) {
        wire_send(w, side, HTTP2_SETTINGS, 1, 0, NULL, 0);
    } else if (!strcmp(op, "W")) {
        assert_int_equal(sscanf(args, "%u %u", &id, &a), 2);
        wire_window(w, side, id, a);
    } else if (!strcmp(op, "R")) {
        assert_int_equal(sscanf(args, "%u %u", &id, &a), 2);
        wire_u32(w, side, HTTP2_RST_STREAM, id, a);
    } else if (!strcmp(op, "P")) {
        wire_send(w, side, HTTP2_PING, 0, 0, "12345678", 8);
    } else {
        fail_msg("what is %s?", op);
    }
    free(p.p);
}

static struct wire *play(const char *script)
{
    struct wire *w = wire_new();
    if (!strncmp(script, "limit ", 6)) {
        w->limits.concurrent_streams = (uint32_t)atoi(script + 6);
        script = strchr(script, ';') + 1;
    }
    if (!strncmp(script, "bare;", 5))
        script += 5;
    else
        wire_hello(w);
    while (*script) {
        char one[2048];
        size_t n = strcspn(script, ";");
        memcpy(one, script, n);
        one[n] = 0;
        step(w, one);
        script += n + (script[n] == ';');
    }
    return w;
}

/* Pings get through both ways. */
static bool lives(struct wire *w)
{
    if (w->closed)
        return false;
    for (int side = 0; side < 2; side++) {
        w->watch[!side].pinged = false;
        wire_send(w, side, HTTP2_PING, 0, 0, "abcdefgh", 8);
        if (w->closed || !w->watch[!side].pinged)
            return false;
    }
    return true;
}

static const char *judge(const struct violation *v, struct wire *w)
{
    const char *down = wire_log(w, HTTP2_DOWN), *ends = wire_ends(w);
    struct wire_watch *told = &w->watch[v->side];
    char want[40];
    for (int side = 0; v->stream == FINE && side < 2; side++)
        if (w->watch[side].reset[0] > 1 && w->watch[side].reset[0] != HTTP2_CANCEL + 1)
            return "reset";
    if (v->stream == FINE)
        return w->closed ? "closed" : !lives(w) ? "dead" : NULL;
    if (v->stream == 0) {
        struct http2_why why = http2_why(w->conn);
        bool never = v->side == HTTP2_DOWN ? w->conn->peer[0].reading == HTTP2_READ_PREFACE
                                           : !w->conn->peer[1].greeted;
        if (!w->closed || http2_state(w->conn) != HTTP2_DONE)
            return "not closed";
        if (why.side != (enum http2_side)v->side || why.code != v->code)
            return "closed for another reason";
        if (!never && (!told->goaway || told->goaway_code != v->code))
            return "no GOAWAY, or another";
        if (!never && w->watch[!v->side].greeted && !w->watch[!v->side].goaway)
            return "the other side was not told";
    } else {
        if (told->reset[v->stream / 2] != v->code + 1)
            return "no RST_STREAM, or another";
        if (v->code != HTTP2_REFUSED_STREAM && !strstr(ends, v->side == C ? "broken-down" : "broken-up"))
            return "the end is told otherwise";
        if (v->side == C && w->watch[S].frames[HTTP2_HEADERS] && v->stream == 1 &&
            w->watch[S].reset[0] != HTTP2_CANCEL + 1)
            return "the service was not told";
        if (!lives(w))
            return "the connection died";
    }
    if (v->client == RESET && !w->watch[C].reset[0])
        return "the client was not told";
    snprintf(want, sizeof(want), ":status=%d", v->client);
    if (v->client > 0 && !strstr(down, want))
        return "the client was not answered";
    return NULL;
}

static void every_violation_has_its_error(void **state)
{
    (void)state;
    unsigned wrong = 0, count = sizeof(violations) / sizeof(violations[0]);
    for (unsigned i = 0; i < count; i++) {
        struct wire *w = play(violations[i].script);
        struct http2_why why = http2_why(w->conn);
        const char *text = judge(&violations[i], w);
        if (text) {
            print_error("%u (%s) %s: %s [%s]\n", i, violations[i].section, violations[i].script, text,
                        why.text ? why.text : "open");
            wrong++;
        }
        wire_free(w);
    }
    print_message("%u scripts\n", count);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_violation_has_its_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
