package progress

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A sweep with many runs has no line a run: it has one each half minute or each twentieth of its runs, whichever comes
// first, and names few of the runs that are tried again.
func TestDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		header, labels := planOverK()
		header.CellCount = 1000
		view := NewView(Terminal{Out: &out}, header, labels)
		at := func(done int) (s Snapshot) {
			s.Progress.Summary = protocol.Summary{Cells: 1000, Completed: done, Steps: int64(2 * done)}
			s.Progress.Running = []int{0, 1}
			s.Training = []protocol.Heartbeat{{Cell: done % 2, Step: 1, Steps: 2}}
			return s
		}
		view.Show(at(0))
		for done := 1; done <= 20; done++ { // slow: a line for half a minute
			time.Sleep(2 * time.Second)
			view.Show(at(done))
		}
		for done := 21; done <= 70; done++ { // fast: a line for 50 runs
			time.Sleep(100 * time.Millisecond)
			view.Show(at(done))
		}
		last := at(1000)
		last.Progress.Completed, last.Progress.Failed = 997, 3
		last.Progress.Seen = []protocol.SeenCell{
			{Brief: plan.Brief{NMSE: new(0.25)}}, {}, {Brief: plan.Brief{NMSE: new(0.125)}},
		}
		for i := range 100 {
			last.Progress.Failures = append(last.Progress.Failures,
				protocol.Failure{Cell: i, Status: plan.Failed, Error: "no such file"})
			last.Retries = append(last.Retries, Retry{protocol.ActivityTrain, i % 2, 2 + i, "its worker is gone"})
		}
		time.Sleep(time.Second)
		view.Show(last)
		view.Show(last)
		view.Close()
		got := out.String()
		if n := strings.Count(got, "retrying"); n != namedRetries || strings.Count(got, "not named any more") != 1 {
			t.Errorf("%d retries are named, want %d:\n%s", n, namedRetries, got)
		}
		if n := strings.Count(got, ": no such file"); n != namedRetries || !strings.Contains(got, "failed   k=4: no such") {
			t.Errorf("%d failures are named, want %d:\n%s", n, namedRetries, got)
		}
		var lines []string
		for line := range strings.Lines(got) {
			if strings.Contains(line, "runs done") {
				lines = append(lines, line)
			}
		}
		const want = "" +
			"    0:00  0 of 1000 runs done\n" +
			"    0:30  15 of 1000 runs done, 0.5 runs/s, 1 steps/s\n" +
			"    0:45  65 of 1000 runs done, 3.45 runs/s, 6.9 steps/s\n" +
			"    0:46  997 of 1000 runs done, 3 failed, 623 runs/s, 1.25k steps/s, best nmse 0.125\n"
		if strings.Join(lines, "") != want || strings.Contains(got, "training") {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// On a terminal of any width it has one bar, that of the sweep.
func TestDigestOnTerminal(t *testing.T) {
	for _, columns := range []int{60, 80, 200} {
		var out lockedBuffer
		header, labels := planOverK()
		header.CellCount = ManyRuns
		view := NewView(Terminal{Out: &out, Interactive: true, Columns: columns}, header, labels)
		var s Snapshot
		s.Progress.Summary = protocol.Summary{Cells: ManyRuns, Completed: 1}
		s.Training = []protocol.Heartbeat{{Cell: 0, Step: 1, Steps: 2}}
		view.Show(s)
		view.Close()
		if v := view.(*bars); len(v.stages) != 0 || strings.Contains(out.b.String(), "steps") {
			t.Errorf("%d columns: %q", columns, out.b.String())
		}
	}
}
