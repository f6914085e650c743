#!/bin/sh
# Creates the namespace and the search attributes by which sweeps are found in the
# Web UI; run again, it changes nothing. TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE say
# where; RETENTION says how long the histories of ended sweeps are kept. Results do
# not depend on it: they lie in the object store.
set -eu

# The port answers some seconds before the services have found each other.
tries=60
until temporal operator cluster health >/dev/null 2>&1; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || { echo "no healthy Temporal server at $TEMPORAL_ADDRESS" >&2; exit 1; }
	sleep 1
done

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
	temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"

# What is new reaches the frontend's cache some seconds later; until then it refuses
# search attributes that it has just accepted.
tries=60
until temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
	--name SweepName --type Keyword --name SweepCells --type Int &&
	temporal workflow list --namespace "$TEMPORAL_NAMESPACE" \
		--query "SweepName = 'none' AND SweepCells = 0" >/dev/null; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || exit 1
	sleep 1
done
