package figures

import (
	"cmp"
	"slices"
)

// nmseByL0 draws the error of every run against its l0, and the front: the runs that no other is better than in both.
func (f *Figure) nmseByL0(runs []run) string {
	f.Title = "Error against sparsity"
	var shown []run
	var xs, ys []float64
	for _, r := range aboveZero(runs) {
		if r.l0.ok && r.l0.v > 0 {
			shown = append(shown, r)
			xs, ys = append(xs, r.l0.v), append(ys, r.nmse.v)
		}
	}
	if len(shown) < 2 {
		return "fewer than two runs have an l0 and an nmse above 0"
	}
	s := scheme{"dict_size", distinct(shown, func(r run) float64 { return r.n })}
	front := paretoFront(shown)
	steps := line{colour: ink(), width: mediumLine}
	for i, at := range front {
		if i > 0 {
			steps.at = append(steps.at, xy{at.x, front[i-1].y})
		}
		steps.at = append(steps.at, at)
	}
	layers := []layer{steps}
	for _, n := range s.values {
		m := marks{colour: s.colour(n), shape: s.shape(n), radius: markRadius, edge: s.named()}
		for _, r := range shown {
			if r.n == n {
				m.at = append(m.at, xy{r.l0.v, r.nmse.v})
			}
		}
		layers = append(layers, m)
	}
	x := span("l0 (latents active per token)", true, xs)
	x.marks = x.powersOfTwo()
	f.panels = []panel{{
		x: x, y: span(nmseLabel, true, ys), layers: layers,
	}}
	f.keys = []key{s.key(), {entries: []entry{{text: "Pareto front", colour: ink(), line: mediumLine}}}}
	f.note("Markers: all runs. Front: no run has both a smaller l0 and a smaller error.")
	f.noteLeftOut(runs, "l0 and nmse", func(r run) bool { return r.l0.ok && r.l0.v > 0 && r.nmse.ok && r.nmse.v > 0 })
	return ""
}

// paretoFront returns l0 and nmse of the runs that no other is better than in both, by l0.
func paretoFront(runs []run) []xy {
	var all []xy
	for _, r := range runs {
		all = append(all, xy{r.l0.v, r.nmse.v})
	}
	slices.SortFunc(all, func(a, b xy) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y)) })
	return envelope([][]xy{all})
}
