//go:build unix && !noserver

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
)

// rivalsGrid has two cells. Each trains for several seconds.
const rivalsGrid = `
name: rivals
data: {synthetic: {activation_dim: 32, directions: 64, tokens: 20000, active: 4, noise: 0.05}, normalize: mean_square}
parameters: {k: [2, 4]}
train: {dict_size: 512, steps: 8000, batch_size: 256, lr: 0.002, dead_feature_threshold: 10000}
run: {checkpoint: {every: 2s}}
`

// Claims are renewed each second here.
var rivals = variables{renewVar + "=1s"}

var trainedLine = regexp.MustCompile(`msg=trained .*folder=\S+ claim=\d+ from=(\d+) to=(\d+)`)

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

// renewalsOf is the highest number of renewals that a claim in a store has, and whether an attempt has ended.
func renewalsOf(t *testing.T, store string) (most int, ended bool) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(store, "stages", "*", "renewals", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		var renewal struct {
			Renewals int
			Ended    *struct{}
		}
		if b, err := os.ReadFile(f); err == nil && json.Unmarshal(b, &renewal) == nil { // it may just have been removed
			most, ended = max(most, renewal.Renewals), ended || renewal.Ended != nil
		}
	}
	return most, ended
}

// Two sweeps of one grid, from two state directories on one store, share the work: both end, with the table of an
// undisturbed sweep, and none fences the other one off. One that is suspended loses its cell, and ends well.
func TestRivalSweeps(t *testing.T) {
	t.Parallel()
	g := writeGrid(t, rivalsGrid)
	alone := t.TempDir()
	want := rivals.run(t, alone, "run", g, "--slots", "1")
	const cells, steps = 2, 8000
	for _, suspended := range []bool{false, true} {
		store := filepath.Join(t.TempDir(), "store")
		dirs := []string{t.TempDir(), t.TempDir()}
		first := rivals.start(t, dirs[0], "run", g, "--slots", "1", "--store", store)
		waitFor(t, "six renewals of a claim", func() bool {
			renewals, ended := renewalsOf(t, store)
			// On a machine so fast that a cell ends before, the rival comes a cell later.
			return renewals >= 6 || renewals >= 1 && suspended || ended
		})
		if suspended {
			first.Process.Signal(syscall.SIGSTOP)
		}
		second := rivals.start(t, dirs[1], "run", g, "--slots", "1", "--store", store)
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
		// No step is trained twice.
		both, one := trainedSteps(t, dirs[0])+trainedSteps(t, dirs[1]), trainedSteps(t, alone)
		if one != cells*steps || both != one {
			t.Errorf("both have trained %d steps, one alone trains %d of %d", both, one, cells*steps)
		}
	}
}
