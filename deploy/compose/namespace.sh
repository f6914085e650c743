#!/bin/sh
# Creates the namespace, and the search attributes with which the Web UI finds sweeps. A
# second run changes nothing. TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE name the server and
# the namespace. RETENTION is how long the histories of ended sweeps are kept. Results are
# in the object store and stay.
set -eu

# The port is open some seconds before the services have found each other.
tries=60
until temporal operator cluster health >/dev/null 2>&1; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || { echo "no healthy Temporal server at $TEMPORAL_ADDRESS" >&2; exit 1; }
	sleep 1
done

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
	temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"

# New search attributes reach the frontend's cache some seconds later. Until then queries
# with them fail.
tries=60
until temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
	--name SweepName --type Keyword --name SweepCells --type Int &&
	temporal workflow list --namespace "$TEMPORAL_NAMESPACE" \
		--query "SweepName = 'none' AND SweepCells = 0" >/dev/null; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || exit 1
	sleep 1
done
