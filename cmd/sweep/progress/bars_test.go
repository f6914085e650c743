package progress

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/topksweep/sweep/sweep/protocol"
)

// The line of a sweep counts what is reused, failed and tried again, and guesses
// the time left from the steps trained since the first stage was seen.
func TestSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		header, labels := planOverK()
		header.StepsShared = 1000
		v := &bars{header: header, labels: labels, start: time.Now()}
		time.Sleep(5 * time.Second)
		if got := v.summary(); got != "0:05" {
			t.Errorf("before the first snapshot: %q", got)
		}
		// 300 steps were trained before, 100 more take 10 s; 1 of 2 runs is reused, so
		// that 500 steps are to be trained in all.
		s := latest{trainingSince: time.Now(), stepsBefore: 300}
		time.Sleep(10 * time.Second)
		s.Progress.Summary = protocol.Summary{Cells: 2, Reused: 1, Failed: 1, Steps: 350}
		s.Training = []protocol.Heartbeat{{From: 50, Step: 100}}
		s.Retries = []Retry{{}, {}}
		v.latest.set(s)
		if got, want := v.summary(), "0:15  ETA 0:10  1 reused  1 failed  2 retrying"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
