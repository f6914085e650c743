package plan

import (
	"io"
	"os"
	"testing"

	"github.com/topksweep/sweep/sweep/grid"
)

// Whatever grid can be read and gives cells can be planned, and the plan can be
// written as text and as JSON.
func FuzzPlan(f *testing.F) {
	paths, err := os.ReadDir("testdata/good")
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range paths {
		src, err := os.ReadFile("testdata/good/" + p.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	opts := grid.ParseOptions{MaxCells: 500, MaxBytes: 1 << 14}
	f.Fuzz(func(t *testing.T, src []byte) {
		g, err := grid.Parse("grid.yaml", src, opts)
		if err != nil {
			return
		}
		cells, err := g.Cells(infosOf(g)...)
		if err != nil {
			return
		}
		p, err := NewOf(g, infosOf(g), testEstimates())
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Cells) != len(cells) {
			t.Errorf("the plan has %d cells, the grid %d", len(p.Cells), len(cells))
		}
		for _, c := range p.Cells {
			if len(c.Values) != len(p.Axes) {
				t.Errorf("cell %s has %d values for %d axes", c.ID, len(c.Values), len(p.Axes))
			}
		}
		if err := p.WriteText(io.Discard, true, 0); err != nil {
			t.Error(err)
		}
		if err := p.WriteJSON(io.Discard); err != nil {
			t.Error(err)
		}
	})
}
