package workflows

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// runStage trains one stage. Then it adds the stages that follow to the frontier or, where runs end in this stage,
// evaluates them. If ctx is canceled, the stage saves its state and stops, and its cells stay unfinished. stopStages
// cancels all stages. An error ends the sweep.
func (s *state) runStage(ctx workflow.Context, stopStages func(), ready plan.ReadyStage) error {
	stage, t := ready.Stage, s.treeByNumber(ready.Tree)
	for _, c := range stage.Cells {
		t.running = append(t.running, runningCell{c.Cell, stage.Cells[0].Cell})
	}
	label := stageLabel(stage)
	s.labels = append(s.labels, label)
	s.updateDetails(ctx)
	notRunning := func(cell int) {
		t.running = slices.DeleteFunc(t.running, func(r runningCell) bool { return r.cell == cell })
	}
	defer func() {
		for _, c := range stage.Cells {
			notRunning(c.Cell)
		}
		i := slices.Index(s.labels, label)
		s.labels = slices.Delete(s.labels, i, i+1)
		s.updateDetails(ctx)
	}()
	reached, err := s.trainStage(ctx, ready)
	if err == nil && !stage.CompletesRuns(reached) {
		if ctx.Err() == nil { // else the stages that follow would not be started any more
			s.frontier.StageEnded(ready, reached)
		}
		return nil
	}
	if err != nil {
		return s.recordFailed(ctx, t, stage.Cells, stage, err)
	}
	for _, c := range stage.Cells {
		if ctx.Err() == nil && s.historyFull(ctx) {
			stopStages()
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := s.evaluateCell(ctx, ready, c); err != nil {
			if err := s.recordFailed(ctx, t, []plan.TreeCell{c}, stage, err); err != nil {
				return err
			}
			continue
		}
		s.Completed++
		notRunning(c.Cell)
		s.cellDone(t, c.Cell)
	}
	return nil
}

// trainStage trains a stage and returns the step that it reached.
func (s *state) trainStage(ctx workflow.Context, ready plan.ReadyStage) (reached int, err error) {
	stage := ready.Stage
	ref := protocol.StageRef{
		CellRef: protocol.CellRef{Sweep: s.in.Sweep, Cell: stage.Cells[0].Cell},
		Level:   stage.Level, From: stage.From, To: stage.To, Cells: len(stage.Cells),
	}
	trained, err := callTrainStage(ctx, s.in.TrainQueue, s.priority(ready), ref, stageLabel(stage))
	s.Steps += int64(trained.Steps)
	return trained.Reached, err
}

// priority returns the priority of a stage in the task queue, from 2, which goes first, to 5. A queue may hold more
// stages than there are slots. The stage with the longest path must not wait in it, or the sweep would take longer.
func (s *state) priority(ready plan.ReadyStage) int {
	s.longestPath = max(s.longestPath, ready.Left)
	return 2 + min(3, int(4*(1-ready.Left/s.longestPath)))
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
func (s *state) evaluateCell(ctx workflow.Context, ready plan.ReadyStage, c plan.TreeCell) error {
	ref := protocol.CellRef{Sweep: s.in.Sweep, Cell: c.Cell}
	for n := 1; ; n++ {
		err := callEvaluate(ctx, s.in.TrainQueue, ref, c.Label)
		if !isCheckpointLost(err) || n == maxTrainings {
			return err
		}
		if _, err := s.trainStage(ctx, ready); err != nil {
			return err
		}
	}
}

// recordFailed counts cells of a stage as failed, and stores the reason. After a cancellation it does nothing, and the
// cells stay unfinished.
func (s *state) recordFailed(
	ctx workflow.Context, t *activeTree, cells []plan.TreeCell, stage plan.Stage, err error,
) error {
	if isCanceled(ctx, err) {
		return nil
	}
	in := protocol.FailInput{Sweep: s.in.Sweep, Status: plan.Failed, Error: failureReason(err)}
	if len(cells) > 1 {
		in.Error = fmt.Sprintf("%s (in the steps up to %d, which %d runs share)", in.Error, stage.To, len(cells))
	}
	for _, c := range cells {
		in.Cells = append(in.Cells, c.Cell)
		s.Failed++
		s.cellDone(t, c.Cell)
	}
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	return recordRuns(disconnected, in, cells[0].Label)
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
	return recordRuns(ctx, in, fmt.Sprintf("%d canceled runs", len(in.Cells)))
}

func recordRuns(ctx workflow.Context, in protocol.FailInput, label string) error {
	if err := callRecordFailure(ctx, in, label); err != nil {
		return fmt.Errorf("record failure: %w", err)
	}
	return nil
}
