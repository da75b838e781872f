#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
What the admin interface answers, key by key.

  admin_shape.py ROUTE        standard input is what /ROUTE answered: exit status 1 and words where it is not as it must be
  admin_shape.py ROUTE EXPR   the same, then prints the Python expression EXPR of the answer, `a`
"""
import json, re, sys


def text(v):
    assert isinstance(v, str), f"no text: {v!r}"


def number(v):
    assert isinstance(v, int) and not isinstance(v, bool) and v >= 0, f"no number: {v!r}"


def seconds(v):
    assert isinstance(v, float) and v >= 0, f"no seconds: {v!r}"


def boolean(v):
    assert isinstance(v, bool), f"no bool: {v!r}"


def sha256(v):
    assert re.fullmatch("[0-9a-f]{64}", v), f"no fingerprint: {v!r}"


def serial(v):
    assert re.fullmatch("([0-9A-F]{2})+", v), f"no serial: {v!r}"


def one_of(*words):
    def check(v):
        assert v in words, f"{v!r} is none of {words}"
    return check


def maybe(shape):
    return lambda v: v is None or check(shape, v)


def mapping(shape):
    def check_all(v):
        assert isinstance(v, dict) and v
        for item in v.values():
            check(shape, item)
    return check_all


def check(shape, v, more=False):
    if isinstance(shape, dict):
        assert isinstance(v, dict), f"no object: {v!r}"
        assert set(v) == set(shape) or (more and set(v) > set(shape)), f"keys: {sorted(set(v) ^ set(shape))}"
        for key, inner in shape.items():
            try:
                check(inner, v[key])
            except AssertionError as e:
                raise AssertionError(f"{key}: {e}") from None
    elif isinstance(shape, list):
        assert isinstance(v, list), f"no list: {v!r}"
        for item in v:
            check(shape[0], item)
    else:
        shape(v)


CERT = {"subject": text, "issuer": text, "serial": serial, "sha256": sha256, "sans": [text], "not_before_at": number,
        "not_after_at": number, "key": one_of("EC P-256", "EC P-384", "EC P-521", "RSA 2048", "RSA 3072", "RSA 4096", "Ed25519")}
RULE_FIGURES = {"evaluated": number, "matched": number, "acted": number}


def event(v):
    check({"at_ms": number, "level": one_of("error", "warn", "info"), "event": text, "message": maybe(text)}, v, more=True)


SHAPES = {
    "status": {"version": text, "state": one_of("starting", "serving", "leaving", "draining"), "ready": boolean,
               "reasons": [text], "started_at": number, "now_ms": number, "workers": number, "generation": number,
               "config_path": text, "config_failing": boolean, "credentials_failing": boolean, "own": maybe(CERT),
               "memory_bytes": number, "sessions_open": {"inbound": number, "outbound": number},
               "counters": mapping(mapping(number)), "stall_seconds_max": seconds},
    "certs": {"own": {"chain": [CERT]},
              "cas": [{"name": text, "hostnames": [text], "roots": [CERT],
                       "crls": [{"issuer": text, "entries": number, "this_update_at": number, "next_update_at": maybe(number)}]}]},
    "sessions": {"total": number, "shown": number, "partial": boolean,
                 "sessions": [{"id": number, "worker": number, "direction": one_of("inbound", "outbound"), "section": text,
                               "peer": text, "destination": maybe(text), "state": text,
                               "protocol": one_of("tcp", "http1", "http2", "unknown"), "sha256": maybe(sha256),
                               "subject": maybe(text), "sans": [text], "verified": boolean,
                               "tls": maybe({"version": one_of("TLSv1.2", "TLSv1.3"), "cipher": text, "group": maybe(text),
                                             "sni": maybe(text), "alpn": maybe(text), "resumed": boolean}),
                               "since_at": number, "idle_seconds": seconds, "bytes_in": number, "bytes_out": number,
                               "requests": number}]},
    "rules": {"default": one_of("auto", "allow", "deny"),
              "rules": [{"name": text, "expression": text, "action": one_of("block", "allow", "log", "skip"),
                         "enabled": boolean, "dry_run": boolean, "inbounds": [text], **RULE_FIGURES}],
              "ratelimits": [{"name": text, "expression": text, "requests": number, "period_seconds": seconds, "acted": number}],
              "lists": [{"name": text, "entries": number, "file": maybe(text)}],
              "quarantines": [{"name": text, "threshold": number, "period_seconds": seconds, "duration_seconds": seconds}],
              "sequences": [{"name": text, "steps": text, "window_seconds": seconds, "action": one_of("block", "log"),
                             "enabled": boolean, "dry_run": boolean, "inbounds": [text], **RULE_FIGURES}]},
    "config": {"path": text, "text": text},
    "quarantine": {"entries": [{"quarantine": text, "sha256": sha256, "since_at": number, "until_at": number, "noted": number}]},
    "events": {"events": [event]},
}

if __name__ == "__main__":
    a = json.loads(sys.stdin.buffer.read().decode("utf-8", "strict"))
    try:
        check(SHAPES[sys.argv[1]], a)
    except AssertionError as e:
        sys.exit(f"/{sys.argv[1]}: {e}")
    if len(sys.argv) > 2:
        print(eval(sys.argv[2]))
