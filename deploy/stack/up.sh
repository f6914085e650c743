#!/usr/bin/env bash
# Starts what docker-compose.yml starts, without containers, on free ports of
# loopback; says how to reach it; and keeps it running until interrupted (Ctrl-C).
# All that it holds is gone then. Needs Go and PostgreSQL's server; the first start
# builds the rest, which takes minutes. SWEEP_STACK_BIN names a folder to keep it in.
set -euo pipefail
cd "$(dirname "$0")"
export SWEEP_STACK_UP=1 SWEEP_TEST_MUST_RUN=1
../../storage/minio/miniotest/build.sh
exec go test -count 1 -timeout 0 -v -run '^TestUp$' .
