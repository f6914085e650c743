# Training steps, beside those of PyTorch and sparsify on the same card.

# run_steps runs the benchmark and the rivals. A shape's row has the file targets.
run_steps() {
	local began shape pytorch sparsify rate
	began=$(now)
	if ./cuda.test -test.run '^$' -test.bench "${step_benchmarks:-Step}" -test.benchtime "${step_time:-2s}" \
		-test.timeout 30m >"$out/bench.log" 2>&1; then
		ok benchmarks "$(grep -c 'tokens/s' "$out/bench.log") shapes and precisions" "$(since "$began")"
	else
		bad benchmarks "$(tail -n 1 "$out/bench.log")" "$(since "$began")"
	fi
	run_rivals
	while read -r shape pytorch sparsify rate; do
		shape_row "$shape" "$pytorch" "$sparsify" "$rate"
	done < <(grep -v '^#' targets)
}

run_rivals() {
	local began
	began=$(now)
	: >"$out/rivals.txt"
	if ! python3 -c 'import torch; assert torch.cuda.is_available()' 2>"$out/torch.log"; then
		not_run 'PyTorch, sparsify' "Python has no torch with a GPU: $(tail -n 1 "$out/torch.log" | cut -c1-80)"
	elif python3 rivals.py $(awk '!/^#/ && $2 != "-" { print $1 }' targets) >"$out/rivals.txt" 2>"$out/rivals.log"; then
		ok 'PyTorch, sparsify' "$(grep -c . "$out/rivals.txt") timings" "$(since "$began")"
	else
		bad 'PyTorch, sparsify' "$(tail -n 1 "$out/rivals.log")" "$(since "$began")"
	fi
}

# rate_of SHAPE PRECISION DEAD prints our tokens a second; rival SHAPE NAME those of another program.
rate_of() {
	local d f k b
	IFS=, read -r d f k b <<<"$1"
	awk -v name="BenchmarkStep/D=$d,F=$f,K=$k,B=$b/$2/dead=$3" '
		index($1, name) == 1 && substr($1, length(name) + 1) ~ /^(-[0-9]+)?$/ {
			for (i = 3; i <= NF; i++) if ($i == "tokens/s") print $(i - 1)
		}' "$out/bench.log"
}
rival() { awk -v shape="$1" -v name="$2" '$1 == shape && $2 == name { print $3 }' "$out/rivals.txt"; }

# shape_row adds the row of a shape in f32: tokens a second, how many times the rivals, and the targets of these.
shape_row() {
	local shape=$1 ours name text target condition other want
	ours=$(rate_of "$shape" f32 0)
	if [ -z "$ours" ]; then
		not_run "f32 step of ${shape//,/, }" 'the benchmark has no such line' "≥ $4 M tokens/s"
		return
	fi
	text=$(awk -v r="$ours" 'BEGIN { printf "%.2f M tokens/s", r / 1e6 }') target="≥ $4 M"
	condition="$ours >= $4 * 1e6"
	for name in PyTorch sparsify; do
		[ $name = PyTorch ] && want=$2 || want=$3
		[ "$want" = - ] && continue
		target="$target, $want × $name"
		other=$(rival "$shape" $name)
		if [ -z "$other" ]; then
			text="$text; $name not measured"
			continue
		fi
		text="$text; $(awk -v a="$ours" -v b="$other" 'BEGIN { printf "%.1f", a / b }') × $name"
		condition="$condition && $ours >= $want * $other"
	done
	measured "f32 step of ${shape//,/, }" "$text" '' "$target" "$condition"
}

# print_steps prints all that the benchmark measured, in Markdown.
print_steps() {
	printf '\n| D, F, K, B | precision | dead | tokens/s | of the floor |\n|---|---|---|---|---|\n'
	awk '/^BenchmarkStep/ && /tokens\/s/ {
		split($1, part, "/")
		gsub(/[A-Z]=/, "", part[2])
		gsub(/,/, ", ", part[2])
		sub(/^dead=/, "", part[4])
		sub(/-[0-9]+$/, "", part[4])
		for (i = 3; i <= NF; i++) {
			if ($i == "tokens/s") tokens = $(i - 1)
			if ($i == "%floor") share = $(i - 1)
		}
		printf "| %s | %s | %s | %.0fk | %.0f%% |\n", part[2], part[3], part[4], tokens / 1000, share
	}' "$out/bench.log"
	awk '{ gsub(/,/, ", ", $1); print "| " $1 " | " $2 " | | " int($3 / 1000) "k | |" }' "$out/rivals.txt"
	printf '\n'
	grep -h 'TFLOP/s' "$out/bench.log" | sort -u | sed 's/^/- /'
}
