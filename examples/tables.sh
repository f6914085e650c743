#!/usr/bin/env bash
# Trains the grids that the documents show and writes their tables into them. Where a
# document has the line "$ go run ./cmd/sweep run GRID", what follows, up to the end of
# the block, is replaced by what the command prints now. The grids of this folder need
# the activations of deploy/harvest/README.md. A grid without its data is left as it is.
#
#   examples/tables.sh                 all grids
#   examples/tables.sh grid.yaml       one
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
documents=(README.md docs/examples.md)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ $# -gt 0 ] || set -- $(sed -n 's/^\$ go run \.\/cmd\/sweep run //p' "${documents[@]}")
go build -o "$work/sweep" ./cmd/sweep
for grid; do
  line="\$ go run ./cmd/sweep run $grid"
  document=$(grep -lxF "$line" "${documents[@]}") || { echo "no document shows: $line" >&2; exit 1; }
  status=0
  "$work/sweep" plan "$grid" --dir "$work/state" >"$work/plan" || status=$?
  [ $status = 0 ] || { echo "left as it was: $grid" >&2; continue; }
  SECONDS=0
  "$work/sweep" run "$grid" --dir "$work/state" --no-ui >"$work/table"
  echo "$grid: $SECONDS s" >&2
  awk -v line="$line" -v table="$work/table" '
    old && /^```/ { old = 0 }
    !old          { print }
    $0 == line    { old = 1; while ((getline row < table) > 0) print row }
  ' "$document" >"$work/document"
  cat "$work/document" >"$document"
done
