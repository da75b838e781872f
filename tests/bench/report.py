# SPDX-License-Identifier: GPL-3.0-or-later
"""What bench.py and reload.py found, as tables and a plot: the figures beside the peers', the goals, the reloads.

report.py OUT_DIR [README PLOT] reads bench.json, and reload.json where there is one, prints the tables and writes
bench.md and bench.svg. README: what stands there between BEGIN and END is replaced by the figures and the goals, PLOT
by the plot.
"""
import json
import os
import statistics
import sys

from proxies import PEERS

# Key, caption, unit, higher is better, format.
FIGURES = [
    ("bulk_1", "bulk, 1 stream", "GiB per CPU second", True, "{:.2f}"),
    ("bulk_8", "bulk, 8 streams", "GiB per CPU second", True, "{:.2f}"),
    ("bulk_8_wall", "bulk, 8 streams", "GiB per second", True, "{:.2f}"),
    ("new_cpu", "new connections, X25519", "per CPU second", True, "{:.0f}"),
    ("new_p256_cpu", "new connections, P-256", "per CPU second", True, "{:.0f}"),
    ("new_mlkem_cpu", "new connections, X25519MLKEM768", "per CPU second", True, "{:.0f}"),
    ("new_wall", "new connections, X25519", "per second", True, "{:.0f}"),
    ("resume_cpu", "new connections, resumed", "per CPU second", True, "{:.0f}"),
    ("connect_p50", "connect + handshake + 1 KB echo, p50", "us", False, "{:.0f}"),
    ("connect_p99", "connect + handshake + 1 KB echo, p99", "us", False, "{:.0f}"),
    ("echo_cpu", "1 KB echo, connection kept", "CPU us each", False, "{:.1f}"),
    ("echo_p50", "1 KB echo, connection kept, p50", "us", False, "{:.0f}"),
    ("echo_p99", "1 KB echo, connection kept, p99", "us", False, "{:.0f}"),
    ("http_cpu", "HTTP/1.1, connection kept", "requests per CPU second", True, "{:.0f}"),
    ("http_wall", "HTTP/1.1, connection kept", "requests per second", True, "{:.0f}"),
    ("http_p50", "HTTP/1.1, as fast as it goes, p50", "us", False, "{:.0f}"),
    ("http_p99", "HTTP/1.1, as fast as it goes, p99", "us", False, "{:.0f}"),
    ("added_p50", "HTTP/1.1, half load, added latency, p50", "us", False, "{:.0f}"),
    ("added_p99", "HTTP/1.1, half load, added latency, p99", "us", False, "{:.0f}"),
    ("http_new_cpu", "HTTP/1.1, a connection each", "requests per CPU second", True, "{:.0f}"),
    ("http_64k", "HTTP/1.1, answers of 64 KiB", "GiB per CPU second", True, "{:.2f}"),
    ("http_1m", "HTTP/1.1, answers of 1 MiB", "GiB per CPU second", True, "{:.2f}"),
    ("h2_cpu", "HTTP/2, 100 streams", "CPU seconds per million requests", False, "{:.1f}"),
    ("h2_wall", "HTTP/2, 100 streams", "requests per second", True, "{:.0f}"),
    ("grpc_cpu", "gRPC-like calls, 100 streams", "CPU seconds per million calls", False, "{:.1f}"),
    ("grpc_wall", "gRPC-like calls, 100 streams", "calls per second", True, "{:.0f}"),
    ("rss_start", "memory at start", "MiB", False, "{:.1f}"),
    ("idle_1000", "memory per idle connection, 1,000", "bytes", False, "{:.0f}"),
    ("idle_5000", "memory per idle connection, 5,000", "bytes", False, "{:.0f}"),
    ("idle_distinct", "memory per idle connection, 1,000 certificates", "bytes", False, "{:.0f}"),
    ("rss_after", "memory after 5,000 have closed", "MiB", False, "{:.1f}"),
    ("listen_ms", "start to listening", "ms", False, "{:.1f}"),
    ("start_ms", "start to first handshake", "ms", False, "{:.1f}"),
    ("binary", "binary, static, stripped", "MiB", False, "{:.2f}"),
    ("image", "image", "MiB", False, "{:.2f}"),
]
BEGIN, END = "<!-- written by make bench BENCH_PUBLISH=1 -->\n", "<!-- until here -->\n"
COLOURS = {"sidecar": "#0b6e4f", "haproxy": "#8d99ae", "nginx": "#a5a58d", "hitch": "#b08968", "stunnel": "#9d8189"}


class Found:
    def __init__(self, bench, reloads):
        self.bench, self.reloads = bench, reloads
        values = bench["values"]
        direct = values.pop("direct", {})
        for proxy in values.values():  # what the proxy adds to the service alone; at least a microsecond, for the ratios
            for part in ("p50", "p99"):
                if direct.get(f"paced_{part}") and proxy.get(f"paced_{part}"):
                    alone = statistics.median(direct[f"paced_{part}"])
                    proxy[f"added_{part}"] = [max(1, v - alone) for v in proxy[f"paced_{part}"]]
        self.values = values

    def get(self, proxy, key):
        v = self.values.get(proxy, {}).get(key)
        return statistics.median(v) if v else None

    def best(self, key, higher, peers=PEERS):
        found = [v for v in (self.get(p, key) for p in peers) if v is not None]
        return None if not found else max(found) if higher else min(found)

    def ratio(self, key, peers=PEERS):
        """Ours against the best of PEERS; above 1: better."""
        higher = {f[0]: f[3] for f in FIGURES}[key]
        ours, best = self.get("sidecar", key), self.best(key, higher, peers)
        if ours is None or best is None or min(ours, best) <= 0:
            return None
        return ours / best if higher else best / ours

    def spread(self, key):
        """Half of what lies between the rounds, in percent; of all proxies, the middle one."""
        all_spreads = [(max(v) - min(v)) / 2 / statistics.median(v) for p in self.values.values()
                       if len(v := p.get(key, [])) > 1 and statistics.median(v) > 0]
        return 100 * statistics.median(all_spreads) if all_spreads else None


def machine(found):
    b = found.bench
    return (f"{b['date']}, {b['cores']} cores of {b['cpu']}; {b['seconds']:g} s each, medians of {b['rounds']} "
            "rounds; peers as Debian has them.")


def figures(found):
    """Markdown: a row a figure, a column a proxy; the last two: ours against the best of the others, the spread."""
    names = [n for n in ["sidecar"] + PEERS + ["rawrelay"] if n in found.values]
    heads = [{"rawrelay": "(no TLS)"}.get(n, n) for n in names]
    lines = ["| figure | unit | " + " | ".join(heads) + " | sidecar against best peer (above 1: better) | spread |",
             "|---|---|" + "---:|" * (len(names) + 2)]
    for key, caption, unit, _, form in FIGURES:
        median = [found.get(n, key) for n in names]
        if not any(v is not None for v in median):
            continue
        ratio, spread = found.ratio(key), found.spread(key)
        cells = ["-" if v is None else form.format(v) for v in median]
        cells += ["-" if ratio is None else f"{ratio:.2f}", "-" if spread is None else f"+-{spread:.0f} %"]
        lines.append(f"| {caption} | {unit} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def goals(found):
    """Caption, goal, what was found, whether that is good enough (None: not measured). Ratios are against the best peer."""
    get = lambda key: found.get("sidecar", key)
    out = []

    def row(caption, goal, value, fine, form="{:.2f}"):
        out.append((caption, goal, "not measured" if value is None else form.format(value), None if value is None else fine(value)))

    def at_least(caption, key, times, peers=PEERS, who="best peer"):
        row(caption, f">= {times:g} x {who}", found.ratio(key, peers), lambda v: v >= times, "{:.2f} x")

    def below(caption, goal, value, limit, form):
        row(caption, goal, value, lambda v: v <= limit, form)

    at_least("bulk per CPU second, one stream", "bulk_1", 1.5)
    at_least("bulk per CPU second, eight streams", "bulk_8", 1.5)
    bulk, raw, gcm = get("bulk_8"), found.get("rawrelay", "bulk_8"), found.get("wolfcrypt", "gcm")
    limit = None if None in (bulk, raw, gcm) else (1 / bulk) / (1 / raw + 1 / gcm)
    below("CPU per GiB in bulk", "<= 1.4 x (raw relay + AES-GCM)", limit, 1.4, "{:.2f} x")
    at_least("full handshakes per CPU second, X25519", "new_cpu", 4)
    at_least("full handshakes per CPU second, P-256", "new_p256_cpu", 4)
    for caption, key, most in (("X25519", "new_cpu", 0.33), ("P-256", "new_p256_cpu", 0.38), ("X25519MLKEM768", "new_mlkem_cpu", 0.37)):
        below(f"CPU per new connection, {caption}", f"<= {1.2 * most:.2f} ms", get(key) and 1000 / get(key), 1.2 * most, "{:.2f} ms")
    at_least("resumed handshakes per CPU second", "resume_cpu", 1.5)
    at_least("HTTP/1.1 requests per CPU second, headers and ten rules", "http_cpu", 1.5)
    for caption, key in (("HTTP/2 requests per CPU second, 100 streams", "h2_cpu"), ("gRPC-like calls per CPU second, 100 streams", "grpc_cpu")):
        at_least(caption, key, 2, ["nginx"], "nginx")
        at_least(caption, key, 1.5, ["haproxy"], "haproxy")
    for part in ("p50", "p99"):
        ratio = found.ratio("added_" + part)
        below(f"added latency at half load, {part}", "<= 0.7 x best peer", ratio and 1 / ratio, 0.7, "{:.2f} x")
    for caption, key in (("while it is scraped and its status page is open", "seen"), ("with log_level = debug", "debug")):
        calm, seen = get("watch_calm"), get("watch_" + key)
        below(f"CPU per HTTP/1.1 request {caption}", "<= 1.01 x", calm and seen and seen / calm, 1.01, "{:.3f} x")
    below("memory at start", "< 4 MiB", get("rss_start"), 4, "{:.1f} MiB")
    below("memory per idle connection", "<= 6,000 bytes", get("idle_5000"), 6000, "{:,.0f} bytes")
    at_least("memory per idle connection", "idle_5000", 4)
    row("memory per idle connection, certificates distinct", "shown", get("idle_distinct"), lambda v: True, "{:,.0f} bytes")
    below("memory after they have closed", "< 5 MiB", get("rss_after"), 5, "{:.1f} MiB")
    below("start to ready (listening)", "< 20 ms", get("listen_ms"), 20, "{:.1f} ms")
    stall = {n: max(v["stall"]) for n, v in (found.reloads or {}).get("values", {}).items()}
    worst = max(stall, key=stall.get) if stall else None
    below("longest loop stall in a reload" + (f" ({worst})" if worst else ""), "< 5 ms", stall.get(worst), 5, "{:.1f} ms")
    below("binary, static, stripped", "< 4 MiB", get("binary"), 4, "{:.2f} MiB")
    below("image", "< 6 MiB", get("image"), 6, "{:.2f} MiB")
    two, one, balance = get("two_cpu"), get("new_cpu"), get("two_balance")
    workers = None if None in (two, one, balance) else two / one * balance
    row("two workers against one", ">= 1.85 x", workers, lambda v: v >= 1.85, "{:.2f} x")
    return out


def goal_table(found):
    lines = ["| goal | wanted | found | |", "|---|---|---:|---|"]
    for caption, goal, value, fine in goals(found):
        lines.append(f"| {caption} | {goal} | {value} | {'?' if fine is None else 'met' if fine else 'MISSED'} |")
    return "\n".join(lines)


def reload_table(reloads):
    captions = [("live", "live, ms"), ("judged", "judged, ms"), ("stall", "stall, ms"), ("cpu", "CPU, ms")]
    lines = [f"Reload with {reloads['sessions']:,} live sessions of {reloads['identities']:,} certificates, medians of {reloads['reloads']}:",
             "", "| change | " + " | ".join(c for _, c in captions) + " | worst stall, ms | longest echo, ms |",
             "|---|" + "---:|" * (len(captions) + 2)]
    for name, v in reloads["values"].items():
        median = {k: statistics.median(x) for k, x in v.items()}
        cells = [f"{median[k]:.1f}" for k, _ in captions]
        echo = f"{median['echo']:.1f} ({median['echo_calm']:.1f})" if "echo" in median else "-"
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {max(v['stall']):.1f} | {echo} |")
    return "\n".join(lines)


def plot(found):
    """An SVG: one panel a figure, one bar a proxy."""
    names = [n for n in COLOURS if n in found.values]
    shown = [f for f in FIGURES if found.get("sidecar", f[0]) is not None and found.best(f[0], f[3]) is not None]
    columns, width, bar = 3, 330, 16
    height, top = 42 + bar * len(names) + 12, 30
    rows = (len(shown) + columns - 1) // columns
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * width} {rows * height + top}" font-family="sans-serif" '
           f'font-size="11"><rect width="100%" height="100%" fill="#ffffff"/><text x="10" y="18" fill="#444">{machine(found)}</text>']
    for i, (key, caption, unit, higher, form) in enumerate(shown):
        x, y = (i % columns) * width + 10, (i // columns) * height + top + 14
        out.append(f'<text x="{x}" y="{y}" font-weight="bold">{caption}</text>'
                   f'<text x="{x}" y="{y + 13}" fill="#666">{unit}, {"more" if higher else "less"} is better</text>')
        median = {n: found.get(n, key) for n in names}
        most = max(v for v in median.values() if v is not None) or 1
        for j, n in enumerate([n for n in names if median[n] is not None]):
            at = y + 20 + j * bar
            length = max(1, median[n] / most * (width - 130))
            out.append(f'<text x="{x}" y="{at + 11}">{n}</text>'
                       f'<rect x="{x + 52}" y="{at + 1}" width="{length:.0f}" height="{bar - 4}" fill="{COLOURS[n]}"/>'
                       f'<text x="{x + 57 + length:.0f}" y="{at + 11}">{form.format(median[n])}</text>')
    return "\n".join(out) + "\n</svg>\n"


def publish(readme, picture, found):
    with open(readme) as f:
        before, _, rest = f.read().partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        sys.exit(f"{readme} has no place for the figures")
    missed = [row[0] for row in goals(found) if row[3] is False]
    text = f"{machine(found)} Trust the ratios.\n\n{figures(found)}\n\n"
    if missed:
        text += "Goals of its own that this run missed: " + "; ".join(missed) + ".\n\n"
    text += f"![The same as bars]({picture})\n"
    with open(readme, "w") as f:
        f.write(before + BEGIN + text + END + after)
    with open(os.path.join(os.path.dirname(os.path.abspath(readme)), picture), "w") as f:
        f.write(plot(found))


def main():
    out = sys.argv[1]

    def read(name):
        path = os.path.join(out, name)
        if not os.path.exists(path):
            return None
        with open(path) as f:
            return json.load(f)

    found = Found(read("bench.json"), read("reload.json"))
    parts = [machine(found), figures(found)]
    rules = os.path.join(out, "rules.txt")
    if os.path.exists(rules):
        with open(rules) as f:
            parts.append("Rules, on one core:\n\n" + "".join("    " + line for line in f).rstrip())
    if found.reloads:
        parts.append(reload_table(found.reloads))
    parts.append(goal_table(found))
    notes = found.bench["notes"] + (found.reloads or {}).get("notes", [])
    if notes:
        parts.append("\n".join("note: " + n for n in notes))
    text = "\n\n".join(parts)
    print(text)
    with open(os.path.join(out, "bench.md"), "w") as f:
        f.write(text + "\n")
    with open(os.path.join(out, "bench.svg"), "w") as f:
        f.write(plot(found))
    if len(sys.argv) > 3:
        publish(sys.argv[2], sys.argv[3], found)


if __name__ == "__main__":
    main()
