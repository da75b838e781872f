#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""websocket.py serve PORT | call PORT: both ends by the library `websockets`. The server echoes; the caller, over mutual
TLS as `client` of $PKI, exchanges texts, a binary message of 1 MiB in frames, pings, and a close with its code."""
import asyncio
import os
import ssl
import sys

import websockets

PKI = os.environ["PKI"]


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def serve(port):
    async with websockets.serve(echo, "127.0.0.1", port, max_size=1 << 24):
        await asyncio.Future()


async def call(port):
    context = ssl.create_default_context(cafile=f"{PKI}/ca.crt")
    context.load_cert_chain(f"{PKI}/client.crt", f"{PKI}/client.key")
    url = f"wss://server.test:{port}/socket"
    async with websockets.connect(url, ssl=context, host="127.0.0.1", max_size=1 << 24) as socket:
        for i in range(200):
            await socket.send(f"text {i}")
            assert await socket.recv() == f"text {i}"
        big = os.urandom(1 << 20)
        await socket.send(big[i : i + 65536] for i in range(0, len(big), 65536))
        assert await socket.recv() == big
        await asyncio.wait_for(await socket.ping(), 5)
        await socket.close(4001, "enough")
        assert socket.close_code == 4001, socket.close_code
    print("websocket ok")


asyncio.run({"serve": serve, "call": call}[sys.argv[1]](int(sys.argv[2])))
