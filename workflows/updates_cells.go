package workflows

import (
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

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
	if err := s.refusedSince(ctx); err != nil {
		for _, in := range s.notesOf(cells) {
			_, e := s.note(ctx, in)
			err = errors.Join(err, e)
		}
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

// notesOf returns the notes of cells, ascending, that are lost. Of failures that are not among the newest the reason is
// forgotten.
func (s *state) notesOf(cells []int) (notes []protocol.FailInput) {
	add := func(cells []int, status plan.Status, reason string) {
		if len(cells) > 0 {
			notes = append(notes, protocol.FailInput{Sweep: s.in.Sweep, Cells: cells, Status: status, Error: reason})
		}
	}
	failed, canceled := []int{}, common(s.canceled, cells)
	for _, t := range s.lost {
		failed, canceled = union(failed, common(t.Failed, cells)), union(canceled, common(t.Canceled, cells))
	}
	for _, f := range s.memory.failures {
		if rest, found := without(failed, f.Cell); found {
			failed = rest
			add([]int{f.Cell}, f.Status, f.Error)
		}
	}
	add(failed, plan.Failed, "the reason was forgotten when the cell was to be trained again")
	add(canceled, plan.Canceled, canceledByPeople)
	return notes
}

// canceledByPeople is the reason of cells that cancelCells gave up.
const canceledByPeople = "canceled by sweep cancel"

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
		Sweep: s.in.Sweep, Status: plan.Canceled, Error: canceledByPeople, UnlessDone: true,
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
	s.trees.ahead = nil // some of them may get results from elsewhere before their trees begin
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

func others(n int) string {
	if n == 1 {
		return "1 other has a result or was given up before"
	}
	return fmt.Sprintf("%d others have results or were given up before", n)
}
