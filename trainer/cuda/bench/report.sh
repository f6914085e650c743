# The rows of the table, and the state of the checks. A part passes, fails or does not run;
# what is only measured passes, and says so where it misses its target.
rows=() passed=0 failed=0 absent=0 missed=0

# row CHECK RESULT [SECONDS [TARGET]]
row() {
	rows+=("| $1 | $2 | ${3:-–} | ${4:-–} |")
	printf '%s: %s\n' "$1" "$2" >&2
}

ok() { passed=$((passed + 1)); row "$@"; }
bad() { failed=$((failed + 1)); row "$1" "**FAILED**: $2" "${3:-}" "${4:-}"; }
not_run() { absent=$((absent + 1)); row "$1" "not run: $2" '' "${3:-}"; }

# measured CHECK RESULT SECONDS TARGET CONDITION: the condition, of awk, says whether the target is met.
measured() {
	if [ -z "${5:-}" ] || awk "BEGIN { exit !($5) }"; then
		ok "$1" "$2" "$3" "${4:-}"
	else
		missed=$((missed + 1))
		ok "$1" "$2 **(missed)**" "$3" "$4"
	fi
}

now() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.1f", to - from }'; }

# print_table HEADING: what goes into BENCHMARKS.md.
print_table() {
	printf '\n%s\n\n| check | result | seconds | target |\n|---|---|---|---|\n' "$1"
	printf '%s\n' "${rows[@]}"
	printf '\n%d passed, of which %d missed the target; %d failed; %d did not run.\n' $passed $missed $failed $absent
}
