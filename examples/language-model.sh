#!/usr/bin/env bash
# What a language model loses when autoencoders stand in for its activations, from nothing: trains a small GPT-2 on
# Python's own sources, harvests one of its layers, trains a grid of autoencoders, puts each into the language model,
# and joins the losses to the results. Downloads no model and no text. It took three and a half minutes of processor
# time (AMD EPYC, 2026-11-27). Everything lies in activations/, which git ignores.
#
#   PYTHON=.venv/bin/python examples/language-model.sh
#
# PYTHON is one in which deploy/harvest/requirements.txt is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0 HF_HUB_OFFLINE=1
python=${PYTHON:-python3}
harvest=deploy/harvest
work=activations/language-model-files
library=$("$python" -c 'import os; print(os.path.dirname(os.__file__))')
mkdir -p "$work"
go build -o "$work/sweep" ./cmd/sweep
step() { printf '\n== %s (at %d s)\n' "$*" "$SECONDS"; }

step 'the language model'
if [ ! -e "$work/gpt2/model.safetensors" ]; then
	"$python" $harvest/train_model.py --text "$library/*.py" --out "$work/gpt2"
fi

step 'its activations'
"$python" $harvest/harvest.py --model "$work/gpt2" --model-name my-gpt2 --layer 2 --context-length 128 \
	--text "$library/*.py" --seed 0 --max-tokens 300000 --out activations/language-model

step 'the autoencoders'
"$work/sweep" run examples/language-model/grid.yaml --dir "$work/state" --no-ui >/dev/null
"$work/sweep" export language-model --to sparsify --dir "$work/state" --out "$work/exported" --name 'k{k}_f{dict_size}'

step 'the loss with each of them, on modules that neither has seen'
"$python" $harvest/loss.py --model "$work/gpt2" --sae "$work"/exported/* --max-tokens 50000 \
	--text "$library/asyncio/*.py" "$library/email/*.py" "$library/http/*.py" --out "$work/loss.csv"

step 'both together'
columns=k,dict_size,nmse,ce_loss,ce_loss_sae,ce_loss_zero,ce_loss_mean,kl,loss_recovered_zero,loss_recovered_mean
"$work/sweep" results language-model --dir "$work/state" --join "$work/loss.csv" --columns "$columns"
"$work/sweep" results language-model --dir "$work/state" --join "$work/loss.csv" --out "$work/joined.parquet"
