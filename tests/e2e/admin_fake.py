#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
An admin listener that is not one: the same JSON, made up, so that the status page and `sidecar top` can be looked at
in states that a real sidecar is not easily brought into.

  admin_fake.py PORT [--peers N] [--page FILE] [--unix PATH]

Figures move as time goes by. POST /fake?KEY=VALUE changes what it plays: peers=N; hostile=1 (names from outside that
try to be HTML, or to steer a terminal); state=serving|starting|draining; ready=0; down=1 (connections are closed without an answer); empty=1;
fail=ROUTE (that route answers 503). GET /fake tells what was asked for, and how often.
"""
import argparse, base64, collections, hashlib, http.server, json, os, re, socketserver, threading, time, urllib.parse

START = time.time() - 273_600
ROOM = {"peers": 12, "hostile": 0, "state": "serving", "ready": 1, "down": 0, "empty": 0, "fail": "", "expiring": 0}
ASKED = collections.Counter()
EVIL = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>\x1b[2J\x07\u202e'
DAY = 86400
WHERE = ["shop", "pay", "search", "stock", "mail", "edge", "audit", "billing"]


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def cert(name, san=None, days=(30, 61), issuer="CN=Mesh CA 2026,O=Example", key="EC P-256"):
    now = int(time.time())
    return {"subject": f"CN={name},O=Example", "issuer": issuer, "serial": sha("serial" + name)[:32].upper(),
            "sha256": sha(name), "sans": san if san is not None else [f"URI:spiffe://cluster.local/ns/shop/sa/{name}", f"DNS:{name}.shop.svc"],
            "not_before_at": now - int(days[0] * DAY), "not_after_at": now + int(days[1] * DAY), "key": key}


def up():
    return time.time() - START


def status():
    t = up()
    wave = lambda base, period, k=0: int(t * base + base * period / 6.3 * (1 - __import__("math").cos(t / period * 6.3 + k)))
    empty = ROOM["empty"]
    n = (lambda v: 0) if empty else (lambda v: int(v))
    ready = bool(int(ROOM["ready"])) and ROOM["state"] == "serving"
    open_in = n(180 + 60 * __import__("math").sin(t / 25))
    return {
        "version": "0.1.0", "state": ROOM["state"], "ready": ready,
        "reasons": [] if ready else ["the certificate expired 12 minutes ago", "listener web: address in use"],
        "started_at": int(START), "now_ms": int(time.time() * 1000), "workers": 2, "generation": 7,
        "config_path": "/etc/outrider/outrider.ini", "config_failing": bool(ROOM.get("config_failing")), "credentials_failing": False,
        "own": None if ROOM.get("none") else cert("orders", days=(89.5, 0.4) if ROOM["expiring"] else (30, 61)), "memory_bytes": 5_242_880,
        "sessions_open": {"inbound": open_in, "outbound": n(41)},
        "counters": {
            "connections_accepted_total": {'direction="inbound"': n(t * 9), 'direction="outbound"': n(t * 2)},
            "connections_open": {'direction="inbound"': open_in, 'direction="outbound"': n(41)},
            "handshakes_total": {'direction="inbound",result="ok"': n(wave(8, 40)), 'direction="inbound",result="failed"': n(wave(.6, 30)),
                                 'direction="outbound",result="ok"': n(wave(2, 55)), 'direction="outbound",result="failed"': n(t * .01)},
            "requests_total": {'code="1xx"': 0, 'code="2xx"': n(wave(420, 60)), 'code="3xx"': n(wave(12, 20)), 'code="4xx"': n(wave(31, 45, 2)),
                               'code="5xx"': n(wave(3, 80)), 'code="none"': n(t * .1)},
            "bytes_total": {'direction="inbound",from="client"': n(wave(310_000, 60)), 'direction="inbound",from="service"': n(wave(2_400_000, 60)),
                            'direction="outbound",from="client"': n(wave(40_000, 30)), 'direction="outbound",from="service"': n(wave(90_000, 30))},
            "requests_refused_total": {'by="rule"': n(t * .4), 'by="ratelimit"': n(t * .2), 'by="quarantine"': 0},
            "reloads_total": {'what="config",result="ok"': 7, 'what="config",result="failed"': 1,
                              'what="credentials",result="ok"': 3, 'what="credentials",result="failed"': 0},
        },
        "stall_seconds_max": 0.0042,
    }


def certs():
    return {"own": {"chain": [cert("orders"), cert("Mesh issuing CA 3", [], (200, 165))]},
            "cas": [{"name": "", "hostnames": [], "roots": [cert("Mesh CA 2026", [], (300, 3350)), cert("Mesh CA 2023", [], (1200, 12))],
                     "crls": [{"issuer": "CN=Mesh CA 2026,O=Example", "entries": 214, "this_update_at": int(time.time()) - 5 * 3600, "next_update_at": int(time.time()) + 19 * 3600}]},
                    {"name": "partners", "hostnames": ["partners.example.com"], "roots": [cert("Partner Root R2", [], (100, 1700), key="RSA 3072")],
                     "crls": [{"issuer": "CN=Partner Root R2", "entries": 3, "this_update_at": int(time.time()) - 40 * DAY, "next_update_at": None}]}]}


def peer(i):
    name = f"{WHERE[i % len(WHERE)]}-{i:04d}" if i >= len(WHERE) else WHERE[i]
    weight = 1 / (i + 1)
    t, now = up(), int(time.time())
    bad = i % 7 == 3
    c = cert(name, days=(i % 80 + 1, 90 - i % 80))
    if ROOM["hostile"] and i == 0:
        c = cert(EVIL, ["URI:" + EVIL, "DNS:\u202egnp.exe\u0007"], issuer="CN=" + EVIL)
    return {**c, "verified": not bad, "inbounds": ["web"], "connections": int(t * 4 * weight) + 1, "open": int(40 * weight), "requests": int(t * 130 * weight),
            "bytes_in": int(t * 90_000 * weight), "bytes_out": int(t * 800_000 * weight), "blocked": int(t * .2 * weight) if bad else 0,
            "refused": int(t * .1 * weight) + 1 if bad else 0, "first_seen_at": now - 200_000 + i, "last_seen_at": now - i * 7,
            "last_reason": (EVIL if ROOM["hostile"] else "certificate expired 3 days ago") if bad else None, "quarantined": i == 10, "error_at_most": 0}


def peers(query):
    n = 0 if ROOM["empty"] else int(ROOM["peers"])
    by = {"bytes": lambda p: p["bytes_in"] + p["bytes_out"]}.get(query.get("by", "connections"), lambda p: p[query.get("by", "connections")])
    rows = sorted((peer(i) for i in range(n)), key=by, reverse=True)[:int(query.get("top", 100))]
    nobody = {k: None for k in cert("x")}
    return {"capacity": 1024, "tracked": n, "peers": rows,
            "others": {**nobody, "sans": [], "verified": False, "inbounds": [], "connections": 0 if ROOM["empty"] else 31, "open": 0, "requests": 0 if ROOM["empty"] else 912,
                       "bytes_in": 0, "bytes_out": 0, "blocked": 0, "refused": 0, "first_seen_at": None, "last_seen_at": None, "last_reason": None,
                       "quarantined": False, "error_at_most": 0}}


def sessions(query):
    n = 0 if ROOM["empty"] else 180
    rows = []
    for i in range(min(n, int(query.get("limit", 100)))):
        c = cert(WHERE[i % len(WHERE)])
        rows.append({"id": i + 1, "worker": i % 2, "direction": "outbound" if i % 9 == 8 else "inbound", "section": "orders" if i % 9 == 8 else "web",
                     "peer": f"10.4.{i % 7}.{i % 250}:{40000 + i}", "destination": "127.0.0.1:8080", "state": "relaying", "protocol": ["http1", "http2", "tcp"][i % 3],
                     "sha256": c["sha256"], "subject": c["subject"], "sans": c["sans"], "verified": True,
                     "tls": {"version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "group": "X25519MLKEM768", "sni": "orders", "alpn": "h2" if i % 3 == 1 else None, "resumed": i % 5 == 0},
                     "since_at": int(time.time()) - 7 * i, "idle_seconds": i * .3, "bytes_in": 70_000 * i, "bytes_out": 900_000 * i, "requests": 50 * i})
    return {"total": n, "shown": len(rows), "sessions": rows, "partial": False}


def rules():
    if ROOM["empty"]:
        return {"default": "auto", "rules": [], "ratelimits": [], "lists": [], "quarantines": [], "sequences": []}
    t = up()
    rule = lambda name, expression, action, m, a, enabled=True, dry=False: {
        "name": name, "expression": expression, "action": action, "enabled": enabled, "dry_run": dry, "inbounds": ["web"], "evaluated": int(t * 400), "matched": int(m), "acted": int(a)}
    return {"default": "auto",
            "rules": [rule("block-revoked", "cf.tls_client_auth.cert_serial in $revoked_serials", "block", t * .01, t * .01),
                      rule("admin-only-from-ops", 'http.request.uri.path wildcard "/admin/*" and not cf.tls_client_auth.cert_subject_dn contains "OU=ops"', "block", t * .4, t * .4),
                      rule("try-no-legacy-tls", 'outrider.tls.version eq "TLSv1.2"', "block", t * 2, 0, dry=True),
                      rule("closed-for-maintenance", "true", "respond", 0, 0, enabled=False)],
            "ratelimits": [{"name": "per-client", "expression": "cf.tls_client_auth.cert_verified", "requests": 100, "period_seconds": 60, "acted": int(t * .2)}],
            "lists": [{"name": "revoked_serials", "entries": 41, "file": "/etc/outrider/lists/revoked.txt"}],
            "quarantines": [{"name": "noisy", "threshold": 20, "period_seconds": 60, "duration_seconds": 600}],
            "sequences": [{"name": "login-first", "steps": 'http.request.uri.path eq "/login" then http.request.uri.path eq "/pay"', "window_seconds": 300.0, "action": "block", "enabled": True,
                           "dry_run": False, "inbounds": ["web"], "evaluated": int(t * 400), "matched": int(t * .02), "acted": int(t * .02)}]}


def events(query):
    if ROOM["empty"]:
        return {"events": []}
    out, ms = [], int(time.time() * 1000)
    reasons = ["issuer not trusted: CN=Somebody else is not in the CA bundle", "certificate expired 3 days ago", "revoked by CRL of CN=Mesh CA 2026 on 2026-11-20",
               "no certificate was presented", "san not allowed: spiffe://cluster.local/ns/dev/sa/test"]
    for i in range(150):
        at = ms - ms % 4000 - i * 4000
        if i % 29 == 12:
            out.append({"at_ms": at, "level": "info", "event": "reload", "message": "configuration of generation 7 in service", "generation": 7})
        elif i % 29 == 20:
            out.append({"at_ms": at, "level": "error", "event": "config", "message": "line 31: unknown key \"fowrard\" in [inbound web]; the old configuration stays"})
        elif i % 29 == 25:
            out.append({"at_ms": at, "level": "warn", "event": "expiry", "message": "CA certificate CN=Mesh CA 2023 expires in 12 days"})
        elif i % 3:
            c = cert(f"{WHERE[i % 8]}-{i}")
            out.append({"at_ms": at, "level": "warn", "event": "refused", "message": EVIL if ROOM["hostile"] and i == 1 else reasons[i % 5], "inbound": "web", "peer": f"10.4.3.{i}:5{i:04d}",
                        "subject": EVIL if ROOM["hostile"] and i == 1 else c["subject"], "san": ", ".join(c["sans"]), "issuer": "CN=Somebody else", "serial": c["serial"], "sha256": c["sha256"], "tls": "TLSv1.3", "alert_sent": "unknown_ca"})
        else:
            c = cert(WHERE[i % 8])
            out.append({"at_ms": at, "level": "info", "event": "blocked", "message": "rule admin-only-from-ops: GET /admin/users answered 403", "rule": "admin-only-from-ops",
                        "status": 403, "subject": c["subject"], "sha256": c["sha256"]})
    return {"events": out[:int(query.get("limit", 100))]}


def quarantine():
    now = int(time.time())
    return {"entries": [] if ROOM["empty"] else [{"quarantine": "noisy", "sha256": peer(i)["sha256"], "since_at": now - 100, "until_at": now + 437 + 60 * i, "noted": 21 + i} for i in (10, 3)]}


def config():
    return {"path": "/etc/outrider/outrider.ini", "text": "[sidecar]\nadmin = 127.0.0.1:9901\n\n[inbound web]\nlisten = 0.0.0.0:8443\nforward = 127.0.0.1:8080\n"
            + ("# " + EVIL + "\n" if ROOM["hostile"] else "")}


ROUTES = {"/status": lambda q: status(), "/certs": lambda q: certs(), "/peers": peers, "/sessions": sessions, "/rules": lambda q: rules(),
          "/events": events, "/quarantine": lambda q: quarantine(), "/config": lambda q: config()}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    page = None

    def log_message(self, *_):
        pass

    def answer(self, code, kind, body, *headers):
        self.send_response(code)
        for k, v in (("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"), *headers):
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/fake":
            return self.answer(200, "application/json", json.dumps(ASKED).encode())
        ASKED[url.path] += 1
        if int(ROOM["down"]):
            self.close_connection = True
            return None
        if url.path == "/" and self.page:
            text = open(self.page, encoding="utf-8").read()
            digest = lambda tag: base64.b64encode(hashlib.sha256(re.search(f"<{tag}>(.*?)</{tag}>", text, re.S)[1].encode()).digest()).decode()
            policy = f"default-src 'none'; style-src 'sha256-{digest('style')}'; script-src 'sha256-{digest('script')}'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            return self.answer(200, "text/html; charset=utf-8", text.encode(), ("Content-Security-Policy", policy))
        if ROOM["fail"] and url.path == "/" + ROOM["fail"]:
            return self.answer(503, "text/plain", ((EVIL if ROOM["hostile"] else "out of memory") + "\n").encode())
        if url.path in ROUTES:
            return self.answer(200, "application/json", json.dumps(ROUTES[url.path](query)).encode())
        return self.answer(404, "text/plain", b"not found\n")

    def do_POST(self):
        url = urllib.parse.urlsplit(self.path)
        ROOM.update(urllib.parse.parse_qsl(url.query))
        for k in ("hostile", "down", "empty", "expiring", "config_failing", "none"):
            ROOM[k] = int(ROOM.get(k, 0))
        self.answer(200, "application/json", b'{"done":true}')


class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        return super().get_request()[0], ("local", 0)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("port", type=int)
    p.add_argument("--peers", type=int, default=12)
    p.add_argument("--page")
    p.add_argument("--unix")
    a = p.parse_args()
    ROOM["peers"] = a.peers
    Handler.page = a.page
    if a.unix:
        if os.path.exists(a.unix):
            os.unlink(a.unix)
        threading.Thread(target=Unix(a.unix, Handler).serve_forever, daemon=True).start()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", a.port), Handler)
    server.daemon_threads = True
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
