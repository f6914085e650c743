#!/usr/bin/env bash
# Builds the MinIO server that tests run, where package miniotest looks for it: in
# the user's cache directory, once a version. It takes minutes: on a loaded machine
# more than the ten that go test gives a package. So no test builds it.
set -euo pipefail
cd "$(dirname "$0")"
version=$(sed -n 's/^const Version = "\(.*\)"$/\1/p' server.go)
case $(uname) in
Darwin) cache=$HOME/Library/Caches ;;
*) cache=${XDG_CACHE_HOME:-$HOME/.cache} ;;
esac
folder=$cache/sweep/minio-$version
[ ! -x "$folder/minio" ] || exit 0
echo "building MinIO into $folder" >&2
# go install writes the program whole or not at all. Settings for this module's
# builds do not apply to another one's.
GOBIN=$folder GOFLAGS='' CGO_ENABLED=0 go install -ldflags='-s -w' "github.com/minio/minio@$version"
