package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// An update is one way in which people steer a running sweep. Its handler changes the state, and answers when what it
// did is done: the stages that it stopped have saved their state. The loop of runStages then starts what is to start.
// A validator refuses an update before anything is written to the history.
type update struct {
	name, description string
	handler           any
	validator         any
}

// handleUpdates sets the handlers.
func (s *state) handleUpdates(ctx workflow.Context) error {
	open := func(workflow.Context) error { return s.refuseIfEnding() }
	for _, u := range []update{
		{protocol.UpdateExtend, "for the command sweep extend alone, which adds cells to the stored plan first", s.extend,
			func(_ workflow.Context, to protocol.Extension) error {
				return cmp.Or(s.refuseIfEnding(), checkExtension(to))
			}},
		{protocol.UpdateRetry, `train failed and canceled cells at once; all, or {"cells": [3, 5]}`, s.retryCells,
			func(_ workflow.Context, of protocol.Selection) error {
				return cmp.Or(s.refuseIfEnding(), s.checkCells(of, true))
			}},
		{protocol.UpdatePause, "save what trains and stop; nothing starts until resume", s.pause, open},
		{protocol.UpdateResume, "go on after pause", s.resume, open},
		{protocol.UpdateSet, `change settings: {"max_concurrent": 4, "mix_classes": true}, or one of them; ` +
			`or {"auto_concurrent": true}`, s.set,
			func(_ workflow.Context, to protocol.Settings) error {
				return cmp.Or(s.refuseIfEnding(), checkSettings(to))
			}},
		{protocol.UpdateCancel, `give up cells that have no result: {"cells": [3, 5]}`, s.cancelCells,
			func(_ workflow.Context, of protocol.Selection) error {
				return cmp.Or(s.refuseIfEnding(), s.checkCells(of, false))
			}},
		{protocol.UpdatePriority, `before or behind other sweeps: "high", "normal" or "low"`, s.prioritize,
			func(_ workflow.Context, p protocol.Priority) error {
				return cmp.Or(s.refuseIfEnding(), checkPriority(p))
			}},
	} {
		err := workflow.SetUpdateHandlerWithOptions(ctx, u.name, u.handler,
			workflow.UpdateHandlerOptions{Validator: u.validator, Description: u.description})
		if err != nil {
			return err
		}
	}
	return nil
}

// refuseIfEnding returns an error if the sweep is ending: it would not act on an update. Its type says so: whoever sent
// the update may wait for the end, and start the sweep again.
//
// It is for validators. What they refuse is in no history, and what is in a history is not refused when it replays.
func (s *state) refuseIfEnding() error {
	if s.draining {
		return ending()
	}
	return s.refuseIfEnded()
}

// refuseIfEnded is refuseIfEnding as handlers have it that look again once they have waited: histories of before
// went on while an error drained the window.
func (s *state) refuseIfEnded() error {
	if s.aborted || s.ended || s.isEnding() {
		return ending()
	}
	return nil
}

func ending() error {
	return temporal.NewNonRetryableApplicationError("the sweep is ending: try again when it has",
		protocol.ErrTypeEnding, nil)
}

// drainingChange is the name under which a history records that handlers refuse while an error drains the window.
const drainingChange = "refuse while draining"

// refusedSince is what a handler asks that has waited since its update was accepted.
func (s *state) refusedSince(ctx workflow.Context) error {
	err := s.refuseIfEnded()
	if err == nil && s.draining && workflow.GetVersion(ctx, drainingChange, workflow.DefaultVersion, 1) >= 1 {
		err = ending()
	}
	return err
}

// checkCells refuses cells that the sweep does not have. noneIsAll says that an empty selection means all cells.
func (s *state) checkCells(of protocol.Selection, noneIsAll bool) error {
	switch n := len(of.Cells); {
	case n == 0 && !noneIsAll:
		return errors.New(`no cells: want their numbers, as in {"cells": [3, 5]}`)
	case n > protocol.MaxSelection:
		return fmt.Errorf("%d cells: want at most %d at a time", n, protocol.MaxSelection)
	}
	for _, c := range of.Cells {
		if c < 0 || c >= s.Cells {
			return fmt.Errorf("there is no cell %d: the sweep has the cells 0 to %d", c, s.Cells-1)
		}
	}
	return nil
}

// checkExtension refuses an update without input, as the Web UI sends it, which would take all cells from the sweep.
func checkExtension(to protocol.Extension) error {
	if to.Cells < 1 || to.TreeChunks < 1 {
		return errors.New("no cells: use the command sweep extend, which adds cells to the stored plan first")
	}
	return nil
}

func checkSettings(to protocol.Settings) error {
	if to.MaxConcurrent == 0 && (to.MixClasses != nil || to.AutoConcurrent) {
		return nil
	}
	if to.AutoConcurrent {
		return fmt.Errorf("max_concurrent %d, and auto_concurrent: want one of them", to.MaxConcurrent)
	}
	if err := plan.CheckConcurrent(to.MaxConcurrent); err != nil {
		return fmt.Errorf("max_concurrent %d: want a number from 1 to %d: %w", to.MaxConcurrent, plan.MaxConcurrent, err)
	}
	return nil
}

func checkPriority(p protocol.Priority) error {
	switch p {
	case protocol.PriorityHigh, protocol.PriorityNormal, protocol.PriorityLow:
		return nil
	}
	return fmt.Errorf("priority %q: want %q, %q or %q", string(p),
		string(protocol.PriorityHigh), string(protocol.PriorityNormal), string(protocol.PriorityLow))
}

// steered returns the answer to an update.
func (s *state) steered(ctx workflow.Context, did string, stopped int, cells []int) protocol.Steered {
	s.upsertAttributes(ctx, false)
	s.changed()
	if cells == nil {
		cells = []int{}
	}
	return protocol.Steered{Summary: s.Summary, Did: did, State: s.status(), Stopped: stopped, Cells: cells}
}

func (s *state) extend(ctx workflow.Context, to protocol.Extension) (protocol.Steered, error) {
	before := s.Cells
	// Of two extensions, the one that added less may come last. The plan holds the cells of both.
	s.in.Size = plan.Size{Cells: max(before, to.Cells), TreeChunks: max(s.in.TreeChunks, to.TreeChunks)}
	s.Cells = s.in.Cells
	s.memory.extended(to.Grid)
	return s.steered(ctx, fmt.Sprintf("added %s: %d in all", cellsOf(s.Cells-before), s.Cells), 0, nil), nil
}

func (s *state) pause(ctx workflow.Context) (protocol.Steered, error) {
	before := s.paused
	s.paused = true
	s.changed()
	stopped := s.stopAndWait(ctx, slices.Clone(s.stages)) // after an earlier pause too, which may still wait for some
	did := "paused: " + stoppedStages(stopped)
	if before && stopped == 0 {
		did = "the sweep was paused before"
	}
	return s.steered(ctx, did, stopped, nil), nil
}

func (s *state) resume(ctx workflow.Context) (protocol.Steered, error) {
	did := "resumed"
	if !s.paused {
		did = "the sweep was not paused"
	}
	s.paused = false
	return s.steered(ctx, did, 0, nil), nil
}

func (s *state) set(ctx workflow.Context, to protocol.Settings) (protocol.Steered, error) {
	var did []string
	stop := slices.Clone(s.stages)
	if to.MaxConcurrent > 0 || to.AutoConcurrent {
		before := s.maxConcurrent()
		if s.in.AutoConcurrent = to.AutoConcurrent; !to.AutoConcurrent {
			s.in.MaxConcurrent = to.MaxConcurrent
		}
		did = append(did, fmt.Sprintf("max_concurrent was %s and is %s", before, s.maxConcurrent()))
	}
	mixed := s.in.MixClasses
	if to.MixClasses != nil {
		did = append(did, fmt.Sprintf("mix_classes was %t and is %t", mixed, *to.MixClasses))
		s.in.MixClasses = *to.MixClasses
	}
	s.changed()
	// Every attempt at an activity has the input of the first. So all stages in flight begin again if classes may be mixed
	// from now on, or may not. Else those stop for which there is no place: the ones that started last, since they have
	// the least to save.
	if mixed == s.in.MixClasses {
		n := len(stop)
		switch {
		case to.MaxConcurrent > 0:
			n = min(n, to.MaxConcurrent, maxSlots)
		case to.AutoConcurrent:
			n = min(n, s.window())
		}
		stop = beyond(stop, n)
	}
	stopped := s.stopAndWait(ctx, stop)
	answer := strings.Join(did, "; ")
	if stopped > 0 {
		answer += ": " + stoppedStages(stopped)
	}
	return s.steered(ctx, answer, stopped, nil), nil
}

// maxConcurrent is the setting of that name as people give it.
func (s *state) maxConcurrent() string {
	if s.in.AutoConcurrent {
		return "auto"
	}
	return strconv.Itoa(s.in.MaxConcurrent)
}

// prioritize changes the priority. Stages that wait in the queue have the old one: they leave it, and start again.
func (s *state) prioritize(ctx workflow.Context, to protocol.Priority) (protocol.Steered, error) {
	before := cmp.Or(s.in.Priority, protocol.PriorityNormal)
	s.in.Priority = to
	did := fmt.Sprintf("priority was %s and is %s", before, to)
	if before == to {
		return s.steered(ctx, did, 0, nil), nil
	}
	live, err := callLook(ctx, s.ids, s.lookInput(true))
	if err != nil {
		return s.steered(ctx, did+" for the stages that start from now on", 0, nil), nil
	}
	var waiting []*stage
	for _, t := range s.stages {
		if slices.ContainsFunc(live.Stages, func(l protocol.LiveStage) bool {
			return l.ID == t.id && l.State == plan.Waiting
		}) {
			waiting = append(waiting, t)
		}
	}
	moved := s.stopAndWait(ctx, waiting)
	switch {
	case moved == 1:
		did += "; 1 waiting stage moved in the queue"
	case moved > 1:
		did += fmt.Sprintf("; %d waiting stages moved in the queue", moved)
	}
	return s.steered(ctx, did, 0, nil), nil
}

// stopAndWait stops stages and waits until they have saved their state. It returns how many there were.
func (s *state) stopAndWait(ctx workflow.Context, stages []*stage) int {
	for _, t := range stages {
		s.stopStage(t)
	}
	disconnected, _ := workflow.NewDisconnectedContext(ctx) // a canceled sweep waits for its stages too
	_ = workflow.Await(disconnected, func() bool {
		return !slices.ContainsFunc(stages, func(t *stage) bool { return slices.Contains(s.stages, t) })
	})
	return len(stages)
}

func cellsOf(n int) string {
	if n == 1 {
		return "1 cell"
	}
	return fmt.Sprintf("%d cells", n)
}

func stoppedStages(n int) string {
	switch n {
	case 0:
		return "nothing was in training"
	case 1:
		return "1 stage stopped; what it had trained is saved"
	}
	return fmt.Sprintf("%d stages stopped; what they had trained is saved", n)
}
