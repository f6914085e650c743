package workflows

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// shortSim is a sweep of so many runs, each a tree of its own, that take some time each.
func shortSim(t *testing.T, cells int, each time.Duration) *sim {
	s := newSim(t, slices.Collect(slices.Chunk(cellTrees(0, cells), plan.ChunkSize))...)
	s.short = each
	return s
}

func (s *sim) count(activity string) (n int) {
	for _, b := range s.began {
		if strings.HasPrefix(b, activity+" ") {
			n++
		}
	}
	return n
}

// 2,000 runs of a second on 16 slots need few activities, and hardly more time than the runs.
func TestShortRuns(t *testing.T) {
	s := shortSim(t, 2000, time.Second)
	wantDone(t, s, s.input(16))
	if single := s.count(protocol.ActivityTrain); single > 16+2000/17+1 { // the first ones, and those that are left alone
		t.Errorf("%d runs have an activity of their own", single)
	}
	if runs := s.count(protocol.ActivityRuns); runs < 16 || runs > 300 {
		t.Errorf("%d activities with several runs", runs)
	}
	if s.count(protocol.ActivityEval) > 0 {
		t.Error("runs that are evaluated are evaluated again")
	}
	if took, least := s.env.Now().Sub(simStart), 2000*time.Second/16; took > least+least/10 {
		t.Errorf("it takes %v, and the runs alone take %v", took, least)
	}
}

// Runs of which one takes longer than shortRun have an activity each, whatever the others took.
func TestLongRunsAreAlone(t *testing.T) {
	s := shortSim(t, 100, 6*time.Second)
	wantDone(t, s, s.input(4))
	if n := s.count(protocol.ActivityRuns); n > 0 {
		t.Errorf("%d activities have several runs of 6 s", n)
	}
}

func TestPace(t *testing.T) {
	var p pace
	if _, known := p.forecast(1); known {
		t.Error("nothing is known before the first run")
	}
	p.saw(100, 2)
	p.saw(50, 1)
	p.saw(10, 0) // no time passes: it says nothing
	for work, want := range map[float64]float64{200: 4, 100: 2, 60: 2, 1: 2} {
		if got, known := p.forecast(work); !known || got != want {
			t.Errorf("a run with work %v takes %v s, want %v", work, got, want)
		}
	}
	for range paceOf {
		p.saw(10, 0.1)
	}
	if got, _ := p.forecast(10); got != 0.1 || len(p.seen) != paceOf {
		t.Errorf("the last %d count, not %v: %v s", paceOf, p.seen, got)
	}
}

// While several runs train in one activity, one of them is canceled, the sweep is paused, and max_concurrent is set: no
// run is lost or trained twice. The sim checks that.
func TestSteerShortRuns(t *testing.T) {
	s := shortSim(t, 600, time.Second)
	s.at(12*time.Second, protocol.UpdateCancel, selection(300, 301, 420))
	s.at(14*time.Second, protocol.UpdatePause)
	s.at(40*time.Second, protocol.UpdateResume)
	s.at(45*time.Second, protocol.UpdateSet, protocol.Settings{MaxConcurrent: 2})
	s.at(60*time.Second, protocol.UpdateRetry)
	s.at(70*time.Second, protocol.UpdatePriority, protocol.PriorityHigh)
	wantDone(t, s, s.input(8))
}

// A worker that dies with several runs leaves those that it has recorded, and the others are trained one by one.
func TestShortRunsOfADeadWorker(t *testing.T) {
	s := shortSim(t, 200, time.Second)
	s.dies = func(n int) (int, bool) { return 3, n == 1 }
	wantDone(t, s, s.input(2))
	if n := s.count(protocol.ActivityTrain); n < 5 || n > 60 {
		t.Errorf("%d runs had an activity of their own", n)
	}
}

// A history of an earlier version has one activity a stage.
func TestShortRunsOfAnOldHistory(t *testing.T) {
	s := shortSim(t, 40, time.Second)
	s.plain = 1
	wantDone(t, s, s.input(4))
	if n := s.count(protocol.ActivityRuns); n > 0 {
		t.Errorf("%d activities with several runs", n)
	}
}

func TestBeyond(t *testing.T) {
	a, b, c, d := &stage{}, &stage{}, &stage{}, &stage{}
	b.chain = []*stage{b, c}
	c.chain = b.chain
	all := []*stage{a, b, c, d}
	for n, want := range map[int][]*stage{0: all, 1: {b, c, d}, 2: {d}, 3: nil, 9: nil} {
		if got := beyond(all, n); !slices.Equal(got, want) {
			t.Errorf("beyond %d activities: %d stages, want %d", n, len(got), len(want))
		}
	}
}
