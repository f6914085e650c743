#!/usr/bin/env bash
# Measures how much time the sharing of prefixes saves. It trains each grid with and
# without sharing, on one slot and on four, and prints a table in Markdown: the steps
# trained, and the seconds that `sweep run` takes from its start to its table.
#
#   examples/sharing.sh                                      measures the grids of docs/sharing.md
#   examples/sharing.sh my.yaml                              measures another grid
#   SLOTS='1 2 4 8' ROUNDS=1 examples/sharing.sh             uses other numbers of slots
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
work=$(mktemp -d)
trap 'rm -rf "$work" ./*.alone-$$.yaml' EXIT
read -ra slots <<<"${SLOTS:-1 4}"
rounds=${ROUNDS:-3}

[ $# -gt 0 ] || set -- grid.yaml examples/sharing/decay-auxk.yaml examples/sharing/lengths.yaml
go build -o "$work/sweep" ./cmd/sweep

# run GRID SLOTS prints how many seconds a run of GRID takes, with a new state folder.
run() {
  rm -rf "$work/state"
  local began=$EPOCHREALTIME
  "$work/sweep" run "$1" --dir "$work/state" --slots "$2" --no-ui >"$work/table" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
  awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'
}

# median FILE prints the median of the numbers in FILE, one a line.
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

printf '| grid | steps alone | shared | |'
for n in "${slots[@]}"; do printf ' %s slots: alone | shared | |' "$n"; done
printf '\n|---|---|---|---|'
for n in "${slots[@]}"; do printf -- '---|---|---|'; done
printf '\n'
for grid; do
  alone=${grid%.yaml}.alone-$$.yaml
  sed '/^run:/,$ { /share_prefixes/d }' "$grid" >"$alone"
  if grep -q '^run:' "$alone"; then sed -i 's/^run: *$/run:\n  share_prefixes: false/' "$alone"; else echo 'run: {share_prefixes: false}' >>"$alone"; fi
  times=''
  for n in "${slots[@]}"; do
    : >"$work/alone"; : >"$work/shared"
    for ((i = 0; i < rounds; i++)); do # alternate, so that other work on the machine slows both
      run "$alone" "$n" >>"$work/alone"; echo >>"$work/alone"; cp "$work/table" "$work/want"
      run "$grid" "$n" >>"$work/shared"; echo >>"$work/shared"
      cmp "$work/want" "$work/table" >&2
    done
    a=$(median "$work/alone"); b=$(median "$work/shared")
    times+=$(awk -v a="$a" -v b="$b" 'BEGIN { printf " %s s | %s s | %.2f× |", a, b, a / b }')
  done
  rm "$alone"
  read -r trained all < <(sed -n 's/^trained \([0-9]*\) steps of the \([0-9]*\) .*/\1 \2/p' "$work/log")
  awk -v g="${grid##*/}" -v s="$trained" -v u="$all" -v t="$times" 'BEGIN { printf "| `%s` | %d | %d | %.2f× |%s\n", g, u, s, u / s, t }'
done
