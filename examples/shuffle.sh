#!/usr/bin/env bash
# Measures what shuffle: blocks costs: it trains the grids examples/shuffle/rows-*.yaml with both orders of the rows, and
# prints a table in Markdown of the nmse with each, the mean over the seeds, and of their ratio.
#
#   examples/shuffle.sh                                                   trains all of them
#   examples/shuffle.sh examples/shuffle/rows-262144.yaml                 trains one
#   SWEEP=bin/sweep DIR=state examples/shuffle.sh                         has a program and a folder for state already
#
# The activations are those of deploy/harvest/README.md. For rows-262144.yaml they are those of
# examples/minilm-layers.yaml. For the others they are written by the same command with this last line:
#
#   --layer 3 --shard-rows 65536 --max-tokens 1_114_112 --out activations/minilm-long
#
# and the seventeenth shard is moved to activations/minilm-held, to be held out.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sweep=${SWEEP:-$work/sweep}
[ -n "${SWEEP:-}" ] || go build -o "$sweep" ./cmd/sweep

[ $# -gt 0 ] || set -- examples/shuffle/rows-262144.yaml examples/shuffle/rows-524288.yaml examples/shuffle/rows-1048576.yaml
echo "| grid | k | dict_size | full | blocks | blocks / full | of each seed |"
echo "|---|---|---|---|---|---|---|"
for grid; do
  "$sweep" run "$grid" --dir "${DIR:-$work/state}" --no-ui -o csv >"$work/results.csv"
  awk -F, -v grid="$(basename "$grid" .yaml)" '
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    {
      cell = $at["k"] " | " $at["dict_size"]
      if (!(cell in seeds)) order[++cells] = cell
      nmse[cell, $at["data"], $at["seed"]] = $at["nmse"]
      if ($at["data"] == "full") seeds[cell] = seeds[cell] " " $at["seed"]
    }
    END {
      for (c = 1; c <= cells; c++) {
        n = split(seeds[order[c]], seed, " ")
        full = blocks = 0; each = ""
        for (i = 1; i <= n; i++) {
          a = nmse[order[c], "full", seed[i]]; b = nmse[order[c], "blocks", seed[i]]
          full += a / n; blocks += b / n
          each = each (i > 1 ? ", " : "") sprintf("%.4f", b / a)
        }
        printf "| %s | %s | %.4f | %.4f | %.4f | %s |\n", grid, order[c], full, blocks, blocks / full, each
      }
    }
  ' "$work/results.csv"
done
