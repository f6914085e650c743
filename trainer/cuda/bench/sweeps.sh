# Whole sweeps by sweep-cuda run, on rows that are made here.

# prepare_sweeps writes the rows and the grids. $grid_edit, a script of sed, makes the grids smaller.
prepare_sweeps() {
	local began name
	began=$(now)
	for name in real small; do sed "${grid_edit:-}" "$name.yaml" >"$work/$name.yaml"; done
	if ! ./rows "$work/rows" "$data_rows" "$data_dim" "$data_directions" 2>"$out/rows.log"; then
		bad 'rows of the sweeps' "$(tail -n 1 "$out/rows.log")" "$(since "$began")"
		return 1
	fi
	ok 'rows of the sweeps' "$data_rows × $data_dim in f16, four shards" "$(since "$began")"
}

# sweep GRID STATE [OPTION...] trains a grid. It becomes that program: call it in a subshell.
sweep() {
	local grid=$1 state=$2
	shift 2
	exec ./sweep-cuda run "$work/$grid.yaml" --dir "$work/$state" --backend cuda --no-ui "$@" \
		>>"$out/$state.txt" 2>>"$out/$state.log"
}

# column GRID STATE NAME prints a column of the results.
column() { ./sweep-cuda results "$1" --dir "$work/$2" -o csv --columns "$3" | tail -n +2; }

sum() { awk '{ s += $1 } END { printf "%.1f", s }'; }

# complete GRID STATE succeeds if every run is completed.
complete() { column "$1" "$2" status >"$out/$2-status.txt" && ! grep -qvx completed "$out/$2-status.txt"; }

# table GRID STATE writes what equal sweeps have in common, and prints the file's name.
table() {
	./sweep-cuda results "$1" --dir "$work/$2" -o csv --reproducible >"$out/$2.csv" && echo "$out/$2.csv"
}

# same GRID STATE STATE succeeds if two sweeps have the same results and models, byte for byte. The result beside a
# model says how long it took, and is left out.
same() {
	cmp "$(table "$1" "$2")" "$(table "$1" "$3")" >&2 &&
		diff -rq -x result.json "$work/$2/store/models" "$work/$3/store/models" >&2
}

# watch_card samples the card's use once a second until unwatch_card.
watcher=''
watch_card() {
	: >"$out/busy.txt"
	command -v nvidia-smi >/dev/null || return 0
	nvidia-smi -i 0 --query-gpu=utilization.gpu --format=csv,noheader,nounits -l 1 >"$out/busy.txt" 2>/dev/null &
	watcher=$!
}
unwatch_card() {
	[ -n "$watcher" ] && kill "$watcher" 2>/dev/null && wait "$watcher" 2>/dev/null
	watcher=''
}

# evaluations STATE prints for each run the seconds in which it was measured and exported, by the worker's log.
evaluations() {
	local word time cell
	sed -n 's/^time=\([^ ]*\) .*msg=\(evaluating\|evaluated\) .*cell=\([^ ]*\).*/\2 \1 \3/p' "$work/$1/worker.log" |
		while read -r word time cell; do echo "$word $(date -d "$time" +%s.%N) $cell"; done |
		awk '$1 == "evaluating" { from[$3] = $2 } $1 == "evaluated" && $3 in from { print $2 - from[$3] }'
}

# real_sweep trains the real sweep as a user does, with default settings, and sets default_wall.
real_sweep() {
	local began busy samples steps
	watch_card
	began=$(now)
	(sweep real default)
	default_wall=$(since "$began")
	unwatch_card
	cp "$work/default/worker.log" "$out/default-worker.log"
	read -r busy samples < <(awk '/^[0-9]/ { s += $1; n++ } END { if (n) print int(s / n + 0.5), n }' "$out/busy.txt")
	if ! complete real default; then
		bad 'real sweep' "a run is not completed: $(tail -n 1 "$out/default.log")" "$default_wall"
		return 1
	fi
	steps=$(column real default device_seconds | sum)
	ok 'real sweep, default settings' "$(wc -l <"$out/default-status.txt") runs, whose steps take $steps s" "$default_wall"
	if [ -n "$busy" ]; then
		ok 'share of time in which the card is busy' "$busy%, of $samples samples"
	else
		not_run 'share of time in which the card is busy' 'nvidia-smi gives no samples'
	fi
	evaluations default >"$out/evaluations.txt"
	if [ -s "$out/evaluations.txt" ]; then
		ok 'evaluation' "$(awk -v wall="$default_wall" '{ s += $1; if ($1 > most) most = $1 } END {
			printf "%.2f s a run, at most %.2f s; in all %.0f%% of the time", s / NR, most, 100 * s / (wall + 1e-9)
		}' "$out/evaluations.txt")"
	else
		not_run 'evaluation' "the worker's log does not say when runs were evaluated"
	fi
	[ -n "$alone" ] || ratio "$steps"
}

# ratio STEPS adds the row of the sweep's time over that of its steps.
ratio() {
	local value
	value=$(awk -v wall="$default_wall" -v steps="$1" 'BEGIN { printf "%.2f", wall / (steps + 1e-9) }')
	if [ -n "$alone" ]; then
		measured 'real sweep ÷ its steps' "$value: $default_wall s ÷ $1 s with one slot" '' '≤ 1.15' "$value <= 1.15"
	else
		ok 'real sweep ÷ its steps' "$value: $default_wall s ÷ $1 s; the start of the program counts"
	fi
}

# killed_sweep trains the real sweep with one slot, kills it once a third of its runs have results, and goes on. Its
# table must be that of the undisturbed sweep. Its steps have the card for themselves, and their sum is what the ratio
# needs.
killed_sweep() {
	local began pid third
	began=$(now)
	third=$(($(wc -l <"$out/default-status.txt") / 3))
	(sweep real killed --slots-per-gpu 1) &
	pid=$!
	while kill -0 $pid 2>/dev/null && [ "$(ls "$work/killed/store/results" 2>/dev/null | wc -l)" -lt $third ]; do
		sleep 0.1
	done
	if ! kill -9 $pid 2>/dev/null; then
		wait $pid
		bad 'real sweep, killed with -9' "it ended before: $(tail -n 1 "$out/killed.log")" "$(since "$began")"
		return
	fi
	wait $pid 2>/dev/null
	(sweep real killed --slots-per-gpu 1)
	if complete real killed && same real default killed; then
		ok 'real sweep, one slot, killed with -9' 'results and models as undisturbed, byte for byte' "$(since "$began")"
	else
		bad 'real sweep, one slot, killed with -9' 'results or models differ' "$(since "$began")"
	fi
	ratio "$(column real killed device_seconds | sum)"
}

# small_sweeps trains sixteen small runs one after the other, and at once.
small_sweeps() {
	local began one all
	began=$(now)
	(sweep small one --slots-per-gpu 1)
	one=$(since "$began")
	began=$(now)
	(sweep small sixteen --slots-per-gpu 16)
	all=$(since "$began")
	if complete small one && complete small sixteen && same small one sixteen; then
		ok '16 small runs at once' "$(awk -v one="$one" -v all="$all" 'BEGIN {
			printf "%.2f times as fast as one after the other (%.1f s); the same bytes", one / (all + 1e-9), one }')" "$all"
	else
		bad '16 small runs at once' 'results or models differ from those of one after the other, or a run failed' "$all"
	fi
}
