package workflows

import (
	"slices"

	"github.com/topksweep/sweep/sweep/protocol"
)

// Cells without a result that are not trained any more are lost: they failed, or were canceled one by one. Retrying
// takes them back.

func cloneLost(lost []protocol.LostTree) []protocol.LostTree {
	out := slices.Clone(lost)
	for i := range out {
		out[i].Failed, out[i].Canceled = slices.Clone(out[i].Failed), slices.Clone(out[i].Canceled)
	}
	return out
}

// lostTree returns the entry of a tree in s.lost, which it adds if there is none.
func (s *state) lostTree(number int) *protocol.LostTree {
	i, found := slices.BinarySearchFunc(s.lost, number, func(t protocol.LostTree, n int) int { return t.Tree - n })
	if !found {
		s.lost = slices.Insert(s.lost, i, protocol.LostTree{Tree: number})
	}
	return &s.lost[i]
}

// lostCells returns the cells that are lost, or were canceled before their tree began, ascending.
func (s *state) lostCells() []int {
	all := slices.Clone(s.canceled)
	for _, t := range s.lost {
		all = append(append(all, t.Failed...), t.Canceled...)
	}
	slices.Sort(all)
	return all
}

// notLost returns those of the cells, ascending, that are neither lost nor canceled.
func (s *state) notLost(cells []int) []int {
	lost := s.lostCells()
	return slices.DeleteFunc(cells, func(c int) bool { _, found := slices.BinarySearch(lost, c); return found })
}

// uncancel forgets that a cell was canceled before its tree began, and reports whether it was.
func (s *state) uncancel(cell int) (was bool) {
	s.canceled, was = without(s.canceled, cell)
	return was
}

// unlose forgets that cells, ascending, are lost or canceled.
func (s *state) unlose(cells []int) {
	is := func(c int) bool { _, found := slices.BinarySearch(cells, c); return found }
	for i := range s.lost {
		t := &s.lost[i]
		t.Failed, t.Canceled = slices.DeleteFunc(t.Failed, is), slices.DeleteFunc(t.Canceled, is)
	}
	s.dropEmptyLost()
	s.canceled = slices.DeleteFunc(s.canceled, is)
}

func (s *state) dropEmptyLost() {
	s.lost = slices.DeleteFunc(s.lost, func(t protocol.LostTree) bool { return len(t.Failed)+len(t.Canceled) == 0 })
}

// takeBack makes lost cells, ascending, such that are to be trained: before all others where their tree has begun. It
// returns how many are of trees that have not begun.
func (s *state) takeBack(cells []int) (later int) {
	for _, t := range s.lost {
		failed, canceled := common(t.Failed, cells), common(t.Canceled, cells)
		if both := union(failed, canceled); len(both) > 0 {
			s.trees.first = append(s.trees.first, protocol.UnfinishedTree{Tree: t.Tree, Cells: both})
		}
		s.Failed -= len(failed)
		s.Canceled -= len(canceled)
	}
	later = len(common(s.canceled, cells))
	s.Canceled -= later
	s.unlose(cells)
	s.memory.forget(cells)
	return later
}

// allLostKnown reports whether s.lost and s.canceled name every cell that is counted as failed or canceled. They do not
// where a history of an earlier version lost some.
func (s *state) allLostKnown() bool {
	n := len(s.canceled)
	for _, t := range s.lost {
		n += len(t.Failed) + len(t.Canceled)
	}
	return n >= s.Failed+s.Canceled
}
