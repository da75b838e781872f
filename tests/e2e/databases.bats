#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Real databases through a pair of sidecars: client -> outbound -> mutual TLS -> inbound -> database. Each runs in a
# folder of its own on loopback, as a user without rights.
load lib
setup() {
    begin
    as_user=()
    if [ "$(id -u)" = 0 ]; then
        as_user=(setpriv --reuid=nobody --regid=nogroup --clear-groups --)
        mkdir data && chown nobody data
    else
        mkdir data
    fi
}
teardown() { finish; }

@test "PostgreSQL: queries, a copy in and out, notifications" {
    bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
    ports SERVICE
    "${as_user[@]}" "$bin/initdb" -D "$T/data/pg" -A trust -U tester --no-sync --locale=C -E UTF8 >initdb.log 2>&1
    spawn postgres "${as_user[@]}" "$bin/postgres" -D "$T/data/pg" -p "$SERVICE" -h 127.0.0.1 -k '' -c fsync=off \
        -c shared_buffers=16MB
    wait_until 20 "$bin/pg_isready" -q -h 127.0.0.1 -p "$SERVICE"
    pair
    sql() { psql -h 127.0.0.1 -p "$OUT" -U tester -d postgres -X -A -t -v ON_ERROR_STOP=1 "$@"; }
    export PGSSLMODE=prefer # asks for TLS first: a round trip of its own before the protocol begins
    [ "$(sql -c 'select 6 * 7')" = 42 ]
    sql -c 'create table t (id int primary key, body text)'
    seq 1 20000 | awk '{print $1 "\t" "row " $1}' | sql -c 'copy t from stdin'
    [ "$(sql -c 'select count(*), sum(id) from t')" = '20000|200010000' ]
    [ "$(sql -c 'copy t to stdout' | wc -l)" = 20000 ]
    # A result much larger than any buffer.
    [ "$(sql -c "select length(repeat('x', 30000000))")" = 30000000 ]
    [ "$(sql -c "select repeat('x', 3000000)" | wc -c)" = 3000001 ]
    run sql -c 'select 1/0'
    [[ $output == *"division by zero"* ]]
    [ "$(sql -c 'begin; listen c; notify c; commit; select 1' | tail -n 1)" != '' ]
    # Both sidecars know whom they carried.
    wait_for_log server 'CN=client'
    wait_for_log client 'CN=server'
    kill -INT "$(pgrep -P "$(pid_of postgres)" -x postgres || pid_of postgres)" 2>/dev/null || true
}

@test "Redis: pipeline, a large value, publish and subscribe" {
    ports SERVICE
    spawn redis "${as_user[@]}" redis-server --port "$SERVICE" --bind 127.0.0.1 --dir "$T/data" --save '' --appendonly no
    wait_until 10 redis-cli -p "$SERVICE" ping >/dev/null
    pair
    cli() { redis-cli -h 127.0.0.1 -p "$OUT" "$@"; }
    [ "$(cli ping)" = PONG ]
    [ "$(cli set k v)" = OK ]
    [ "$(cli get k)" = v ]
    seq 1 20000 | awk '{print "INCRBY total " $1}' | cli --pipe >/dev/null
    [ "$(cli get total)" = 200010000 ]
    head -c 5000000 /dev/zero | tr '\0' x | cli -x set big >/dev/null
    [ "$(cli strlen big)" = 5000000 ]
    [ "$(cli get big | wc -c)" = 5000001 ]
    spawn subscriber redis-cli -h 127.0.0.1 -p "$OUT" subscribe news
    wait_until 5 grep -q '^1$' subscriber.out
    cli publish news it-is-raining
    wait_until 5 grep -q it-is-raining subscriber.out
    [ "$(cli eval 'return 1+1' 0)" = 2 ]
}

@test "MariaDB: the server that speaks first" {
    ports SERVICE
    me=$(id -un)
    [ ${#as_user[@]} = 0 ] || me=nobody
    "${as_user[@]}" mariadb-install-db --no-defaults --datadir="$T/data/db" --auth-root-authentication-method=normal \
        --skip-test-db >install.log 2>&1 || { tail install.log; false; }
    spawn mariadb "${as_user[@]}" mariadbd --no-defaults --datadir="$T/data/db" --port="$SERVICE" --bind-address=127.0.0.1 \
        --socket="$T/data/db.sock" --pid-file="$T/data/db.pid" --innodb-buffer-pool-size=8M --innodb-flush-log-at-trx-commit=0 \
        --lc-messages-dir=/usr/share/mysql
    wait_until 20 mariadb-admin --no-defaults -h 127.0.0.1 -P "$SERVICE" -u root --silent ping
    mariadb --no-defaults -h 127.0.0.1 -P "$SERVICE" -u root -e "create user t@'%' identified by 'secret'; grant all on *.* to t@'%'"
    pair
    sql() { mariadb --no-defaults -h 127.0.0.1 -P "$OUT" -u t -psecret -N -B "$@"; }
    [ "$(sql -e 'select 6 * 7')" = 42 ]
    sql -e 'create database d; create table d.t (id int primary key, body text)'
    { echo 'insert into d.t values (0, "x")'; seq 1 20000 | awk '{print ",(" $1 ", \"row " $1 "\")"}'; } | sql
    [ "$(sql -e 'select count(*), sum(id) from d.t')" = $'20001\t200010000' ]
    [ "$(sql -e 'select * from d.t' | wc -l)" = 20001 ]
    [ "$(sql -e "select repeat('x', 3000000)" | wc -c)" = 3000001 ]
    run mariadb --no-defaults -h 127.0.0.1 -P "$OUT" -u t -pwrong -e 'select 1'
    [[ $output == *"Access denied"* ]]
}
