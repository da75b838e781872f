#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the certificates, keys and CRLs of this folder with OpenSSL: NAME.pem, NAME.key.pem (PKCS #8), NAME.crl.pem.
# Keys are EC P-256 and what is valid is so from 2020 to 2120, unless the name says otherwise.
set -eu
cd "$(dirname "$0")"
out=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
rm -f "$out"/*.pem "$out"/*.der

start=20200101000000Z
end=21200101000000Z
serial=4096

cat >conf <<'CONF'
[ca]
default_ca = default
[default]
dir = .
database = $dir/index.txt
serial = $dir/serial
new_certs_dir = $dir/issued
crlnumber = $dir/crlnumber
policy = any
unique_subject = no
email_in_dn = yes
[any]
O = optional
CN = optional
[req]
distinguished_name = dn
prompt = no
[dn]
CN = unused
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[intermediate]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
[pathlen0]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
[nosign]
basicConstraints = critical, CA:TRUE
keyUsage = critical, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
[constrained]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
nameConstraints = critical, permitted;DNS:good.example, permitted;URI:.good.example, permitted;IP:192.0.2.0/255.255.255.0, excluded;DNS:bad.good.example
[both]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth, serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
subjectAltName = DNS:web.shop.svc, DNS:*.web.shop.svc, URI:spiffe://cluster.local/ns/shop/sa/web, IP:192.0.2.7, IP:2001:db8::7
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid:always
subjectAltName = URI:spiffe://cluster.local/ns/shop/sa/client
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid:always
subjectAltName = DNS:server.shop.svc, DNS:localhost, IP:127.0.0.1
[codesign]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
authorityKeyIdentifier = keyid:always
subjectAltName = DNS:web.shop.svc
[noeku]
basicConstraints = critical, CA:FALSE
authorityKeyIdentifier = keyid:always
subjectAltName = DNS:web.shop.svc
[self]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:web.shop.svc
[nosan]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth, serverAuth
authorityKeyIdentifier = keyid:always
[critical]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth, serverAuth
authorityKeyIdentifier = keyid:always
subjectAltName = DNS:web.shop.svc
1.2.3.4.5 = critical, DER:0500
[encipher]
basicConstraints = critical, CA:FALSE
keyUsage = critical, keyEncipherment
extendedKeyUsage = clientAuth, serverAuth
authorityKeyIdentifier = keyid:always
subjectAltName = DNS:web.shop.svc
[ncgood]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth, serverAuth
authorityKeyIdentifier = keyid:always
subjectAltName = DNS:a.good.example, URI:spiffe://x.good.example/sa, IP:192.0.2.9
[ncbaddns]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth, serverAuth
authorityKeyIdentifier = keyid:always
subjectAltName = DNS:a.other.example
[ncbadip]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth, serverAuth
authorityKeyIdentifier = keyid:always
subjectAltName = DNS:a.good.example, IP:198.51.100.1
[ncbaduri]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth, serverAuth
authorityKeyIdentifier = keyid:always
subjectAltName = URI:spiffe://other.example/sa
[ncexcluded]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth, serverAuth
authorityKeyIdentifier = keyid:always
subjectAltName = DNS:a.bad.good.example
[crl]
authorityKeyIdentifier = keyid:always
[crlplain]
2.5.29.20 = DER:020101
[crldelta]
authorityKeyIdentifier = keyid:always
2.5.29.27 = critical, DER:020101
[crlindirect]
authorityKeyIdentifier = keyid:always
issuingDistributionPoint = critical, @indirect
[indirect]
indirectCRL = TRUE
[crlunknown]
authorityKeyIdentifier = keyid:always
1.2.3.4.5 = critical, DER:0500
[crlusers]
authorityKeyIdentifier = keyid:always
issuingDistributionPoint = critical, @usersonly
[usersonly]
onlyuser = TRUE
CONF
mkdir issued

# key NAME [ALGORITHM-OPTIONS...]
key() {
    local name=$1
    shift
    [ $# -gt 0 ] || set -- -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve
    openssl genpkey "$@" -out "$out/$name.key.pem" 2>/dev/null
}

# cert NAME EXTENSIONS ISSUER [KEY-OF] [DN] [OPTIONS OF openssl ca...]: ISSUER may be NAME itself (self-signed). The
# environment may set START, END and MD.
cert() {
    local name=$1 extensions=$2 issuer=$3 keyof=${4:-$1} dn=${5:-/O=Outrider/CN=$1}
    shift $(($# < 5 ? $# : 5))
    [ -e "$out/$keyof.key.pem" ] || key "$keyof"
    openssl req -new -config conf -key "$out/$keyof.key.pem" -subj "$dn" -out request
    serial=$((serial + 1))
    printf '%X\n' $serial >serial
    : >index.txt
    local by=(-cert "$out/$issuer.pem" -keyfile "$out/$issuer.key.pem")
    [ "$issuer" != self ] || by=(-selfsign -keyfile "$out/$keyof.key.pem")
    openssl ca -batch -notext -config conf -extensions "$extensions" -md "${MD:-sha256}" -in request \
        -startdate "${START:-$start}" -enddate "${END:-$end}" "${by[@]}" "$@" -out "$out/$name.pem" 2>log ||
        { cat log; exit 1; }
}

# crl NAME ISSUER [REVOKED[:REASON]...]: the environment may set START, END, MD, EXTENSIONS and NUMBER.
crl() {
    local name=$1 issuer=$2 revoked
    shift 2
    : >index.txt
    printf '%02X\n' "${NUMBER:-1}" >crlnumber
    for revoked in "$@"; do
        local reason=${revoked#*:} file=${revoked%%:*}
        [ "$reason" != "$revoked" ] || reason=
        printf 'R\t%s\t%s%s\t%s\tunknown\t/CN=x\n' 21200101000000Z 210101000000Z "${reason:+,$reason}" \
            "$(openssl x509 -in "$out/$file.pem" -noout -serial | sed 's/.*=//')" >>index.txt
    done
    openssl ca -gencrl -config conf -crlexts "${EXTENSIONS:-crl}" -md "${MD:-sha256}" -cert "$out/$issuer.pem" \
        -keyfile "$out/$issuer.key.pem" -crl_lastupdate "${START:-$start}" -crl_nextupdate "${END:-$end}" \
        -out "$out/$name.crl.pem" 2>log || { cat log; exit 1; }
}

# --- authorities
cert root root self
START=20210101000000Z cert root_renewed root self root /O=Outrider/CN=root
cert root2 root self
cert root_impostor root self root_impostor /O=Outrider/CN=root
cert root_by_root2 intermediate root2 root /O=Outrider/CN=root
END=20210101000000Z cert root_expired root self
key root_rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
cert root_rsa root self
key root_p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -pkeyopt ec_param_enc:named_curve
MD=sha384 cert root_p384 root self
key root_p521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -pkeyopt ec_param_enc:named_curve
MD=sha512 cert root_p521 root self
key root_ed25519 -algorithm ED25519
MD=default cert root_ed25519 root self
cert intermediate intermediate root
cert intermediate_cross intermediate root2 intermediate /O=Outrider/CN=intermediate
cert intermediate_impostor intermediate root2 intermediate_impostor /O=Outrider/CN=intermediate
END=20210101000000Z cert intermediate_expired intermediate root
cert intermediate_revoked intermediate root
cert intermediate_nosign nosign root
cert intermediate_pathlen0 pathlen0 root
cert intermediate_below intermediate intermediate_pathlen0
cert intermediate_constrained constrained root
cert intermediate_deep2 intermediate intermediate
cert intermediate_deep3 intermediate intermediate_deep2

# --- leaves
cert leaf both intermediate
cert leaf_renewed both intermediate
cert leaf_client client intermediate
cert leaf_server server intermediate
cert leaf_direct both root
cert leaf_root2 both root2
END=20210101000000Z cert leaf_expired both intermediate
START=21100101000000Z cert leaf_future both intermediate
cert leaf_codesign codesign intermediate
cert leaf_noeku noeku intermediate
cert leaf_nosan nosan intermediate
cert leaf_critical critical intermediate
cert leaf_encipher encipher intermediate
cert leaf_self self self
cert leaf_revoked both intermediate
key leaf_rsa2048 -algorithm RSA -pkeyopt rsa_keygen_bits:2048
cert leaf_rsa2048 both intermediate
key leaf_rsa1024 -algorithm RSA -pkeyopt rsa_keygen_bits:1024
cert leaf_rsa1024 both intermediate
key leaf_p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -pkeyopt ec_param_enc:named_curve
cert leaf_p384 both intermediate
key leaf_p521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -pkeyopt ec_param_enc:named_curve
cert leaf_p521 both intermediate
key leaf_ed25519 -algorithm ED25519
cert leaf_ed25519 both intermediate
key leaf_k256 -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -pkeyopt ec_param_enc:named_curve
cert leaf_k256 both intermediate
MD=sha1 cert leaf_sha1 both intermediate
cert leaf_by_leaf both leaf
cert leaf_by_expired both intermediate_expired
cert leaf_by_revoked both intermediate_revoked
cert leaf_by_nosign both intermediate_nosign
cert leaf_by_below both intermediate_below
cert leaf_by_deep3 both intermediate_deep3
cert leaf_by_root_expired both root_expired
cert leaf_by_impostor both root_impostor
cert leaf_by_rsa both root_rsa
MD=sha384 cert leaf_by_rsa_sha384 both root_rsa leaf_by_rsa
MD=sha512 cert leaf_by_rsa_sha512 both root_rsa leaf_by_rsa
MD=sha1 cert leaf_by_rsa_sha1 both root_rsa leaf_by_rsa
pss=(-sigopt rsa_padding_mode:pss)
dn=/O=Outrider/CN=leaf_by_rsa_pss
cert leaf_by_rsa_pss both root_rsa leaf_by_rsa $dn "${pss[@]}" -sigopt rsa_pss_saltlen:32
MD=sha384 cert leaf_by_rsa_pss384 both root_rsa leaf_by_rsa $dn "${pss[@]}" -sigopt rsa_pss_saltlen:48
MD=sha512 cert leaf_by_rsa_pss512 both root_rsa leaf_by_rsa $dn "${pss[@]}" -sigopt rsa_pss_saltlen:64
cert leaf_by_rsa_pss_long both root_rsa leaf_by_rsa $dn "${pss[@]}" -sigopt rsa_pss_saltlen:-2
MD=sha1 cert leaf_by_rsa_pss_sha1 both root_rsa leaf_by_rsa $dn "${pss[@]}"
MD=sha384 cert leaf_by_p384 both root_p384
MD=sha512 cert leaf_by_p521 both root_p521
MD=default cert leaf_by_ed25519 both root_ed25519
cert leaf_nc_good ncgood intermediate_constrained
cert leaf_nc_dns ncbaddns intermediate_constrained
cert leaf_nc_ip ncbadip intermediate_constrained
cert leaf_nc_uri ncbaduri intermediate_constrained
cert leaf_nc_excluded ncexcluded intermediate_constrained

# --- the same keys in other coats; the password is "secret"
openssl ec -in "$out/leaf.key.pem" -out "$out/leaf.sec1.pem" 2>/dev/null
openssl rsa -in "$out/leaf_rsa2048.key.pem" -traditional -out "$out/leaf_rsa2048.pkcs1.pem" 2>/dev/null
openssl pkcs8 -topk8 -in "$out/leaf.key.pem" -passout pass:secret -out "$out/leaf.encrypted.pem"
openssl pkcs8 -topk8 -in "$out/leaf.key.pem" -outform DER -nocrypt -out "$out/leaf.key.der"
openssl x509 -in "$out/leaf.pem" -outform DER -out "$out/leaf.der"

# --- CRLs
crl root root intermediate_revoked:CACompromise
crl root2 root2
crl intermediate intermediate leaf_revoked:keyCompromise leaf_by_rsa
NUMBER=9 crl intermediate_newer intermediate leaf_revoked:superseded leaf_client
crl intermediate_empty intermediate
END=20210101000000Z crl intermediate_expired intermediate leaf_revoked
START=21100101000000Z crl intermediate_future intermediate leaf_revoked
EXTENSIONS=crlplain crl intermediate_forged intermediate_impostor leaf
EXTENSIONS=crlplain crl intermediate_plain intermediate leaf_revoked
crl intermediate_impostor intermediate_impostor leaf
MD=sha1 crl intermediate_sha1 intermediate
EXTENSIONS=crldelta crl intermediate_delta intermediate leaf
EXTENSIONS=crlindirect crl intermediate_indirect intermediate leaf
EXTENSIONS=crlunknown crl intermediate_unknown intermediate leaf
EXTENSIONS=crlusers crl intermediate_users intermediate leaf_revoked
crl root_rsa root_rsa leaf_by_rsa
MD=default crl root_ed25519 root_ed25519 leaf_by_ed25519
openssl crl -in "$out/intermediate.crl.pem" -outform DER -out "$out/intermediate.crl.der"
