#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# man.sh BIN_DIR OUT_DIR: writes sidecar.1, certrotate.1 and outrider.ini.5. What commands and keys there are, and what
# they mean, is said in one place each: the commands' own --help and config/reference.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$1 out=$2
mkdir -p "$out"
version=$("$bin/sidecar" version | sed 's/^outrider //')

head() { # head NAME SECTION DESCRIPTION
    printf '.TH %s %s "" "Outrider %s" "Outrider"\n.SH NAME\n%s \\- %s\n' \
        "$(echo "$1" | tr '[:lower:]' '[:upper:]')" "$2" "$version" "$1" "$3"
}
# Text as it is, safe from roff.
verbatim() { sed -e 's/\\/\\e/g' -e "s/^\\([.']\\)/\\\\\\&\\1/" -e 's/-/\\-/g'; }
help_of() { # help_of TITLE COMMAND...: its --help, if it has one
    title=$1
    shift
    "$@" --help >"$out/help" 2>/dev/null || return 0
    printf '.SS "%s"\n.nf\n' "$title"
    verbatim <"$out/help"
    printf '.fi\n'
}

{
    head sidecar 1 'a lightweight mTLS sidecar'
    cat <<'ROFF'
.SH SYNOPSIS
.B sidecar
.I COMMAND
.RI [ OPTION ]...
.SH DESCRIPTION
Stands beside a service: ends mutual TLS for what comes in, begins it for what goes out, decides by rules who may pass,
tells the service who called, and follows certificates as they rotate. Its configuration is one INI file, see
.BR outrider.ini (5).
.SH COMMANDS
ROFF
    "$bin/sidecar" --help | awk '/^  [a-z]/ {print $1}' | while read -r command; do
        [ "$command" = certrotate ] || help_of "sidecar $command" "$bin/sidecar" "$command"
    done
    cat <<'ROFF'
.SH SIGNALS
.TP
SIGTERM
Readiness goes off; after drain_delay no inbound is accepted any more; it ends when all sessions have, or after
drain_timeout. A second one ends it at once.
.TP
SIGHUP
Reads configuration and credentials again, and judges every live session by them.
.SH SEE ALSO
.BR outrider.ini (5),
.BR certrotate (1)
ROFF
} >"$out/sidecar.1"

{
    head certrotate 1 'a small certificate authority, and certificates that renew themselves'
    cat <<'ROFF'
.SH SYNOPSIS
.B certrotate
.I COMMAND
.RI [ OPTION ]...
.SH DESCRIPTION
Makes a certificate authority in a folder, issues and renews certificates in folders as Kubernetes mounts a Secret,
revokes them, and replaces the authority step by step.
.SH COMMANDS
ROFF
    for command in 'ca init' 'ca prepare' 'ca switch' 'ca retire' issue csr sign revoke crl show verify rotate; do
        # shellcheck disable=SC2086  # two words are two arguments
        help_of "certrotate $command" "$bin/certrotate" $command
    done
    printf '.SH SEE ALSO\n.BR sidecar (1),\n.BR outrider.ini (5)\n'
} >"$out/certrotate.1"

{
    head outrider.ini 5 'the configuration of an Outrider sidecar'
    printf '.SH DESCRIPTION\n'
    awk -f "$here/markdown.awk" "$here/../../config/reference.md"
    printf '.SH SEE ALSO\n.BR sidecar (1)\n'
} >"$out/outrider.ini.5"
rm -f "$out/help"
