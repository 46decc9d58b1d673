#!/usr/bin/env bash
# Proves that Mailchimp's own clients work against the simulator, unchanged.
#
# Usage: bash tests/official_clients/run.sh BASE_URL
# with MAILCHIMP_API_KEY and MAILCHIMP_LIST_ID in the environment, as
# `cargo run --example mailchimp_simulator` prints them. BASE_URL has no /3.0.
set -euo pipefail

base_url=${1:?usage: run.sh BASE_URL}
export MAILCHIMP_URL="${base_url%/}/3.0"
: "${MAILCHIMP_API_KEY:?}" "${MAILCHIMP_LIST_ID:?}"
cd "$(dirname "$0")"

if [ ! -d .venv ]; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
fi
[ -d node_modules ] || npm install --silent --no-audit --no-fund

.venv/bin/python client.py
node client.js
