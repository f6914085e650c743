#!/usr/bin/env bash
# Builds the Go programs of the stack into the folder $1: the Temporal server and its
# schema tool, in the version that go.mod names, and sweep with and without the embedded
# server. Programs that are up to date are not built again.
set -euo pipefail
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
export CGO_ENABLED=0

# The server's own programs need some modules that sweep does not need. They are added to
# a copy of go.mod. So all other modules have the versions that sweep embeds, and the same
# build cache is used.
mod=$(mktemp -d)
trap 'rm -rf "$mod"' EXIT
cp go.mod go.sum "$mod"
go build -mod=mod -modfile="$mod/go.mod" -o "$out/temporal-server" go.temporal.io/server/cmd/server
go build -mod=mod -modfile="$mod/go.mod" -o "$out/temporal-sql-tool" go.temporal.io/server/cmd/tools/sql

go build -o "$out/sweep" ./cmd/sweep
go build -tags noserver -o "$out/sweep-worker" ./cmd/sweep
