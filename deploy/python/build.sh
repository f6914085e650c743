#!/usr/bin/env bash
# Builds the wheel topksweep, which holds the program sweep:
#
#	deploy/python/build.sh [FOLDER]      into FOLDER, by default dist/ of the checkout
#
# GOOS and GOARCH choose another platform: linux or darwin, amd64 or arm64. Needs Go and python3 with venv; downloads
# hatchling once, into .python/. Equal sources give equal bytes with equal versions of Go and Python; SOURCE_DATE_EPOCH
# dates the files in the wheel, by default 2020-02-02.
#
# SWEEP_WHEEL_TRIMPATH=0 builds the program with the compiled packages that other builds of this checkout have left,
# which saves minutes. Its bytes then depend on the folder of the checkout.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=deploy/python
root=$PWD
out=${1:-dist}
mkdir -p "$out"
out=$(cd "$out" && pwd)
goos=$(go env GOOS)
goarch=$(go env GOARCH)

# The program is linked statically, so that it runs with any C library. Go 1.26 needs macOS 12.
case $goos/$goarch in
linux/amd64) platform=manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64 ;;
linux/arm64) platform=manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64 ;;
darwin/amd64) platform=macosx_12_0_x86_64 ;;
darwin/arm64) platform=macosx_12_0_arm64 ;;
*)
	echo "build.sh: $goos/$goarch: want linux or darwin, on amd64 or arm64" >&2
	exit 2
	;;
esac

tools=$root/.python/tools
if ! cmp -s "$here/build-requirements.txt" "$tools/build-requirements.txt"; then
	rm -rf "$tools"
	python3 -m venv "$tools"
	"$tools/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
		-r "$here/build-requirements.txt"
	cp "$here/build-requirements.txt" "$tools"
fi

# The wheel is built from a copy, beside which nothing lies that does not belong into it.
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
cp -R "$here/pyproject.toml" "$here/hatch_build.py" "$here/README.md" "$here/src" LICENSE "$stage"
find "$stage" -name __pycache__ -prune -exec rm -rf {} +
chmod -R u=rwX,go=rX "$stage" # modes are in the wheel, and come from the umask of the checkout

flags=(-ldflags='-s -w -buildid=' -buildvcs=auto)
[ "${SWEEP_WHEEL_TRIMPATH:-1}" = 0 ] || flags+=(-trimpath)
CGO_ENABLED=0 GOOS=$goos GOARCH=$goarch go build "${flags[@]}" -o "$stage/src/topksweep/bin/sweep" ./cmd/sweep
chmod 755 "$stage/src/topksweep/bin/sweep"

recorded=$(go version -m "$stage/src/topksweep/bin/sweep" | awk '$1 == "mod" { print $3 }')
TOPKSWEEP_VERSION=$("$tools/bin/python" "$here/version.py" "$recorded")
export TOPKSWEEP_VERSION TOPKSWEEP_PLATFORM=$platform
"$tools/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	--wheel-dir "$stage/wheel" "$stage"
rm -f "$out"/topksweep-*-"$platform".whl # an older one, so that one is left to install
mv "$stage"/wheel/topksweep-*.whl "$out"
ls "$out"/topksweep-*-"$platform".whl
