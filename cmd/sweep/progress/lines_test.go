package progress

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/topksweep/sweep/sweep/protocol"
)

// Lines name each stage when it begins and ends, a retry once, and the count of
// runs when it changes; at intervals they say where the stages stand.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		header, labels := planOverK()
		view := NewView(Terminal{Out: &out}, header, labels)
		snapshot := func(done int, training ...protocol.Heartbeat) Snapshot {
			s := Snapshot{Training: training}
			s.Progress.Summary = protocol.Summary{Cells: 2, Completed: done, Reused: min(done, 1)}
			for c := done; c < 2; c++ {
				s.Progress.Running = append(s.Progress.Running, c)
			}
			return s
		}
		beat := func(cell, cells int, step, steps int64) protocol.Heartbeat {
			return protocol.Heartbeat{
				Cell: cell, Cells: cells, Step: step, Steps: steps,
				Loss: 0.5, StepsPerSecond: 10, TokensPerSecond: 2560,
			}
		}
		trunk := snapshot(0, beat(0, 2, 10, 100))
		view.Show(trunk)
		time.Sleep(time.Second)
		trunk.Retries = []Retry{{protocol.ActivityTrain, 1, 2, "its worker is gone"}}
		view.Show(trunk)
		view.Show(trunk)
		time.Sleep(reportInterval)
		view.Show(trunk)
		view.Show(trunk)
		view.Show(snapshot(0)) // no heartbeat, as from a stage that waits for another worker
		view.Show(snapshot(0, beat(0, 0, 100, 300), beat(1, 1, 120, 300)))
		time.Sleep(90 * time.Minute)
		view.Say("the server answers again")
		view.Show(snapshot(1, beat(1, 1, 299, 300)))
		failed := snapshot(2)
		failed.Progress.Completed, failed.Progress.Failed = 1, 1
		view.Show(failed)
		view.Close()
		const want = "" +
			"    0:00  training k=2, shared by 2\n" +
			"    0:01  retrying k=4: its worker is gone; attempt 2 goes on from the newest checkpoint\n" +
			"    0:11  10/100 steps  k=2, shared by 2  loss 0.5  ETA 0:09  2.56k tok/s\n" +
			"    0:11  ended    k=2, shared by 2\n" +
			"    0:11  training k=2\n" +
			"    0:11  training k=4\n" +
			" 1:30:11  the server answers again\n" +
			" 1:30:11  ended    k=2\n" +
			" 1:30:11  1 of 2 runs done, 1 of them reused\n" +
			" 1:30:11  ended    k=4\n" +
			" 1:30:11  1 of 2 runs done, 1 of them reused, 1 failed\n"
		if got := out.String(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// An outage gets one line when it begins and one when it ends.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		header, labels := planOverK()
		view := NewView(Terminal{Out: &out}, header, labels)
		worker := Outage{Began: "no worker answers", Ended: "a worker answers"}
		worker.Update(view, false)
		time.Sleep(time.Minute)
		began := time.Now()
		for range 3 {
			worker.Update(view, true)
			time.Sleep(time.Minute)
		}
		if !worker.Since.Equal(began) {
			t.Errorf("since %v, want %v", worker.Since, began)
		}
		worker.Update(view, false)
		worker.Update(view, false)
		const want = "    1:00  no worker answers\n    4:00  a worker answers\n"
		if out.String() != want || !worker.Since.IsZero() {
			t.Errorf("got\n%s\nwant\n%s", out.String(), want)
		}
	})
}
