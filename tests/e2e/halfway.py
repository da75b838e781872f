# SPDX-License-Identifier: GPL-3.0-or-later
"""halfway.py PORT CERT KEY CA: a TLS client that stops before its last flight (certificate and Finished), says "halfway",
and goes on when a line comes on standard input, with 8 bytes of data in the same segment. Prints what comes then: what was
echoed, "alert NAME", or "closed"."""
import socket
import ssl
import sys

port, cert, key, ca = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.check_hostname = False
context.minimum_version = ssl.TLSVersion.TLSv1_3
context.load_cert_chain(cert, key)
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(incoming, outgoing, server_hostname="server.test")
sock = socket.create_connection(("127.0.0.1", int(port)))
while True:
    try:
        tls.do_handshake()
        break
    except ssl.SSLWantReadError:
        sock.sendall(outgoing.read())
        incoming.write(sock.recv(65536))
tls.write(b"leaked?\n")
print("halfway", flush=True)
sys.stdin.readline()
sock.sendall(outgoing.read())
while True:
    try:
        data = tls.read(100)
        print("echoed" if data else "closed", flush=True)
        break
    except ssl.SSLWantReadError:
        chunk = sock.recv(65536)
        if not chunk:
            print("closed", flush=True)
            break
        incoming.write(chunk)
    except ssl.SSLError as e:
        print("alert", e.reason, flush=True)
        break
