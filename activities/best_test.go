package activities

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/topksweep/sweep/sweep/plan"
)

// Of a chunk the cells with the least nmse have their metrics, those without an nmse last, and the first of equals.
func TestBestCells(t *testing.T) {
	value := func(v float64) *float64 { return &v }
	nmse := []*float64{value(0.5), nil, value(0.1), value(0.5), value(0), value(1e300), nil, value(-1)}
	order := []int{7, 4, 2, 0, 3, 5, 1, 6}
	for n := range len(order) + 2 {
		cells := make([]plan.TreeCell, len(nmse))
		var best bestCells
		for _, i := range rand.New(rand.NewPCG(1, uint64(n))).Perm(len(nmse)) {
			cells[i].Cell = i
			best.add(&cells[i], plan.Brief{NMSE: nmse[i], L0: float64(i)})
		}
		best.keep(n)
		want := map[int]bool{}
		for _, i := range order[:min(n, len(order))] {
			want[i] = true
		}
		for i, c := range cells {
			if want[i] != (c.Brief != nil) || c.Brief != nil && (c.Brief.NMSE != nmse[i] || c.Brief.L0 != float64(i)) {
				t.Errorf("%d of them: cell %d has %+v", n, i, c.Brief)
			}
		}
	}
	var none bestCells
	none.keep(mostBriefs)
}

// Metrics add no more to Prepare's answer than its bound says, whatever their digits.
func TestBriefsAreSmall(t *testing.T) {
	size := func(v any) int {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return len(b)
	}
	third := 0.1 / 3
	longest := plan.Brief{
		NMSE: &third, L2Loss: 1000 * third, AuxKLoss: &third, L0: 1000 * third, DeadLatents: 131072, DeadFraction: third,
	}
	for _, c := range []struct{ cells, chunk, most int }{
		{1_000_000, plan.ChunkSize, 4400},
		{smallSweep + 1, smallSweep + 1, 4400},
		{smallSweep, smallSweep, 18_400},
		{1, 1, 200},
	} {
		cells := make([]plan.TreeCell, c.chunk)
		without := size(cells)
		var best bestCells
		for i := range cells {
			best.add(&cells[i], longest)
		}
		best.keep(briefsFor(c.cells))
		given := 0
		for i := range cells {
			if cells[i].Brief != nil {
				given++
			}
		}
		if want := min(c.chunk, briefsFor(c.cells)); given != want || c.cells <= smallSweep && given != c.cells {
			t.Errorf("%d cells: the metrics of %d, want of %d", c.cells, given, want)
		}
		if more := size(cells) - without; more > c.most {
			t.Errorf("%d cells: metrics add %d bytes to an answer, want at most %d", c.cells, more, c.most)
		}
	}
}
