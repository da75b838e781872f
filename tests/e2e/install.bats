#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# What `make install` puts where, and that it is fit for use: stripped binary, man pages, the systemd unit, the example
# for two VMs.
load lib

setup_file() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    export root D=$BATS_FILE_TMPDIR/dest
    env -u MAKEFLAGS -u MAKEOVERRIDES -u BUILD -u V make -s -C "$root" install DESTDIR="$D" PREFIX=/usr \
        >"$BATS_FILE_TMPDIR/make.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/make.log"; return 1; }
}
setup() {
    [ -z "$OUTRIDER_SANITIZER" ] || skip "the release build is what is installed"
    begin
}
teardown() { finish; }

@test "the files" {
    (cd "$D" && find . -type f -o -type l | sort) >have
    printf '%s\n' ./usr/bin/certrotate ./usr/bin/sidecar ./usr/lib/systemd/system/outrider.service \
        ./usr/share/man/man1/certrotate.1 ./usr/share/man/man1/sidecar.1 ./usr/share/man/man5/outrider.ini.5 | diff - have
    run file "$D/usr/bin/sidecar"
    [[ $output == *", stripped"* ]]
    "$D/usr/bin/sidecar" version
    "$D/usr/bin/certrotate" version
}

@test "man pages: no warning, every command, every section and key" {
    command -v groff >/dev/null || skip "no groff"
    for page in "$D"/usr/share/man/man*/*; do
        run groff -man -Tutf8 -ww -z "$page"
        echo "$page: $output"
        [ "$status" = 0 ]
        [ -z "$output" ]
    done
    groff -man -Tutf8 "$D/usr/share/man/man5/outrider.ini.5" | sed 's/\x1b\[[0-9;]*m//g; s/.\x08//g' >ini
    sed -n 's/^## \(\[.*\]\).*/\1/p; s/^| `\([a-z_.]*\)[A-Z`].*/\1/p' "$root/config/reference.md" | sort -u | while read -r word; do
        grep -qF -- "$word" ini || { echo "not in the page: $word"; exit 1; }
    done
    groff -man -Tutf8 "$D/usr/share/man/man1/sidecar.1" | sed 's/\x1b\[[0-9;]*m//g' >page
    for command in run check drain eval explain probe redirect; do
        grep -q "sidecar $command" page
    done
}

@test "the unit: well-formed, sandboxed" {
    command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
    unit=$D/usr/lib/systemd/system/outrider.service
    [ "$(grep -c @PREFIX@ "$unit")" = 0 ]
    run systemd-analyze security --offline=true --no-pager --threshold=20 "$unit"
    echo "$output" | tail -n 3
    [ "$status" = 0 ]
    # The paths have to be there for verify.
    sed "s|/usr/bin/sidecar|$D/usr/bin/sidecar|" "$unit" >outrider.service
    run systemd-analyze verify --man=no ./outrider.service
    echo "$output"
    [[ $output != *"outrider.service"* ]]
}

@test "the example for two VMs is valid" {
    for ini in "$root"/deploy/vm/*.ini; do
        run "$OUTRIDER_BIN/sidecar" check -c "$ini"
        echo "$output"
        [ "$status" = 0 ]
        [[ $output != *warning* ]]
    done
}
