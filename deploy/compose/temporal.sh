#!/bin/sh
# Starts the Temporal server with the database's password from the file POSTGRES_PWD_FILE. The
# server itself reads it only from the environment.
set -eu
POSTGRES_PWD=$(cat "$POSTGRES_PWD_FILE")
# As the image's own script does, but a container in two networks has two addresses.
: "${TEMPORAL_BROADCAST_ADDRESS:=$(getent hosts "$(hostname)" | awk 'NR == 1 { print $1 }')}"
export POSTGRES_PWD TEMPORAL_BROADCAST_ADDRESS
exec temporal-server start
