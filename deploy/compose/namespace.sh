#!/bin/sh
# Creates the namespace, and the search attributes with which the Web UI finds sweeps. A
# second run changes nothing. An attribute for which the server has no room is left out, with
# a note: sweeps run without it. TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE name the server and
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

# Of each: the name, its type, and a condition that a query may have.
attributes="
SweepName Keyword SweepName='none'
SweepState Keyword SweepState='none'
SweepCells Int SweepCells=0
SweepDone Int SweepDone=0
SweepFailed Int SweepFailed=0
SweepBestNMSE Double SweepBestNMSE<0
SweepData Keyword SweepData='none'
SweepAxes KeywordList SweepAxes='none'
SweepOwner Keyword SweepOwner='none'
"

# exists NAME TYPE: the namespace has the attribute, with that type.
exists() {
	temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" </dev/null |
		grep -Eq "^ *$1 +$2 *\$"
}

# One call for each, since a call does all or nothing. A server that has just begun may
# refuse the first.
there="" missing=""
while read -r name type condition; do
	[ -n "$name" ] || continue
	tries=10
	until exists "$name" "$type" || why=$(temporal operator search-attribute create \
		--namespace "$TEMPORAL_NAMESPACE" --name "$name" --type "$type" 2>&1 </dev/null) &&
		exists "$name" "$type"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || break
		case $why in *"have more than"* | *"different type"*) break ;; esac
		sleep 1
	done
	if exists "$name" "$type"; then
		there="${there:+$there AND }$condition"
	else
		missing="$missing $name"
		echo "note: sweeps go without the search attribute $name of type $type: $why" >&2
	fi
done <<END
$attributes
END
[ -n "$there" ] || { echo "the namespace $TEMPORAL_NAMESPACE has no search attribute of sweeps" >&2; exit 1; }

# New search attributes reach the frontend's cache some seconds later. Until then queries
# with them fail.
tries=60
until temporal workflow list --namespace "$TEMPORAL_NAMESPACE" --query "$there" >/dev/null; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || exit 1
	sleep 1
done
