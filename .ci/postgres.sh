#!/usr/bin/env bash
# A private PostgreSQL for development and tests: `start` prints its URL, `stop` removes it.
#
# Its data lie in $LISTWARDEN_POSTGRES_DIR (default: a folder in /tmp), so several can run at once.
# It forgets them in a crash, which is quicker; with LISTWARDEN_POSTGRES_FSYNC=on it does not.
set -euo pipefail

dir=${LISTWARDEN_POSTGRES_DIR:-/tmp/listwarden-postgres}

bin_dir() {
    local found
    found=$(find /usr/lib/postgresql -name initdb -path '*/bin/*' 2>/dev/null | sort -V | tail -1)
    if [ -n "$found" ]; then dirname "$found"; return; fi
    if found=$(command -v initdb); then dirname "$found"; return; fi
    return 1
}

install_server() {
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    {
        "${sudo[@]}" apt-get update -qq
        DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends postgresql
    } >&2
}

# initdb refuses root: run as the package's own user then.
as_owner() {
    if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

free_port() {
    local port
    for _ in $(seq 50); do
        port=$((20000 + RANDOM % 30000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
    echo "no free port found" >&2
    return 1
}

start() {
    local bin port durable=${LISTWARDEN_POSTGRES_FSYNC:-off}
    bin=$(bin_dir) || { install_server; bin=$(bin_dir); }
    stop
    mkdir -p "$dir"
    if [ "$(id -u)" = 0 ]; then chown postgres "$dir"; fi
    chmod 700 "$dir"
    as_owner "$bin/initdb" -D "$dir/data" -U listwarden -A trust -E UTF8 --locale=C >"$dir.log" 2>&1
    port=$(free_port)
    as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w start -o \
        "-p $port -k $dir -c listen_addresses=127.0.0.1 -c fsync=$durable -c synchronous_commit=$durable -c full_page_writes=$durable -c max_connections=300" \
        >>"$dir.log" 2>&1
    echo "postgres://listwarden@127.0.0.1:$port/postgres"
}

stop() {
    local bin
    if [ -d "$dir/data" ] && bin=$(bin_dir); then
        as_owner "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true
    fi
    rm -rf "$dir" "$dir.log"
}

case "${1:-}" in
    start) start ;;
    stop) stop ;;
    *) echo "usage: $0 start|stop" >&2; exit 2 ;;
esac
