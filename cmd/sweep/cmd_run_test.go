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

// A sweep that was killed twice and interrupted once ends with the same table and
// weights, byte for byte, as an undisturbed one in which each cell is trained alone.
func TestKilledAndInterrupted(t *testing.T) {
	t.Parallel()
	// The cells are long enough not to end while the test looks for a checkpoint.
	grid := changed(t, smallGrid, "steps: 1500", "steps: 5000")
	g := writeGrid(t, grid)
	undisturbed := t.TempDir()
	alone := writeGrid(t, changed(t, grid, "run: {", "run: {share_prefixes: false, "))
	want := mustRun(t, undisturbed, "run", alone, "--slots", "2")
	if strings.Count(want, "completed") != 4 {
		t.Fatalf("the undisturbed sweep:\n%s", want)
	}

	dir := t.TempDir()
	for kills := range 2 {
		before := countManifests(t, dir)
		p := startProgram(t, dir, "run", g, "--slots", "2")
		waitFor(t, "a checkpoint in the middle of a run", func() bool { return countManifests(t, dir) > before })
		p.Process.Kill()
		if status := p.exitStatus(t); status != -1 {
			t.Fatalf("kill %d: the sweep was over before: status %d\n%s", kills, status, p.err.String())
		}
	}
	p := startProgram(t, dir, "run", g, "--slots", "2")
	before := countManifests(t, dir)
	waitFor(t, "a checkpoint after going on", func() bool { return countManifests(t, dir) != before })
	p.Process.Signal(syscall.SIGINT)
	if status := p.exitStatus(t); status != exitInterrupted {
		t.Fatalf("interrupted: status %d\n%s", status, p.err.String())
	}
	if got := mustRun(t, dir, "run", g, "--slots", "1"); got != want {
		t.Errorf("disturbed:\n%s\nundisturbed:\n%s", got, want)
	}
	if !maps.Equal(readModels(t, dir), readModels(t, undisturbed)) {
		t.Error("the weights differ from those of the undisturbed sweep")
	}
	// The forks stay for a grid with more steps, until gc removes them.
	if countManifests(t, dir) == 0 {
		t.Error("no fork is left")
	}
	if mustRun(t, dir, "gc"); countManifests(t, dir) != 0 {
		t.Errorf("%d checkpoints are left over", countManifests(t, dir))
	}
	// The same grid again shows the results, and a larger grid reuses them.
	if second := mustRun(t, dir, "run", g); second != want {
		t.Errorf("run again:\n%s", second)
	}
	larger := writeGrid(t, changed(t, grid, "k: [2, 4]", "k: [2, 4, 8]", "name: small", "name: larger"))
	p = startProgram(t, dir, "run", larger)
	if status := p.exitStatus(t); status != exitOK || !strings.Contains(p.err.String(), "4 of them reused") {
		t.Errorf("larger grid: status %d\n%s%s", status, p.err.String(), p.out.String())
	}
	if list := mustRun(t, dir, "list"); !strings.Contains(list, "6/6") || !strings.Contains(list, "4/4") {
		t.Errorf("list:\n%s", list)
	}
	for _, file := range []string{"results.csv", "results.json", "results.md", "results.txt", "grid.yaml"} {
		id := strings.Fields(mustRun(t, dir, "list"))[5]
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
	g := writeGrid(t, `
name: diverges
data: {synthetic: {activation_dim: 8, directions: 16, tokens: 4000, active: 2}}
parameters: {lr: [0.001, 1e37]}
train: {dict_size: 32, k: 2, steps: 60, batch_size: 64}
`)
	p := startProgram(t, dir, "run", g)
	if status := p.exitStatus(t); status != exitError {
		t.Errorf("status %d, want %d", status, exitError)
	}
	out := p.out.String()
	if strings.Count(out, "completed") != 1 || strings.Count(out, "failed") != 1 {
		t.Errorf("table:\n%s", out)
	}
	if !strings.Contains(p.err.String(), "1 of 2 runs failed") {
		t.Errorf("stderr:\n%s", p.err.String())
	}
	status := mustRun(t, dir, "status", "diverges")
	if !strings.Contains(status, "failed") || !strings.Contains(status, "step ") {
		t.Errorf("status:\n%s", status)
	}

	// The note of the failure is damaged. The verbs say so.
	notes, err := filepath.Glob(filepath.Join(dir, "store", "sweeps", "*", "failures", "*.json"))
	if err != nil || len(notes) != 1 {
		t.Fatalf("%d notes, %v", len(notes), err)
	}
	if err := os.WriteFile(notes[0], []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"status", "diverges"}, {"results", "diverges", "-o", "csv"}} {
		text := mustRun(t, dir, args...)
		for _, part := range []string{"failed", "is damaged: a retry of the sweep"} {
			if !strings.Contains(text, part) {
				t.Errorf("%v lacks %q:\n%s", args, part, text)
			}
		}
	}
}

// Runs that were not tried because of others that failed are not called failed.
func TestFailFast(t *testing.T) {
	g := writeGrid(t, `
name: fast
data: {synthetic: {activation_dim: 8, directions: 16, tokens: 4000, active: 2}}
parameters: {lr: [1e37, 0.001]}
train: {dict_size: 32, k: 2, steps: 60, batch_size: 64}
run: {fail_fast: true, max_concurrent: 1}
`)
	p := startProgram(t, t.TempDir(), "run", g, "--no-ui")
	const want = "1 of 2 runs failed and 1 were not trained"
	if status := p.exitStatus(t); status != exitError || !strings.Contains(p.err.String(), want) {
		t.Errorf("status %d\n%s", status, p.err.String())
	}
}

// The runs of a completed sweep whose results are not in the store are trained again.
func TestLostResults(t *testing.T) {
	dir := t.TempDir()
	g := writeGrid(t, gridWith())
	want := mustRun(t, dir, "run", g, "--no-ui")
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
	got := mustRun(t, dir, "results", "bad", "-o", "csv")
	if !strings.Contains(got, "is damaged: a retry of the sweep") || strings.Count(got, "pending") != 2 {
		t.Errorf("results, one lost and one damaged:\n%s", got)
	}
	for _, args := range [][]string{nil, {"--store", filepath.Join(dir, "another")}} {
		p := startProgram(t, dir, append([]string{"run", g, "--no-ui"}, args...)...)
		note := "lacks the results of 2 of them"
		if status := p.exitStatus(t); status != exitOK || p.out.String() != want || !strings.Contains(p.err.String(), note) {
			t.Errorf("%v: status %d\n%s%s", args, status, p.out.String(), p.err.String())
		}
	}
}

// A sweep goes on when its data was moved to another folder.
func TestMovedData(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	at := func(folder string) string {
		return writeGrid(t, fmt.Sprintf(`
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
	want := mustRun(t, t.TempDir(), "run", at("here"), "--no-ui")
	p := startProgram(t, dir, "run", at("here"), "--no-ui", "--slots", "1")
	waitFor(t, "a result", func() bool { return len(readModels(t, dir)) > 0 })
	p.Process.Kill()
	p.exitStatus(t)
	if err := os.Rename(filepath.Join(data, "here"), filepath.Join(data, "there")); err != nil {
		t.Fatal(err)
	}
	// The plan must be stored before a server starts, as its worker takes the runs that
	// are left at once. Here the server cannot start: its port is in use.
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	p = startProgram(t, dir, "run", at("there"), "--no-ui", "--grpc-port", port)
	if status := p.exitStatus(t); status != exitError {
		t.Errorf("no server: status %d\n%s", status, p.err.String())
	}
	// A header is never written over: that of the new place follows the first one.
	plans, _ := filepath.Glob(filepath.Join(dir, "store", "sweeps", "*", "plan-000002.json"))
	if len(plans) != 1 {
		t.Fatalf("%d headers after the first one, want 1", len(plans))
	}
	if b, err := os.ReadFile(plans[0]); err != nil || !strings.Contains(string(b), "/there") {
		t.Errorf("the plan still names the old folder: %s, %v", b, err)
	}
	if got := mustRun(t, dir, "run", at("there"), "--no-ui"); got != want {
		t.Errorf("moved:\n%s\nundisturbed:\n%s", got, want)
	}
}

// An interrupt while the server starts ends the program as at any other time.
func TestInterruptedStart(t *testing.T) {
	dir := t.TempDir()
	p := startProgram(t, dir, "run", writeGrid(t, smallGrid), "--no-ui")
	waitForFile(t, filepath.Join(dir, "server.json"))
	p.Process.Signal(syscall.SIGINT)
	if status := p.exitStatus(t); status != exitInterrupted {
		t.Errorf("status %d\n%s", status, p.err.String())
	}
}
