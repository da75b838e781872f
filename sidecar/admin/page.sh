#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# page.sh PAGE.html: the page as C (sidecar/admin/page.h) on standard output: without indentation and whole lines of
# comment, compressed, with the hashes of its style and script.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -e 's/^ *//' -e '/^\/\/ /d' -e '/^$/d' "$1" >"$work/page"

# hash TAG: of the content between its two lines, the first line's end included (CSP 3, 6.7.3.3).
hash() {
    { echo; sed -n "/^<$1>\$/,/^<\\/$1>\$/p" "$work/page" | sed '1d;$d'; } | sha256sum | cut -c1-64 | tr a-f A-F | basenc --base16 -d | base64
}
style=$(hash style)
script=$(hash script)
[ ${#style} = 44 ] && [ ${#script} = 44 ] || { echo "page.sh: no hashes of style and script" >&2; exit 1; }
gzip -9n "$work/page"

cat <<C
/* Made by sidecar/admin/page.sh. */
#include "sidecar/admin/page.h"

const char page_fields[] =
    "Content-Encoding: gzip\r\n"
    "Vary: Accept-Encoding\r\n"
    "Content-Security-Policy: default-src 'none'; style-src 'sha256-$style'; script-src 'sha256-$script'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n";
const unsigned char page_gzip[] = {
$(od -An -v -tu1 "$work/page.gz" | sed 's/  *\([0-9]*\)/\1,/g')
};
const size_t page_gzip_size = sizeof page_gzip;
C
