#!/usr/bin/env bash
# Builds the MinIO server that tests run, and its client mc, where package miniotest looks for
# them: in the user's cache directory, once a version. It takes minutes: on a loaded machine
# more than the ten that go test gives a package. So no test builds them.
set -euo pipefail
cd "$(dirname "$0")"
case $(uname) in
Darwin) cache=$HOME/Library/Caches ;;
*) cache=${XDG_CACHE_HOME:-$HOME/.cache} ;;
esac

# build PROGRAM CONSTANT: the constant of server.go is the module's version.
build() {
	version=$(sed -n "s/^const $2 = \"\(.*\)\"\$/\1/p" server.go)
	folder=$cache/sweep/$1-$version
	[ ! -x "$folder/$1" ] || return 0
	echo "building $1 into $folder" >&2
	# go install writes the program whole or not at all. Settings for this module's
	# builds do not apply to another one's.
	GOBIN=$folder GOFLAGS='' CGO_ENABLED=0 go install -ldflags='-s -w' "github.com/minio/$1@$version"
}
build minio Version
build mc ClientVersion
