package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A view shows snapshots of a sweep as they come.
type view interface {
	show(snapshot)
	say(line string)
	close()
}

// labels names the cells of a stored plan, read a chunk at a time as they are
// asked for.
type labels struct {
	ctx    context.Context
	narrow bool // values without their keys
	store  storage.Store
	plan   *plan.Header
	chunks map[int][]grid.Cell
}

func newLabels(ctx context.Context, store storage.Store, header *plan.Header) *labels {
	return &labels{ctx: ctx, store: store, plan: header, chunks: map[int][]grid.Cell{}}
}

func (l *labels) of(cell int) string {
	chunk := cell / plan.ChunkSize
	if cell%plan.ChunkSize >= len(l.chunks[chunk]) { // not read yet, or extended since
		l.chunks[chunk], _ = ledger.New(l.store).Chunk(l.ctx, l.plan.ID, chunk) // without it a number has to do
	}
	if i := cell % plan.ChunkSize; i < len(l.chunks[chunk]) {
		if l.narrow {
			return strings.Join(l.chunks[chunk][i].Values, " ")
		}
		return l.plan.Label(l.chunks[chunk][i])
	}
	return fmt.Sprintf("cell %d", cell)
}

// A stageKey tells the stages in training apart.
type stageKey struct {
	cell, cells int
	to          int64
}

func keyOf(b protocol.Heartbeat) stageKey { return stageKey{b.Cell, max(1, b.Cells), b.Steps} }

func (k stageKey) compare(o stageKey) int {
	return cmp.Or(cmp.Compare(k.cell, o.cell), cmp.Compare(k.to, o.to))
}

// stage names a stage.
func (l *labels) stage(k stageKey) string {
	if k.cells > 1 && l.narrow {
		return fmt.Sprintf("%s ×%d", l.of(k.cell), k.cells)
	}
	if k.cells > 1 {
		return fmt.Sprintf("%s, shared by %d", l.of(k.cell), k.cells)
	}
	return l.of(k.cell)
}

// trouble tells of an activity that is being tried again. Only a run that was
// seen in training is said to have a checkpoint.
func (l *labels) trouble(t trouble) string {
	known, trains := t.cell >= 0, t.activity == protocol.ActivityTrain
	line := fmt.Sprintf("%s; attempt %d", t.what, t.attempt)
	if known && trains {
		line += " goes on from the newest checkpoint"
	} else {
		line = step(t.activity) + ": " + line
	}
	if known {
		line = l.of(t.cell) + ": " + line
	}
	return line
}

// step names what an activity does for a sweep.
func step(activity string) string {
	switch activity {
	case protocol.ActivityPrepare:
		return "planning"
	case protocol.ActivityTrain:
		return "a run in training"
	case protocol.ActivityEval:
		return "evaluating"
	case protocol.ActivityFail:
		return "noting a failure"
	case protocol.ActivityCollect:
		return "collecting the results"
	}
	return activity
}

// wide is the columns of a terminal on which a run's bar has room beside the
// names of what varies.
const wide = 120

func (a *app) newView(ctx context.Context, store storage.Store, header *plan.Header) view {
	l := newLabels(ctx, store, header)
	if !a.tty {
		return &lines{a: a, labels: l, began: time.Now(), running: map[stageKey]bool{}, said: map[trouble]bool{}}
	}
	if a.columns() < wide && len(header.Axes) > 0 {
		l.narrow = true
		fmt.Fprintln(a.err, "runs by", strings.Join(header.Axes, " "))
	}
	v := &bars{err: a.err, labels: l, began: time.Now(), runs: map[stageKey]*runBar{}}
	v.p = mpb.New(mpb.WithOutput(a.err), mpb.WithWidth(32), mpb.WithRefreshRate(150*time.Millisecond))
	v.total = v.p.New(int64(header.CellCount), mpb.BarStyle().Rbound("]"), mpb.BarPriority(1<<30),
		mpb.PrependDecorators(decor.Name(header.Name, decor.WCSyncSpaceR), decor.CountersNoUnit("%d/%d runs", decor.WCSyncSpace)),
		mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5}), decor.Any(func(decor.Statistics) string { return v.summary() })))
	return v
}

// bars draws one bar for the sweep and one for each run in training.
type bars struct {
	err    io.Writer
	labels *labels
	began  time.Time
	p      *mpb.Progress
	total  *mpb.Bar
	runs   map[stageKey]*runBar
	now    shared[drawn]
}

// drawn is what the line of the sweep is drawn from.
type drawn struct {
	snapshot
	since time.Time // the first run was seen in training
	base  float64   // steps done by then
}

type runBar struct {
	bar  *mpb.Bar
	beat shared[protocol.Heartbeat]
}

func (v *bars) summary() string {
	s := v.now.get()
	out := "  " + clock(time.Since(v.began))
	// Steps differ in cost, and latents die when they do: a guess that gets better.
	if done := s.done() - s.base; done > 0 && !s.since.IsZero() {
		todo := max(0, s.planned(v.labels.plan)-s.done())
		out += "  ETA " + clock(time.Duration(todo/done*float64(time.Since(s.since))))
	}
	if n := s.progress.Reused; n > 0 {
		out += fmt.Sprintf("  %d reused", n)
	}
	if n := s.progress.Failed; n > 0 {
		out += fmt.Sprintf("  %d failed", n)
	}
	if n := len(s.trouble); n > 0 {
		out += fmt.Sprintf("  %d retrying", n)
	}
	return out
}

func (v *bars) show(s snapshot) {
	d := v.now.get()
	if d.snapshot = s; d.since.IsZero() && len(s.beats) > 0 {
		d.since, d.base = time.Now(), s.done()
	}
	v.now.set(d)
	p := s.progress
	if p.Cells > 0 { // it may have been extended
		v.total.SetTotal(int64(p.Cells), false)
	}
	v.total.SetCurrent(int64(p.Completed + p.Failed + p.Canceled))
	running := map[stageKey]bool{}
	for _, b := range s.beats {
		k := keyOf(b)
		running[k] = true
		r := v.runs[k]
		if r == nil {
			r = &runBar{}
			r.bar = v.p.New(b.Steps, mpb.BarStyle().Rbound("]"), mpb.BarRemoveOnComplete(),
				mpb.PrependDecorators(decor.Name(v.labels.stage(k), decor.WCSyncSpaceR), decor.CountersNoUnit("%d/%d steps", decor.WCSyncSpace)),
				mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5}), decor.Any(func(decor.Statistics) string { return "  " + describe(r.beat.get()) })))
			v.runs[k] = r
		}
		r.beat.set(b)
		// A full bar is removed, and evaluation still follows.
		r.bar.SetCurrent(min(b.Step, b.Steps-1))
	}
	for k, r := range v.runs {
		if !running[k] {
			r.bar.Abort(true)
			delete(v.runs, k)
		}
	}
}

func (v *bars) say(line string) { fmt.Fprintln(v.p, line) } // above the bars

func (v *bars) close() {
	fmt.Fprint(v.err, "\r") // behind the ^C that a terminal echoes, the bars would be drawn two columns off
	for _, r := range v.runs {
		r.bar.Abort(true)
	}
	if !v.total.Completed() {
		v.total.Abort(false)
	}
	v.p.Wait()
}

// describe is the living part of a run's line.
func describe(b protocol.Heartbeat) string {
	if b.Doing != "" {
		return b.Doing
	}
	if b.Step == 0 {
		return "starting"
	}
	out := fmt.Sprintf("loss %.4g", b.Loss)
	if b.Dead > 0 {
		out += fmt.Sprintf("  %d dead", b.Dead)
	}
	return out + rate(b)
}

// rate is the tokens per second of a run and how long it will take.
func rate(b protocol.Heartbeat) string {
	if b.TokensPerSecond <= 0 || b.StepsPerSecond <= 0 {
		return ""
	}
	left := time.Duration(float64(b.Steps-b.Step) / b.StepsPerSecond * float64(time.Second))
	return fmt.Sprintf("  ETA %s  %s tok/s", clock(left), short(b.TokensPerSecond))
}

// short writes a number with three digits: 1.25M.
func short(x float64) string {
	for _, u := range []string{"", "k", "M", "G", "T"} {
		if x < 1000 {
			return fmt.Sprintf("%.3g%s", x, u)
		}
		x /= 1000
	}
	return fmt.Sprintf("%.3gP", x)
}

func clock(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Hour {
		return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}
