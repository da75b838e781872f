#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# pki.sh DIR: makes the certificates that end-to-end tests and benchmarks use, by openssl alone so that Outrider is
# measured against somebody else's idea of X.509. Takes about two seconds; every key is ECDSA P-256 unless said.
#
#   ca, inter (under ca), other, partners, ca2        authorities: NAME.crt NAME.key; ca2 is for roll-over
#   impostor                                          an authority with ca's very name and another key
#   renewed.crt                                       ca's name and key in a new certificate
#   server, client, NAME                              leaves of ca: NAME.crt NAME.key NAME.pem (both)
#   expired future stranger forged wrongeku wrongsan selfsigned leafca weak    the bad ones
#   rsa p384 ed25519 chained                          the good ones of other kinds (chained: with the intermediate)
#   NAME/                                             each of server, client, ...: tls.crt tls.key ca.crt
#   crl-none.pem crl-client.pem                       lists of ca: nobody, and `client` and `leaver` revoked
set -eu
export LC_ALL=C

mkdir -p "$1"
cd "$1"

cat >openssl.cnf <<'CNF'
[ca]
default_ca = any
[any]
database = $ENV::CA.db
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = anything
unique_subject = no
copy_extensions = none
default_crl_days = 3650
crlnumber = $ENV::CA.crlnumber
[anything]
countryName = optional
organizationName = optional
commonName = optional
[req]
distinguished_name = dn
prompt = no
[dn]
CNF
export CA=none

key() { # key NAME [KIND]: makes NAME.key
    case ${2:-p256} in
        p256) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" ;;
        p384) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$1.key" ;;
        ed25519) openssl genpkey -algorithm ED25519 -out "$1.key" ;;
        rsa) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key" ;;
        rsa1024) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out "$1.key" ;;
    esac 2>/dev/null
}

authority() { # authority NAME SUBJECT
    [ -e "$1.key" ] || key "$1"
    openssl req -x509 -config openssl.cnf -new -key "$1.key" -subj "$2" -days 3650 -out "$1.crt" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
        -addext subjectKeyIdentifier=hash
    : >"$1.db"
    echo 01 >"$1.crlnumber"
}

# issue CA NAME SUBJECT EXTENSIONS [KIND [START END]]: EXTENSIONS are lines of openssl's x509v3 notation.
issue() {
    local ca=$1 name=$2 start=${6:-20200101000000Z} end=${7:-21200101000000Z}
    [ -e "$name.key" ] || key "$name" "${5:-p256}"
    openssl req -config openssl.cnf -new -key "$name.key" -subj "$3" -out "$name.csr"
    printf '[ext]\n%b\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n' "$4" >"$name.ext"
    CA=$ca openssl ca -batch -config openssl.cnf -cert "$ca.crt" -keyfile "$ca.key" -in "$name.csr" -notext \
        -extfile "$name.ext" -extensions ext -startdate "$start" -enddate "$end" -out "$name.crt" 2>err ||
        { cat err >&2; return 1; }
    rm -f "$name.csr" "$name.ext" err
}

leaf='basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n'
both='extendedKeyUsage=serverAuth,clientAuth\n'
only_client='extendedKeyUsage=clientAuth\n'
spiffe=spiffe://cluster.local/ns/shop/sa

authority ca '/O=Outrider tests/CN=Test CA'
authority other '/O=Somebody else/CN=Other CA'
authority partners '/O=Partners/CN=Partners CA'
authority ca2 '/O=Outrider tests/CN=Test CA 2'
authority impostor '/O=Outrider tests/CN=Test CA'
cp ca.key renewed.key
authority renewed '/O=Outrider tests/CN=Test CA'

server_names="subjectAltName=DNS:server.test,DNS:localhost,IP:127.0.0.1,URI:$spiffe/server"
client_names="subjectAltName=DNS:client.test,URI:$spiffe/client"
issue ca server '/O=Outrider tests/CN=server' "$leaf$both$server_names"
issue ca client '/O=Outrider tests/CN=client' "$leaf$both$client_names"
issue ca client2 '/O=Outrider tests/CN=client2' "$leaf${both}subjectAltName=DNS:client2.test,URI:$spiffe/client2"
issue ca leaver '/O=Outrider tests/CN=leaver' "$leaf${both}subjectAltName=DNS:leaver.test,URI:$spiffe/leaver"
issue ca expired '/O=Outrider tests/CN=expired' "$leaf$both$client_names" p256 20200101000000Z 20210101000000Z
issue ca future '/O=Outrider tests/CN=future' "$leaf$both$client_names" p256 21000101000000Z 21200101000000Z
issue other stranger '/O=Somebody else/CN=stranger' "$leaf$both$client_names"
issue impostor forged '/O=Outrider tests/CN=client' "$leaf$both$client_names"
issue ca wrongeku '/O=Outrider tests/CN=wrongeku' "$leaf${client_names}\nextendedKeyUsage=codeSigning"
issue ca serveronly '/O=Outrider tests/CN=serveronly' "$leaf${server_names}\nextendedKeyUsage=serverAuth"
issue ca clientonly '/O=Outrider tests/CN=clientonly' "$leaf$only_client$server_names"
issue ca wrongsan '/O=Outrider tests/CN=wrongsan' "$leaf${both}subjectAltName=DNS:elsewhere.test,URI:spiffe://other/x"
issue ca rsa '/O=Outrider tests/CN=rsa' "$leaf$both$server_names" rsa
issue ca p384 '/O=Outrider tests/CN=p384' "$leaf$both$server_names" p384
issue ca ed25519 '/O=Outrider tests/CN=ed25519' "$leaf$both$server_names" ed25519
issue ca weak '/O=Outrider tests/CN=weak' "$leaf$both$client_names" rsa1024
issue partners partner '/O=Partners/CN=partner' "$leaf${both}subjectAltName=DNS:partner.test,URI:spiffe://partners/p"
issue ca2 server2 '/O=Outrider tests/CN=server2' "$leaf$both$server_names"
issue ca2 client_ca2 '/O=Outrider tests/CN=client of CA 2' "$leaf$both$client_names"
issue ca inter '/O=Outrider tests/CN=Test intermediate' \
    'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign'
: >inter.db
issue inter chained '/O=Outrider tests/CN=chained' "$leaf$both$server_names"
cat inter.crt >>chained.crt
: >client.db # a leaf that plays authority
issue client leafca '/O=Outrider tests/CN=leafca' "$leaf$both$client_names"
cat client.crt >>leafca.crt
# The intermediate of an authority that nobody trusts, with its leaf.
issue other evil_inter '/O=Somebody else/CN=Evil intermediate' \
    'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign'
: >evil_inter.db
issue evil_inter evil '/O=Somebody else/CN=evil' "$leaf$both$client_names"
cp evil.crt evil_leaf.crt
cat evil_inter.crt >>evil.crt
key selfsigned
openssl req -x509 -config openssl.cnf -new -key selfsigned.key -subj '/CN=selfsigned' -days 3650 -out selfsigned.crt \
    -addext "$server_names" -addext basicConstraints=critical,CA:FALSE

crl() { CA=ca openssl ca -config openssl.cnf -cert ca.crt -keyfile ca.key -gencrl -out "$1" 2>/dev/null; }
crl crl-none.pem
for name in client leaver; do
    CA=ca openssl ca -config openssl.cnf -cert ca.crt -keyfile ca.key -revoke $name.crt 2>/dev/null
done
crl crl-client.pem

for crt in *.crt; do
    name=${crt%.crt}
    [ -e "$name.key" ] || continue
    cat "$crt" "$name.key" >"$name.pem"
    mkdir -p "$name"
    cp "$crt" "$name/tls.crt"
    cp "$name.key" "$name/tls.key"
    cp ca.crt "$name/ca.crt"
done
rm -f ./*.db ./*.db.* ./*.crlnumber* ./[0-9A-F]*.pem
