//go:build !noserver

package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// endlessGrid is a grid whose runs do not end while a test looks at them.
func endlessGrid(t *testing.T) string {
	t.Helper()
	return writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 1000000", "name: small", "name: long"))
}

// interrupt runs a grid until something of it is saved, and interrupts it.
func interrupt(t *testing.T, dir, grid string) *program {
	t.Helper()
	before := countManifests(t, dir)
	p := startProgram(t, dir, "run", grid, "--no-ui", "--slots", "1")
	waitFor(t, "a checkpoint", func() bool {
		if len(p.done) > 0 {
			t.Fatalf("%v has ended:\n%s", p.Args[1:], p.err.String())
		}
		return countManifests(t, dir) > before
	})
	p.Process.Signal(syscall.SIGINT)
	if status := p.exitStatus(t); status != exitInterrupted {
		t.Fatalf("interrupted: status %d\n%s", status, p.err.String())
	}
	return p
}

// steer runs a verb that steers, in JSON, and returns what it did and its messages.
func steer(t *testing.T, dir string, args ...string) (did protocol.Steered, messages string) {
	t.Helper()
	p := startProgram(t, dir, append(args, "-o", "json")...)
	if status := p.exitStatus(t); status != exitOK {
		t.Fatalf("%v: status %d\n%s", args, status, p.err.String())
	}
	if err := json.Unmarshal(p.out.Bytes(), &did); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, p.out.String())
	}
	return did, p.err.String()
}

// A sweep is steered while no server runs: each verb does the same as with one, and list and status tell it after that.
func TestSteeringWithoutServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	interrupt(t, dir, endlessGrid(t))
	is := func(what string, want plan.Status) sweepState {
		t.Helper()
		s := statusOfSweep(t, dir, "long")
		if s.State != want || !strings.Contains(mustRun(t, dir, "list"), " "+string(want)+" ") {
			t.Errorf("%s: %s, want %s", what, s.State, want)
		}
		return s
	}
	is("interrupted", plan.Idle)
	if did, _ := steer(t, dir, "cancel", "long", "--where", "k=4"); len(did.Cells) != 2 || did.State != plan.Training {
		t.Errorf("cancel of two cells: %+v", did)
	}
	if did, _ := steer(t, dir, "pause", "long"); did.State != plan.Paused {
		t.Errorf("pause: %+v", did)
	}
	const advice = "no server runs: sweep up trains it\n"
	did, messages := steer(t, dir, "resume", "long")
	if did.State != plan.Training || !strings.Contains(messages, advice) {
		t.Errorf("resume: %+v\n%s", did, messages)
	}
	for range 2 { // the second time it is canceled already
		if did, _ := steer(t, dir, "cancel", "long"); did.State != plan.Canceled || did.Canceled != 4 {
			t.Errorf("cancel: %+v", did)
		}
		for _, r := range is("canceled", plan.Canceled).Runs {
			if r.Status != plan.Canceled || r.Error == "" {
				t.Errorf("run %s of the canceled sweep: %s, %q", r.Label, r.Status, r.Error)
			}
		}
	}
	if did, messages := steer(t, dir, "retry", "long"); len(did.Cells) != 4 || !strings.Contains(messages, advice) {
		t.Errorf("retry: %+v\n%s", did, messages)
	}
	is("retried", plan.Idle)

	up, _ := startServer(t, dir, "--slots", "1") // as was advised
	waitFor(t, "the retried sweep in training", func() bool { return training(statusOfSweep(t, dir, "long")) > 0 })
	mustRun(t, dir, "cancel", "long")
	is("canceled with a server", plan.Canceled)
	up.terminate(t)
	is("after that server", plan.Canceled)
}

// A sweep that only the store knows is canceled there, and retry --wait trains it without a server.
func TestRetryHere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	storeGrid(t, dir, gridWith("name: stored"), 0)
	mustRun(t, dir, "cancel", "stored")
	if list := mustRun(t, dir, "list"); !strings.Contains(list, " canceled ") {
		t.Errorf("canceled in the store:\n%s", list)
	}
	want := mustRun(t, dir, "retry", "stored", "--wait")
	if strings.Count(want, "completed") != 2 {
		t.Errorf("retry --wait:\n%s", want)
	}
	if got := mustRun(t, dir, "retry", "stored", "--wait"); got != want {
		t.Errorf("once more:\n%s", got)
	}
	if list := mustRun(t, dir, "list"); !strings.Contains(list, " completed ") {
		t.Errorf("trained:\n%s", list)
	}
	p := startProgram(t, dir, "cancel", "stored")
	if status := p.exitStatus(t); status != exitError || !strings.Contains(p.err.String(), "all its 2 runs have results") {
		t.Errorf("cancel of a sweep that is done: status %d\n%s", status, p.err.String())
	}
}

// Commands that want the state directory at the same moment wait for each other, or use the server of the other one.
func TestCancelsAtOnce(t *testing.T) {
	t.Parallel()
	dir, grid := t.TempDir(), endlessGrid(t)
	interrupt(t, dir, grid)
	canceled := func(several ...*program) {
		t.Helper()
		for _, p := range several {
			if status := p.exitStatus(t); status != exitOK {
				t.Errorf("%v: status %d\n%s", p.Args[1:], status, p.err.String())
			}
		}
		if s := statusOfSweep(t, dir, "long"); s.State != plan.Canceled {
			t.Errorf("after all: %s", s.State)
		}
	}
	canceled(startProgram(t, dir, "cancel", "long"), startProgram(t, dir, "cancel", "long"))

	interrupt(t, dir, grid)
	run := startProgram(t, dir, "run", grid, "--no-ui", "--slots", "1")
	waitForFile(t, filepath.Join(dir, "server.json"))
	// The cancel may come before run goes on with the sweep, which then starts it again, or after that.
	mustRun(t, dir, "cancel", "long")
	run.Process.Signal(syscall.SIGINT)
	if status := run.exitStatus(t); status != exitInterrupted && status != exitError {
		t.Errorf("run: status %d\n%s", status, run.err.String())
	}
	canceled(startProgram(t, dir, "cancel", "long"))
}
