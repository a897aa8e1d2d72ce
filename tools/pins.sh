#!/usr/bin/env bash
# Resolves every package anew into constraints.txt: first what a running network needs, then what development adds.
# Run as `make pins`. The file keeps digests and no addresses; a lower half that is not read makes `make demo` quicker.
set -euo pipefail
cd "$(dirname "$0")/.."

work=.cache/pins
"${PYTHON:-python3}" -m venv "$work"
"$work/bin/python" -m pip install --quiet pip-tools

resolve() { # resolve FILE OPTION… : every package for these extras, one block each
  local file=$1
  shift
  "$work/bin/pip-compile" --quiet "$@" --generate-hashes --strip-extras --allow-unsafe --no-header --no-annotate \
    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file "$file" pyproject.toml
  sed -i '/^restante @/d; /^#/d' "$file"
}

resolve "$work/run.txt" --extra demo --extra build
cp "$work/run.txt" "$work/all.txt" # the second resolution keeps the versions of the first
resolve "$work/all.txt" --all-extras

{
  echo "# Every package the project may install, at one version, with the digests of its files. Written by \`make pins\`."
  echo "# What a running network needs:"
  cat "$work/run.txt"
  echo "# What development adds:"
  awk 'function name(line) { split(line, part, "=="); return part[1] }
       NR == FNR { if (/^[a-z0-9]/) known[name($0)] = 1; next }
       /^[a-z0-9]/ { skip = name($0) in known }
       !skip' "$work/run.txt" "$work/all.txt"
} >"$work/constraints.txt"

if grep -n '://' "$work/constraints.txt"; then
  echo "An address got into the pins; nothing was written." >&2
  exit 1
fi
mv "$work/constraints.txt" constraints.txt
