package ledger

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// These flags of the test binary make a large store, for measurements by hand (docs/operation.md).
var (
	largeStore  = flag.String("large", "", "`folder` of a directory store that TestLargeStore fills")
	largeCells  = flag.Int("large-cells", 10_000, "cells of its large sweep")
	largeSweeps = flag.Int("large-sweeps", 0, "further sweeps of four cells")
)

// TestLargeStore fills a directory store with sweeps as they are when they have ended. It writes results and models
// without fsync.
func TestLargeStore(t *testing.T) {
	if *largeStore == "" {
		t.Skip("no -large")
	}
	s, err := dir.Open(*largeStore)
	if err != nil {
		t.Fatal(err)
	}
	fill := func(src string) {
		p := planOf(t, src)
		if _, _, err := New(s).Submit(t.Context(), p, []byte(src)); err != nil {
			t.Fatal(err)
		}
		putEnded(t, *largeStore, p)
		putModels(t, *largeStore, p)
	}
	fill(largeGrid("large", *largeCells/20, 20))
	for i := range *largeSweeps {
		fill(largeGrid(fmt.Sprintf("small%d", i), 2, 2))
	}
}

// largeGrid is a grid of seeds times widths cells, each of which has a tree alone.
func largeGrid(name string, seeds, widths int) string {
	list := func(n int, item func(i int) int) string {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprint(item(i))
		}
		return strings.Join(items, ", ")
	}
	return fmt.Sprintf("name: %s\ndata: {source: acts}\nparameters: {dict_size: [%s], seed: [%s]}\n"+
		"train: {k: 8, steps: 2, batch_size: 32}\n", name,
		list(widths, func(i int) int { return 64 + 8*i }), list(seeds, func(i int) int { return i }))
}

// putEnded writes a result of each cell to a directory store.
func putEnded(t *testing.T, root string, p *plan.Plan) {
	putFiles(t, root, p, func(c grid.Cell, i int) map[string][]byte {
		b, err := sealed(endedResult(p, c, i))
		if err != nil {
			t.Error(err)
		}
		return map[string][]byte{ResultKey(p.RunID(c.ID)): b}
	})
}

// putModels writes what stands for a model of each cell, with its curve.
func putModels(t *testing.T, root string, p *plan.Plan) {
	putFiles(t, root, p, func(c grid.Cell, _ int) map[string][]byte {
		run := p.RunID(c.ID)
		files := map[string][]byte{
			ModelKey(run, CurveFile): []byte(`[{"step": 0, "loss": 1.5}, {"step": 1, "loss": 1.25}]` + "\n"),
		}
		for _, name := range []string{WeightsFile, "ae.pt", "cfg.json", "config.json", "README.md", "result.json"} {
			files[ModelKey(run, name)] = []byte(name)
		}
		return files
	})
}

// putFiles writes files of each cell by their keys.
func putFiles(t *testing.T, root string, p *plan.Plan, of func(c grid.Cell, i int) map[string][]byte) {
	t.Helper()
	storagetest.Parallel(t, 16, len(p.Cells), func(i int) error {
		for key, body := range of(p.Cells[i], i) {
			path := filepath.Join(root, filepath.FromSlash(key))
			err := os.MkdirAll(filepath.Dir(path), 0o777)
			if err == nil {
				err = os.WriteFile(path, body, 0o666)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// endedResult is a result with all that those of today have.
func endedResult(p *plan.Plan, c grid.Cell, i int) Result {
	r := NewResult(&p.Header, c, plan.Completed)
	x := 1 / (float64(i) + 1.5)
	r.Metrics = trainer.Metrics{
		L2Loss: 2 + x, NMSE: new(x), FVU: new(x), ExplainedVariance: new(1 - x), Cosine: new(1 - x/2), L2Ratio: new(1 - x/3),
		ReconstructionBias: new(1 + x), L0: 7 + x, AuxKLoss: new(0.0), SilentLatents: 1, AliveFraction: 1 - x/64,
		FracVarianceExplained: new(1 - x/5), L1: new(3 + x), DecoderCosine: new(x / 7),
		Density:    []int64{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 2, 5, 12, 10, 18, 9, 1, 0, 0, 0},
		EvalTokens: 819,
	}
	r.Tokens, r.WallSeconds, r.PeakBytes = 64, 0.001*x, 136_192
	r.Class, r.EvalClass, r.Device, r.Build = "cpu avx2", "cpu avx2", "AMD EPYC", "(devel)"
	r.Spans = []Span{{From: 0, To: 2, Cells: 1, Seconds: 0.001 * x, Class: r.Class, Device: r.Device, Build: r.Build}}
	r.AuxKLatents = new(0.0)
	return r
}
