//go:build unix

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// rivalsGrid has cells that share trunks. Alone it trains for half a minute and more, which is six renewals of a claim.
const rivalsGrid = `
name: rivals
data: {synthetic: {activation_dim: 32, directions: 64, tokens: 20000, active: 4, noise: 0.05}, normalize: mean_square}
parameters: {k: [2, 4], auxk_alpha: [0, 0.03125], decay_start: [0.5, 0.75]}
train: {dict_size: 512, steps: 5000, batch_size: 256, lr: 0.002, dead_feature_threshold: 10000}
run: {checkpoint: {every: 2s}}
`

var trainedLine = regexp.MustCompile(`msg=trained folder=\S+ attempt=\d+ from=(\d+) to=(\d+)`)

// trainedSteps are the steps that the worker of a state directory has trained, also those that are lost.
func trainedSteps(t *testing.T, dir string) (steps int) {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(dir, "worker.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range trainedLine.FindAllStringSubmatch(string(log), -1) {
		from, _ := strconv.Atoi(m[1])
		to, _ := strconv.Atoi(m[2])
		steps += to - from
	}
	return steps
}

// Two sweeps of one grid, from two state directories on one store, share the work: both end, with the table of an
// undisturbed sweep, and none fences the other one off. One that is suspended is fenced off, and ends well.
func TestRivalSweeps(t *testing.T) {
	g := writeGrid(t, rivalsGrid)
	alone := t.TempDir()
	want := mustRun(t, alone, "run", g, "--slots", "1")
	for _, suspended := range []bool{false, true} {
		store := filepath.Join(t.TempDir(), "store")
		dirs := []string{t.TempDir(), t.TempDir()}
		first := startProgram(t, dirs[0], "run", g, "--slots", "1", "--store", store)
		waitFor(t, "a renewed claim", func() bool {
			found, _ := filepath.Glob(filepath.Join(store, "stages", "*", "renewals", "*"))
			return len(found) > 0 && strings.Contains(first.out.String()+first.err.String(), "training ")
		})
		if suspended {
			first.Process.Signal(syscall.SIGSTOP)
		}
		second := startProgram(t, dirs[1], "run", g, "--slots", "1", "--store", store)
		if suspended {
			if status := second.exitStatus(t); status != exitOK {
				t.Fatalf("the second: status %d\n%s", status, second.err.String())
			}
			first.Process.Signal(syscall.SIGCONT)
		}
		for i, p := range []*program{first, second} {
			if !suspended || i == 0 {
				if status := p.exitStatus(t); status != exitOK {
					t.Fatalf("sweep %d: status %d\n%s", i, status, p.err.String())
				}
			}
			if got := p.out.String(); got != want {
				t.Errorf("suspended %v, sweep %d:\n%s\nundisturbed:\n%s", suspended, i, got, want)
			}
		}
		if suspended {
			continue
		}
		// A cell has 5,000 steps: no step is trained twice, but for a stage that both begin at the same moment.
		both, one := trainedSteps(t, dirs[0])+trainedSteps(t, dirs[1]), trainedSteps(t, alone)
		if one == 0 || both > one+one/20 {
			t.Errorf("both have trained %d steps, one alone trains %d", both, one)
		}
	}
}
