package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// Short runs go into one activity one after the other: an activity costs a server some ten milliseconds, and a history
// seven events. How many it gets follows from how long the last runs took: as many as take protocol.RunsFor.
//
// For example, runs of one second on 16 slots:
//
//	runs 0 to 21     one activity each: nothing is known of how long they take
//	from then on     thirty runs an activity
//	the last 960     fewer, so that no slot waits for another one's runs: a slot gets half of its share of what is left
//
// A run that is longer than shortRun has an activity of its own. So has one that is not a tree of its own, one that is
// retried, and one that a chain has left alone.
const (
	maxRuns  = 64  // runs of one activity
	shortRun = 5.0 // seconds
	paceOf   = 16  // runs or activities of which a pace knows how long they took

	// chainTries is how many chains a run is in at most that fail. A worker that dies has left its claim in the folder of
	// the run that it trained: the next chain leaves that run alone, and takes the others.
	chainTries = 2
)

// A pace forecasts how long a run takes.
type pace struct{ seen []paced } // the newest last, at most paceOf

// A paced is how long a run took.
type paced struct{ work, seconds float64 } // weight·steps; of an activity with several runs the means

// saw notes that a run took so long, with training, evaluation and recording.
func (p *pace) saw(work, seconds float64) {
	if !(seconds > 0) {
		return
	}
	if len(p.seen) == paceOf {
		p.seen = slices.Delete(p.seen, 0, 1)
	}
	p.seen = append(p.seen, paced{work, seconds})
}

// forecast returns the seconds that a run takes: those of the slowest of the last ones, and more in proportion for a
// run that has more work than that one had. known is false before the first run.
func (p *pace) forecast(work float64) (seconds float64, known bool) {
	for _, r := range p.seen {
		s := r.seconds
		if r.work > 0 && work > r.work {
			s *= work / r.work
		}
		seconds = max(seconds, s)
	}
	return seconds, len(p.seen) > 0
}

// isWholeRun reports whether a stage is a tree of its own: it trains one cell from its first step to its last.
func isWholeRun(r plan.ReadyStage) bool {
	return r.Stage.Level == plan.LevelRun && r.Stage.From == 0 && len(r.Stage.Cells) == 1
}

// isShort reports whether one activity may train a stage with others.
func (s *state) isShort(r plan.ReadyStage) bool {
	if s.version < versionShort || !isWholeRun(r) || r.First || r.Tries >= chainTries {
		return false
	}
	seconds, known := s.pace.forecast(r.Left)
	return known && seconds <= shortRun
}

// takeShort returns a short stage that starts now, and other short ones behind it.
func (s *state) takeShort(first plan.ReadyStage) []plan.ReadyStage {
	chain := []plan.ReadyStage{first}
	seconds, _ := s.pace.forecast(first.Left)
	left := s.Cells - s.Completed - s.Failed - s.Canceled - len(s.stages)
	n := min(maxRuns, int(protocol.RunsFor.Seconds()/seconds), left/(2*max(1, s.concurrent())))
	for len(chain) < n {
		r, ok := s.nextShort()
		if !ok {
			break
		}
		chain = append(chain, r)
	}
	return chain
}

// nextShort takes the stage that would start next, if it is short, and if it is known without reading a chunk of the
// plan: while that is read, an update could not see the stages that are taken and not in flight yet.
func (s *state) nextShort() (r plan.ReadyStage, ok bool) {
	for {
		next, found := s.trees.peekLoaded(s.in.TreeChunks)
		if !found || next.first {
			break
		}
		if !s.frontier.ShouldStart(next.tree, s.window()) {
			break
		}
		s.trees.advance()
		if s.startTree(next) {
			break
		}
		s.changed()
	}
	if r, ok = s.frontier.Peek(); !ok || !s.isShort(r) {
		return r, false
	}
	return s.frontier.Next()
}

// startRuns starts an activity that trains several runs.
func (s *state) startRuns(ctx workflow.Context, ready []plan.ReadyStage) {
	ctx, stop := workflow.WithCancel(ctx)
	var chain []*stage
	for _, r := range ready {
		t := s.newStage(ctx, r)
		t.ctx, t.stop = ctx, stop
		chain = append(chain, t)
	}
	first := chain[0].ready.Stage.Cells[0]
	id := s.ids.ofRuns(first, len(chain)-1)
	for _, t := range chain {
		t.chain, t.id = chain, id
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for _, t := range chain {
			t.ctx = ctx
		}
		s.runRuns(chain)
		s.flights--
		for _, t := range chain {
			s.stageEnded(t)
		}
	})
}

// runRuns trains the runs of a chain. Those that come out without a result go back to the frontier.
func (s *state) runRuns(chain []*stage) {
	first := chain[0]
	in := protocol.RunsRef{Sweep: s.in.Sweep, MixClasses: s.in.MixClasses}
	for _, t := range chain {
		in.Cells = append(in.Cells, t.ready.Stage.Cells[0].Cell)
	}
	out, err := callTrainRuns(first.ctx, s.slot(first), first.id, in)
	canceled := first.ctx.Err() != nil
	done := map[int]protocol.RanRun{} // it is never ranged over
	trained := 0
	for _, r := range out.Runs {
		done[r.Cell] = r
		s.Steps += int64(r.Steps)
		if r.Steps > 0 {
			trained++
		}
	}
	if trained > 0 && err == nil {
		s.pace.saw(first.ready.Left, out.Seconds/float64(trained))
	}
	for _, t := range chain {
		c := t.ready.Stage.Cells[0]
		r, ok := done[c.Cell]
		switch {
		case ok:
			s.runDone(t, c, r.Brief)
		case canceled:
			s.giveBack(t)
		default:
			if err != nil {
				t.ready.Tries++
			}
			if slices.Contains(out.Alone, c.Cell) {
				t.ready.Tries = chainTries
			}
			s.frontier.Return(t.ready, t.cells)
		}
	}
}

// beyond returns the stages behind the first n activities.
func beyond(stages []*stage, n int) []*stage {
	seen := map[*stage]bool{} // first stages of chains; it is never ranged over
	var rest []*stage
	for _, t := range stages {
		key := t
		if t.chain != nil {
			key = t.chain[0]
		}
		if !seen[key] && len(seen) < n {
			seen[key] = true
		}
		if !seen[key] {
			rest = append(rest, t)
		}
	}
	return rest
}
