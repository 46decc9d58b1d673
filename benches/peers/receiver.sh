#!/usr/bin/env bash
# Measures the webhook receiver against those of Express, and how long an opt-out travels; in one
# call, with whatever that needs. Options go to the bench: `--rounds 5`, `--only opt-outs`, …
set -euo pipefail
cd "$(dirname "$0")/../.."

work=${LISTWARDEN_PEERS_DIR:-${TMPDIR:-/tmp}/listwarden-peers}

need() {
    command -v "$1" >/dev/null && return
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${@:2}"
}

# Its native part is built here, from the headers that lie beside node. A caller that ignores
# SIGCHLD would make `make` fail, hence perl.
install_peers() {
    mkdir -p "$work"
    cp benches/peers/package.json benches/peers/express.js benches/peers/deliveries.lua "$work/"
    (cd "$work" && node -e 'require("better-sqlite3")(":memory:"); require("pg"); require("express")' 2>/dev/null) && return
    [ -e /usr/include/node/node.h ] || need node-gyp-headers libnode-dev
    (cd "$work" && npm_config_nodedir=/usr perl -e '$SIG{CHLD} = "DEFAULT"; exec @ARGV' npm install --no-fund --no-audit)
}

need wrk wrk
need node nodejs
need npm npm
need make make g++ python3
install_peers

if [ -z "${LISTWARDEN_TEST_POSTGRES:-}" ]; then
    export LISTWARDEN_POSTGRES_DIR="$work-postgres" LISTWARDEN_POSTGRES_FSYNC=on
    trap 'bash .ci/postgres.sh stop' EXIT
    LISTWARDEN_TEST_POSTGRES=$(bash .ci/postgres.sh start)
    export LISTWARDEN_TEST_POSTGRES
fi
cargo bench --bench webhooks -- --peers "$work" "$@"
