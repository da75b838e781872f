# SPDX-License-Identifier: GPL-3.0-or-later
"""Outrider's sidecar beside other proxies that terminate mutual TLS, on this machine, in one run.

Each proxy stands before the same echo and sink (tests/tools/tcp.c), with the same certificates (ECDSA P-256), TLS 1.3,
TLS_AES_128_GCM_SHA256, X25519 and client verification; one thread of it, pinned to core 0. The load generator
(tests/tools/load.c) and the services have the last core. Logging of single connections is off everywhere. In a round
every proxy is measured once, and rounds follow one another, so that a slow minute of the machine hits all alike; the
table shows medians over the rounds, the JSON all values. A proxy's CPU time is that of all its processes. All
send session tickets, as the others do by default.

Memory is the resident set of its largest process plus what the others hold for themselves alone.
"""
import argparse
import json
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
CORE_PROXY, CORE_LOAD = 0, max(0, (os.cpu_count() or 1) - 1)

# Figures: key, caption, unit, higher is better, format.
FIGURES = [
    ("bulk_1", "bulk, 1 stream", "GiB per CPU second", True, "{:.2f}"),
    ("bulk_8", "bulk, 8 streams", "GiB per CPU second", True, "{:.2f}"),
    ("bulk_8_wall", "bulk, 8 streams", "GiB per second", True, "{:.2f}"),
    ("new_cpu", "new connections, full handshake", "per CPU second", True, "{:.0f}"),
    ("new_wall", "new connections, full handshake", "per second", True, "{:.0f}"),
    ("resume_cpu", "new connections, resumed", "per CPU second", True, "{:.0f}"),
    ("connect_p50", "connect + handshake + 1 KB echo, p50", "us", False, "{:.0f}"),
    ("connect_p99", "connect + handshake + 1 KB echo, p99", "us", False, "{:.0f}"),
    ("echo_cpu", "1 KB echo, connection kept", "CPU us each", False, "{:.1f}"),
    ("echo_p50", "1 KB echo, connection kept, p50", "us", False, "{:.0f}"),
    ("echo_p99", "1 KB echo, connection kept, p99", "us", False, "{:.0f}"),
    ("rss_start", "memory at start", "MiB", False, "{:.1f}"),
    ("idle_1000", "memory per idle connection, 1,000", "bytes", False, "{:.0f}"),
    ("idle_5000", "memory per idle connection, 5,000", "bytes", False, "{:.0f}"),
    ("rss_after", "memory after 5,000 have closed", "MiB", False, "{:.1f}"),
    ("start_ms", "start to first handshake", "ms", False, "{:.0f}"),
]


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


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
        time.sleep(0.002)
    raise RuntimeError("does not listen")


class Proxy:
    """One proxy under test: its configuration, its processes, what they use."""

    def __init__(self, name, command, config, backend, work):
        self.name, self.backend, self.work = name, backend, work
        self.port = free_port()
        self.config = os.path.join(work, name + ".conf")
        text = config(self)
        if text is not None:
            with open(self.config, "w") as f:
                f.write(text)
        self.command = command(self)
        self.process = None

    def start(self):
        log = open(os.path.join(self.work, self.name + ".log"), "ab")
        began = time.monotonic()
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=pinned(CORE_PROXY)
        )
        log.close()
        wait_port(self.port, self.process)
        for pid in self.pids():  # hitch pins its workers to a core of its own choice
            os.sched_setaffinity(pid, {CORE_PROXY})
        return began

    def stop(self):
        if self.process is None:
            return
        for pid in reversed(self.pids()):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            for pid in reversed(self.pids()):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
        self.process = None

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

    def cpu(self):
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/stat") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                total += int(fields[11]) + int(fields[12])
            except OSError:
                pass
        return total / TICKS

    def memory(self):
        """Bytes."""
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


def sidecar_conf(p):
    return f"""[sidecar]
workers = 1
log_level = warn
max_connections = 0
[tls]
directory = {p.work}/pki/server
ciphers = TLS_AES_128_GCM_SHA256
groups = X25519
min_version = 1.3
resumption = on
[inbound bench]
listen = 127.0.0.1:{p.port}
forward = 127.0.0.1:{p.backend}
protocol = tcp
"""


def haproxy_conf(p):
    return f"""global
    nbthread 1
    maxconn 8000
    ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend bench
    bind 127.0.0.1:{p.port} ssl crt {p.work}/pki/server.pem ca-file {p.work}/pki/ca.crt verify required ciphersuites TLS_AES_128_GCM_SHA256 curves X25519
    default_backend service
backend service
    server s 127.0.0.1:{p.backend}
"""


def nginx_conf(p):
    return f"""load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
pid {p.work}/nginx.pid;
error_log stderr crit;
worker_processes 1;
worker_rlimit_nofile {resource.getrlimit(resource.RLIMIT_NOFILE)[1]};
events {{ worker_connections 16000; }}
stream {{
    server {{
        listen 127.0.0.1:{p.port} ssl backlog=4096;
        proxy_pass 127.0.0.1:{p.backend};
        proxy_timeout 1h;
        ssl_protocols TLSv1.3;
        ssl_certificate {p.work}/pki/server.crt;
        ssl_certificate_key {p.work}/pki/server.key;
        ssl_client_certificate {p.work}/pki/ca.crt;
        ssl_verify_client on;
        ssl_ecdh_curve X25519;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    }}
}}
"""


def hitch_conf(p):
    return f"""frontend = {{ host = "127.0.0.1" port = "{p.port}" }}
backend = "[127.0.0.1]:{p.backend}"
pem-file = "{p.work}/pki/server.pem"
client-verify = required
client-verify-ca = "{p.work}/pki/ca.crt"
tls-protos = TLSv1.3
ciphersuites = "TLS_AES_128_GCM_SHA256"
ecdh-curve = "X25519"
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
curves = X25519
"""


def proxies(args, backend):
    made = {
        "sidecar": (lambda p: [os.path.join(args.bin, "sidecar"), "run", "-c", p.config], sidecar_conf),
        "haproxy": (lambda p: ["haproxy", "-f", p.config], haproxy_conf),
        "nginx": (lambda p: ["nginx", "-c", p.config, "-e", "stderr"], nginx_conf),
        "hitch": (lambda p: ["hitch", "--config=" + p.config], hitch_conf),
        "stunnel": (lambda p: ["stunnel", p.config], stunnel_conf),
        "rawrelay": (lambda p: [os.path.join(args.tools, "rawrelay"), str(p.port), str(p.backend)], lambda p: None),
    }
    only = os.environ.get("BENCH_ONLY", "").split()
    return [Proxy(n, c, t, backend, args.work) for n, (c, t) in made.items() if not only or n in only]


class Bench:
    def __init__(self, args):
        self.args = args
        self.seconds = float(os.environ.get("BENCH_SECONDS", "2"))
        self.rounds = int(os.environ.get("BENCH_ROUNDS", "3"))
        self.values = {}  # proxy -> figure -> list over the rounds
        self.notes = []

    def note(self, proxy, figure, value):
        self.values.setdefault(proxy.name, {}).setdefault(figure, []).append(value)

    def load_command(self, proxy, mode, *options):
        pki = self.args.work + "/pki"
        command = [os.path.join(self.args.tools, "load"), mode, "--connect", str(proxy.port)]
        if proxy.name == "rawrelay":
            command.append("--plain")
        else:
            command += ["--ca", f"{pki}/ca.crt", "--cert", f"{pki}/client.crt", "--key", f"{pki}/client.key"]
            command += ["--group", "X25519", "--cipher", "TLS13-AES128-GCM-SHA256", "--sni", "server.test"]
        return command + [str(o) for o in options]

    def load(self, proxy, mode, *options):
        """Runs the load generator; its report with the proxy's CPU seconds, or None when connections failed."""
        before = proxy.cpu()
        run = subprocess.run(
            self.load_command(proxy, mode, "--seconds", self.seconds, *options),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=pinned(CORE_LOAD),
        )
        cpu = proxy.cpu() - before
        try:
            report = json.loads(run.stdout)
        except ValueError:
            report = {"failed": -1}
        if report["failed"] != 0:
            self.notes.append(f"{proxy.name}: {mode}: {report['failed']} failed; {run.stderr.strip()}")
            if report["failed"] < 0 or report["failed"] > report["done"] / 100:
                return None
        report["cpu"] = max(cpu, 1 / TICKS)
        return report

    def speed(self, proxy):
        gib = 1 << 30
        for streams in (1, 8):
            r = self.load(proxy, "bulk", "--connections", streams)
            if r:
                self.note(proxy, f"bulk_{streams}", r["bytes"] / gib / r["cpu"])
                if streams == 8:
                    self.note(proxy, "bulk_8_wall", r["bytes"] / gib / r["seconds"])
        r = self.load(proxy, "new", "--connections", 16)
        if r:
            self.note(proxy, "new_cpu", r["done"] / r["cpu"])
            self.note(proxy, "new_wall", r["done"] / r["seconds"])
        if proxy.name != "rawrelay":
            r = self.load(proxy, "resume", "--connections", 16)
            if r and r["resumed"] > r["done"] * 0.9:
                self.note(proxy, "resume_cpu", r["done"] / r["cpu"])
        r = self.load(proxy, "new", "--connections", 1)
        if r:
            self.note(proxy, "connect_p50", r["p50_us"])
            self.note(proxy, "connect_p99", r["p99_us"])
        r = self.load(proxy, "echo", "--connections", 8)
        if r:
            self.note(proxy, "echo_cpu", r["cpu"] * 1e6 / r["done"])
        r = self.load(proxy, "echo", "--connections", 1)
        if r:
            self.note(proxy, "echo_p50", r["p50_us"])
            self.note(proxy, "echo_p99", r["p99_us"])

    def hold(self, proxy, count):
        """Memory with COUNT idle connections open; afterwards they are closed."""
        load = subprocess.Popen(
            self.load_command(proxy, "hold", "--seconds", 60, "--connections", count),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=pinned(CORE_LOAD),
        )
        held = load.stdout.readline().split()
        time.sleep(0.5)
        memory = proxy.memory()
        load.stdin.close()
        load.wait()
        if not held or int(held[1]) < count * 0.99:
            self.notes.append(f"{proxy.name}: hold {count}: {' '.join(held)} {load.stderr.read().strip()}")
            return None
        return memory

    def footprint(self, proxy):
        """On a process that has served nothing yet."""
        began = proxy.start()
        run = subprocess.run(
            self.load_command(proxy, "new", "--count", 1, "--seconds", 5),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=pinned(CORE_LOAD),
        )
        if run.returncode == 0:
            self.note(proxy, "start_ms", (time.monotonic() - began) * 1000)
        time.sleep(0.2)
        start = proxy.memory()
        self.note(proxy, "rss_start", start / (1 << 20))
        if proxy.name == "rawrelay":
            return
        for count in (1000, 5000):
            held = self.hold(proxy, count)
            if held is not None:
                self.note(proxy, f"idle_{count}", (held - start) / count)
        time.sleep(3)  # whoever gives memory back does so once the burst is over
        self.note(proxy, "rss_after", proxy.memory() / (1 << 20))

    def run(self, all_proxies):
        broken = []
        for proxy in all_proxies:
            self.say(f"memory: {proxy.name}")
            try:
                self.footprint(proxy)
            except (RuntimeError, OSError, ValueError) as e:
                self.notes.append(f"{proxy.name}: {e}")
                broken.append(proxy)
        for proxy in broken:
            proxy.stop()
            all_proxies.remove(proxy)
        for n in range(self.rounds):
            order = all_proxies[n % len(all_proxies):] + all_proxies[: n % len(all_proxies)]
            for proxy in order:
                self.say(f"round {n + 1} of {self.rounds}: {proxy.name}")
                self.speed(proxy)

    @staticmethod
    def say(text):
        print(f"  {text}", file=sys.stderr, flush=True)


def table(bench):
    """Markdown: a row a figure, a column a proxy; the last two: ours against the best of the others, the spread."""
    peers = ["haproxy", "nginx", "hitch", "stunnel"]
    names = [n for n in ["sidecar"] + peers + ["rawrelay"] if n in bench.values]
    head = {"rawrelay": "(no TLS)"}
    lines = ["| figure | unit | " + " | ".join(head.get(n, n) for n in names) + " | sidecar against best peer (above 1: better) | spread |"]
    lines.append("|---|---|" + "---:|" * (len(names) + 2))
    for key, caption, unit, higher, form in FIGURES:
        median = {n: statistics.median(bench.values[n][key]) for n in names if bench.values[n].get(key)}
        cells = [form.format(median[n]) if n in median else "-" for n in names]
        rivals = [median[n] for n in peers if n in median]
        ratio = spread = "-"
        if "sidecar" in median and rivals:
            best = max(rivals) if higher else min(rivals)
            ours = median["sidecar"]
            if ours > 0 and best > 0:
                ratio = f"{(ours / best if higher else best / ours):.2f}"
        all_spreads = [
            (max(v) - min(v)) / 2 / statistics.median(v)
            for n in names
            if len(v := bench.values[n].get(key, [])) > 1 and statistics.median(v) > 0
        ]
        if all_spreads:
            spread = f"+-{100 * statistics.median(all_spreads):.0f} %"
        lines.append(f"| {caption} | {unit} | " + " | ".join(cells) + f" | {ratio} | {spread} |")
    return "\n".join(lines)


def plot(bench):
    """An SVG: one panel a figure, one bar a proxy."""
    colours = {"sidecar": "#0b6e4f", "haproxy": "#8d99ae", "nginx": "#a5a58d", "hitch": "#b08968", "stunnel": "#9d8189"}
    names = [n for n in colours if n in bench.values]
    shown = [f for f in FIGURES if any(bench.values[n].get(f[0]) for n in names)]
    columns, width, bar = 3, 380, 20
    height = 46 + bar * len(names) + 14
    rows = (len(shown) + columns - 1) // columns
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{columns * width}" height="{rows * height + 10}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#ffffff"/>'
    ]
    for i, (key, caption, unit, higher, form) in enumerate(shown):
        x, y = (i % columns) * width + 12, (i // columns) * height + 20
        out.append(f'<text x="{x}" y="{y}" font-weight="bold">{caption}</text>')
        out.append(f'<text x="{x}" y="{y + 15}" fill="#666">{unit}, {"more" if higher else "less"} is better</text>')
        median = {n: statistics.median(bench.values[n][key]) for n in names if bench.values[n].get(key)}
        most = max(median.values()) or 1
        for j, n in enumerate(names):
            top = y + 24 + j * bar
            out.append(f'<text x="{x}" y="{top + 13}">{n}</text>')
            if n not in median:
                out.append(f'<text x="{x + 62}" y="{top + 13}" fill="#999">none</text>')
                continue
            length = max(1, median[n] / most * (width - 160))
            out.append(
                f'<rect x="{x + 62}" y="{top + 2}" width="{length:.0f}" height="{bar - 6}" fill="{colours[n]}"/>'
                f'<text x="{x + 68 + length:.0f}" y="{top + 13}">{form.format(median[n])}</text>'
            )
    return "\n".join(out) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser()
    for name in ("bin", "tools", "work", "out"):
        parser.add_argument("--" + name, required=True)
    args = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    tcp = os.path.join(args.tools, "tcp")
    backend = free_port()
    service = subprocess.Popen(
        [tcp, "--listen", str(backend), "--echo-or-sink"], stdout=subprocess.DEVNULL, preexec_fn=pinned(CORE_LOAD)
    )
    bench = Bench(args)
    all_proxies = []
    began = time.time()
    try:
        wait_port(backend, service)
        all_proxies = proxies(args, backend)
        bench.run(all_proxies)
    finally:
        for proxy in all_proxies:
            proxy.stop()
        service.terminate()
        service.wait()
    text = table(bench)
    print(text)
    for line in bench.notes:
        print("note:", line)
    with open(os.path.join(args.out, "bench.md"), "w") as f:
        f.write(text + "\n")
    with open(os.path.join(args.out, "bench.svg"), "w") as f:
        f.write(plot(bench))
    with open(os.path.join(args.out, "bench.json"), "w") as f:
        json.dump(
            {
                "seconds": bench.seconds, "rounds": bench.rounds, "took": round(time.time() - began),
                "kernel": os.uname().release, "machine": os.uname().machine, "load_average": os.getloadavg(),
                "figures": [dict(zip(("key", "caption", "unit", "higher_is_better"), f[:4])) for f in FIGURES],
                "values": bench.values, "notes": bench.notes,
            },
            f, indent=1,
        )
    return 0 if bench.values else 1


if __name__ == "__main__":
    sys.exit(main())
