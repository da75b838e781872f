# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: the ten rules, the identity headers, many callers, HTTP/2 as raw bytes."""
import os
import subprocess

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


CNF = """[ca]
default_ca = any
[any]
database = {0}.db
crlnumber = {0}.number
default_md = sha256
default_crl_days = 3650
[req]
distinguished_name = dn
prompt = no
[dn]
CN = caller
"""


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def callers(folder, pki, count):
    """FOLDER/0.crt and so on, those that are not there yet: certificates of pki's client key that differ by serial number."""
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/cnf", "w") as f:
        f.write(CNF.format(folder + "/none"))
    run("openssl", "req", "-new", "-config", folder + "/cnf", "-key", pki + "/client.key", "-out", folder + "/csr")
    with open(folder + "/ext", "w") as f:
        f.write("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                "extendedKeyUsage=clientAuth\nsubjectAltName=DNS:client.test\n")
    one = (f"[ -e {folder}/{{}}.crt ] || openssl x509 -req -in {folder}/csr -CA {pki}/ca.crt -CAkey {pki}/ca.key -days 3650 "
           f"-extfile {folder}/ext -set_serial $((1000000 + {{}})) -out {folder}/{{}}.crt 2>/dev/null")
    run("sh", "-c", f"seq 0 {count - 1} | xargs -P 2 -I {{}} sh -c '{one}'")


# HTTP/2 without a library (RFC 9113): what is sent is always the same, of what comes only the frames are read.
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


KEPT = 0x80 | 62  # the newest of HPACK's table, said again; then the one before it, and so on


def literal(name, value, keep=False):
    """A header that is put into HPACK's table (RFC 7541, 6.2.1), or not (6.2.2); both below 127 bytes."""
    return (b"\x40" if keep else b"\0") + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def frames(buffer):
    """Takes whole frames off the front of a bytearray: (kind, flags, stream, payload) each."""
    while len(buffer) >= 9 and len(buffer) >= (size := 9 + int.from_bytes(buffer[:3], "big")):
        whole = bytes(buffer[:size])
        del buffer[:size]
        yield whole[3], whole[4], int.from_bytes(whole[5:9], "big") & 0x7FFFFFFF, whole[9:]
