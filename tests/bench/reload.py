# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change of certificates, CAs, revocation lists or configuration costs a sidecar that is busy with live sessions.

One worker holds BENCH_SESSIONS idle sessions (8,000, or as many as descriptors allow) of BENCH_IDENTITIES distinct
certificates (1,000); one more exchanges 1 KB all the time. Its credentials are then swapped as the kubelet does it,
again and again, between two sets that differ. For each kind of set:

  live      from the rename of `..data` until the new snapshot serves; 50 ms of that wait for the directory to be quiet
  judged    from then until every live session was judged anew; at the end, until all 8,000 are closed
  stall     the longest time that the reload kept the worker from its sockets, by its own measure
  echo      the longest 1 KB exchange around the reload; in brackets without any reload, for as long
  CPU       of the whole process, for one reload

Medians over the reloads, all values in the JSON. Where the system allows it, sidecar and load run before everything else
(SCHED_RR), so that it is the sidecar that is measured and not what else the machine does.
"""
import argparse
import json
import os
import re
import resource
import signal
import shutil
import subprocess
import sys
import time
import urllib.request

from proxies import CORE_LOAD, TICKS, free_port, wait_port
from scene import CNF, callers, run

ROOTS, ENTRIES, RULES = 200, 10000, 1000


def urgent(core):
    def prepare():
        if core is not None:
            os.sched_setaffinity(0, {core})
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        except PermissionError:
            pass

    return prepare


class Sets:
    """The files that the sets consist of, made by openssl."""

    def __init__(self, work, identities):
        self.pki, self.dir = work + "/pki", work + "/reload"
        os.makedirs(self.dir)
        self.callers = work + "/callers"
        callers(self.callers, self.pki, identities)
        self.roots = self.more_roots()
        self.crl = [self.make_crl(n) for n in (0, 1)]

    def more_roots(self):
        text = open(self.pki + "/ca.crt").read()
        for n in range(1, ROOTS):
            run("openssl", "req", "-x509", "-new", "-config", self.callers + "/cnf", "-key", self.pki + "/ca2.key",
                "-subj", f"/O=Others/CN=Root {n}", "-days", "3650", "-out", self.dir + "/root",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
            text += open(self.dir + "/root").read()
        return text

    def make_crl(self, more):
        base = f"{self.dir}/list{more}"
        with open(base + ".cnf", "w") as f:
            f.write(CNF.format(base))
        with open(base + ".db", "w") as f:
            for n in range(ENTRIES + more):
                f.write(f"R\t21000101000000Z\t240101000000Z,superseded\t{0x7f00000000000000 + n * 7919:X}\tunknown\t/CN=x\n")
        with open(base + ".number", "w") as f:
            f.write(f"0{more + 1}\n")
        run("openssl", "ca", "-config", base + ".cnf", "-gencrl", "-cert", self.pki + "/ca.crt", "-keyfile",
            self.pki + "/ca.key", "-out", base + ".pem")
        return open(base + ".pem").read()


class Bench:
    def __init__(self, args):
        self.args, self.work = args, args.work
        self.reloads = (int(os.environ.get("BENCH_RELOADS", "8")) + 1) // 2 * 2  # from one set to the other and back
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.sessions = min(int(os.environ.get("BENCH_SESSIONS", "8000")), (hard - 200) // 2)
        self.identities = min(int(os.environ.get("BENCH_IDENTITIES", "1000")), self.sessions)
        self.sets = Sets(self.work, self.identities)
        self.mount, self.generation = self.work + "/mount", 0
        os.makedirs(self.mount)
        self.port, self.health, self.backend = free_port(), free_port(), free_port()
        self.processes, self.values, self.notes = [], {}, []

    # --- the mounted directory and the configuration

    def swap(self, files):
        """Returns when ..data was moved."""
        self.generation += 1
        name = f"..2026_{self.generation}"
        os.makedirs(f"{self.mount}/{name}")
        for file, text in files.items():
            with open(f"{self.mount}/{name}/{file}", "w") as f:
                f.write(text)
            link = f"{self.mount}/{file}"
            if not os.path.islink(link):
                os.symlink(f"..data/{file}", link)
        os.symlink(name, f"{self.mount}/..data_tmp")
        old = os.path.realpath(f"{self.mount}/..data")
        os.rename(f"{self.mount}/..data_tmp", f"{self.mount}/..data")
        moved = time.monotonic()
        if self.generation > 1:
            shutil.rmtree(old)
        return moved

    def files(self, identity, **more):
        read = lambda name: open(f"{self.sets.pki}/{name}").read()
        out = {"tls.crt": read(identity + ".crt"), "tls.key": read(identity + ".key"), "ca.crt": read("ca.crt")}
        return out | more

    def write_config(self, rules, salt=""):
        text = f"""[sidecar]
workers = 1
log_level = warn
max_connections = 0
health = 127.0.0.1:{self.health}
[tls]
directory = {self.mount}
[inbound bench]
listen = 127.0.0.1:{self.port}
forward = 127.0.0.1:{self.backend}
protocol = tcp
"""
        for n in range(rules):
            text += (f'[rule r{n}]\nexpression = cf.tls_client_auth.cert_serial == "{salt}{n:040X}" or '
                     f'ip.src in {{192.0.2.{n % 256} 2001:db8:{n:x}::/48}}\naction = block\n')
        with open(self.work + "/reload.conf", "w") as f:
            f.write(text)

    # --- the processes

    def spawn(self, core, *command, stdin=subprocess.DEVNULL, name="process"):
        with open(f"{self.work}/{name}.err", "ab") as err:
            p = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=err, text=True,
                                 preexec_fn=urgent(core))
        self.processes.append(p)
        return p

    def start(self):
        tcp = os.path.join(self.args.tools, "tcp")
        wait_port(self.backend, self.spawn(CORE_LOAD, tcp, "--listen", str(self.backend), "--echo"))
        self.write_config(0)
        self.swap(self.files("server"))
        self.sidecar = self.spawn(None, os.path.join(self.args.bin, "sidecar"), "run", "-c", self.work + "/reload.conf",
                                  name="sidecar")
        wait_port(self.port, self.sidecar)
        hold = self.spawn(CORE_LOAD, *self.load("hold", "--connections", self.sessions, "--seconds", 120, "--identities",
                                                self.sets.callers, "--distinct", self.identities),
                          stdin=subprocess.PIPE, name="hold")
        held = hold.stdout.readline().split()
        if int(held[1]) != self.sessions:
            raise RuntimeError("hold: " + " ".join(held))

    def load(self, mode, *options):
        pki = self.sets.pki
        return [os.path.join(self.args.tools, "load"), mode, "--connect", str(self.port), "--ca", pki + "/ca.crt",
                "--cert", pki + "/client.crt", "--key", pki + "/client.key"] + [str(o) for o in options]

    def stop(self):
        for p in reversed(self.processes):
            if p.stdin:
                p.stdin.close()
            p.terminate()
            p.wait()

    # --- measuring

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/metrics", timeout=10) as r:
            text = r.read().decode()
        return {m[1]: float(m[2]) for m in re.finditer(r"^outrider_(\S+) (\S+)$", text, re.M)}

    def wait(self, reached, seconds=10):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            m = self.metrics()
            if reached(m):
                return m
        raise RuntimeError("waited in vain")

    def cpu(self):
        fields = open(f"/proc/{self.sidecar.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def echo(self, change):
        """The longest exchange while CHANGE goes on, ms."""
        load = self.spawn(CORE_LOAD, *self.load("echo", "--connections", 1, "--pause", 1, "--seconds", 60), name="echo")
        time.sleep(0.1)
        change()
        time.sleep(0.1)
        load.send_signal(signal.SIGTERM)
        report = json.loads(load.stdout.readline())
        load.wait()
        if report["failed"]:
            self.notes.append(f"{report['failed']} exchanges failed")
        return report["max_us"] / 1000

    def one(self, change):
        before = self.metrics()
        judged = lambda m: m['sessions_judged_total{verdict="kept"}'] + m['sessions_judged_total{verdict="ended"}']
        out = {}

        def reload():
            began = change()
            m = self.wait(lambda m: m["snapshot_generation"] > before["snapshot_generation"])
            serves = time.monotonic()
            m = self.wait(lambda m: judged(m) >= judged(before) + self.sessions)
            out.update(live=(serves - began) * 1000, judged=(time.monotonic() - serves) * 1000)
            out["stall"] = m['reload_stall_seconds{worker="0"}'] * 1000
            if m["connections_open{direction=\"inbound\"}"] < self.sessions:
                self.notes.append("sessions were lost")

        cpu = self.cpu()
        out["echo"] = self.echo(reload)
        out["cpu"] = (self.cpu() - cpu) * 1000
        out["echo_calm"] = self.echo(lambda: time.sleep(0.2))
        return out

    def scenario(self, name, changes):
        print(f"  reload: {name}", file=sys.stderr, flush=True)
        self.one(changes[1])  # warm
        rounds = [self.one(changes[n % 2]) for n in range(self.reloads)]
        self.values[name] = {key: [round(r[key], 3) for r in rounds] for key in rounds[0]}

    def cut(self):
        """Their CA goes, and every session with it; once, for they are gone then."""
        print("  reload: all are cut", file=sys.stderr, flush=True)
        self.swap(self.files("server"))  # lists that go are only believed to be gone after half a second
        self.wait(lambda m: 'crl_entries{ca=""}' not in m)
        before, cpu = self.metrics(), self.cpu()
        files = self.files("server", **{"ca.crt": open(self.sets.pki + "/ca2.crt").read()})
        began = self.swap(files)
        self.wait(lambda m: m["snapshot_generation"] > before["snapshot_generation"])
        serves = time.monotonic()
        m = self.wait(lambda m: m['connections_open{direction="inbound"}'] == 0)
        self.values["their CA gone: all cut"] = {
            "live": [(serves - began) * 1000], "judged": [(time.monotonic() - serves) * 1000],
            "stall": [m['reload_stall_seconds{worker="0"}'] * 1000], "cpu": [(self.cpu() - cpu) * 1000]}

    def hup(self, rules, salt):
        self.write_config(rules, salt)  # seen without SIGHUP as well; whichever comes first
        began = time.monotonic()
        self.sidecar.send_signal(signal.SIGHUP)
        return began

    def run(self):
        f, crl, roots = self.files, self.sets.crl, self.sets.roots
        own = [lambda i=i: self.swap(f(i)) for i in ("server", "p384")]
        self.scenario("own certificate", own)
        ca2 = open(self.sets.pki + "/ca2.crt").read()
        other = [lambda t=t: self.swap(f("server", **{"ca.crt": t})) for t in (f("server")["ca.crt"] + ca2, f("server")["ca.crt"])]
        self.scenario("one CA more or less", other)
        many = [lambda t=t: self.swap(f("server", **{"ca.crt": t})) for t in (roots, roots + ca2)]
        self.scenario(f"{ROOTS} CAs", many)
        lists = [lambda c=c: self.swap(f("server", **{"crl.pem": c})) for c in crl]
        self.scenario(f"CRL of {ENTRIES:,} entries", lists)
        both = [lambda c=c: self.swap(f("server", **{"ca.crt": roots, "crl.pem": c})) for c in crl]
        self.scenario(f"{ROOTS} CAs and the CRL", both)
        self.scenario(f"configuration with {RULES:,} rules", [lambda s=s: self.hup(RULES, s) for s in "AB"])
        self.cut()


def main():
    parser = argparse.ArgumentParser()
    for name in ("bin", "tools", "work", "out"):
        parser.add_argument("--" + name, required=True)
    args = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    bench = Bench(args)
    try:
        bench.start()
        bench.run()
    finally:
        bench.stop()
    with open(os.path.join(args.out, "reload.json"), "w") as f:
        json.dump({"sessions": bench.sessions, "identities": bench.identities, "reloads": bench.reloads, "values": bench.values,
                   "notes": bench.notes}, f, indent=1)
    return 1 if bench.notes else 0


if __name__ == "__main__":
    sys.exit(main())
