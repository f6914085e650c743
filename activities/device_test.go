package activities

import (
	"fmt"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// A lostDevice is a backend whose device does not work any more.
type lostDevice struct{ trainer.Backend }

func (lostDevice) FreeMemory() (int64, error) {
	return 0, fmt.Errorf("GPU 3: %w", trainer.ErrBroken)
}

// A device that broke under another cell, or while nothing was on it, is the worker's fault: it refuses the next cells
// before it claims anything, so that nothing counts against them. Three refusals end the worker.
func TestDeviceIsLost(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil)).named(workerA, lives{workerA, workerB})
	w.Slots = 1
	good := w.backend
	for _, doing := range []string{"training", "evaluation"} {
		do := w.train
		if doing == "evaluation" {
			w.backend = good
			if err := w.train(); err != nil {
				t.Fatal(err)
			}
			do = w.evaluate
		}
		claims := "stages/" + w.id() + "/claims/"
		before := len(keys(t, w.store, claims))
		w.backend = lostDevice{good}
		for range 2 * maxDeaths {
			err := do()
			wantType(t, err, "DeviceBroken", true)
			if err == nil || !strings.Contains(err.Error(), "refused by 1@a: ") || !strings.Contains(err.Error(), "GPU 3") {
				t.Errorf("%s: %v", doing, err)
			}
		}
		if n := len(keys(t, w.store, claims)); n != before {
			t.Errorf("%s: %d claims, want the %d of before", doing, n, before)
		}
	}
	if err := w.WhyUnfit(); err == nil || !strings.Contains(err.Error(), "GPU 3") {
		t.Errorf("the worker takes more work: %v", err)
	}
	w.backend = good
	w.finish()
}
