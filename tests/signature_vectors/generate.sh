#!/usr/bin/env bash
# Makes vectors.json anew with the providers' own libraries, pinned in requirements.txt.
#
# Usage: bash tests/signature_vectors/generate.sh [--check]
# With --check nothing is written: it fails if vectors.json is not what the libraries make.
# Everything is installed below cargo's target directory, and only there.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work="${CARGO_TARGET_DIR:-$here/../../target}/signature_vectors"
mkdir -p "$work"

if ! cmp -s "$here/requirements.txt" "$work/installed.txt"; then
    rm -rf "$work/venv"
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
        -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$work/installed.txt"
fi

"$work/venv/bin/python" "$here/generate.py" > "$work/vectors.json"
if [ "${1:-}" = --check ]; then
    cmp "$work/vectors.json" "$here/vectors.json"
else
    cp "$work/vectors.json" "$here/vectors.json"
fi
