# SPDX-License-Identifier: GPL-3.0-or-later
"""Outrider's sidecar beside other proxies that terminate mutual TLS, on this machine, in one run.

What they are and how they are set up: proxies.py. As TLS before TCP they stand before an echo and sink
(tests/tools/tcp.c) under the load of tests/tools/load.c; as HTTP before nginx, under wrk and h2load with a client
certificate (clientcert.c). Load and services have the last core. In a round every proxy is measured once, and rounds
follow one another, so that a slow minute of the machine hits all alike; report.py makes tables of the medians over
the rounds, the JSON has all values. A proxy's CPU time is that of all its processes.
"""
import argparse
import json
import os
import re
import resource
import subprocess
import sys
import threading
import time

import proxies
import scene
from proxies import CORE_LOAD, CORE_PROXY, CORES, PEERS, TICKS, free_port, pinned, wait_port

GIB, MIB = 1 << 30, 1 << 20
STARTS, DISTINCT, LOOKS = 5, 1000, 6
HEADERS = ["User-Agent: shop/2.1", "Accept: */*", "Accept-Encoding: gzip", "X-Request-Id: 4c1d0a"]
LUA = """done = function(s, l, r)
    local e = s.errors
    io.write(string.format('{"done": %d, "seconds": %f, "bytes": %d, "failed": %d, "p50_us": %d, "p99_us": %d}\\n', s.requests,
        s.duration / 1e6, s.bytes, e.connect + e.read + e.write + e.status + e.timeout, l:percentile(50), l:percentile(99)))
end
"""


class Bench:
    def __init__(self, args):
        self.args = args
        self.seconds = float(os.environ.get("BENCH_SECONDS", "2"))
        self.rounds = int(os.environ.get("BENCH_ROUNDS", "3"))
        self.parts = os.environ.get("BENCH_PARTS", "memory tcp http watched sizes").split()
        self.values = {}  # proxy -> figure -> list over the rounds
        self.notes = []
        self.processes = []
        pki = args.work + "/pki"
        self.shim = args.work + "/clientcert.so"
        self.client = dict(os.environ, LD_PRELOAD=self.shim, CLIENT_CERT=pki + "/client.crt", CLIENT_KEY=pki + "/client.key")

    def note(self, proxy, figure, value):
        self.values.setdefault(proxy if isinstance(proxy, str) else proxy.name, {}).setdefault(figure, []).append(value)

    @staticmethod
    def say(text):
        print(f"  {text}", file=sys.stderr, flush=True)

    # --- loads: each returns a report with the proxy's CPU seconds, or None when too much failed

    def run_load(self, proxy, what, command, parse, core=(CORE_LOAD,), env=None):
        before = proxy.cpu() if proxy else 0
        run = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
                             preexec_fn=pinned(*core))
        cpu = proxy.cpu() - before if proxy else 0
        try:
            report = parse(run.stdout)
        except (ValueError, TypeError, IndexError):
            report = {"failed": -1, "done": 0}
        if report["failed"] != 0:
            name = proxy.name if proxy else "the service alone"
            self.notes.append(f"{name}: {what}: {report['failed']} failed of {report['done']}; {run.stderr.strip()[-200:]}")
            if report["failed"] < 0 or report["failed"] > report["done"] / 100:
                return None
        report["cpu"] = max(cpu, 1 / TICKS)
        return report

    def load_command(self, proxy, mode, *options, group="X25519"):
        pki = self.args.work + "/pki"
        command = [os.path.join(self.args.tools, "load"), mode, "--connect", proxy.port]
        if proxy.name == "rawrelay":
            command.append("--plain")
        else:
            command += ["--ca", f"{pki}/ca.crt", "--cert", f"{pki}/client.crt", "--key", f"{pki}/client.key"]
            command += ["--group", group, "--cipher", "TLS13-AES128-GCM-SHA256", "--sni", "server.test"]
        return [str(c) for c in command + list(options)]

    def load(self, proxy, mode, *options, core=(CORE_LOAD,), **more):
        command = self.load_command(proxy, mode, "--seconds", self.seconds, *options, **more)
        return self.run_load(proxy, " ".join([mode] + [str(o) for o in options]), command, json.loads, core)

    def wrk(self, proxy, path="/api/v2/orders/4711?limit=20", connections=16, close=False):
        command = ["wrk", "-t", 1, "-c", connections, "-d", f"{max(1, round(self.seconds))}s", "-s", self.args.work + "/wrk.lua"]
        for h in ["Host: server.test"] + HEADERS + (["Connection: close"] if close else []):
            command += ["-H", h]
        command.append(f"https://127.0.0.1:{proxy.port}{path}")
        return self.run_load(proxy, "wrk " + path, command, lambda text: json.loads(text.strip().split("\n")[-1]), env=self.client)

    @staticmethod
    def of_h2load(text):
        done = re.search(r"requests: (\d+) total, .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
        codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
        took = re.search(r"finished in ([0-9.]+)(m?s),", text)
        fine = int(codes[1])
        return {"done": fine, "failed": int(done[3]) + int(done[4]) + int(done[5]) + sum(int(codes[i]) for i in (2, 3, 4)),
                "seconds": float(took[1]) / (1000 if took[2] == "ms" else 1)}

    def h2load(self, proxy, *options, port=None, path="/api/v2/orders/4711?limit=20", scheme="https"):
        command = ["h2load", "-t", 1, "-D", max(1, round(self.seconds))]
        for h in HEADERS:
            command += ["-H", h]
        command += list(options) + [f"{scheme}://127.0.0.1:{port or proxy.port}{path}"]
        return self.run_load(proxy, "h2load " + path, command, self.of_h2load, env=self.client if proxy else None)

    # --- TLS before TCP

    def tcp(self, proxy):
        plain = proxy.name == "rawrelay"
        for streams in (1, 8):
            r = self.load(proxy, "bulk", "--connections", streams)
            if r:
                self.note(proxy, f"bulk_{streams}", r["bytes"] / GIB / r["cpu"])
                if streams == 8:
                    self.note(proxy, "bulk_8_wall", r["bytes"] / GIB / r["seconds"])
        for group, key in (("X25519", "new"), ("P-256", "new_p256"), ("X25519MLKEM768", "new_mlkem")):
            if (plain and key != "new") or (key == "new_mlkem" and proxy.name in PEERS):
                continue  # OpenSSL has it from 3.5 on
            r = self.load(proxy, "new", "--connections", 16, group=group)
            if r:
                self.note(proxy, key + "_cpu", r["done"] / r["cpu"])
                if key == "new":
                    self.note(proxy, "new_wall", r["done"] / r["seconds"])
        if not plain:
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

    def gcm(self):
        """What the cipher alone takes; tests/tools/bench_gcm.c."""
        run = subprocess.run([os.path.join(self.args.tools, "bench_gcm"), "0.3"], stdout=subprocess.PIPE, text=True, check=True,
                             preexec_fn=pinned(CORE_PROXY))
        self.note("wolfcrypt", "gcm", float(run.stdout.split()[3]))

    def two_workers(self, proxy):
        """How much more two workers on two cores can carry than one, as CPU time tells it: so it is right as well where
        the load needs one of those cores. What is lost is a dearer connection, or one worker with more of them."""
        before = proxy.threads()
        r = self.load(proxy, "new", "--connections", 64, core=range(CORES))
        spent = sorted(after - before.get(t, 0) for t, after in proxy.threads().items())
        if r and spent[-1] > 0:
            self.note("sidecar", "two_cpu", r["done"] / r["cpu"])
            self.note("sidecar", "two_balance", sum(spent) / spent[-1])

    # --- HTTP

    def http1(self, proxy):
        r = self.wrk(proxy)
        if r:
            self.note(proxy, "http_cpu", r["done"] / r["cpu"])
            self.note(proxy, "http_wall", r["done"] / r["seconds"])
            self.note(proxy, "http_p50", r["p50_us"])
            self.note(proxy, "http_p99", r["p99_us"])
        r = self.wrk(proxy, close=True)
        if r:
            self.note(proxy, "http_new_cpu", r["done"] / r["cpu"])
        for name, size in proxies.FILES.items():
            r = self.wrk(proxy, path=f"/files/{name}", connections=8)
            if r:
                self.note(proxy, "http_" + name, r["done"] * size / GIB / r["cpu"])

    def http2(self, proxy):
        r = self.h2load(proxy, "-c", 1, "-m", 100)
        if r:
            self.note(proxy, "h2_cpu", r["cpu"] * 1e6 / r["done"])
            self.note(proxy, "h2_wall", r["done"] / r["seconds"])
        r = self.h2load(proxy, "-c", 1, "-m", 100, "-d", self.args.work + "/message", "-H", "Content-Type: application/grpc",
                        "-H", "TE: trailers", path="/orders.Orders/Get")
        if r:
            self.note(proxy, "grpc_cpu", r["cpu"] * 1e6 / r["done"])
            self.note(proxy, "grpc_wall", r["done"] / r["seconds"])

    def paced(self, name, proxy, rate, clients=4):
        """Latency of HTTP/1.1 requests at so many a second."""
        log = self.args.work + "/paced"
        if os.path.exists(log):
            os.remove(log)
        port, scheme = (proxy.port, "https") if proxy else (self.http_service, "http")
        if not self.h2load(proxy, "--h1", "-c", clients, "--rps", f"{rate / clients:.1f}", "--log-file", log, port=port, scheme=scheme):
            return
        with open(log) as f:
            times = sorted(int(line.split()[2]) for line in f if line.split()[1] == "200")
        if len(times) > 100:
            for part, key in ((50, "paced_p50"), (99, "paced_p99")):
                self.note(name, key, times[len(times) * part // 100])

    def half_load(self, all_proxies):
        """The same rate for all: half of what the best peer has reached so far."""
        reached = [max(self.values[p]["http_wall"]) for p in PEERS if self.values.get(p, {}).get("http_wall")]
        if not reached:
            return
        self.paced("direct", None, max(reached) / 2)
        for proxy in all_proxies:
            self.paced(proxy.name, proxy, max(reached) / 2)

    # --- being looked at

    def watched(self, proxy):
        """CPU per request while nobody looks, while it is scraped and its status page is open, and with log_level = debug."""
        while not os.path.exists(proxy.folder + "/admin"):
            time.sleep(0.01)
        per_request = lambda r: r["cpu"] * 1e6 / r["done"] if r else None
        for n in range(LOOKS):
            for look in ("calm", "seen", "debug") if n % 2 else ("debug", "seen", "calm"):
                stop = threading.Event()
                watcher = threading.Thread(target=self.watch, args=(proxy, stop))
                if look == "seen":
                    watcher.start()
                if look == "debug":
                    proxy.order("POST", "/log?level=debug&for=1h")
                value = per_request(self.wrk(proxy))
                stop.set()
                if look == "seen":
                    watcher.join()
                if look == "debug":
                    proxy.order("POST", "/log?level=warn&for=1h")
                if value:
                    self.note("sidecar", "watch_" + look, value)

    @staticmethod
    def watch(proxy, stop):
        """What Prometheus and a browser with the status page ask for, once a second."""
        while not stop.is_set():
            for path in ("/metrics", "/status", "/peers", "/sessions", "/rules", "/events", "/certs", "/quarantine"):
                proxy.order("GET", path)
            stop.wait(1)

    # --- memory and start

    def hold(self, proxy, count, *options):
        """Memory with COUNT idle connections open; afterwards they are closed."""
        load = subprocess.Popen(
            self.load_command(proxy, "hold", "--seconds", 60, "--connections", count, *options),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=pinned(CORE_LOAD),
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
        """Each start is that of a new process, which has served nothing yet."""
        plain = proxy.name == "rawrelay"
        for n in range(STARTS):
            proxy.stop()
            began, listening = proxy.start()
            self.note(proxy, "listen_ms", listening * 1000)
            run = subprocess.run(self.load_command(proxy, "new", "--count", 1, "--seconds", 5), stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, preexec_fn=pinned(CORE_LOAD))
            if run.returncode == 0:
                self.note(proxy, "start_ms", (time.monotonic() - began) * 1000)
            if n == 0 and not plain:
                before = proxy.memory()
                held = self.hold(proxy, DISTINCT, "--identities", self.args.work + "/callers", "--distinct", DISTINCT)
                if held is not None:
                    self.note(proxy, "idle_distinct", (held - before) / DISTINCT)
        time.sleep(0.2)
        start = proxy.memory()
        self.note(proxy, "rss_start", start / MIB)
        if plain:
            return
        for count in (1000, 5000):
            held = self.hold(proxy, count)
            if held is not None:
                self.note(proxy, f"idle_{count}", (held - start) / count)
        time.sleep(3)  # whoever gives memory back does so once the burst is over
        self.note(proxy, "rss_after", proxy.memory() / MIB)

    def sizes(self):
        stripped = self.args.work + "/stripped"
        subprocess.run(["strip", "-o", stripped, os.path.join(self.args.bin, "sidecar")], check=True)
        self.note("sidecar", "binary", os.path.getsize(stripped) / MIB)
        self.note("sidecar", "image", os.path.getsize(self.args.image) / MIB)

    # --- the run

    def service(self, command, *ports):
        p = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=pinned(CORE_LOAD))
        self.processes.append(p)
        for port in ports:
            wait_port(port, p)

    def prepare(self):
        work, here = self.args.work, os.path.dirname(os.path.abspath(__file__))
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-D_GNU_SOURCE", "-o", self.shim, here + "/clientcert.c", "-ldl"], check=True)
        for folder in ("lists", "service/www/files"):
            os.makedirs(f"{work}/{folder}", exist_ok=True)
        with open(work + "/lists/serials", "w") as f:
            f.write("\n".join(scene.SERIALS) + "\n")
        with open(work + "/wrk.lua", "w") as f:
            f.write(LUA)
        with open(work + "/message", "wb") as f:
            f.write(b"\0\0\0\0\x20" + b"m" * 32)
        for name, size in proxies.FILES.items():
            with open(f"{work}/service/www/files/{name}", "wb") as f:
                f.write(os.urandom(size))
        if "memory" in self.parts:
            scene.callers(work + "/callers", work + "/pki", DISTINCT)
        self.echo_service, self.http_service, self.http2_service = free_port(), free_port(), free_port()
        self.service([os.path.join(self.args.tools, "tcp"), "--listen", str(self.echo_service), "--echo-or-sink"], self.echo_service)
        with open(work + "/service/conf", "w") as f:
            f.write(proxies.service_conf(work + "/service", self.http_service, self.http2_service))
        self.service(["nginx", "-c", work + "/service/conf", "-e", "stderr"], self.http_service, self.http2_service)

    def start(self, group):
        """Starts all of a list; who does not start is left out, with a note."""
        for proxy in list(group):
            try:
                if proxy.process is None:
                    proxy.start()
            except (RuntimeError, OSError) as e:
                self.notes.append(f"{proxy.name} ({proxy.kind}): {e}")
                proxy.stop()
                group.remove(proxy)

    def run(self):
        self.prepare()
        make = lambda *a, **more: proxies.make(self.args, *a, **more)
        tcp = make("tcp", ["sidecar"] + PEERS + ["rawrelay"], self.echo_service)
        http = make("http", ["sidecar", "haproxy", "nginx"], self.http_service)
        http2 = make("h2", ["sidecar", "haproxy", "nginx"], self.http2_service)
        two = make("two", ["sidecar"], self.echo_service, cores=(0, 1)) if CORES > 1 else []
        watched = make("watched", ["sidecar"], self.http_service)
        groups = [tcp, http, http2, two, watched]
        try:
            if "memory" in self.parts:
                for proxy in tcp:
                    self.say(f"memory: {proxy.name}")
                    try:
                        self.footprint(proxy)
                    except (RuntimeError, OSError, ValueError) as e:
                        self.notes.append(f"{proxy.name}: {e}")
            for group, part in zip(groups, ("tcp", "http", "http", "tcp")):
                if part in self.parts:
                    self.start(group)
            for n in range(self.rounds):
                turn = lambda group: group[n % len(group):] + group[: n % len(group)] if group else []
                where = f"round {n + 1} of {self.rounds}"
                if "tcp" in self.parts:
                    for proxy in turn(tcp):
                        self.say(f"{where}: TCP: {proxy.name}")
                        self.tcp(proxy)
                    self.gcm()
                    for proxy in two:
                        self.say(f"{where}: two workers")
                        self.two_workers(proxy)
                if "http" in self.parts:
                    for proxy in turn(http):
                        self.say(f"{where}: HTTP/1.1: {proxy.name}")
                        self.http1(proxy)
                    for proxy in turn(http2):
                        self.say(f"{where}: HTTP/2: {proxy.name}")
                        self.http2(proxy)
                    self.say(f"{where}: at half load")
                    self.half_load(turn(http))
            if "watched" in self.parts:
                self.start(watched)
                for proxy in watched:
                    self.say("being looked at")
                    self.watched(proxy)
            if "sizes" in self.parts:
                self.sizes()
        finally:
            for proxy in sum(groups, []):
                proxy.stop()
            for p in self.processes:
                p.terminate()
                p.wait()


def main():
    parser = argparse.ArgumentParser()
    for name in ("bin", "tools", "image", "work", "out"):
        parser.add_argument("--" + name, required=True)
    args = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    bench = Bench(args)
    began = time.time()
    bench.run()
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    with open(os.path.join(args.out, "bench.json"), "w") as f:
        json.dump(
            {
                "date": time.strftime("%Y-%m-%d", time.gmtime()), "seconds": bench.seconds, "rounds": bench.rounds,
                "took": round(time.time() - began), "cpu": model[1] if model else os.uname().machine, "cores": CORES,
                "kernel": os.uname().release, "load_average": os.getloadavg(), "values": bench.values, "notes": bench.notes,
            },
            f, indent=1,
        )
    return 1 if not bench.values and {"memory", "tcp", "http", "watched", "sizes"} & set(bench.parts) else 0


if __name__ == "__main__":
    sys.exit(main())
