#!/usr/bin/env bash
# Measures runs beside what people use today, on the same simulated provider, taking turns, in one
# call with whatever that needs. Options go to `listwarden bench`: `--latency-ms 200`, `--rounds 5`, …
# MEMBERS=10000 makes the list another size.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=${LISTWARDEN_PEERS_DIR:-${TMPDIR:-/tmp}/listwarden-peers}
mkdir -p "$work/sweep"
cp benches/peers/pull.js benches/peers/pull.py benches/peers/pull_dlt.py "$work/sweep/"

if ! "$work/venv/bin/python" -c 'import mailchimp_marketing, dlt, duckdb' 2>/dev/null; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check \
        mailchimp-marketing==3.0.80 'dlt[duckdb]==1.31.0'
fi
[ -d "$work/sweep/node_modules/@mailchimp" ] ||
    npm install --prefix "$work/sweep" --silent --no-audit --no-fund @mailchimp/mailchimp_marketing@3.0.80

# It would tell its makers of each run.
export RUNTIME__DLTHUB_TELEMETRY=false
cargo run --quiet --profile bench -- bench --members "${MEMBERS:-100000}" \
    --peer "Python client=$work/venv/bin/python $work/sweep/pull.py" \
    --peer "Node client=node $work/sweep/pull.js 1" \
    --peer "Node client, 9 at once=node $work/sweep/pull.js 9" \
    --puller "dlt, pull alone=$work/venv/bin/python $work/sweep/pull_dlt.py" \
    "$@"
