package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

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
		{protocol.UpdateSet, `change settings: {"max_concurrent": 4}`, s.set,
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

// refuseIfEnding returns an error if the sweep is ending: it would not act on an update.
func (s *state) refuseIfEnding() error {
	if s.aborted || s.ended || s.isEnding() {
		return errors.New("the sweep is ending: try again when it has")
	}
	return nil
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

// maxConcurrency is the largest max_concurrent, in grids too.
const maxConcurrency = 100_000

func checkSettings(to protocol.Settings) error {
	if n := to.MaxConcurrent; n < 1 || n > maxConcurrency {
		return fmt.Errorf("max_concurrent %d: want a number from 1 to %d", n, maxConcurrency)
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
	before := s.in.MaxConcurrent
	s.in.MaxConcurrent = to.MaxConcurrent
	did := fmt.Sprintf("max_concurrent was %d and is %d", before, to.MaxConcurrent)
	s.changed()
	// The stages that started last have the least to save.
	n := min(len(s.stages), min(to.MaxConcurrent, maxSlots))
	stopped := s.stopAndWait(ctx, slices.Clone(s.stages[n:]))
	if stopped > 0 {
		did += ": " + stoppedStages(stopped)
	}
	return s.steered(ctx, did, stopped, nil), nil
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

func others(n int) string {
	if n == 1 {
		return "1 other has a result or was given up before"
	}
	return fmt.Sprintf("%d others have results or were given up before", n)
}

// retryCells trains lost cells again. Those whose tree has begun go before all others.
func (s *state) retryCells(ctx workflow.Context, of protocol.Selection) (protocol.Steered, error) {
	if s.version < versionSteered && len(of.Cells) == 0 {
		// Which cells are lost is forgotten: those that are canceled from now on are not of them.
		s.retry, s.lost, s.canceled = true, nil, nil
		return s.steered(ctx, "failed and canceled cells are trained again after all others", 0, nil), nil
	}
	if err := s.cellsLock.Lock(ctx); err != nil {
		return protocol.Steered{}, err
	}
	defer s.cellsLock.Unlock()
	known := s.allLostKnown()
	cells := s.lostCells()
	if len(of.Cells) > 0 {
		slices.Sort(of.Cells)
		cells = common(cells, of.Cells)
	}
	// The notes of why they are lost go first: a cell may fail again as soon as it is taken back. They are all stored.
	err := workflow.Await(ctx, func() bool {
		return !slices.ContainsFunc(cells, func(c int) bool { return slices.Contains(s.noting, c) })
	})
	if err != nil {
		return protocol.Steered{}, err
	}
	if len(cells) > 0 {
		if _, err := s.note(ctx, protocol.FailInput{Sweep: s.in.Sweep, Cells: cells, Status: plan.Pending}); err != nil {
			return protocol.Steered{}, err
		}
	}
	if err := s.refuseIfEnding(); err != nil {
		return protocol.Steered{}, err
	}
	later := s.takeBack(cells)
	did := cellsOf(len(cells)) + " to be trained again, before all others"
	switch {
	case later > 0 && later == len(cells):
		did = cellsOf(len(cells)) + " to be trained again, in turn with the others: no stage of theirs has begun"
	case later > 0:
		did += fmt.Sprintf("; %d of them in turn with the others, since no stage of theirs has begun", later)
	}
	switch {
	case !known:
		s.retry = true
		const forgotten = "cells that an older version of sweep gave up are trained again after all others"
		if did += "; " + forgotten; len(cells) == 0 {
			did = forgotten
		}
	case len(cells) == 0:
		did = "there is nothing to train again: no such cell has failed or was canceled"
	}
	return s.steered(ctx, did, 0, cells), nil
}

// cancelCells gives up cells that have no result. A stage that trains for no other cells stops.
//
// Whether a cell whose tree has not begun, or is done, has a result is not known here. So RecordFailure, which notes
// the cells in the store, says which have none. Until then all count as canceled.
func (s *state) cancelCells(ctx workflow.Context, of protocol.Selection) (protocol.Steered, error) {
	if err := s.cellsLock.Lock(ctx); err != nil {
		return protocol.Steered{}, err
	}
	defer s.cellsLock.Unlock()
	in := protocol.FailInput{
		Sweep: s.in.Sweep, Status: plan.Canceled, Error: "canceled by sweep cancel", UnlessDone: true,
	}
	of.Cells = union(of.Cells, nil)
	in.Cells = s.notLost(slices.Clone(of.Cells))
	if len(in.Cells) == 0 {
		return s.steered(ctx, "no cell is left to cancel: all of them have failed or are canceled", 0, nil), nil
	}
	s.Canceled += len(in.Cells)
	var families []string // no other tree of a family starts before the stages that stop have left its checkpoint folder
	for _, t := range s.stages {
		families = append(families, t.tree.family)
		s.frontier.Hold(t.tree.family)
	}
	s.held += len(families)
	begun := s.giveUp(in.Cells)
	stopped := s.stopAndWait(ctx, s.stopUseless(in.Cells))
	for _, f := range families {
		s.frontier.Release(f)
	}
	s.held -= len(families)
	s.changed()
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	_ = workflow.Await(disconnected, func() bool { return !s.evaluatesAny(in.Cells) })
	noted, err := s.note(ctx, in)
	if err != nil {
		undone := common(s.canceled, except(in.Cells, begun)) // some of them may have results
		s.Canceled -= len(undone)
		s.unlose(undone)
		return protocol.Steered{}, err
	}
	s.memory.forget(noted)
	haveResults := except(in.Cells, noted)
	// A tree that began meanwhile has counted the cells of which its chunk tells a result. Nobody else counts the others.
	s.Canceled -= len(common(s.lostCells(), haveResults))
	s.Completed += len(common(haveResults, except(s.lostCells(), s.canceled)))
	s.unlose(haveResults)
	did := fmt.Sprintf("canceled %s", cellsOf(len(noted)))
	if n := len(of.Cells) - len(noted); n > 0 {
		did += "; " + others(n)
	}
	if stopped > 0 {
		did += "; " + stoppedStages(stopped)
	}
	return s.steered(ctx, did, stopped, noted), nil
}

// giveUp removes cells, ascending, from all that is to be trained. It returns those of trees that have begun.
func (s *state) giveUp(cells []int) (begun []int) {
	lose := func(tree int, remaining []int) []int {
		dropped := common(remaining, cells)
		if len(dropped) > 0 {
			lost := s.lostTree(tree)
			lost.Canceled = union(lost.Canceled, dropped)
			begun = union(begun, dropped)
		}
		return dropped
	}
	for _, t := range slices.Clone(s.active) {
		dropped := lose(t.number, t.remaining)
		s.frontier.Drop(t.number, dropped)
		for _, c := range dropped {
			s.cellDone(t, c)
		}
	}
	for _, trees := range []*[]protocol.UnfinishedTree{&s.trees.first, &s.trees.unfinished} {
		var left []protocol.UnfinishedTree
		for _, t := range *trees {
			if t.Cells = except(t.Cells, lose(t.Tree, t.Cells)); len(t.Cells) > 0 {
				left = append(left, t)
			}
		}
		*trees = left
	}
	s.canceled = union(s.canceled, except(cells, begun))
	return begun
}

// stopUseless lets the stages in flight train no more for cells, ascending, that are given up. It stops their
// evaluations, and returns the stages that train for no other cells.
func (s *state) stopUseless(cells []int) (idle []*stage) {
	for _, t := range s.stages {
		t.drop(cells...)
		switch {
		case len(t.cells) == 0:
			idle = append(idle, t)
		case t.evaluatesAny(cells):
			t.stopEvaluation()
		}
	}
	s.changed()
	return idle
}

// evaluatesAny reports whether the evaluation of any of the cells, ascending, is in flight.
func (s *state) evaluatesAny(cells []int) bool {
	return slices.ContainsFunc(s.stages, func(t *stage) bool { return t.evaluatesAny(cells) })
}

func (t *stage) evaluatesAny(cells []int) bool {
	_, found := slices.BinarySearch(cells, t.evaluated)
	return found && t.stopEvaluation != nil
}

// note stores that cells have no result, or that they are to be trained again. It returns those that it has noted,
// ascending.
func (s *state) note(ctx workflow.Context, in protocol.FailInput) ([]int, error) {
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	noted, err := callRecordFailure(disconnected, s.ids, in, cellsOf(len(in.Cells)))
	if err != nil {
		return nil, fmt.Errorf("note %s of %s: %w", in.Status, cellsOf(len(in.Cells)), err)
	}
	slices.Sort(noted)
	return noted, nil
}
