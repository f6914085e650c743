package main

import (
	"math"
	"slices"

	"github.com/topksweep/sweep/trainer"
)

const (
	// samples is the number of shapes that are timed of a grid of many. More make the fit hardly better: how steps of
	// neighbouring shapes differ on a machine whose caches have edges is more than what the terms do not say.
	samples = 10

	// A shape is quick to try up to this many weights, and multiplications of its dense product.
	sampleWeights = 1 << 18
	sampleProduct = 1 << 25

	// An evaluation is, up to this many rows and latents.
	sampleRows    = 64
	sampleLatents = 256
)

// sampleShapes returns at most so many shapes as samples, of which each is quick to try and not like the others. They
// are those of the list and, so that each term shows by itself, a few smaller ones; a large shape is made smaller.
func sampleShapes(shapes []trainer.Config) []trainer.Config {
	var pool []trainer.Config
	seen := map[stepSizes]bool{}
	largest := 0
	add := func(c trainer.Config) {
		c = quickShape(c)
		if sizes := sizesOf(c); !seen[sizes] {
			seen[sizes] = true
			pool = append(pool, c)
			if c.ProductFlops() > pool[largest].ProductFlops() {
				largest = len(pool) - 1
			}
		}
	}
	for _, c := range shapes {
		add(c)
	}
	const less = 4
	base := pool[largest]
	for i := range 1 << 3 {
		c := base
		if i&1 != 0 {
			c.DictSize = max(1, c.DictSize/less)
		}
		if i&2 != 0 {
			c.BatchSize = max(1, c.BatchSize/less)
		}
		if i&4 != 0 {
			c.K = max(1, c.K/less)
		}
		add(c)
	}
	return farApart(pool, largest, samples)
}

// quickShape returns a shape like c that is quick to try: c itself, or one of fewer latents and rows.
func quickShape(c trainer.Config) trainer.Config {
	for c.DictSize > 1 && c.ActivationDim*c.DictSize > sampleWeights {
		c.DictSize = (c.DictSize + 1) / 2
	}
	for c.BatchSize > 1 && (c.ProductFlops() > 2*sampleProduct || c.ActivationDim*c.BatchSize > sampleWeights) {
		c.BatchSize = (c.BatchSize + 1) / 2
	}
	c.K = min(c.K, c.DictSize)
	c.KAux = 0 // auto
	return c.Resolve()
}

// quickEvaluation returns a shape like c, and a number of rows, whose evaluation is quick to try.
func quickEvaluation(c trainer.Config, evalRows int64) (trainer.Config, int64) {
	c.DictSize = min(c.DictSize, sampleLatents)
	c.K = min(c.K, c.DictSize)
	c.BatchSize = int(max(1, min(evalRows, sampleRows)))
	return c, int64(c.BatchSize)
}

// farApart returns n shapes of a list, the one with the index first before all others. Each that follows is the
// farthest from those before it.
func farApart(all []trainer.Config, first, n int) (chosen []trainer.Config) {
	distance := make([]float64, len(all)) // from the nearest of those chosen
	for i := range distance {
		distance[i] = math.Inf(1)
	}
	for next := first; len(chosen) < n && distance[next] > 0; {
		chosen = append(chosen, all[next])
		for i, c := range all {
			distance[i] = min(distance[i], shapeDistance(c, all[next]))
		}
		next = slices.Index(distance, slices.Max(distance))
	}
	return chosen
}

// shapeDistance says how unlike two shapes are.
func shapeDistance(a, b trainer.Config) float64 {
	sum := 0.0
	for _, x := range [][2]int{{a.DictSize, b.DictSize}, {a.BatchSize, b.BatchSize}, {a.K, b.K}} {
		d := math.Log(float64(x[0]) / float64(x[1]))
		sum += d * d
	}
	return sum
}
