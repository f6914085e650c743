#!/usr/bin/env bash
# Builds what the stack runs of Go into the folder $1: the Temporal server and its
# schema tool, of the version that go.mod names, and sweep with and without the
# embedded server. What is up to date is left alone.
set -euo pipefail
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
export CGO_ENABLED=0

# The server's own programs need a module or two more than we do. A copy of go.mod
# takes them up, so that everything else is the version that sweep embeds too, and
# comes out of the same build cache.
mod=$(mktemp -d)
trap 'rm -rf "$mod"' EXIT
cp go.mod go.sum "$mod"
go build -mod=mod -modfile="$mod/go.mod" -o "$out/temporal-server" go.temporal.io/server/cmd/server
go build -mod=mod -modfile="$mod/go.mod" -o "$out/temporal-sql-tool" go.temporal.io/server/cmd/tools/sql

go build -o "$out/sweep" ./cmd/sweep
go build -tags noserver -o "$out/sweep-worker" ./cmd/sweep
