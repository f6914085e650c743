package main

import (
	"slices"
	"testing"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// modelsOf returns models of so many shapes.
func modelsOf(shapes int) (models []trainer.Config) {
	for i := range shapes {
		models = append(models, trainer.Config{
			Recipe: "corrected", ActivationDim: 4, DictSize: 8 + i, K: 1 + i%8, Steps: 2, BatchSize: 4 + i%5, Precision: "f32",
		}.Resolve())
	}
	return models
}

// A small grid of a few shapes has steps of each timed; of all others only a few shapes are.
func TestShapesThatAreTimed(t *testing.T) {
	for _, x := range []struct {
		shapes, cells int
		each          bool
	}{{3, 3, true}, {5, fewCells, true}, {3, 100_000, false}, {400, 400, false}, {400, 100_000, false}} {
		e := newEstimator(t.Context(), cpu.New(1), 1)
		models := modelsOf(x.shapes)
		cost := e.costs(plan.Work{Cells: x.cells, EvalRows: 8, Models: slices.Values(models)})
		if len(e.timed) > max(samples, fewShapes) || len(e.timed) == 0 {
			t.Errorf("%d shapes, %d cells: timed %d", x.shapes, x.cells, len(e.timed))
		}
		for _, c := range models {
			if x.each && !slices.Contains(e.timed, sizesOf(c)) {
				t.Errorf("%d shapes, %d cells: %+v was not timed", x.shapes, x.cells, sizesOf(c))
			}
			if got := cost(c, 8); !(got.Step > 0) || !(got.Run > 0) || got.Stage != plan.StageOverhead {
				t.Errorf("%d shapes, %d cells: %+v costs %+v", x.shapes, x.cells, sizesOf(c), got)
			}
		}
	}
}

// What is timed of a grid of large models is small, whatever the shapes are.
func TestSampleShapes(t *testing.T) {
	for _, dim := range []int{1, 16, 768, 8192, 1 << 20} {
		var models []trainer.Config
		for _, f := range []int{1, 64, 4096, 1 << 24} {
			for _, b := range []int{1, 4096, 1 << 22} {
				models = append(models, trainer.Config{
					ActivationDim: dim, DictSize: f, K: min(f, 32), BatchSize: b, Steps: 1, Precision: "f32",
				})
			}
		}
		chosen := sampleShapes(models)
		if len(chosen) == 0 || len(chosen) > samples {
			t.Errorf("width %d: %d shapes", dim, len(chosen))
		}
		for _, c := range chosen {
			if weights := c.ActivationDim * c.DictSize; c.K > c.DictSize || c.DictSize > 1 && weights > sampleWeights ||
				c.BatchSize > 1 && c.ProductFlops() > 2*sampleProduct {
				t.Errorf("width %d: %+v", dim, sizesOf(c))
			}
		}
	}
}
