# The built tests, and compute-sanitizer.

# run CHECK COMMAND...: runs tests. Where none passes, the check fails: a filter that fits no test is no success.
run() {
	local name=$1 log began status=0 count skipped why
	log=$out/${name//[^a-zA-Z0-9]/-}.log began=$(now)
	shift
	"$@" >"$log" 2>&1 || status=$?
	count=$(grep -cE '^ *--- PASS' "$log") skipped=$(grep -cE '^ *--- SKIP' "$log")
	if [ $status -ne 0 ]; then
		why=$(grep -m1 -E -- '--- FAIL|ERROR SUMMARY: [1-9]|panic|rror' "$log" | cut -c1-120)
		bad "$name" "status $status: ${why:-see $log}" "$(since "$began")"
		tail -n 20 "$log" >&2
	elif [ "$count" = 0 ]; then
		bad "$name" 'no test ran' "$(since "$began")"
	else
		ok "$name" "$count passed$([ "$skipped" = 0 ] || echo ", $skipped skipped")" "$(since "$began")"
	fi
}

run_tests() {
	run 'driver, cuBLAS' ./driver.test -test.v -test.run "${driver_tests:-.}"
	run kernels ./kernels.test -test.v -test.run "${kernel_tests:-.}"
	run 'suite, goldens' ./cuda.test -test.v -test.run "${suite_tests:-.}" \
		-test.skip 'TestThousandSteps|TestOrder|TestPredictions'
	run '1,000 steps, twice the same bits' ./cuda.test -test.v -test.run '^TestThousandSteps$'
}

# run_sanitizers runs each tool of compute-sanitizer on small tests.
run_sanitizers() {
	local sanitizer tool
	sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
	for tool in memcheck racecheck synccheck initcheck; do
		if [ -z "$sanitizer" ]; then
			not_run "compute-sanitizer $tool" 'not installed: it is part of the CUDA toolkit'
			continue
		fi
		run "compute-sanitizer $tool" "$sanitizer" --tool $tool --error-exitcode 9 --target-processes all \
			./cuda.test -test.v -test.run 'TestAgainstCPU/^(segments|1_warp|3_warps)$/corrected|TestBackend/median'
	done
}
