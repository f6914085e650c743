package plan

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

func testEstimates() Estimates {
	return Estimates{
		Bytes: func(c trainer.Config) (int64, int64) { return 28 * c.Params(), 12 * c.Params() },
		Costs: func(Work) func(trainer.Config, int64) Cost {
			return func(c trainer.Config, _ int64) Cost { return Cost{Step: float64(c.Tokens()) / 1e5 / float64(c.Steps)} }
		},
	}
}

// TestGood plans every grid of testdata/good.
func TestGood(t *testing.T) {
	for _, path := range goldentest.Files(t, "testdata/good/*.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			g, err := grid.Parse("grid.yaml", src, grid.ParseOptions{})
			if err != nil {
				t.Fatal(err)
			}
			p, err := New(g, goldentest.DataInfo(), testEstimates())
			if err != nil {
				t.Fatal(err)
			}
			var text, json bytes.Buffer
			if err := p.WriteText(&text, false, 0); err != nil {
				t.Fatal(err)
			}
			if err := p.WriteJSON(&json); err != nil {
				t.Fatal(err)
			}
			base := strings.TrimSuffix(path, ".yaml")
			goldentest.Check(t, base+".txt", text.Bytes())
			goldentest.Check(t, base+".json", json.Bytes())
		})
	}
}
