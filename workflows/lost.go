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

// notLost returns those of the cells, ascending, that are neither lost nor canceled.
func (s *state) notLost(cells []int) []int {
	lost := map[int]bool{} // it is never ranged over
	for _, t := range s.lost {
		for _, c := range slices.Concat(t.Failed, t.Canceled) {
			lost[c] = true
		}
	}
	for _, c := range s.canceled {
		lost[c] = true
	}
	return slices.DeleteFunc(cells, func(c int) bool { return lost[c] })
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

// takeBack makes lost cells such that are to be trained, before all others where their tree has begun. wanted says
// which; nil means all. It returns the cells, ascending, and how many of them are of trees that have not begun.
func (s *state) takeBack(wanted func(cell int) bool) (cells []int, later int) {
	split := func(from []int) (kept, taken []int) {
		for _, c := range from {
			if wanted == nil || wanted(c) {
				taken = append(taken, c)
			} else {
				kept = append(kept, c)
			}
		}
		return kept, taken
	}
	var failed, canceled, notBegun []int
	for i := range s.lost {
		t := &s.lost[i]
		var f, c []int
		t.Failed, f = split(t.Failed)
		t.Canceled, c = split(t.Canceled)
		if both := slices.Sorted(slices.Values(slices.Concat(f, c))); len(both) > 0 {
			s.trees.first = append(s.trees.first, protocol.UnfinishedTree{Tree: t.Tree, Cells: both})
		}
		failed, canceled = append(failed, f...), append(canceled, c...)
	}
	s.dropEmptyLost()
	s.canceled, notBegun = split(s.canceled)
	s.Failed -= len(failed)
	s.Canceled -= len(canceled) + len(notBegun)
	cells = slices.Sorted(slices.Values(slices.Concat(failed, canceled, notBegun)))
	s.memory.forget(cells)
	return cells, len(notBegun)
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
