#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""http_client.py MODE PORT [OPTIONS]: a caller over mutual TLS that sends what no decent client would.

  raw        sends standard input as it is, prints what comes back, then a last line "-- end HOW": eof (close_notify),
             truncated (an end without it), reset, an alert's name, or "waits" when nothing came for --wait seconds
  pipeline   --count GETs for /N?i in one go; every answer must come, in order; prints "pipelined N"
  keepalive  one GET after another on one connection until standard input ends or --count; reconnects when told
             Connection: close; prints "requests N connections N failed N", and each failure on standard error
  apart      --count requests (--method) for --path, each over a connection of its own, which the client ends; prints
             "requests N failed N", and each failure on standard error
  slow       sends standard input at one byte every --pause seconds; prints what comes back and the end, as raw does
  each       standard input has lines "STATUS REQUEST", the request with escapes: each goes over a connection of its own,
             must be answered with that status (0: with none) and, unless STATUS is followed by "+", find the connection
             ended; prints what differs, then "checked N, wrong N"
  hold       sends standard input, then, for every line on --fifo, what is in that line (with \\r\\n for what it says);
             what comes back goes to standard output as it comes, the end too

  --identity NAME  certificate of $PKI, "none": without   --sni NAME   --alpn LIST   --host NAME   --count N
  --plain          no TLS    --half-close: ends its own sending after the input
"""
import argparse
import io
import os
import re
import select
import socket
import ssl
import sys
import time

p = argparse.ArgumentParser()
p.add_argument("mode")
p.add_argument("port", type=int)
p.add_argument("--identity", default="client")
p.add_argument("--sni", default="server.test")
p.add_argument("--alpn")
p.add_argument("--host", default="server.test")
p.add_argument("--path", default="/k")
p.add_argument("--method", default="GET")
p.add_argument("--count", type=int, default=0)
p.add_argument("--wait", type=float, default=10)
p.add_argument("--pause", type=float, default=0)
p.add_argument("--fifo")
p.add_argument("--plain", action="store_true")
p.add_argument("--half-close", action="store_true")
args = p.parse_args()
PKI = os.environ["PKI"]
PATIENCE = float(os.environ.get("OUTRIDER_PATIENCE", "1"))


def connect():
    sock = socket.create_connection(("127.0.0.1", args.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if args.plain:
        return sock
    context = ssl.create_default_context(cafile=f"{PKI}/ca.crt")
    context.check_hostname = False
    if args.alpn:
        context.set_alpn_protocols(args.alpn.split(","))
    if args.identity != "none":
        context.load_cert_chain(f"{PKI}/{args.identity}.crt", f"{PKI}/{args.identity}.key")
    return context.wrap_socket(sock, server_hostname=args.sni, suppress_ragged_eofs=False)


def end_of(error):
    if isinstance(error, ssl.SSLEOFError):
        return "truncated"
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or str(error)).lower()
        return "truncated" if "unexpected_eof" in reason else reason
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return "reset"
    return "waits" if isinstance(error, TimeoutError) else repr(error)


def drain(sock, out, wait):
    """Copies to OUT until the end; how it ended. After the own end, EOF on plain TCP is "eof" as well."""
    sock.settimeout(wait * PATIENCE)
    try:
        while data := sock.recv(65536):
            out.write(data)
            out.flush()
        return "eof"
    except (OSError, ssl.SSLError) as error:
        return end_of(error)


def raw(sock):
    out = sys.stdout.buffer
    try:
        if args.pause:
            sock.settimeout(0)
            for byte in sys.stdin.buffer.read():
                sock.settimeout(30)
                sock.sendall(bytes([byte]))
                if select.select([sock], [], [], args.pause)[0]:
                    break
        else:
            sock.sendall(sys.stdin.buffer.read())
        if args.half_close:
            sock.shutdown(socket.SHUT_WR) if args.plain else None
    except (OSError, ssl.SSLError) as error:
        if not isinstance(error, (ConnectionResetError, BrokenPipeError, ssl.SSLError)):
            raise
    end = drain(sock, out, args.wait)
    out.write(f"\n-- end {end}\n".encode())


def hold(sock):
    out = sys.stdout.buffer
    sock.sendall(sys.stdin.buffer.read())
    fifo = os.open(args.fifo, os.O_RDWR) if args.fifo else None
    poll = [sock] + ([fifo] if fifo is not None else [])
    end = None
    while end is None:
        ready = [sock] if not args.plain and sock.pending() else select.select(poll, [], [])[0]
        if fifo in ready:
            sock.sendall(os.read(fifo, 65536).replace(b"\\r\\n", b"\r\n").replace(b"\r\n\n", b"\r\n"))
        if sock in ready:
            sock.settimeout(0)  # what has come may be a session ticket alone
            try:
                data = sock.recv(65536)
                out.write(data)
                end = None if data else "eof"
            except ssl.SSLWantReadError:
                pass
            except (OSError, ssl.SSLError) as error:
                end = end_of(error)
            sock.settimeout(None)
            out.flush()
    out.write(f"\n-- end {end}\n".encode())
    out.flush()


class Reader:
    def __init__(self, sock):
        self.file = sock.makefile("rb")

    def response(self):
        status = self.file.readline()
        if not status:
            raise EOFError("no answer")
        length, close = 0, False
        while (line := self.file.readline()) != b"\r\n":
            if not line:
                raise EOFError("cut in the head")
            name, _, value = line.lower().partition(b":")
            if name == b"content-length":
                length = int(value)
            if name == b"connection" and b"close" in value:
                close = True
        body = self.file.read(length)
        if len(body) != length:
            raise EOFError("cut in the body")
        return int(status.split()[1]), body, close


def pipeline():
    sock = connect()
    sock.sendall(b"".join(b"GET /n?%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in range(args.count)))
    reader = Reader(sock)
    for i in range(args.count):
        status, body, _ = reader.response()
        if status != 200 or body != b"hello from /n?%d\n" % i:
            sys.exit(f"request {i}: {status} {body!r}")
    print(f"pipelined {args.count}")


def keepalive():
    requests = connections = failed = 0
    sock = None
    until = time.time() + 60
    while (args.count == 0 or requests < args.count) and time.time() < until:
        if args.count == 0 and select.select([sys.stdin], [], [], args.pause)[0]:
            break
        try:
            if sock is None:
                sock = connect()
                reader = Reader(sock)
                connections += 1
            requests += 1
            sock.sendall(f"GET {args.path} HTTP/1.1\r\nHost: {args.host}\r\n\r\n".encode())
            status, _, close = reader.response()
            if status != 200:
                failed += 1
                print(f"request {requests}: {status}", file=sys.stderr)
            if close:
                sock.close()
                sock = None
        except (OSError, ssl.SSLError, EOFError) as error:
            failed += 1
            print(f"request {requests}: {error!r}", file=sys.stderr)
            sock = None
    print(f"requests {requests} connections {connections} failed {failed}", flush=True)


def apart():
    failed = 0
    body = b"body" if args.method in ("POST", "PUT") else b""
    length = b"Content-Length: 4\r\n" if body else b""
    for i in range(args.count):
        try:
            with connect() as sock:
                sock.sendall(f"{args.method} {args.path} HTTP/1.1\r\nHost: x\r\n".encode() + length + b"\r\n" + body)
                status, said, _ = Reader(sock).response()
            if status != 200:
                failed += 1
                print(f"request {i}: {status} {said}", file=sys.stderr)
        except (OSError, ssl.SSLError, EOFError) as error:
            failed += 1
            print(f"request {i}: {error!r}", file=sys.stderr)
    print(f"requests {args.count} failed {failed}", flush=True)


def each():
    count = wrong = 0
    for line in sys.stdin.buffer:
        line = line.rstrip(b"\n")
        if not line or line.startswith(b"#"):
            continue
        want, _, text = line.partition(b" ")
        count += 1
        sock = connect()
        answer = io.BytesIO()
        sock.sendall(text.decode("unicode_escape").encode("latin-1"))
        end = drain(sock, answer, 0.3 if want.endswith(b"+") else args.wait)
        answer = answer.getvalue()
        status = answer.split(b" ", 2)[1] if answer.startswith(b"HTTP/1.1 ") else b"0"
        good = status == want.rstrip(b"+") and (end == "waits" if want.endswith(b"+") else end in ("eof", "reset"))
        if not good or len(re.findall(rb"^HTTP/1\.1 \d", answer, re.M)) > 1:
            wrong += 1
            print(f"{line!r}: {status.decode()}, then {end}: {answer!r}")
    print(f"checked {count}, wrong {wrong}")


if args.mode in ("raw", "slow"):
    try:
        connection = connect()
    except (OSError, ssl.SSLError) as error:
        print(f"-- end {end_of(error)}")
        sys.exit(0)
    raw(connection)
elif args.mode == "hold":
    hold(connect())
elif args.mode == "each":
    each()
elif args.mode == "apart":
    apart()
elif args.mode == "pipeline":
    pipeline()
elif args.mode == "keepalive":
    keepalive()
