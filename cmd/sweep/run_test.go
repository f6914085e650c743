package main

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// small is a grid whose runs take seconds, with latents that die, and a
// checkpoint as often as a grid may ask for.
const small = `
name: small
data: {synthetic: {activation_dim: 32, directions: 64, tokens: 20000, active: 4, noise: 0.05}, normalize: mean_square}
parameters: {k: [2, 4], auxk_alpha: [0, 0.03125]}
train: {dict_size: 512, steps: 1500, batch_size: 256, lr: 0.002, dead_feature_threshold: 10000}
run: {checkpoint: {every: 1s}}
`

// A sweep that is killed outright in the middle, and one that is interrupted,
// end with the table and the weights of one that nobody disturbed and in which
// each cell is trained alone, byte for byte.
func TestKilledAndInterrupted(t *testing.T) {
	g := write(t, small)
	calm := t.TempDir()
	want := ok(t, calm, "run", write(t, strings.Replace(small, "run: {", "run: {share_prefixes: false, ", 1)), "--slots", "2")
	if strings.Count(want, "completed") != 4 {
		t.Fatalf("the undisturbed sweep:\n%s", want)
	}

	dir := t.TempDir()
	for kills := range 2 {
		before := manifests(t, dir)
		p := begin(t, dir, "run", g, "--slots", "2")
		until(t, "a checkpoint in the middle of a run", func() bool { return manifests(t, dir) > before })
		p.Process.Kill()
		if status := p.end(t); status != -1 {
			t.Fatalf("kill %d: the sweep was over before: status %d\n%s", kills, status, p.err.String())
		}
	}
	p := begin(t, dir, "run", g, "--slots", "2")
	before := manifests(t, dir)
	until(t, "a checkpoint after going on", func() bool { return manifests(t, dir) != before })
	p.Process.Signal(syscall.SIGINT)
	if status := p.end(t); status != exitInterrupted {
		t.Fatalf("interrupted: status %d\n%s", status, p.err.String())
	}
	if got := ok(t, dir, "run", g, "--slots", "1"); got != want {
		t.Errorf("disturbed:\n%s\nundisturbed:\n%s", got, want)
	}
	if !maps.Equal(models(t, dir), models(t, calm)) {
		t.Error("the weights differ from those of the undisturbed sweep")
	}
	// The forks stay for a grid that goes further, until they are collected.
	if manifests(t, dir) == 0 {
		t.Error("no fork is left")
	}
	if ok(t, dir, "gc"); manifests(t, dir) != 0 {
		t.Errorf("%d checkpoints are left over", manifests(t, dir))
	}
	// The same again shows what there is, and a larger grid takes it over.
	if again := ok(t, dir, "run", g); again != want {
		t.Errorf("run again:\n%s", again)
	}
	larger := write(t, strings.Replace(strings.Replace(small, "k: [2, 4]", "k: [2, 4, 8]", 1), "name: small", "name: larger", 1))
	if p := begin(t, dir, "run", larger); p.end(t) != 0 || !strings.Contains(p.err.String(), "4 of them reused") {
		t.Errorf("larger grid:\n%s%s", p.err.String(), p.out.String())
	}
	if list := ok(t, dir, "list"); !strings.Contains(list, "6/6") || !strings.Contains(list, "4/4") {
		t.Errorf("list:\n%s", list)
	}
	for _, file := range []string{"results.csv", "results.json", "results.md", "results.txt", "grid.yaml"} {
		id := strings.Fields(ok(t, dir, "list"))[5]
		if file != "grid.yaml" {
			file = "results/" + file
		}
		if _, err := os.Stat(dir + "/store/sweeps/" + id + "/" + file); err != nil {
			t.Error(err)
		}
	}
}

// A run that diverges fails alone, is named with its reason, and does not keep
// its siblings from their results.
func TestFailedRun(t *testing.T) {
	dir := t.TempDir()
	g := write(t, `
name: diverges
data: {synthetic: {activation_dim: 8, directions: 16, tokens: 4000, active: 2}}
parameters: {lr: [0.001, 1e37]}
train: {dict_size: 32, k: 2, steps: 60, batch_size: 64}
`)
	p := begin(t, dir, "run", g)
	if status := p.end(t); status != exitError {
		t.Errorf("status %d, want %d", status, exitError)
	}
	out := p.out.String()
	if strings.Count(out, "completed") != 1 || strings.Count(out, "failed") != 1 {
		t.Errorf("table:\n%s", out)
	}
	if !strings.Contains(p.err.String(), "1 of 2 runs failed") {
		t.Errorf("stderr:\n%s", p.err.String())
	}
	status := ok(t, dir, "status", "diverges")
	if !strings.Contains(status, "failed") || !strings.Contains(status, "step ") {
		t.Errorf("status:\n%s", status)
	}
}

// Runs that were not tried because of others that failed are not called failed.
func TestFailFast(t *testing.T) {
	g := write(t, `
name: fast
data: {synthetic: {activation_dim: 8, directions: 16, tokens: 4000, active: 2}}
parameters: {lr: [1e37, 0.001]}
train: {dict_size: 32, k: 2, steps: 60, batch_size: 64}
run: {fail_fast: true, max_concurrent: 1}
`)
	p := begin(t, t.TempDir(), "run", g, "--no-ui")
	if status := p.end(t); status != exitError || !strings.Contains(p.err.String(), "1 of 2 runs failed and 1 were not trained") {
		t.Errorf("status %d\n%s", status, p.err.String())
	}
}

// A sweep that the server knows as done is trained again as far as its results are
// not in the store.
func TestLostResults(t *testing.T) {
	dir := t.TempDir()
	g := write(t, base(nil))
	want := ok(t, dir, "run", g, "--no-ui")
	files, err := filepath.Glob(filepath.Join(dir, "store", "results", "*.json"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%d results, %v", len(files), err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[1], []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := ok(t, dir, "results", "bad", "-o", "csv"); !strings.Contains(got, "is damaged: sweep retry") || strings.Count(got, "pending") != 2 {
		t.Errorf("results, one lost and one damaged:\n%s", got)
	}
	for _, args := range [][]string{nil, {"--store", filepath.Join(dir, "another")}} {
		p := begin(t, dir, append([]string{"run", g, "--no-ui"}, args...)...)
		note := "lacks the results of 2 of them"
		if status := p.end(t); status != 0 || p.out.String() != want || !strings.Contains(p.err.String(), note) {
			t.Errorf("%v: status %d\n%s%s", args, status, p.out.String(), p.err.String())
		}
	}
}

// Data may lie elsewhere when a sweep goes on.
func TestMovedData(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	at := func(folder string) string {
		return write(t, fmt.Sprintf(`
name: moved
data: {source: %s, normalize: mean_square}
parameters: {k: [2, 4]}
train: {dict_size: 256, steps: 400, batch_size: 64}
run: {checkpoint: {every: 1s}}
`, filepath.Join(data, folder)))
	}
	if err := os.CopyFS(filepath.Join(data, "here"), os.DirFS("../../trainer/data/testdata/minilm-l3")); err != nil {
		t.Fatal(err)
	}
	want := ok(t, t.TempDir(), "run", at("here"), "--no-ui")
	p := begin(t, dir, "run", at("here"), "--no-ui", "--slots", "1")
	until(t, "a result", func() bool { return len(models(t, dir)) > 0 })
	p.Process.Kill()
	p.end(t)
	if err := os.Rename(filepath.Join(data, "here"), filepath.Join(data, "there")); err != nil {
		t.Fatal(err)
	}
	// The plan is there before a server is: a worker takes what is left at once.
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	p = begin(t, dir, "run", at("there"), "--no-ui", "--grpc-port", port)
	if status := p.end(t); status != exitError {
		t.Errorf("no server: status %d\n%s", status, p.err.String())
	}
	plans, _ := filepath.Glob(filepath.Join(dir, "store", "sweeps", "*", "plan.json"))
	if len(plans) != 1 {
		t.Fatalf("%d plans", len(plans))
	}
	if b, err := os.ReadFile(plans[0]); err != nil || !strings.Contains(string(b), "/there") {
		t.Errorf("the plan still names the old place: %s, %v", b, err)
	}
	if got := ok(t, dir, "run", at("there"), "--no-ui"); got != want {
		t.Errorf("moved:\n%s\nundisturbed:\n%s", got, want)
	}
}

// An interrupt while the server starts is one like any other.
func TestInterruptedStart(t *testing.T) {
	dir := t.TempDir()
	p := begin(t, dir, "run", write(t, small), "--no-ui")
	until(t, "a server that starts", func() bool { _, err := os.Stat(dir + "/server.json"); return err == nil })
	p.Process.Signal(syscall.SIGINT)
	if status := p.end(t); status != exitInterrupted {
		t.Errorf("status %d\n%s", status, p.err.String())
	}
}
