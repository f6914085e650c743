#!/usr/bin/env bash
# Starts the services of docker-compose.yml without containers, on free ports of the
# loopback interface, and prints how to reach them. It runs until it is interrupted
# (Ctrl-C); then all its data are deleted. It needs Go and the PostgreSQL server. The
# first start builds the other programs, which takes minutes. SWEEP_STACK_BIN names a
# folder where they are kept.
set -euo pipefail
cd "$(dirname "$0")"
export SWEEP_STACK_UP=1 SWEEP_TEST_MUST_RUN=1
../../storage/minio/miniotest/build.sh
exec go test -count 1 -timeout 0 -v -run '^TestUp$' .
