package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The scripts of bin/gpu-check, with stand-ins for all that they start. A stand-in is a script; nothing else is
// on the path but the system's own programs, of which those that a case must not find are replaced by ones that fail.

const (
	testsPass = `echo 'cublas_test.go:9: on GPU 0 (H200), with a driver for CUDA 13.0 and cuBLAS 13.0'
[ "$*" = "${*/bench/}" ] || {
	echo 'H200: 51.0 TFLOP/s in f32, copies at 4.20 TB/s'
	echo 'BenchmarkStep/D=512,F=32768,K=100,B=2048/f32/dead=0-16 9 1 ns/op 90.0 %floor 3300000 tokens/s'
	echo 'BenchmarkStep/D=512,F=32768,K=100,B=2048/f32/dead=0.1-16 9 1 ns/op 80.0 %floor 1 tokens/s'
	echo 'BenchmarkStep/D=4096,F=65536,K=64,B=4096/f32/dead=0 9 1 ns/op 70.0 %floor 360000 tokens/s'
}
echo '--- PASS: TestOne (0.00s)'; echo '    --- PASS: TestOne/sub (0.00s)'; echo '--- SKIP: TestTwo (0.00s)'`
	testsFail = `echo '--- FAIL: TestOne (0.00s)'; exit 1`
	noTests   = `echo 'testing: warning: no tests to run'`

	// A program whose sweep ends at once, where the card is watched once that has been seen. The one that is to be
	// killed waits for that, and ends at once when it is started again.
	program = `dir=$4
case $1 in
run)
	mkdir -p "$dir/store/results" "$dir/store/models"
	command -v nvidia-smi >/dev/null && until [ -e "$dir/../sampled" ]; do sleep 0.02; done
	echo weights >"$dir/store/models/sae"
	case "$dir $*" in *killed*)
		[ -e "$dir/begun" ] || { touch "$dir/begun" "$dir/store/results/"{1,2,3}.json; exec sleep 600; } ;;
	esac
	touch "$dir/store/results/"{1,2,3}.json
	echo 'time=2026-11-27T23:59:59.500Z level=INFO msg=evaluating sweep=s attempt=1 cell=a
time=2026-11-28T00:00:00.000Z level=INFO msg=evaluating sweep=s attempt=1 cell=b
time=2026-11-28T00:00:01.000Z level=INFO msg=evaluated sweep=s attempt=1 cell=b
time=2026-11-28T00:00:01.500Z level=INFO msg=evaluated sweep=s attempt=1 cell=a' >"$dir/worker.log" ;;
results)
	case "$*" in
	*status*) printf 'status\ncompleted\ncompleted\ncompleted\n' ;;
	*device_seconds*) printf 'device_seconds\n1000\n1000.5\n1000\n' ;;
	*) echo loss; echo 0.5 ;;
	esac ;;
esac`
	incomplete = `case "$*" in
*status*) printf 'status\ncompleted\nfailed\n' ;;
*) echo 'sweep: no memory' >&2; exit 1 ;;
esac`

	smi = `case "$*" in
*driver_version*) echo 580.159 ;;
*) echo 40; echo 60; touch work/sampled; exec sleep 600 ;;
esac`
	python = `case $1 in
-c) exit 0 ;;
rivals.py) shift; for s; do echo "$s PyTorch 400000"; echo "$s sparsify 500000"; done ;;
esac`
	noTorch   = `echo "ModuleNotFoundError: No module named 'torch'" >&2; exit 1`
	sanitizer = `while [ "$1" != ./cuda.test ]; do shift; done; exec "$@"`
	finding   = `echo 'ERROR SUMMARY: 1 error'; exit 9`
)

// script writes a program into a folder.
func script(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/usr/bin/env bash\n"+text+"\n"), 0o777); err != nil {
		t.Fatal(err)
	}
}

// check runs the script check beside stand-ins, and returns what it prints and whether it succeeds.
func check(t *testing.T, standIns map[string]string, args ...string) (string, bool) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the scripts are for Linux")
	}
	folder, path := t.TempDir(), t.TempDir()
	for _, pattern := range []string{"check", "*.sh", "*.yaml", "targets"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, name), text, 0o777); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := map[string]string{
		"driver.test": testsPass, "kernels.test": testsPass, "cuda.test": testsPass, "rows": "true", "sweep-cuda": program,
		"python3": noTorch, "compute-sanitizer": "", "nvidia-smi": "",
	}
	for name, text := range standIns {
		all[name] = text
	}
	for name, text := range all {
		where := folder
		if name == "python3" || name == "compute-sanitizer" || name == "nvidia-smi" {
			where = path
		}
		if text != "" {
			script(t, where, name, text)
		}
	}
	cmd := exec.Command(filepath.Join(folder, "check"), args...)
	cmd.Env = append(os.Environ(), "PATH="+path+":/usr/bin:/bin", "GPU_CHECK_COMMAND=gpu-check "+strings.Join(args, " "))
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// A table is what is expected of one.
func wants(t *testing.T, out string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// Where everything is there, all parts are in the table, with the targets.
func TestEverything(t *testing.T) {
	out, ok := check(t, map[string]string{"nvidia-smi": smi, "python3": python, "compute-sanitizer": sanitizer})
	if !ok {
		t.Error("it fails")
	}
	wants(t, out,
		", GPU 0 (H200), with a driver for CUDA 13.0 and cuBLAS 13.0, driver 580.159, `gpu-check ",
		"| check | result | seconds | target |\n|---|---|---|---|\n",
		"| driver, cuBLAS | 2 passed, 1 skipped | ", "| compute-sanitizer initcheck | 2 passed, 1 skipped | ",
		"| real sweep, default settings | 3 runs, whose steps take 3000.5 s | ",
		"| share of time in which the card is busy | 50%, of 2 samples | ",
		"| evaluation | 1.50 s a run, at most 2.00 s; in all ", "% of the time |",
		"| real sweep, one slot, killed with -9 | results and models as undisturbed, byte for byte | ",
		" s ÷ 3000.5 s with one slot | – | ≤ 1.15 |", "| 16 small runs at once | ", "the same bytes",
		"| f32 step of 512, 32768, 100, 2048 | 3.30 M tokens/s; 8.2 × PyTorch; 6.6 × sparsify **(missed)** | – "+
			"| ≥ 3.2 M, 8 × PyTorch, 8 × sparsify |",
		"| f32 step of 768, 131072, 32, 4096 | not run: the benchmark has no such line | – | ≥ 1.12 M tokens/s |",
		"19 passed, of which 2 missed the target; 0 failed; 2 did not run.",
		"| 512, 32768, 100, 2048 | f32 | 0.1 | 0k | 80% |", "- H200: 51.0 TFLOP/s in f32",
		"| 768, 131072, 32, 4096 | sparsify | | 500k | |",
	)
}

// What is not there is named, and is not counted as passed. That is no failure.
func TestAbsent(t *testing.T) {
	out, ok := check(t, nil)
	if !ok {
		t.Error("it fails")
	}
	wants(t, out,
		"| compute-sanitizer memcheck | not run: not installed: it is part of the CUDA toolkit | – | – |",
		"| share of time in which the card is busy | not run: nvidia-smi gives no samples | – | – |",
		"| PyTorch, sparsify | not run: Python has no torch with a GPU: ModuleNotFoundError: No module named 'torch' |",
		"3.30 M tokens/s; PyTorch not measured; sparsify not measured | – |",
	)
}

func TestQuick(t *testing.T) {
	out, ok := check(t, map[string]string{"compute-sanitizer": sanitizer}, "--quick")
	if !ok || strings.Contains(out, "f32 step") || strings.Contains(out, "killed") || strings.Contains(out, "PyTorch") {
		t.Errorf("success %v\n%s", ok, out)
	}
	wants(t, out, "| real sweep ÷ its steps | ", "`gpu-check --quick`", "| compute-sanitizer racecheck | 2 passed")
}

// Whatever fails is named, and fails the whole.
func TestFailures(t *testing.T) {
	const quick, tiny = "--quick", "--tiny"
	changed := func(from, to string) string { return strings.Replace(program, from, to, 1) }
	for name, c := range map[string]struct{ replaced, by, args, want string }{
		"test":    {"kernels.test", testsFail, quick, "| kernels | **FAILED**: status 1: --- FAIL: TestOne"},
		"no test": {"kernels.test", noTests, quick, "| kernels | **FAILED**: no test ran |"},
		"finding": {"compute-sanitizer", finding, quick, "racecheck | **FAILED**: status 9: ERROR SUMMARY: 1"},
		"rows":    {"rows", "echo full >&2; exit 1", quick, "| rows of the sweeps | **FAILED**: full |"},
		"sweep":   {"sweep-cuda", incomplete, quick, "| real sweep | **FAILED**: a run is not completed: sweep: no"},
		// It ends before it has a result: with one it might be killed in the moment before its end.
		"no kill": {
			"sweep-cuda", changed(`"$dir/store/results/"{1,2,3}.json; exec sleep 600`, "; exit 0"), tiny, "it ended before",
		},
		"results": {"sweep-cuda", changed("echo 0.5", "echo $dir"), tiny, "**FAILED**: results or models differ |"},
		"models":  {"sweep-cuda", changed("echo weights", "echo $dir"), tiny, "differ from those of one after the other"},
		"rivals":  {"python3", "[ $1 = -c ] || { echo broken >&2; exit 1; }", tiny, "sparsify | **FAILED**: broken |"},
		"benchmark": {
			"cuda.test", testsPass + "\n[ \"$*\" = \"${*/bench/}\" ]", tiny, "| benchmarks | **FAILED**: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, ok := check(t, map[string]string{c.replaced: c.by}, c.args)
			if ok {
				t.Error("it succeeds")
			}
			wants(t, out, c.want)
		})
	}
	if out, ok := check(t, map[string]string{"driver.test": "echo '    driver_test.go:9: no driver'; exit 1"}); ok ||
		!strings.Contains(out, "gpu-check: no GPU to check: no driver") {
		t.Error(out)
	}
}

// The targets are those of BENCHMARKS.md.
func TestTargets(t *testing.T) {
	doc, err := os.ReadFile("../BENCHMARKS.md")
	if err != nil {
		t.Fatal(err)
	}
	targets, err := os.ReadFile("targets")
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for line := range strings.Lines(string(targets)) {
		if f := strings.Fields(line); f[0] != "#" {
			want += fmt.Sprintf("| %s | %s | %s | %s M |\n", strings.ReplaceAll(f[0], ",", ", "), f[1], f[2], f[3])
		}
	}
	_, rest, _ := strings.Cut(string(doc), "<!-- targets -->\n")
	_, rest, _ = strings.Cut(rest, "|---|---|---|---|\n")
	if got, _, _ := strings.Cut(rest, "<!-- /targets -->"); got != want {
		t.Errorf("BENCHMARKS.md has\n%s\nwant\n%s", got, want)
	}
}
