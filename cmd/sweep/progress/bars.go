package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// bars draws one bar for the sweep and one for each stage in training.
type bars struct {
	out    io.Writer
	header *plan.Header
	labels *Labels
	start  time.Time
	pool   *mpb.Progress
	total  *mpb.Bar
	stages map[stageKey]*stageBar
	latest shared[Snapshot]
	digest *digest // of a sweep with many runs, which has no bar for a stage; nil for others
}

// A stageBar is the bar of one stage, and the heartbeat that is written behind it.
type stageBar struct {
	bar  *mpb.Bar
	beat shared[protocol.Heartbeat]
}

// shared is a value that one goroutine sets and another draws.
type shared[T any] struct {
	mu sync.Mutex
	v  T
}

func (s *shared[T]) set(v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.v = v
}

func (s *shared[T]) get() T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.v
}

func newBars(out io.Writer, header *plan.Header, labels *Labels) *bars {
	v := &bars{out: out, header: header, labels: labels, start: time.Now(), stages: map[stageKey]*stageBar{}}
	v.pool = mpb.New(mpb.WithOutput(out), mpb.WithWidth(32), mpb.WithRefreshRate(150*time.Millisecond))
	v.total = v.newBar(int64(header.CellCount), header.Name, "%d/%d runs", v.summary, mpb.BarPriority(1<<30))
	return v
}

// newBar adds a bar with its name and count before it, and its share and what
// describe returns behind it.
func (v *bars) newBar(total int64, name, count string, describe func() string, options ...mpb.BarOption) *mpb.Bar {
	options = append(options,
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR), decor.CountersNoUnit(count, decor.WCSyncSpace)),
		mpb.AppendDecorators(
			decor.Percentage(decor.WC{W: 5}),
			decor.Any(func(decor.Statistics) string { return "  " + describe() })))
	return v.pool.New(total, mpb.BarStyle().Rbound("]"), options...)
}

// summary is the changing part of the sweep's line.
func (v *bars) summary() string {
	s := v.latest.get()
	now := time.Now()
	out := Clock(now.Sub(v.start)) + s.Forecast.eta(now)
	if n := s.Progress.Reused; n > 0 {
		out += fmt.Sprintf("  %d reused", n)
	}
	if n := s.Progress.Failed; n > 0 {
		out += fmt.Sprintf("  %d failed", n)
	}
	if n := len(s.Retries); n > 0 {
		out += fmt.Sprintf("  %d retrying", n)
	}
	return out
}

func (v *bars) Show(s Snapshot) {
	v.latest.set(s)
	p := s.Progress
	if p.Cells > 0 { // it may have been extended
		v.total.SetTotal(int64(p.Cells), false)
	}
	v.total.SetCurrent(int64(p.Completed + p.Failed + p.Canceled))
	if v.digest != nil {
		v.showDigest(s, time.Now())
		return
	}
	training := map[stageKey]bool{}
	for _, b := range s.Training {
		training[keyOf(b)] = true
		v.showStage(b)
	}
	for k, bar := range v.stages {
		if !training[k] {
			bar.bar.Abort(true)
			delete(v.stages, k)
		}
	}
}

// showDigest is the rest of Show for a sweep with many runs: its lines stand above the bar.
func (v *bars) showDigest(s Snapshot, now time.Time) {
	d := v.digest
	d.troubles(s, v.Say)
	if d.due(s, now) {
		first := d.since.IsZero()
		if d.count(s, now); !first {
			v.Say(counts(s) + d.rates + best(s))
		}
	}
}

func (v *bars) showStage(b protocol.Heartbeat) {
	k := keyOf(b)
	stage := v.stages[k]
	if stage == nil {
		stage = &stageBar{}
		describe := func() string { return Describe(stage.beat.get()) }
		stage.bar = v.newBar(b.Steps, v.labels.stage(k), "%d/%d steps", describe, mpb.BarRemoveOnComplete())
		v.stages[k] = stage
	}
	stage.beat.set(b)
	// A full bar is removed, and evaluation still follows.
	stage.bar.SetCurrent(min(b.Step, b.Steps-1))
}

// Say writes a line above the bars.
func (v *bars) Say(line string) { fmt.Fprintln(v.pool, line) }

func (v *bars) Close() {
	// A terminal echoes ^C. Without the carriage return the bars would be drawn two
	// columns too far to the right.
	fmt.Fprint(v.out, "\r")
	for _, stage := range v.stages {
		stage.bar.Abort(true)
	}
	if !v.total.Completed() {
		v.total.Abort(false)
	}
	v.pool.Wait()
}
