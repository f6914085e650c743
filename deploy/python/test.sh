#!/usr/bin/env bash
# Builds the wheel, installs it in a fresh virtual environment, and tests it there:
#
#	deploy/python/test.sh [WHEEL]      that wheel instead of one that is built
#
# Needs Go and python3 with venv; downloads about 100 MB of packages, if pip has not kept them. The tests of load() run
# where there is PyTorch: SWEEP_TEST_TORCH names an interpreter that has torch and safetensors, and the environment uses
# its packages beside its own. Without it they are skipped, which the last line says.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/deploy/python
work=$PWD/.python
mkdir -p "$work"

wheel=${1:-}
if [ -z "$wheel" ]; then
	rm -rf "$work/dist"
	wheel=$(SWEEP_WHEEL_TRIMPATH=${SWEEP_WHEEL_TRIMPATH:-0} "$here/build.sh" "$work/dist")
fi

venv=$work/venv
rm -rf "$venv"
base=${SWEEP_TEST_TORCH:-python3}
"$base" -m venv "$venv"
python=$venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
	"$wheel" -r "$here/test-requirements.txt"
if [ -n "${SWEEP_TEST_TORCH:-}" ]; then
	# Packages in the environment go first.
	"$SWEEP_TEST_TORCH" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		>"$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch-of-another.pth"
	"$python" -c 'import torch, safetensors' # must work, or the tests of load() would be skipped
fi

# Beside the installed package, not beside its sources: what is tested is the wheel.
cd "$venv"
"$python" -m mypy --config-file "$here/pyproject.toml" --cache-dir "$work/mypy" -p topksweep
MYPYPATH=$here "$python" -m mypy --config-file "$here/pyproject.toml" --cache-dir "$work/mypy" "$here"/tests/*.py
export OMP_NUM_THREADS=1
"$python" -m pytest -q --rootdir "$here" -c "$here/pyproject.toml" -rs "$here/tests"
[ -n "${SWEEP_TEST_TORCH:-}" ] || echo 'load() was not tested: SWEEP_TEST_TORCH names no interpreter with torch'
