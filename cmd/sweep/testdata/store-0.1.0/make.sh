#!/usr/bin/env bash
# make.sh PROGRAM: trains grids/ with a build of sweep. It writes store/, the store
# with all of the sweeps, and outputs/undisturbed.*, the results of interrupted.yaml
# and the SHA-256 of its encoders (640 bytes each) when nothing interrupts it.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")"
unset SWEEP_STORE TEMPORAL_ADDRESS
# The path in plain Go, whose bits do not depend on the machine's instructions.
export SWEEP_CPU=portable SWEEP_DIR
SWEEP_DIR=$(mktemp -d)
trap 'rm -rf "$SWEEP_DIR"' EXIT

# await COMMAND: waits until the command prints something.
await() { while [ -z "$(eval "$1" 2>/dev/null)" ]; do sleep 0.01; done; }

mkdir -p outputs
"$program" run grids/interrupted.yaml --no-ui --slots 1 -o csv >outputs/undisturbed.csv
# A model's encoder lies behind its header, whose length is in the first eight bytes.
(cd "$SWEEP_DIR/store/models" && for f in */sae.safetensors; do
  sum=$(tail -c +$((9 + $(od -An -tu8 -N8 "$f"))) "$f" | head -c 640 | sha256sum)
  echo "${sum%% *}  ${f%/*}"
done) >outputs/undisturbed.sha256
rm -rf "$SWEEP_DIR"/*
stages=$SWEEP_DIR/store/stages

for grid in trunks alone removed; do "$program" run grids/$grid.yaml --no-ui --slots 1; done
"$program" run grids/failed.yaml --no-ui --slots 1 || true
rm -r "$SWEEP_DIR"/store/sweeps/removed-*

"$program" up --no-ui --slots 1 &
up=$!
await "grep -o '127.0.0.1:[0-9]*' '$SWEEP_DIR/server.json'"
"$program" extend trunks grids/trunks-longer.yaml --wait
before=$(ls "$stages")
"$program" submit grids/canceled.yaml
await "comm -13 <(echo '$before') <(ls '$stages')"
"$program" cancel canceled
await "ls '$SWEEP_DIR'/store/sweeps/canceled-*/failures"
kill -INT $up && wait $up || true

# A branch's folder is named like its run, a trunk's has the sweep's hash behind it.
canceled=$(ls "$stages" | grep -v -- - | tr '\n' '|' | sed 's/|$//')
# branches lists the manifests of the branches of interrupted.yaml.
branches() { ls -d "$stages"/*/manifests/* | grep -vE -- "-.*/manifests|$canceled"; }
"$program" run grids/interrupted.yaml --no-ui --slots 1 &
await branches
kill -9 $! && wait $! || true
killed=$(branches | head -1)
"$program" run grids/interrupted.yaml --no-ui --slots 1 &
await "branches | grep -v '${killed%/*/*}'" # a checkpoint of another branch
kill -INT $! && wait $! || true

# One model is enough.
for m in $(ls "$SWEEP_DIR/store/models" | tail -n +2); do rm -r "$SWEEP_DIR/store/models/$m"; done
rm -rf store
cp -r "$SWEEP_DIR/store" store
rm -rf store/+tmp
