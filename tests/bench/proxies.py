# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxies under test, each in two ways: as TLS before TCP, and as HTTP with identity headers and ten rules.

Everybody has the same certificates (ECDSA P-256), TLS 1.3, TLS_AES_128_GCM_SHA256, X25519 first, client verification, one
thread pinned to core 0, no log of single connections or requests. As HTTP they all tell the service who called
(the certificate itself, its fingerprint, serial and subject, as far as each knows them), check the same ten
things (scene.py) and keep connections to the service open; nginx speaks HTTP/2 to the service by grpc_pass.
"""
import os
import re
import resource
import signal
import socket
import subprocess
import time

import scene

TICKS = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count() or 1
CORE_PROXY, CORE_LOAD = 0, CORES - 1
PEERS = ["haproxy", "nginx", "hitch", "stunnel"]
BODY = "a" * 100
FILES = {"64k": 64 << 10, "1m": 1 << 20}


def pinned(*cores):
    return lambda: os.sched_setaffinity(0, set(cores))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process, seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"ended with status {process.returncode}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.0005)
    raise RuntimeError("does not listen")


class Proxy:
    """One proxy under test: its configuration, its processes, what they use. CONFIG gives the text, or None."""

    def __init__(self, name, command, config, work, kind, cores=(CORE_PROXY,), **facts):
        self.name, self.work, self.kind, self.cores = name, work, kind, cores
        self.http = kind in ("http", "h2", "watched")
        self.__dict__.update(facts)
        self.port = free_port()
        self.folder = os.path.join(work, f"{kind}-{name}")
        os.makedirs(self.folder, exist_ok=True)
        self.config = os.path.join(self.folder, "conf")
        text = config(self)
        if text is not None:
            with open(self.config, "w") as f:
                f.write(text)
        self.command = command(self)
        self.process = None

    def start(self):
        """Returns when it was started, and how long until it listened, in seconds."""
        with open(os.path.join(self.work, f"{self.kind}-{self.name}.log"), "ab") as log:
            began = time.monotonic()
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=pinned(*self.cores)
            )
        wait_port(self.port, self.process)
        took = time.monotonic() - began
        for pid in self.pids():  # hitch pins its workers to a core of its own choice
            os.sched_setaffinity(pid, set(self.cores))
        return began, took

    def stop(self):
        if self.process is None:
            return
        for number, seconds in ((signal.SIGTERM, 3), (signal.SIGKILL, 10)):
            for pid in reversed(self.pids()):
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            try:
                self.process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                pass
        self.process = None

    def order(self, method, target):
        """Asks a sidecar over its admin socket."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.folder + "/admin")
            s.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while piece := s.recv(65536):
                answer += piece
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{target}: {answer[:100]}")

    def pids(self):
        """The process that was started and its descendants."""
        found, look = [], [self.process.pid]
        while look:
            pid = look.pop()
            found.append(pid)
            try:
                with open(f"/proc/{pid}/task/{pid}/children") as f:
                    look += [int(p) for p in f.read().split()]
            except OSError:
                pass
        return found

    @staticmethod
    def ticks(path):
        try:
            with open(path) as f:
                fields = f.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / TICKS
        except OSError:
            return 0

    def cpu(self):
        return sum(self.ticks(f"/proc/{pid}/stat") for pid in self.pids())

    def threads(self):
        """CPU seconds of each thread of the first process."""
        pid = self.process.pid
        return {t: self.ticks(f"/proc/{pid}/task/{t}/stat") for t in os.listdir(f"/proc/{pid}/task")}

    def memory(self):
        """Bytes: the resident set of the largest process, and what the others hold for themselves alone."""
        rss, private = [], []
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    text = f.read()
            except OSError:
                continue
            kb = lambda key: sum(int(n) for n in re.findall(rf"^{key}: +(\d+) kB", text, re.M))
            rss.append(kb("Rss"))
            private.append(kb("Private_Clean") + kb("Private_Dirty"))
        largest = rss.index(max(rss))
        return 1024 * (rss[largest] + sum(p for i, p in enumerate(private) if i != largest))


# --- the sidecar


def sidecar_conf(p):
    return f"""[sidecar]
workers = {len(p.cores)}
log_level = warn
log_requests = false
log_sessions = false
max_connections = 0
{f"admin = unix:{p.folder}/admin" if p.kind == "watched" else ""}
[tls]
directory = {p.work}/pki/server
ciphers = TLS_AES_128_GCM_SHA256
groups = X25519, X25519MLKEM768, P-256
min_version = 1.3
resumption = on
[inbound bench]
listen = 127.0.0.1:{p.port}
forward = 127.0.0.1:{p.backend}
""" + ("protocol = tcp\n" if not p.http else f"protocol = http\nalpn = h2, http/1.1\n" + scene.rules(p.serials))


# --- haproxy

HAPROXY_RULES = """    http-request deny if { ssl_c_serial,hex -f SERIALS }
    http-request deny unless { ssl_c_used } { ssl_c_verify 0 }
    http-request deny if { src 192.0.2.0/24 198.51.100.0/24 203.0.113.7 }
    http-request deny if { path /admin }
    http-request deny if { path_beg /internal/ }
    http-request deny if { method TRACE TRACK DELETE }
    http-request deny if { hdr(host) forbidden.test }
    http-request deny if { hdr_sub(user-agent) sqlmap }
    http-request deny if { path_reg \\.(php|aspx?|jsp)$ }
    http-request deny if { req.fhdr_cnt(x-debug) gt 0 }
    http-request set-header Cf-Client-Cert-Der-Base64 %[ssl_c_der,base64]
    http-request set-header Cf-Client-Cert-Sha256 %[ssl_c_der,sha2(256),hex,lower]
    http-request set-header X-Forwarded-Client-Cert Hash=%[ssl_c_der,sha2(256),hex,lower];Subject=\\"%{+Q}[ssl_c_s_dn]\\"
    http-request set-header Client-Cert :%[ssl_c_der,base64]:
"""


def haproxy_conf(p):
    http = p.http
    h2 = p.kind == "h2"
    return f"""global
    nbthread 1
    maxconn 8000
    ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
    mode {"http" if http else "tcp"}
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend bench
    bind 127.0.0.1:{p.port} ssl crt {p.work}/pki/server.pem ca-file {p.work}/pki/ca.crt verify required ciphersuites TLS_AES_128_GCM_SHA256 curves X25519:P-256{" alpn h2" if h2 else ""}
{HAPROXY_RULES.replace("SERIALS", p.serials) if http else ""}    default_backend service
backend service
    server s 127.0.0.1:{p.backend}{" proto h2" if h2 else ""}
"""


# --- nginx

NGINX_TLS = """        ssl_protocols TLSv1.3;
        ssl_certificate {0}/pki/server.crt;
        ssl_certificate_key {0}/pki/server.key;
        ssl_client_certificate {0}/pki/ca.crt;
        ssl_verify_client on;
        ssl_ecdh_curve X25519:prime256v1;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
"""

NGINX_RULES = """        if ($bad_serial) { return 403; }
        if ($ssl_client_verify != SUCCESS) { return 403; }
        if ($bad_source) { return 403; }
        if ($uri = /admin) { return 403; }
        if ($uri ~ ^/internal/) { return 403; }
        if ($request_method ~ ^(TRACE|TRACK|DELETE)$) { return 403; }
        if ($host = forbidden.test) { return 403; }
        if ($http_user_agent ~ sqlmap) { return 403; }
        if ($uri ~ \\.(php|aspx?|jsp)$) { return 403; }
        if ($http_x_debug) { return 403; }
"""
NGINX_HEADERS = {
    "Client-Cert": "$ssl_client_escaped_cert", "X-Client-Fingerprint": "$ssl_client_fingerprint",
    "X-Client-Serial": "$ssl_client_serial", "X-Forwarded-Client-Cert": '"Subject=$ssl_client_s_dn;Hash=$ssl_client_fingerprint"',
}


def nginx_base(folder):
    temp = "".join(f"    {k}_temp_path {folder}/{k};\n" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return (f"""daemon off;
pid {folder}/pid;
error_log stderr crit;
worker_processes 1;
worker_rlimit_nofile {resource.getrlimit(resource.RLIMIT_NOFILE)[1]};
events {{ worker_connections 16000; }}
""", f"""    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 1h;
{temp}""")


def nginx_conf(p):
    base, http = nginx_base(p.folder)
    if not p.http:
        return f"""load_module /usr/lib/nginx/modules/ngx_stream_module.so;
{base}stream {{
    server {{
        listen 127.0.0.1:{p.port} ssl backlog=4096;
        proxy_pass 127.0.0.1:{p.backend};
        proxy_timeout 1h;
{NGINX_TLS.format(p.work)}    }}
}}
"""
    h2 = p.kind == "h2"
    way = "grpc" if h2 else "proxy"
    headers = "".join(f"            {way}_set_header {k} {v};\n" for k, v in NGINX_HEADERS.items())
    if not h2:
        headers += '            proxy_http_version 1.1;\n            proxy_set_header Connection "";\n'
    serials = "".join(f"        {s} 1;\n" for s in scene.SERIALS)
    return f"""{base}http {{
{http}    map_hash_max_size 65536;
    map_hash_bucket_size 128;
    map $ssl_client_serial $bad_serial {{
        default 0;
{serials}    }}
    geo $bad_source {{
        default 0;
        192.0.2.0/24 1;
        198.51.100.0/24 1;
        203.0.113.7 1;
    }}
    upstream service {{ server 127.0.0.1:{p.backend}; keepalive 128; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{p.port} ssl{" http2" if h2 else ""} backlog=4096;
{NGINX_TLS.format(p.work)}{NGINX_RULES}        location / {{
            {way}_pass {"grpc" if h2 else "http"}://service;
{headers}        }}
    }}
}}
"""


def service_conf(folder, h1, h2):
    """nginx as the service: HTTP/1.1 and cleartext HTTP/2, 100 bytes, gRPC's trailer for who asks for it, files."""
    base, http = nginx_base(folder)
    return f"""{base}http {{
{http}    sendfile on;
    tcp_nopush on;
    default_type text/plain;
    large_client_header_buffers 4 32k;
    server {{
        listen 127.0.0.1:{h1} backlog=4096;
        root {folder}/www;
        location / {{ return 200 "{BODY}"; }}
        location /files/ {{ }}
    }}
    server {{
        listen 127.0.0.1:{h2} http2 backlog=4096;
        location / {{ return 200 "{BODY}"; }}
        location /orders.Orders/ {{ default_type application/grpc; add_trailer grpc-status 0; return 200 "{BODY}"; }}
    }}
}}
"""


# --- hitch, stunnel


def hitch_conf(p):
    return f"""frontend = {{ host = "127.0.0.1" port = "{p.port}" }}
backend = "[127.0.0.1]:{p.backend}"
pem-file = "{p.work}/pki/server.pem"
client-verify = required
client-verify-ca = "{p.work}/pki/ca.crt"
tls-protos = TLSv1.3
ciphersuites = "TLS_AES_128_GCM_SHA256"
ecdh-curve = "X25519:prime256v1"
workers = 1
backlog = 4096
daemon = off
quiet = on
{'user = "nobody"' if os.getuid() == 0 else ''}
"""


def stunnel_conf(p):
    return f"""foreground = yes
pid =
debug = err
syslog = no
[bench]
client = no
accept = 127.0.0.1:{p.port}
connect = 127.0.0.1:{p.backend}
cert = {p.work}/pki/server.crt
key = {p.work}/pki/server.key
CAfile = {p.work}/pki/ca.crt
verifyChain = yes
requireCert = yes
sslVersion = TLSv1.3
ciphersuites = TLS_AES_128_GCM_SHA256
curves = X25519:P-256
"""


def make(args, kind, names, backend, **more):
    """Proxies before the port BACKEND; KIND: http, h2, or else TCP."""
    known = {
        "sidecar": (lambda p: [os.path.join(args.bin, "sidecar"), "run", "-c", p.config], sidecar_conf),
        "haproxy": (lambda p: ["haproxy", "-f", p.config], haproxy_conf),
        "nginx": (lambda p: ["nginx", "-c", p.config, "-e", "stderr"], nginx_conf),
        "hitch": (lambda p: ["hitch", "--config=" + p.config], hitch_conf),
        "stunnel": (lambda p: ["stunnel", p.config], stunnel_conf),
        "rawrelay": (lambda p: [os.path.join(args.tools, "rawrelay"), str(p.port), str(p.backend)], lambda p: None),
    }
    only = os.environ.get("BENCH_ONLY", "").split()
    facts = dict(backend=backend, serials=args.work + "/lists/serials") | more
    return [Proxy(n, *known[n], args.work, kind, **facts) for n in names if not only or n in only]
