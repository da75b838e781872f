# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: the ten rules, the identity headers, HTTP/2 as raw bytes."""

# Kinds in turn, none matches, so all are looked at: facts of the connection, of the request, a list of 10,000.
RULES = [
    'cf.tls_client_auth.cert_serial in $revoked',
    'not cf.tls_client_auth.cert_verified',
    'ip.src in {192.0.2.0/24 198.51.100.0/24 203.0.113.7}',
    'http.request.uri.path eq "/admin"',
    'starts_with(http.request.uri.path, "/internal/")',
    'http.request.method in {"TRACE" "TRACK" "DELETE"}',
    'http.host eq "forbidden.test"',
    'http.user_agent contains "sqlmap"',
    'http.request.uri.path matches "\\.(php|aspx?|jsp)$"',
    'any(http.request.headers.names[*] eq "x-debug")',
]
SERIALS = [f"52{n * 7919 + 1:036X}" for n in range(10000)]


def rules(list_file):
    """Sections for a sidecar's configuration: the list, the rules, and who called as all three kinds of headers."""
    text = f"[list revoked]\nfile = {list_file}\n"
    for n, rule in enumerate(RULES):
        text += f"[rule r{n}]\nexpression = {rule}\naction = block\n"
    return text + "[headers]\nforward = cloudflare, xfcc, rfc9440\n"


# HTTP/2 without a library (RFC 9113): what is sent is always the same, of what comes only the frames are read.
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name, value):
    """A header that is never put into HPACK's table (RFC 7541, 6.2.2); both below 127 bytes."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def frames(buffer):
    """Takes whole frames off the front of a bytearray: (kind, flags, stream, payload) each."""
    while len(buffer) >= 9 and len(buffer) >= (size := 9 + int.from_bytes(buffer[:3], "big")):
        whole = bytes(buffer[:size])
        del buffer[:size]
        yield whole[3], whole[4], int.from_bytes(whole[5:9], "big") & 0x7FFFFFFF, whole[9:]
