package workflows

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A stage is a stage in flight.
type stage struct {
	ready plan.ReadyStage
	cells []plan.TreeCell // those of its cells that it still trains for: neither done nor lost since it started
	tree  *activeTree
	label string
	id    string // of the activity that trains it
	ctx   workflow.Context
	stop  workflow.CancelFunc // the stage saves its state and stops; nil in histories that only stop all stages
	// evaluation is the ID of the evaluation in flight, of evaluated, and stopEvaluation cancels it.
	evaluation     string
	evaluated      int
	stopEvaluation workflow.CancelFunc // nil if none is in flight
	// stopped says that stop was called: the stage goes back to the frontier, and is started again when there is room.
	stopped bool
	// chain are the stages, this one among them, that one activity trains one after the other; nil if it is alone. They
	// have the context in common.
	chain []*stage
}

// newStage notes that a stage is in flight. ctx is that of all stages.
func (s *state) newStage(ctx workflow.Context, ready plan.ReadyStage) *stage {
	i, _ := s.findActive(ready.Tree)
	t := &stage{
		ready: ready, cells: slices.Clone(ready.Stage.Cells), tree: s.active[i], label: stageLabel(ready.Stage), ctx: ctx,
	}
	if s.version >= versionSteered {
		t.ctx, t.stop = workflow.WithCancel(ctx)
	}
	for _, c := range ready.Stage.Cells {
		t.tree.running = append(t.tree.running, runningCell{c.Cell, ready.Stage.Cells[0].Cell})
	}
	s.stages = append(s.stages, t)
	return t
}

// stageEnded notes that a stage is in flight no more. Cells that it has dropped may be those of another stage by now.
func (s *state) stageEnded(t *stage) {
	for _, c := range t.cells {
		t.tree.notRunning(c.Cell)
	}
	s.stages = slices.DeleteFunc(s.stages, func(o *stage) bool { return o == t })
	s.changed()
	s.upsertAttributes(t.ctx, false)
}

// trains reports whether a stage in flight still trains for a cell. A cell that was canceled, and is retried since, is
// that of another stage.
func (t *stage) trains(cell int) bool {
	return slices.ContainsFunc(t.cells, func(c plan.TreeCell) bool { return c.Cell == cell })
}

// drop notes that a stage in flight trains for these cells, ascending, no more: they are done or lost.
func (t *stage) drop(cells ...int) {
	t.cells = slices.DeleteFunc(t.cells, func(c plan.TreeCell) bool {
		_, found := slices.BinarySearch(cells, c.Cell)
		return found
	})
	for _, c := range cells {
		t.tree.notRunning(c)
	}
}

func (t *activeTree) notRunning(cell int) {
	t.running = slices.DeleteFunc(t.running, func(r runningCell) bool { return r.cell == cell })
}

// stopStage makes a stage save its state and stop. In a history that cannot stop one stage alone, all of them stop, and
// the next history goes on.
func (s *state) stopStage(t *stage) {
	if t.stop == nil {
		s.upgrade = true
		s.changed()
		return
	}
	t.stopped = true
	for _, o := range t.chain { // one activity has them all
		o.stopped = true
	}
	t.stop()
}

// runStage trains one stage. Then it adds the stages that follow to the frontier or, where runs end in this stage,
// evaluates them. If the stage is stopped, it saves its state, and its cells stay unfinished. stopStages cancels all
// stages. An error ends the sweep.
func (s *state) runStage(t *stage, stopStages func()) error {
	stage := t.ready.Stage
	reached, brief, err := s.trainStage(t.ctx, t)
	switch {
	case err == nil && brief != nil: // the run is evaluated too
		s.runDone(t, stage.Cells[0], brief)
		return nil
	case err != nil && isCanceled(t.ctx, err):
		s.giveBack(t)
		return nil
	case err != nil:
		return s.recordFailed(t, slices.Clone(t.cells), err)
	case !stage.CompletesRuns(reached):
		if t.ctx.Err() == nil || t.stopped { // else the stages that follow would not be started any more
			ended := t.ready
			if ended.Stage.Cells = t.cells; len(t.cells) > 0 {
				s.frontier.StageEnded(ended, reached)
			}
		}
		return nil
	}
	for _, c := range stage.Cells {
		if t.ctx.Err() == nil && s.historyFull(t.ctx) {
			stopStages()
		}
		if t.ctx.Err() != nil {
			s.giveBack(t)
			return nil
		}
		if !t.trains(c.Cell) {
			continue // it was canceled
		}
		brief, err := s.evaluateCell(t, c)
		switch {
		case err == nil:
			s.runDone(t, c, &brief)
		case !t.trains(c.Cell): // it was canceled meanwhile, which cancelCells answers and counts
		case isCanceled(t.ctx, err):
			s.giveBack(t)
			return nil
		default:
			if err := s.recordFailed(t, []plan.TreeCell{c}, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// runDone notes that a cell of a stage has its result, with its metrics if they are known. One that was canceled
// meanwhile is counted by cancelCells, which answers that.
func (s *state) runDone(t *stage, c plan.TreeCell, brief *plan.Brief) {
	if brief != nil {
		s.memory.remember(protocol.SeenCell{Cell: c.Cell, Label: c.Label, Brief: *brief})
	}
	if !t.trains(c.Cell) {
		return
	}
	s.Completed++
	t.drop(c.Cell)
	s.cellDone(t.tree, c.Cell)
	s.changed()
}

// giveBack returns a stage that was stopped alone to the frontier. A stage that was stopped with all others stays
// unfinished: the next history starts its tree again.
func (s *state) giveBack(t *stage) {
	if t.stopped {
		s.frontier.Return(t.ready, t.cells)
	}
}

// trainStage trains a stage and returns the step that it reached, and the metrics of the run if it was evaluated too.
func (s *state) trainStage(ctx workflow.Context, t *stage) (reached int, brief *plan.Brief, err error) {
	stage := t.ready.Stage
	ref := protocol.StageRef{
		CellRef: s.cellRef(stage.Cells[0].Cell),
		Level:   stage.Level, From: stage.From, To: stage.To, Cells: len(stage.Cells),
		Evaluate: stage.Level == plan.LevelRun && stage.CompletesRuns(stage.To),
	}
	t.id = s.ids.ofStage(stage)
	trained, err := callTrainStage(ctx, s.slot(t), t.id, ref)
	s.Steps += int64(trained.Steps)
	if trained.Brief != nil && isWholeRun(t.ready) && trained.Steps == stage.To {
		s.pace.saw(t.ready.Left, trained.Seconds)
	}
	return trained.Reached, trained.Brief, err
}

// cellRef names a cell for the activities that take a slot.
func (s *state) cellRef(cell int) protocol.CellRef {
	return protocol.CellRef{Sweep: s.in.Sweep, Cell: cell, MixClasses: s.in.MixClasses}
}

// slot says where the activities of a stage wait for a slot, and what goes before what: see order.go.
func (s *state) slot(t *stage) slot {
	return slot{queue: s.in.TrainQueue, priority: s.priority(t.ready), summary: t.label}
}

// stageLabel names a stage for people.
func stageLabel(stage plan.Stage) string {
	first := stage.Cells[0].Label
	if n := len(stage.Cells); n > 1 {
		return fmt.Sprintf("%s to step %d, shared by %d runs: %s, …", stage.Level, stage.To, n, first)
	}
	return first
}

// maxTrainings is how often a run is trained if its last checkpoint is lost each time.
const maxTrainings = 3

// evaluateCell evaluates a run. If the run's last checkpoint is lost, it trains the stage again. stopEvaluation stops
// both.
func (s *state) evaluateCell(t *stage, c plan.TreeCell) (plan.Brief, error) {
	ctx, stop := workflow.WithCancel(t.ctx)
	t.evaluated, t.stopEvaluation = c.Cell, stop
	defer func() { t.evaluation, t.stopEvaluation = "", nil }()
	ref := s.cellRef(c.Cell)
	at := s.slot(t)
	at.summary, at.priority.PriorityKey = c.Label, keyShort
	for n := 1; ; n++ {
		t.evaluation = s.ids.ofEvaluation(c)
		brief, err := callEvaluate(ctx, at, t.evaluation, ref)
		if !isCheckpointLost(err) || n == maxTrainings {
			return brief, err
		}
		t.evaluation = ""
		_, trained, err := s.trainStage(ctx, t)
		if err != nil {
			return brief, err
		}
		if trained != nil {
			return *trained, nil
		}
	}
}

// recordFailed counts cells of a stage as failed, and stores the reason.
func (s *state) recordFailed(t *stage, cells []plan.TreeCell, err error) error {
	if len(cells) == 0 {
		return nil // they were canceled meanwhile
	}
	stage := t.ready.Stage
	in := protocol.FailInput{Sweep: s.in.Sweep, Status: plan.Failed, Error: failureReason(err)}
	if n := len(stage.Cells); len(cells) > 1 {
		in.Error = fmt.Sprintf("%s (in the steps up to %d, which %d runs share)", in.Error, stage.To, n)
	}
	lost := s.lostTree(t.tree.number)
	for _, c := range cells {
		in.Cells = append(in.Cells, c.Cell)
		s.Failed++
		s.news.untold++
		lost.Failed = inserted(lost.Failed, c.Cell)
		s.memory.failed(protocol.Failure{Cell: c.Cell, Label: c.Label, Status: in.Status, Error: in.Error})
		t.drop(c.Cell)
		s.cellDone(t.tree, c.Cell)
	}
	s.changed()
	in.News = s.newsOf(t.ctx)
	s.noting = append(s.noting, in.Cells...)
	disconnected, _ := workflow.NewDisconnectedContext(t.ctx)
	err = s.recordRuns(disconnected, in, cells[0].Label)
	s.noting = slices.DeleteFunc(s.noting, func(c int) bool { return slices.Contains(in.Cells, c) })
	return err
}

// recordCanceled counts the runs that are started and not done as canceled, and stores that.
func (s *state) recordCanceled(ctx workflow.Context) error {
	in := protocol.FailInput{Sweep: s.in.Sweep, Status: plan.Canceled, Error: s.endReason()}
	for _, t := range s.continuation().Unfinished {
		in.Cells = append(in.Cells, t.Cells...)
	}
	if len(in.Cells) == 0 {
		return nil
	}
	s.Canceled += len(in.Cells)
	return s.recordRuns(ctx, in, fmt.Sprintf("%d canceled runs", len(in.Cells)))
}

// endReason says why runs that are started and not done end with the sweep.
func (s *state) endReason() string {
	switch {
	case s.root.Err() != nil:
		return plan.SweepCanceled
	case s.limitReached():
		return "the sweep stopped, since too many runs failed"
	}
	return "the sweep ended with an error"
}

func (s *state) recordRuns(ctx workflow.Context, in protocol.FailInput, label string) error {
	if _, err := callRecordFailure(ctx, s.ids, in, label); err != nil {
		return fmt.Errorf("record failure: %w", err)
	}
	return nil
}
