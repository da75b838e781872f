# SPDX-License-Identifier: GPL-3.0-or-later
"""A gRPC service and its callers, without generated code: messages are bytes.

serve PORT                 in plain text; tells of each call on standard output
call PORT PKI SPEC...      one channel with the certificate of `client`, one call after the other; a line for each

A SPEC is METHOD or METHOD=TEXT, and a line METHOD STATUS TEXT:
  Who            metadata as the service has it, as JSON
  Echo=N         N random bytes there and back; Closed and Limited do the same, for rules to be about
  Down=N,MS      N messages, MS milliseconds between them
  Up=N           N messages of 10,000 bytes; the service counts
  Chat=N         N messages each way, each sent when the one before has been answered
  Hang[=MS]      no answer; MS: the caller's deadline
"""
import concurrent.futures
import json
import os
import queue
import sys
import threading

import grpc

DEADLINE = 20
KINDS = {"Down": "unary_stream", "Up": "stream_unary", "Chat": "stream_stream"}


def say(*words):
    print(*words, flush=True)


# --- the service ---


def who(_request, context):
    context.set_trailing_metadata((("trailer-bin", b"\x00\xff\x80"),))
    return json.dumps([[k, v if isinstance(v, str) else v.hex()] for k, v in context.invocation_metadata()]).encode()


def echo(request, _context):
    return request


def down(request, _context):
    count, pause = map(int, request.split(b","))
    for i in range(count):
        if i:
            threading.Event().wait(pause / 1000)
        yield b"message %d" % i


def up(requests, _context):
    sizes = [len(r) for r in requests]
    return b"%d of %d" % (len(sizes), sum(sizes))


def chat(requests, _context):
    for request in requests:
        yield request[::-1]


def hang(_request, context):
    over = threading.Event()
    context.add_callback(over.set)
    say("hangs")
    over.wait()
    say("cancelled")
    return b""


METHODS = {"Who": who, "Echo": echo, "Closed": echo, "Limited": echo, "Down": down, "Up": up, "Chat": chat, "Hang": hang}


def serve(port):
    def handler(name):
        def told(request, context):
            say("call", name)
            return METHODS[name](request, context)

        return getattr(grpc, KINDS.get(name, "unary_unary") + "_rpc_method_handler")(told)

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    handlers = {name: handler(name) for name in METHODS}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Peer", handlers),))
    server.add_insecure_port("127.0.0.1:" + port)
    server.start()
    server.wait_for_termination()


# --- its callers ---


def call_who(method, _text):
    spoofed = (("cf-client-cert-sha256", "evil"), ("client-cert", "evil"), ("own-bin", b"\x01\xfe"))
    reply, call = method.with_call(b"", timeout=DEADLINE, metadata=spoofed)
    trailer = dict(call.trailing_metadata())["trailer-bin"].hex()
    return reply.decode() + " trailer " + trailer


def call_echo(method, text):
    sent = os.urandom(int(text or 10))
    return "same" if method(sent, timeout=DEADLINE) == sent else "different"


def call_down(method, text):
    got = []
    for message in method(text.encode(), timeout=DEADLINE):
        got.append(message)
        say("got", message.decode())
    return "whole" if got == [b"message %d" % i for i in range(len(got))] else "broken"


def call_up(method, text):
    return method((b"x" * 10000 for _ in range(int(text))), timeout=DEADLINE).decode()


def call_chat(method, text):
    todo = queue.Queue()
    answers = method(iter(todo.get, None), timeout=DEADLINE)
    for i in range(int(text)):
        sent = b"%d" % i + os.urandom(1000)
        todo.put(sent)
        if next(answers) != sent[::-1]:
            return "different"
    todo.put(None)
    return "over" if next(answers, None) is None else "more than was sent"


def call_hang(method, text):
    return method(b"", timeout=int(text) / 1000 if text else DEADLINE)


CALLS = {"Who": call_who, "Down": call_down, "Up": call_up, "Chat": call_chat, "Hang": call_hang}


def call(port, pki, specs):
    def pem(name):
        with open(os.path.join(pki, name), "rb") as f:
            return f.read()

    own = grpc.ssl_channel_credentials(pem("ca.crt"), pem("client.key"), pem("client.crt"))
    options = (("grpc.ssl_target_name_override", "server.test"), ("grpc.enable_retries", 0))
    with grpc.secure_channel("127.0.0.1:" + port, own, options) as channel:
        for spec in specs:
            name, _, text = spec.partition("=")
            method = getattr(channel, KINDS.get(name, "unary_unary"))("/test.Peer/" + name)
            try:
                say(name, "OK", CALLS.get(name, call_echo)(method, text))
            except grpc.RpcError as e:
                say(name, e.code().name, e.details())


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    call(sys.argv[2], sys.argv[3], sys.argv[4:])
