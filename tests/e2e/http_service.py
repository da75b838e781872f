#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""http_service.py PORT [NAME]: an HTTP/1.1 service that shows what it really got, and misbehaves on request.

It reads bytes itself, without a library that would tidy them up, and keeps connections alive. The path says what to do:

  /head                     answers with the request's head as it came, byte by byte
  /sum                      reads the body (by length or chunks), answers "SIZE SHA256", and its trailers, a line each
  /bytes?N  /chunked?N      N bytes by length; in chunks of odd sizes, with trailers X-Sum and X-Who
  /open?N                   N bytes without a length, ended by the connection's end
  /status?CODE              that status; 204 and 304 without a body; 304 with the length that a 200 would have
  /slow?MS                  answers after a while
  /trickle?N                N pieces of a chunked body, one every 100 ms
  /cut?N  /reset?N          promises 1000000 bytes, sends N, and closes or resets
  /die                      closes without an answer;  /once: answers, and closes without having said so
  /close                    answers with Connection: close, and closes
  /farewell                 the same over TLS, with close_notify in the segment of the answer
  /moment?US                answers, and closes after so many microseconds without having said so
  /second                   answers the first request of a connection; closes without a word when another comes
  /stray                    answers, and sends another answer right behind it
  /early                    answers 413 at the head, without reading the body
  /hints                    103 with a Link before the 200
  /evil?HEX                 sends those bytes as they are, and closes
  /set?NAME=VALUE           answers with such a header
  anything else             "hello from PATH"

With NAME it speaks TLS with that certificate of $PKI, and demands one of its caller.
Every request is a line "METHOD TARGET connection C request R" on standard output.
"""
import hashlib
import os
import socket
import socketserver
import ssl
import struct
import sys
import time
from urllib.parse import unquote

CONNECTIONS = [0]
TLS = None
if len(sys.argv) > 2:
    TLS = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=f"{os.environ['PKI']}/ca.crt")
    TLS.verify_mode = ssl.CERT_REQUIRED
    TLS.load_cert_chain(f"{os.environ['PKI']}/{sys.argv[2]}.crt", f"{os.environ['PKI']}/{sys.argv[2]}.key")


def body_of(n):
    block = hashlib.sha256(b"outrider").digest() * 2048
    while n > 0:
        yield block[:n]
        n -= len(block)


class Gone(Exception):
    pass


class Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def setup(self):
        if TLS:
            self.request = TLS.wrap_socket(self.request, server_side=True, suppress_ragged_eofs=True)
        super().setup()

    def finish(self):
        super().finish()
        self.request.close()

    def line(self):
        line = self.rfile.readline(1 << 20)
        if not line.endswith(b"\r\n"):
            raise Gone
        return line

    def read(self, n):
        data = self.rfile.read(n)
        if len(data) != n:
            raise Gone
        return data

    def body(self, fields):
        """Yields the body's pieces; then self.trailers has the lines after it."""
        self.trailers = []
        if fields.get(b"transfer-encoding") == b"chunked":
            while (size := int(self.line().split(b";")[0], 16)) != 0:
                yield self.read(size)
                if self.line() != b"\r\n":
                    raise Gone
            while (line := self.line()) != b"\r\n":
                self.trailers.append(line.rstrip(b"\r\n"))
        else:
            left = int(fields.get(b"content-length", b"0"))
            while left > 0:
                piece = self.read(min(left, 65536))
                left -= len(piece)
                yield piece

    def answer(self, body=b"", status="200 OK", fields=()):
        head = [b"HTTP/1.1 " + status.encode(), b"Content-Length: %d" % len(body), *fields]
        self.wfile.write(b"\r\n".join(head) + b"\r\n\r\n" + (b"" if self.method == b"HEAD" else body))

    def handle(self):
        CONNECTIONS[0] += 1
        number, self.count = CONNECTIONS[0], 0
        try:
            while True:
                self.head = start = self.rfile.readline(1 << 20)
                if not start:
                    return
                fields = {}
                while (line := self.line()) != b"\r\n":
                    self.head += line
                    name, _, value = line.partition(b":")
                    fields[name.lower()] = value.strip()
                self.method, target, _ = start.split()
                self.count += 1
                print(f"{self.method.decode()} {target.decode()} connection {number} request {self.count}", flush=True)
                if not self.one(target.decode(), fields):
                    return
        except (Gone, ConnectionError, BrokenPipeError):
            pass

    def one(self, target, fields):
        path, _, argument = target.partition("?")
        n = int(argument) if argument.isdigit() else 0
        if path == "/early":
            self.answer(b"too much\n", "413 Payload Too Large", [b"Connection: close"])
            return False
        if path == "/die" or (path == "/second" and self.count > 1):
            return False
        if path == "/cut" or path == "/reset":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * n)
            self.wfile.flush()
            time.sleep(0.1)
            if path == "/reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if path == "/evil":
            self.wfile.write(bytes.fromhex(argument))
            return False
        if fields.get(b"expect", b"").lower() == b"100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        total, digest = 0, hashlib.sha256()
        for piece in self.body(fields):
            total += len(piece)
            digest.update(piece)
        if path == "/head":
            self.answer(self.head)
        elif path == "/sum":
            lines = [f"{total} {digest.hexdigest()}".encode(), *self.trailers]
            self.answer(b"\n".join(lines) + b"\n")
        elif path == "/bytes":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n)
            for piece in body_of(n) if self.method != b"HEAD" else ():
                self.wfile.write(piece)
        elif path == "/chunked":
            digest = hashlib.sha256()
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Who\r\n\r\n")
            if self.method == b"HEAD":
                return True
            for i, piece in enumerate(body_of(n)):
                digest.update(piece)
                cut = (i * 7919) % len(piece) + 1
                for part in (piece[:cut], piece[cut:]):
                    if part:
                        self.wfile.write(b"%x\r\n" % len(part) + part + b"\r\n")
            self.wfile.write(b"0\r\nX-Sum: " + digest.hexdigest().encode() + b"\r\nX-Who: service\r\n\r\n")
        elif path == "/open":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            for piece in body_of(n):
                self.wfile.write(piece)
            return False
        elif path == "/status":
            bodiless = argument in ("204", "304")
            length = b"" if argument == "204" else b"Content-Length: 5\r\n"
            self.wfile.write(b"HTTP/1.1 " + argument.encode() + b" Whatever\r\n" + length + b"\r\n")
            if not bodiless and self.method != b"HEAD":
                self.wfile.write(b"body\n")
        elif path == "/slow":
            time.sleep(n / 1000)
            self.answer(b"late\n")
        elif path == "/trickle":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(n):
                time.sleep(0.1)
                self.wfile.write(b"5\r\ndrop\n\r\n")
            self.wfile.write(b"0\r\n\r\n")
        elif path == "/farewell":
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            self.answer(b"farewell\n", fields=[b"Connection: close"])
            self.wfile.flush()
            self.connection.unwrap()
            return False
        elif path == "/close":
            self.answer(b"bye\n", fields=[b"Connection: close"])
            return False
        elif path == "/once":
            self.answer(b"once\n")
            return False
        elif path == "/moment":
            self.answer(b"moment\n")
            time.sleep(n / 1000000)
            return False
        elif path == "/stray":
            stray = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstray\n"
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nmine\n" + stray)
        elif path == "/hints":
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
            self.answer(b"hinted\n")
        elif path == "/set":
            name, _, value = unquote(argument).partition("=")
            self.answer(b"set\n", fields=[f"{name}: {value}".encode()])
        else:
            self.answer(f"hello from {target}\n".encode())
        return True


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[1])), Connection) as server:
        server.serve_forever()
