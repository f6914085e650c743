#!/usr/bin/env bash
# Trains the grids of README.md again and updates their tables. A table there follows the
# line "$ go run ./cmd/sweep run GRID" and ends with its code block. The grids of this
# folder need the activations of deploy/harvest/README.md. A grid without its data is
# skipped.
#
#   examples/tables.sh                 trains all grids
#   examples/tables.sh grid.yaml       trains one
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ $# -gt 0 ] || set -- $(sed -n 's/^\$ go run \.\/cmd\/sweep run //p' README.md)
go build -o "$work/sweep" ./cmd/sweep
for grid; do
  status=0
  "$work/sweep" plan "$grid" --dir "$work/state" >"$work/plan" || status=$?
  [ $status = 0 ] || { echo "left as it was: $grid" >&2; continue; }
  SECONDS=0
  "$work/sweep" run "$grid" --dir "$work/state" --no-ui >"$work/table"
  echo "$grid: $SECONDS s" >&2
  awk -v line="\$ go run ./cmd/sweep run $grid" -v table="$work/table" '
    old && /^```/ { old = 0 }
    !old          { print }
    $0 == line    { old = 1; while ((getline row < table) > 0) print row }
  ' README.md >"$work/readme"
  cat "$work/readme" >README.md
done
