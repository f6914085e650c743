package main

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer/cpu"
)

// A run that was killed on one class of hardware does not go on on another, which status says. It ends on its own class
// with the bits of a run that nobody disturbed. With --mix-classes it goes on on the other one, and its result says so.
func TestClassesOfWorkers(t *testing.T) {
	t.Parallel()
	on := func(path string) variables { return variables{cpu.PathVariable + "=" + path} }
	grid := writeGrid(t, changed(t, smallGrid, "name: small", "name: classes",
		"k: [2, 4], auxk_alpha: [0, 0.03125]", "k: [4]",
		"steps: 1500", "steps: 3000"))
	alone := t.TempDir()
	p := on("avx2").start(t, alone, "run", grid, "--no-ui")
	switch status := p.exitStatus(t); {
	case status == exitBadInput && strings.Contains(p.err.String(), "this machine cannot run it"):
		t.Skip(p.err.String())
	case status != exitOK:
		t.Fatalf("status %d\n%s", status, p.err.String())
	}
	want := readModels(t, alone)

	const results = "class,classes,mixed_classes"
	for name, mix := range map[string]bool{"same class": false, "mixed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first, _ := on("avx2").server(t, dir, "--slots", "1")
			mustRun(t, dir, "submit", grid)
			waitFor(t, "a checkpoint", func() bool { return countManifests(t, dir) > 0 })
			first.Process.Signal(syscall.SIGKILL)
			<-first.done

			second, _ := on("portable").server(t, dir, "--slots", "1")
			waitFor(t, "the reason in status", func() bool {
				s := statusOfSweep(t, dir, "classes")
				if s.Completed > 0 {
					t.Fatal("the run has gone on on another class")
				}
				return slices.ContainsFunc(s.Runs, func(r runState) bool {
					return strings.Contains(r.Error, "trained on cpu avx2") && strings.Contains(r.Error, "--mix-classes")
				})
			})
			// No other worker is on this machine. A submission before the end would follow that.
			waitFor(t, "the end of the sweep", func() bool {
				return statusOfSweep(t, dir, "classes").State == plan.Failed
			})
			if mix {
				mustRun(t, dir, "submit", grid, "--wait", "--mix-classes")
				got := mustRun(t, dir, "results", "classes", "-o", "csv", "--columns", results)
				if !strings.Contains(got, `"cpu avx2, cpu portable amd64",true`) {
					t.Errorf("results:\n%s", got)
				}
				second.terminate(t)
				return
			}
			second.terminate(t)
			third, _ := on("avx2").server(t, dir, "--slots", "1")
			mustRun(t, dir, "submit", grid, "--wait")
			if got := readModels(t, dir); len(got) != len(want) {
				t.Errorf("%d models, want %d", len(got), len(want))
			} else {
				for run, model := range want {
					if got[run] != model {
						t.Errorf("the model of run %s has other bytes than that of an undisturbed run", run)
					}
				}
			}
			got := mustRun(t, dir, "results", "classes", "-o", "csv", "--columns", results)
			if !strings.Contains(got, "cpu avx2,cpu avx2,false") {
				t.Errorf("results:\n%s", got)
			}
			third.terminate(t)
		})
	}
}
