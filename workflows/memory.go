package workflows

import (
	"cmp"
	"slices"

	"github.com/topksweep/sweep/sweep/protocol"
)

// Bounds of what a history remembers for people, and hands to the next one.
const (
	keptCells      = 200     // cells
	keptFailures   = 20      // the newest
	maxReason      = 300     // bytes of a failure's reason, and of a label
	keptExtensions = 3       // the newest
	maxExtension   = 4 << 10 // bytes of a grid
)

// A memory is what the workflow remembers of its cells for people alone: nothing that it decides depends on it.
type memory struct {
	seen       []protocol.SeenCell // cells with results, ascending by nmse: at most keptCells, those with the least
	failures   []protocol.Failure  // the newest last, at most keptFailures
	extensions []string            // grids, the newest last
}

// remember notes that a cell has its result.
func (m *memory) remember(c protocol.SeenCell) {
	c.Label = shorten(c.Label, maxReason)
	m.forget([]int{c.Cell})
	i, _ := slices.BinarySearchFunc(m.seen, c, compareSeen)
	m.seen = slices.Insert(m.seen, i, c)
	if len(m.seen) > keptCells {
		m.seen = m.seen[:keptCells]
	}
}

// compareSeen orders cells by nmse. Those without one are last.
func compareSeen(a, b protocol.SeenCell) int {
	x, y := a.Brief.NMSE, b.Brief.NMSE
	switch {
	case x == nil && y == nil:
		return cmp.Compare(a.Cell, b.Cell)
	case x == nil:
		return 1
	case y == nil:
		return -1
	}
	return cmp.Or(cmp.Compare(*x, *y), cmp.Compare(a.Cell, b.Cell))
}

// best returns the least nmse of the cells that are done, or nil.
func (m *memory) best() *float64 {
	if len(m.seen) == 0 {
		return nil
	}
	return m.seen[0].Brief.NMSE
}

// failed notes that a cell has no result.
func (m *memory) failed(f protocol.Failure) {
	f.Label, f.Error = shorten(f.Label, maxReason), shorten(f.Error, maxReason)
	m.forget([]int{f.Cell})
	m.failures = append(m.failures, f)
	if n := len(m.failures) - keptFailures; n > 0 {
		m.failures = slices.Delete(m.failures, 0, n)
	}
}

// forget forgets what is known of cells.
func (m *memory) forget(cells []int) {
	is := func(cell int) bool { _, found := slices.BinarySearch(cells, cell); return found }
	m.seen = slices.DeleteFunc(m.seen, func(c protocol.SeenCell) bool { return is(c.Cell) })
	m.failures = slices.DeleteFunc(m.failures, func(f protocol.Failure) bool { return is(f.Cell) })
}

// extended notes a grid by which the sweep was extended.
func (m *memory) extended(grid string) {
	if grid == "" {
		return
	}
	m.extensions = append(m.extensions, shorten(grid, maxExtension))
	if n := len(m.extensions) - keptExtensions; n > 0 {
		m.extensions = slices.Delete(m.extensions, 0, n)
	}
}
