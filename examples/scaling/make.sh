#!/usr/bin/env bash
# Makes the gallery from the committed results: the figures in docs/gallery, the fits as
# JSON beside the results, and what examples/scaling/README.md shows of the fits. One
# figure is of examples/minilm-layers. Where that document has a line
# "$ go run ./cmd/sweep VERB …", what follows, up to the end of the block, is replaced
# by what the command prints now.
#
#   examples/scaling/make.sh                         makes all of it
#   SWEEP=bin/sweep examples/scaling/make.sh         with a program that is built already
set -euo pipefail
cd "$(dirname "$0")/../.."
export CGO_ENABLED=0
folder=examples/scaling
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sweep=${SWEEP:-$work/sweep}
[ -n "${SWEEP:-}" ] || go build -o "$sweep" ./cmd/sweep

# fit FILE ARGUMENTS… writes what `sweep fit ARGUMENTS…` prints to FILE. If the points do
# not determine a coefficient, the exit status is 1 and FILE says so, with a smaller form.
fit() {
  local file=$1 status=0
  shift
  "$sweep" fit "$@" >"$work/fit" 2>"$work/errors" || status=$?
  if [ $status -gt 1 ] || [ ! -s "$work/fit" ]; then
    cat "$work/errors" >&2
    return 1
  fi
  cat "$work/fit" >"$file"
}

"$sweep" plot $folder/results.parquet $folder/curves.parquet --out docs/gallery --format svg
"$sweep" plot examples/minilm-layers/results.parquet --out "$work/layers" --format svg
cp "$work/layers/nmse-by-k.svg" docs/gallery/layers-nmse-by-k.svg
fit $folder/fit-nk.json $folder/results.parquet --form nk -o json
fit $folder/fit-c.json $folder/curves.parquet --form c --where k=16 -o json

# What the document shows.
document=$folder/README.md
cp $document "$work/document"
sed -n 's/^\$ go run \.\/cmd\/sweep //p' $document >"$work/commands"
while read -ra command; do
  if [ "${command[0]}" = fit ]; then
    fit "$work/output" "${command[@]:1}"
  else
    "$sweep" "${command[@]}" >"$work/output"
  fi
  awk -v line="\$ go run ./cmd/sweep ${command[*]}" -v output="$work/output" '
    old && /^```/ { old = 0 }
    !old          { print }
    $0 == line    { old = 1; while ((getline row < output) > 0) print row }
  ' "$work/document" >"$work/next"
  mv "$work/next" "$work/document"
done <"$work/commands"
cat "$work/document" >$document
