#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""storm.py SEED SECONDS PID SERVICE STREAM TLS,... PLAIN,... TCP: callers and services that do what comes to their mind.

Serves HTTP/1.1 and HTTP/2 on port SERVICE and bytes on port STREAM, calls the ports TLS and PLAIN with HTTP and TCP with
bytes, well-behaved and not: aborts, half-closes, slow readers, malformed bytes, cut handshakes. Meanwhile it copies one of
./variant.* over ./server.conf, one of ./ca.* over ./credentials/ca.crt, and sends PID a SIGHUP. Prints "connections N".
"""
import glob
import os
import random
import shutil
import signal
import socket
import ssl
import struct
import sys
import threading
import time

SEED, PID, SERVICE, STREAM = int(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
TLS, PLAIN, TCP = [[int(p) for p in a.split(",")] for a in sys.argv[6:9]]
UNTIL = time.time() + float(sys.argv[2])
PKI = os.environ["PKI"]
CALLERS = 16
made = [0] * CALLERS


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


# --- services ---


def answer(sock, head, rng):
    """One answer; False: the connection is over."""
    size = rng.choice([0, 1, 1000, 100000, 500000])
    body, bare, how = b"x" * size, head.startswith(b"HEAD"), rng.randrange(12)
    if how == 0:
        reset(sock)
    elif how == 1:
        sock.sendall(rng.randbytes(rng.randrange(1, 300)))
    elif how == 2:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + body)
    elif how == 3:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nshort")
    elif how == 4:
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n" + (b"" if bare else b"x"))
    elif how == 5:
        sock.sendall(b"HTTP/1.1 204 N\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray")
    if how < 5:
        return False
    if how == 6:
        sock.sendall(b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n")
    if how == 7:
        time.sleep(rng.random() / 2)
    if how == 8 or how == 9:
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while body and not bare:
            n = rng.randrange(1, 60000)
            sock.sendall(b"%x\r\n" % len(body[:n]) + body[:n] + b"\r\n")
            body = body[n:]
        sock.sendall(b"" if bare else b"0\r\nX-T: 1\r\n\r\n")
    elif how != 5:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + (b"" if bare else body))
    return b"chunked" not in head and b"Length: 3" not in head or rng.random() < 0.5


def http2(sock, data, rng):
    sock.sendall(frame(4, 0, 0, struct.pack(">HI", 4, rng.choice([65535, 10, 1 << 20]))))
    data = data[24:]
    while True:
        while len(data) < 9 or len(data) < 9 + int.from_bytes(data[:3], "big"):
            more = sock.recv(65536)
            if not more:
                return
            data += more
        n, kind, flags = int.from_bytes(data[:3], "big"), data[3], data[4]
        stream, payload, data = data[5:9], data[9:9 + n], data[9 + n:]
        stream = int.from_bytes(stream, "big") & 0x7FFFFFFF
        if kind in (4, 6) and not flags & 1:
            sock.sendall(frame(kind, 1, 0, payload if kind == 6 else b""))
        elif kind == 0 and n:
            sock.sendall(frame(8, 0, 0, struct.pack(">I", n)))
        elif kind == 1:
            ok, end = frame(1, 4, stream, b"\x88"), frame(0, 1, stream)
            sock.sendall(rng.choice([
                frame(3, 0, stream, struct.pack(">I", rng.randrange(14))),
                frame(7, 0, 0, struct.pack(">II", rng.choice([0, stream, 0x7FFFFFFF]), 0)),
                rng.randbytes(50),
                frame(1, 4, stream, b"\x08\x03103") + ok + frame(0, 8, stream, b"\5hi" + b"\0" * 5) + frame(1, 5, stream, b"\0\1a\1b"),
                frame(4, 0, 0, struct.pack(">HIHI", 4, rng.randrange(100000), 1, rng.choice([0, 100, 4096]))) + ok + end,
                ok + b"".join(frame(0, 0, stream, b"z" * 1000) for _ in range(30)) + end,
                frame(5, 4, stream, struct.pack(">I", 2) + b"\x82"),
                ok,
                ok + end,
                frame(1, 5, stream, b"\x88"),
                ok + frame(0, 1, stream, b"y" * 3000),
            ]))


def http_service(sock, rng):
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                return
            data += more
            if data.startswith(b"PRI"):
                return http2(sock, data, rng)
        head, data = data.split(b"\r\n\r\n", 1)
        if b"pgrade" in head and rng.random() < 0.8:
            sock.sendall(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            return stream_service(sock, rng)
        if not answer(sock, head, rng):
            return


def stream_service(sock, rng):
    if rng.random() < 0.2:
        sock.sendall(b"greeting")
    while data := sock.recv(65536):
        how = rng.random()
        if how < 0.03:
            return reset(sock)
        if how < 0.06:
            sock.shutdown(socket.SHUT_WR)
        sock.sendall(data * rng.choice([1, 1, 1, 5]))


def serve(port, service):
    listener = socket.create_server(("127.0.0.1", port), backlog=100)

    def one(sock, rng):
        try:
            sock.settimeout(3)
            service(sock, rng)
        except OSError:
            pass
        sock.close()

    def accept(number=0):
        while True:
            sock, _ = listener.accept()
            number += 1
            threading.Thread(target=one, args=(sock, random.Random(SEED * 99991 + port + number)), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


# --- callers ---


def contexts():
    for name in ("client", "client", "client", "chained", "rsa", "stranger", None):
        for alpn in (None, ["h2"], ["http/1.1"], ["h2", "http/1.1"]):
            context = ssl.create_default_context(cafile=f"{PKI}/ca.crt")
            context.check_hostname = False
            if name:
                context.load_cert_chain(f"{PKI}/{name}.crt", f"{PKI}/{name}.key")
            if alpn:
                context.set_alpn_protocols(alpn)
            yield context


CONTEXTS = list(contexts())
REQUESTS = [
    b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /blocked HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nClient-Cert: evil\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000,
    b"GET /a HTTP/1.0\r\n\r\n",
    b"GET http://a/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\ndata",
    b"GET /a HTTP/1.1\nHost: a\n\n",
]


def frames(rng):
    out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, struct.pack(">HI", 4, rng.choice([0, 100, 65535, 1 << 20])))
    for stream in range(1, 2 * rng.randrange(1, 40), 2):
        get, post = b"\x82\x87\x41\x01a\x84", b"\x83\x87\x41\x01a\x44\x08/blocked"
        out += rng.choice([
            frame(1, 5, stream, get),
            frame(1, 5, stream, get),
            frame(1, 4, stream, post) + frame(0, rng.choice([0, 1, 8, 9]), stream, b"\4" + b"b" * rng.randrange(4, 5000)),
            frame(1, 5, stream, get) + frame(3, 0, stream, struct.pack(">I", 8)),
            frame(6, 0, 0, b"12345678") + frame(2, 0, stream, b"\0\0\0\0\1") + frame(0xFA, 0, 0, b"grease"),
            frame(8, 0, rng.choice([0, 1]), struct.pack(">I", rng.choice([1, 100000, 0x7FFFFFFF]))),
            frame(4, 0, 0, struct.pack(">HI", rng.choice([1, 4]), rng.choice([0, 10, 4096, 100000]))),
            frame(1, 1, stream, get[:3]) + frame(9, 0, stream, get[3:5]) + frame(9, 4, stream, get[5:]),
            frame(1, 4, stream, post) + frame(1, 5, stream, b"\0\1a\1b"),
            frame(1, 5, stream, get),
            frame(7, 0, 0, b"\0" * 8) if rng.random() < 0.2 else b"",
        ])
    return out


def half_a_hello(sock, rng):
    out = ssl.MemoryBIO()
    try:
        rng.choice(CONTEXTS).wrap_bio(ssl.MemoryBIO(), out, server_hostname="server.test").do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = out.read()
    sock.sendall(hello[:rng.randrange(1, len(hello) + 1)])
    time.sleep(rng.random() * 0.1)


def call(sock, port, rng):
    sock.settimeout(rng.choice([0.1, 0.5, 2]))
    if port in TLS + TCP:
        if rng.random() < 0.05:
            return half_a_hello(sock, rng)
        sock = rng.choice(CONTEXTS).wrap_socket(sock, server_hostname="server.test", suppress_ragged_eofs=False)
    h2 = rng.random() < 0.1 or (port in TLS and sock.selected_alpn_protocol() == "h2")
    if port in TCP:
        data = rng.randbytes(rng.choice([1, 1000, 200000]))
    else:
        data = frames(rng) if h2 else b"".join(rng.choice(REQUESTS) for _ in range(rng.choice([1, 1, 2, 5, 100])))
    if rng.random() < 0.1:
        data = data[:rng.randrange(len(data))]
    if rng.random() < 0.05:
        data = data[:len(data) // 2] + rng.randbytes(3) + data[len(data) // 2:]
    while data:
        n = rng.choice([len(data), len(data), 1000, rng.randrange(1, 20000)])
        sock.sendall(data[:n])
        data = data[n:]
        if rng.random() < 0.2:
            time.sleep(rng.random() * 0.02)
    how = rng.random()
    if how < 0.1:
        reset(sock)
    elif how < 0.2 and port in PLAIN:
        sock.shutdown(socket.SHUT_WR)
    elif how < 0.2:
        sock.unwrap()
    until = time.time() + rng.choice([0, 0.2, 1])
    while time.time() < until and sock.recv(rng.choice([1, 100, 65536])):
        pass


def caller(number):
    rng = random.Random(SEED * 1000 + number)
    while time.time() < UNTIL:
        port = rng.choice(TLS + TLS + PLAIN + TCP)
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as sock:
                made[number] += 1
                call(sock, port, rng)
        except (OSError, ValueError):
            pass


serve(SERVICE, http_service)
serve(STREAM, stream_service)
callers = [threading.Thread(target=caller, args=(n,)) for n in range(CALLERS)]
for thread in callers:
    thread.start()
weather = random.Random(SEED)
while time.time() < UNTIL:
    shutil.copy(weather.choice(sorted(glob.glob("variant.*"))), "server.conf.new")
    os.rename("server.conf.new", "server.conf")
    shutil.copy(weather.choice(sorted(glob.glob("ca.*"))), "credentials/ca.crt.new")
    os.rename("credentials/ca.crt.new", "credentials/ca.crt")
    os.kill(PID, signal.SIGHUP)
    time.sleep(weather.random() / 2)
for thread in callers:
    thread.join()
print(f"connections {sum(made)}", flush=True)
os._exit(0)
