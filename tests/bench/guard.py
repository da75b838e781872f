# SPDX-License-Identifier: GPL-3.0-or-later
"""make bench-guard: speed once won stays.

A sidecar runs under valgrind's callgrind and does N and then, in a process of its own, 2N exchanges with a client and a
service that send the same bytes each time, one after another. The difference is what N exchanges cost without
start and end: instructions in user space, calls that allocate, system calls. They are compared with guard.json; what
is more than 3 % worse in instructions, or needs another allocation or system call, fails.

The counts are those of one tool chain: compiler, C library, valgrind, and the features of the CPU that valgrind shows to
the program (wolfSSL and the C library choose their code by them; valgrind hides what it cannot run, AVX-512 and ADX
among it, so that all machines with AVX2 count alike). For another tool chain there is nothing to compare with: that
fails too, and says so. `guard.py --record` writes the counts of this one.
"""
import argparse
import collections
import concurrent.futures
import glob
import json
import os
import platform
import re
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time

import scene

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDS = os.path.join(HERE, "guard.json")
WORSE, CALLS, SOME_CALLS = 0.03, 0.5, 0.1  # instructions, relative; calls in an exchange: absolute, or relative
RUNS = 3
ALLOCATES = {"malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign"}
SYSTEM = re.compile(
    r"(__)?(libc_)?(read|readv|write|writev|recv|recvfrom|recvmsg|recvmmsg|send|sendto|sendmsg|sendmmsg|epoll_p?wait|"
    r"epoll_ctl|accept4?|connect|close|close_nocancel|shutdown|socket|bind|getsockopt|setsockopt|getsockname|"
    r"getpeername|fcntl|fcntl64|ioctl|splice|getrandom|futex|poll|syscall|madvise|mmap|munmap|brk|sbrk)"
)


# --- the service: a thread a connection; answers in one piece


def serve(answer):
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def one(sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            answer(sock)
        except OSError:
            pass
        sock.close()

    def accept():
        while True:
            threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def echo(sock):
    while data := sock.recv(1 << 20):
        sock.sendall(data)


def http1(sock):
    buffer = b""
    while data := sock.recv(65536):
        buffer += data
        if buffer.endswith(b"\r\n\r\n"):
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n" + b"a" * 100)
            buffer = b""


def http2(sock):
    buffer, seen, answer = bytearray(), 0, scene.frame(scene.SETTINGS, 0, 0)
    while data := sock.recv(65536):
        buffer += data
        if seen < len(scene.PREFACE):
            if len(buffer) < len(scene.PREFACE):
                continue
            seen = len(scene.PREFACE)
            del buffer[:seen]
        for kind, flags, stream, _ in scene.frames(buffer):
            if kind == scene.SETTINGS and not flags & scene.ACK:
                answer += scene.frame(scene.SETTINGS, scene.ACK, 0)
            if kind == scene.HEADERS:
                answer += scene.frame(scene.HEADERS, scene.END_HEADERS, stream, b"\x88")
                answer += scene.frame(scene.DATA, scene.END_STREAM, stream, b"a" * 100)
        if answer:
            sock.sendall(answer)
            answer = b""


# --- the client


class Client:
    def __init__(self, work, port, alpn=None):
        self.address = ("127.0.0.1", port)
        self.context = ssl.create_default_context(cafile=f"{work}/pki/ca.crt")
        self.context.load_cert_chain(f"{work}/pki/client.crt", f"{work}/pki/client.key")
        self.context.set_ecdh_curve("prime256v1")
        if alpn:
            self.context.set_alpn_protocols([alpn])

    def connect(self):
        sock = socket.create_connection(self.address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(60)
        return self.context.wrap_socket(sock, server_hostname="server.test")


def exactly(sock, size):
    got = b""
    while len(got) < size:
        data = sock.recv(size - len(got))
        if not data:
            raise RuntimeError("the sidecar ended the connection")
        got += data
    return got


def ended(sock):
    """close_notify from both: the sidecar is done with this connection before the next begins."""
    sock.unwrap().close()


def handshakes(client, count):
    for _ in range(count):
        sock = client.connect()
        sock.sendall(b"x" * 64)
        exactly(sock, 64)
        ended(sock)


def echoes(size):
    def run(client, count):
        sock = client.connect()
        for _ in range(count):
            sock.sendall(b"x" * size)
            exactly(sock, size)
        ended(sock)

    return run


def http1_requests(client, count):
    sock = client.connect()
    request = (b"GET /api/v2/orders/4711?limit=20 HTTP/1.1\r\nHost: server.test\r\nUser-Agent: shop/2.1\r\n"
               b"Accept: */*\r\nAccept-Encoding: gzip\r\nX-Request-Id: 4c1d0a\r\n\r\n")
    for _ in range(count):
        sock.sendall(request)
        answer = b""
        while not answer.endswith(b"a" * 100):
            answer += exactly(sock, 1) + sock.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"answered {answer[:60]}")
    ended(sock)


def http2_requests(client, count):
    sock = client.connect()
    fields = [(":authority", "server.test"), ("user-agent", "shop/2.1"), ("accept", "*/*"), ("accept-encoding", "gzip")]
    path, own = scene.literal(":path", "/api/v2/orders/4711?limit=20"), scene.literal("x-request-id", "4c1d0a")
    first = b"\x82\x87" + path + b"".join(scene.literal(*f, keep=True) for f in fields) + own
    later = b"\x82\x87" + path + bytes(scene.KEPT + n for n in reversed(range(len(fields)))) + own
    sock.sendall(scene.PREFACE + scene.frame(scene.SETTINGS, 0, 0))
    buffer = bytearray()
    for n in range(count):
        mine, status, body = 2 * n + 1, None, b""
        sock.sendall(scene.frame(scene.HEADERS, scene.END_STREAM | scene.END_HEADERS, mine, later if n else first))
        over = False
        while not over:
            data = sock.recv(65536)
            if not data:
                raise RuntimeError("the sidecar ended the connection")
            buffer += data
            for kind, flags, stream, payload in scene.frames(buffer):
                if kind == scene.SETTINGS and not flags & scene.ACK:
                    sock.sendall(scene.frame(scene.SETTINGS, scene.ACK, 0))
                if kind in (scene.RST_STREAM, scene.GOAWAY):
                    raise RuntimeError("the sidecar refused a request")
                if stream == mine:
                    status = status or payload[:1]
                    body += payload if kind == scene.DATA else b""
                    over = bool(flags & scene.END_STREAM)
        if status != b"\x88" or body != b"a" * 100:
            raise RuntimeError(f"answered {status} {body[:60]}")
    ended(sock)


# Name, what it is, protocol, the service, the exchanges, how many of them.
FIGURES = [
    ("handshake", "full mutual handshake, 64 bytes echoed, end", "tcp", echo, handshakes, 20),
    ("record", "16 KiB each way", "tcp", echo, echoes(16384), 100),
    ("http1", "HTTP/1.1 request, identity headers, ten rules", "http", http1, http1_requests, 100),
    ("http2", "HTTP/2 request, identity headers, ten rules", "http", http2, http2_requests, 100),
]


# --- one run under callgrind


def counts(path):
    """Of a callgrind file: instructions, calls that allocate, system calls."""
    names, totals, into, calls = {}, 0, None, collections.Counter()
    with open(path) as f:
        for line in f:
            if line.startswith("cfn="):
                number, _, name = line[4:].strip().partition(" ")
                if name:
                    names[number] = name
                into = number
            elif line.startswith("fn="):
                number, _, name = line[3:].strip().partition(" ")
                if name:
                    names[number] = name
            elif line.startswith("calls="):
                calls[names[into].split("@")[0].split("'")[0]] += int(line[6:].split()[0])
            elif line.startswith("totals:"):
                totals = int(line.split()[1])
    system = sum(n for name, n in calls.items() if SYSTEM.fullmatch(name))
    return totals, sum(calls[name] for name in ALLOCATES), system


def run(args, figure, count, tag):
    name, _, protocol, service, exchanges, _ = figure
    base = f"{args.work}/{name}-{tag}"
    config = f"{base}.conf/sidecar.ini"  # alone in its folder, which the sidecar watches
    os.makedirs(os.path.dirname(config))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with open(config, "w") as f:
        f.write(f"""[sidecar]
workers = 1
log_level = warn
drain_delay = 0ms
[tls]
directory = {args.work}/pki/server
groups = P-256
ciphers = TLS_AES_128_GCM_SHA256
[inbound guard]
listen = 127.0.0.1:{port}
forward = 127.0.0.1:{serve(service)}
protocol = {protocol}
""" + (scene.rules(args.work + "/lists/serials") if protocol == "http" else ""))
    with open(base + ".log", "w") as log:
        sidecar = subprocess.Popen(
            ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={base}.out", "--",
             os.path.join(args.bin, "sidecar"), "run", "-c", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and sidecar.poll() is None:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise RuntimeError("the sidecar does not listen")
        exchanges(Client(args.work, port, "h2" if name == "http2" else None), count)
        sidecar.send_signal(signal.SIGTERM)
        if sidecar.wait(60) != 0:
            raise RuntimeError("the sidecar's end")
    except (OSError, RuntimeError, subprocess.TimeoutExpired):
        sidecar.kill()
        sidecar.wait()
        sys.stderr.write(open(base + ".log").read())
        raise
    # The first thread is main's: its work is no exchange's, but for instance events of folders that change.
    threads = [counts(path) for path in sorted(glob.glob(base + ".out-*")) if not path.endswith("-01")]
    return [sum(c) for c in zip(*threads)]


def measure(args, figure, pool):
    """Medians over the runs, for one exchange."""
    n = figure[-1]
    pairs = [(pool.submit(run, args, figure, n, f"{r}a"), pool.submit(run, args, figure, 2 * n, f"{r}b")) for r in range(RUNS)]
    costs = [[(y - x) / n for x, y in zip(a.result(), b.result())] for a, b in pairs]
    return [statistics.median(c) for c in zip(*costs)], costs


def toolchain():
    def first(*command):
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout.split("\n")[0]

    with open("/proc/cpuinfo") as f:
        cpu = f.read().split()
    shown = [flag for flag in ("avx", "avx2", "aes", "pclmulqdq", "bmi2", "rdrand", "asimd", "pmull", "sha2") if flag in cpu]
    return " ".join([platform.machine(), "gcc", first(os.environ.get("CC", "cc"), "-dumpfullversion"), "glibc",
                     platform.libc_ver()[1], first("valgrind", "--version")] + shown)


def main():
    parser = argparse.ArgumentParser()
    for name in ("bin", "work"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--record", action="store_true", help="write down what is found")
    parser.add_argument("--every", action="store_true", help="print every run's counts")
    args = parser.parse_args()
    os.makedirs(args.work + "/lists")
    with open(args.work + "/lists/serials", "w") as f:
        f.write("\n".join(scene.SERIALS) + "\n")
    records = json.load(open(RECORDS)) if os.path.exists(RECORDS) else {}
    chain = toolchain()
    recorded = records.get(chain)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = {f[0]: measure(args, f, pool) for f in FIGURES}
    worse = better = 0
    print(f"{'':46} {'instructions':>12} {'recorded':>10} {'':8} {'allocations':>11} {'was':>5} {'system calls':>12} {'was':>5}")
    for name, caption, *_ in FIGURES:
        (ir, alloc, system), every = found[name]
        was = (recorded or {}).get(name)
        verdict = ""
        if was:
            change = ir / was[0] - 1
            calls = [now - then for now, then in ((alloc, was[1]), (system, was[2])) if abs(now - then) > max(CALLS, SOME_CALLS * then)]
            if change > WORSE or any(c > 0 for c in calls):
                verdict, worse = "  WORSE", worse + 1
            elif change < -WORSE or calls:
                verdict, better = "  better", better + 1
            print(f"{caption:46} {ir:12,.0f} {was[0]:10,} {100 * change:+7.1f}% {alloc:11.1f} {was[1]:5.1f} "
                  f"{system:12.1f} {was[2]:5.1f}{verdict}")
        else:
            print(f"{caption:46} {ir:12,.0f} {'none':>10} {'':8} {alloc:11.1f} {'':5} {system:12.1f}")
        if args.every:
            print("    " + "; ".join(f"{i:,.0f} {a:.2f} {s:.2f}" for i, a, s in every))
    if args.record:
        records[chain] = {name: [round(v[0][0]), round(v[0][1], 1), round(v[0][2], 1)] for name, v in found.items()}
        with open(RECORDS, "w") as f:
            lines = [f'"{c}": {{\n' + ",\n".join(f'  "{name}": {json.dumps(v)}' for name, v in r.items()) + "\n }" for c, r in records.items()]
            f.write("{\n " + ",\n ".join(lines) + "\n}\n")
        print("recorded for " + chain)
        return 0
    if recorded is None:
        print(f"Nothing is recorded for this tool chain ({chain}): run  make bench-guard GUARD=--record  on a tree that is fine.")
        return 1
    if worse:
        print(f"{worse} worse than recorded. Where it goes: callgrind_annotate of a run by hand. If it is worth it: make bench-guard GUARD=--record")
    elif better:
        print(f"{better} better than recorded: record it with  make bench-guard GUARD=--record")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
