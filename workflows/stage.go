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
	tree  *activeTree
	label string
	id    string // of the activity that trains it
	ctx   workflow.Context
	stop  workflow.CancelFunc // the stage saves its state and stops; nil in histories that only stop all stages
	// stopped says that stop was called: the stage goes back to the frontier, and is started again when there is room.
	stopped bool
}

// newStage notes that a stage is in flight. ctx is that of all stages.
func (s *state) newStage(ctx workflow.Context, ready plan.ReadyStage) *stage {
	i, _ := s.findActive(ready.Tree)
	t := &stage{ready: ready, tree: s.active[i], label: stageLabel(ready.Stage), ctx: ctx}
	if s.version >= versionSteered {
		t.ctx, t.stop = workflow.WithCancel(ctx)
	}
	for _, c := range ready.Stage.Cells {
		t.tree.running = append(t.tree.running, runningCell{c.Cell, ready.Stage.Cells[0].Cell})
	}
	s.stages = append(s.stages, t)
	return t
}

// stageEnded notes that a stage is in flight no more.
func (s *state) stageEnded(t *stage) {
	for _, c := range t.ready.Stage.Cells {
		t.tree.notRunning(c.Cell)
	}
	s.stages = slices.DeleteFunc(s.stages, func(o *stage) bool { return o == t })
	s.changed()
	s.upsertAttributes(t.ctx, false)
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
	t.stop()
}

// runStage trains one stage. Then it adds the stages that follow to the frontier or, where runs end in this stage,
// evaluates them. If the stage is stopped, it saves its state, and its cells stay unfinished. stopStages cancels all
// stages. An error ends the sweep.
func (s *state) runStage(t *stage, stopStages func()) error {
	stage := t.ready.Stage
	reached, err := s.trainStage(t)
	switch {
	case err != nil && isCanceled(t.ctx, err):
		s.giveBack(t)
		return nil
	case err != nil:
		return s.recordFailed(t.ctx, t.tree, t.tree.those(stage.Cells), stage, err)
	case !stage.CompletesRuns(reached):
		if t.ctx.Err() == nil || t.stopped { // else the stages that follow would not be started any more
			ended := t.ready
			if ended.Stage.Cells = t.tree.those(stage.Cells); len(ended.Stage.Cells) > 0 {
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
		if !t.tree.has(c.Cell) {
			continue // it was canceled
		}
		brief, err := s.evaluateCell(t, c)
		switch {
		case err != nil && isCanceled(t.ctx, err):
			s.giveBack(t)
			return nil
		case !t.tree.has(c.Cell): // it was canceled meanwhile, and that is answered and counted
		case err != nil:
			if err := s.recordFailed(t.ctx, t.tree, []plan.TreeCell{c}, stage, err); err != nil {
				return err
			}
		default:
			s.Completed++
			s.memory.remember(protocol.SeenCell{Cell: c.Cell, Label: c.Label, Brief: brief})
			t.tree.notRunning(c.Cell)
			s.cellDone(t.tree, c.Cell)
			s.changed()
		}
	}
	return nil
}

// giveBack returns a stage that was stopped alone to the frontier. A stage that was stopped with all others stays
// unfinished: the next history starts its tree again.
func (s *state) giveBack(t *stage) {
	if t.stopped {
		s.frontier.Return(t.ready, t.tree.those(t.ready.Stage.Cells))
	}
}

// trainStage trains a stage and returns the step that it reached.
func (s *state) trainStage(t *stage) (reached int, err error) {
	stage := t.ready.Stage
	ref := protocol.StageRef{
		CellRef: protocol.CellRef{Sweep: s.in.Sweep, Cell: stage.Cells[0].Cell},
		Level:   stage.Level, From: stage.From, To: stage.To, Cells: len(stage.Cells),
	}
	t.id = s.ids.ofStage(stage)
	trained, err := callTrainStage(t.ctx, s.slot(t), t.id, ref)
	s.Steps += int64(trained.Steps)
	return trained.Reached, err
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

// evaluateCell evaluates a run. If the run's last checkpoint is lost, it trains the stage again.
func (s *state) evaluateCell(t *stage, c plan.TreeCell) (plan.Brief, error) {
	ref := protocol.CellRef{Sweep: s.in.Sweep, Cell: c.Cell}
	at := s.slot(t)
	at.summary, at.priority.PriorityKey = c.Label, keyShort
	for n := 1; ; n++ {
		brief, err := callEvaluate(t.ctx, at, s.ids.ofEvaluation(c), ref)
		if !isCheckpointLost(err) || n == maxTrainings {
			return brief, err
		}
		if _, err := s.trainStage(t); err != nil {
			return brief, err
		}
	}
}

// recordFailed counts cells of a stage as failed, and stores the reason.
func (s *state) recordFailed(
	ctx workflow.Context, t *activeTree, cells []plan.TreeCell, stage plan.Stage, err error,
) error {
	if len(cells) == 0 {
		return nil // they were canceled meanwhile
	}
	in := protocol.FailInput{Sweep: s.in.Sweep, Status: plan.Failed, Error: failureReason(err)}
	if n := len(stage.Cells); len(cells) > 1 {
		in.Error = fmt.Sprintf("%s (in the steps up to %d, which %d runs share)", in.Error, stage.To, n)
	}
	lost := s.lostTree(t.number)
	for _, c := range cells {
		in.Cells = append(in.Cells, c.Cell)
		s.Failed++
		lost.Failed = inserted(lost.Failed, c.Cell)
		s.memory.failed(protocol.Failure{Cell: c.Cell, Label: c.Label, Status: in.Status, Error: in.Error})
		s.cellDone(t, c.Cell)
	}
	s.changed()
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	return s.recordRuns(disconnected, in, cells[0].Label)
}

// recordCanceled counts the runs that are started and not done as canceled, and stores that.
func (s *state) recordCanceled(ctx workflow.Context) error {
	in := protocol.FailInput{Sweep: s.in.Sweep, Status: plan.Canceled, Error: "canceled"}
	for _, t := range s.continuation().Unfinished {
		in.Cells = append(in.Cells, t.Cells...)
	}
	if len(in.Cells) == 0 {
		return nil
	}
	s.Canceled += len(in.Cells)
	return s.recordRuns(ctx, in, fmt.Sprintf("%d canceled runs", len(in.Cells)))
}

func (s *state) recordRuns(ctx workflow.Context, in protocol.FailInput, label string) error {
	if _, err := callRecordFailure(ctx, s.ids, in, label); err != nil {
		return fmt.Errorf("record failure: %w", err)
	}
	return nil
}
