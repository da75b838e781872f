#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the certificates of this folder with OpenSSL (valid for 93 years), and beside each NAME.der a NAME.txt with what
# OpenSSL prints of it: subject and issuer (RFC 2253), both in the legacy form, serial, SHA-256, SHA-1, dates.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -f ./*.der ./*.txt

cat >"$work/conf" <<'CONF'
[req]
distinguished_name = dn
prompt = no
string_mask = utf8only
utf8 = yes
[dn]
[rich]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always, issuer:always
subjectAltName = @names
certificatePolicies = critical, 1.2.3.4
crlDistributionPoints = URI:http://crl.example/x.crl
[names]
DNS.1 = a.example.com
DNS.2 = *.b.example.com
URI.1 = spiffe://cluster.local/ns/shop/sa/web
IP.1 = 192.0.2.7
IP.2 = 2001:db8::7
email.1 = me@example.com
otherName.1 = 1.2.3.4;UTF8:other
dirName.1 = dirname
RID.1 = 1.2.3.4
[dirname]
CN = directory
[root]
basicConstraints = critical, CA:TRUE, pathlen:3
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
nameConstraints = critical, permitted;DNS:.example.com, excluded;IP:10.0.0.0/255.0.0.0
[none]
[plain]
basicConstraints = CA:FALSE
[strange]
1.2.3.4.5 = critical, DER:0500
[usages]
keyUsage = digitalSignature, decipherOnly, keyAgreement
extendedKeyUsage = anyExtendedKeyUsage, timeStamping
CONF
# make NAME EXTENSIONS SERIAL DISTINGUISHED-NAME KEY-OPTIONS...: self-signed
make() {
    local name=$1 extensions=$2 serial=$3 dn=$4
    shift 4
    openssl genpkey "$@" -out "$work/key" 2>/dev/null
    sed "s|^\[dn\]|&\n$dn|" "$work/conf" >"$work/conf1"
    openssl req -x509 -new -config "$work/conf1" -key "$work/key" -set_serial "$serial" -days 34000 \
        -extensions "$extensions" -out "$work/pem"
    openssl x509 -in "$work/pem" -outform DER -out "$name.der"
    texts "$name"
}

texts() {
    local x="openssl x509 -inform DER -in $1.der -noout"
    {
        $x -subject -nameopt RFC2253 | sed 's/^subject=//'
        $x -issuer -nameopt RFC2253 | sed 's/^issuer=//'
        $x -subject -nameopt compat | sed 's/^subject=//'
        $x -issuer -nameopt compat | sed 's/^issuer=//'
        $x -serial | sed 's/^serial=//'
        $x -fingerprint -sha256 | sed 's/^.*=//; s/://g' | tr A-F a-f
        $x -fingerprint -sha1 | sed 's/^.*=//; s/://g' | tr A-F a-f
        $x -startdate | sed 's/^.*=//'
        $x -enddate | sed 's/^.*=//'
    } >"$1.txt"
}

p256="-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve"
# shellcheck disable=SC2086
{
    make rich rich 0x527E0F20A20EA2A4146C78390F34CE7AF0878CA4 \
        'C=US\nST=Texas\nL=Austin\n0.O=Access, Inc.\n0.OU=Access Admins\n1.OU=a+b=\\"c\\";<d>\\\\e\nCN=James Royal' \
        -algorithm RSA -pkeyopt rsa_keygen_bits:2048
    make root root 1 'C=DE\nO=Müller \& Söhne 日本\nx.2.5.4.97=VATDE-123\nCN=" #root "' $p256
    make multi plain 0x00FF 'DC=com\n1.DC=example\nCN=a\n+OU=b\n+O=c\nUID=u1\nemailAddress=x@example.com\nx.1.2.3.4=odd\nserialNumber=42\nGN=g\nSN=s' $p256
    make v1 none 0x7F 'CN=version one' $p256
    make ed25519 plain -128 'CN="#hash"' -algorithm ED25519
    make p384 strange 0x0100 'CN=p384' -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -pkeyopt ec_param_enc:named_curve
    make p521 usages 0 'CN=p521' -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -pkeyopt ec_param_enc:named_curve
    make rsa3072 plain -255 'CN=rsa' -algorithm RSA -pkeyopt rsa_keygen_bits:3072
    make k1 plain -65536 'CN=another curve' -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -pkeyopt ec_param_enc:named_curve
}
