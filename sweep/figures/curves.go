package figures

import (
	"cmp"
	"slices"
)

// maxPoints is how many points of a run's curve are drawn at most.
const maxPoints = 250

// curves draws the error in training and on held-out rows against tokens: a panel for each k, a series for each
// dict_size. Of each k and dict_size it draws the first seed of the best setting.
func (f *Figure) curves(paths []path, runs []run) string {
	f.Title = "Training curves"
	if len(paths) == 0 {
		return "there are no curves"
	}
	var shown []path
	var xs, ys []float64
	train, held := false, false
	for _, p := range representatives(paths, runs) {
		t, h := p.along(tokensOf, trainOf), p.along(tokensOf, heldOf)
		if len(t)+len(h) < 2 {
			continue
		}
		train, held = train || len(t) > 0, held || len(h) > 0
		for _, at := range append(t, h...) {
			xs, ys = append(xs, at.x), append(ys, at.y)
		}
		shown = append(shown, p)
	}
	if len(shown) == 0 {
		return "no curve has two points with an nmse above 0"
	}
	unit := prefixOf(slices.Max(xs)/2, tokenUnits())
	for i := range xs {
		xs[i] /= unit.value
	}
	s := scheme{"dict_size", distinct(shown, func(p path) float64 { return p.n })}
	ks := distinct(shown, func(p path) float64 { return p.k })
	picked := pick(ks, maxPanels)
	for _, k := range picked {
		p := panel{x: span("training tokens ("+unit.name+")", true, xs), y: span("nmse (ratio)", true, ys)}
		if len(ks) > 1 {
			p.title = "k " + size(k)
		}
		for _, of := range shown {
			if of.k == k {
				p.layers = append(p.layers, line{
					at:     scaled(thinned(of.along(tokensOf, trainOf), maxPoints), unit),
					colour: pale(s.colour(of.n), 0.45), width: thinLine,
				})
			}
		}
		for _, of := range shown {
			if of.k != k {
				continue
			}
			at := scaled(thinned(of.along(tokensOf, heldOf), maxPoints), unit)
			p.layers = append(p.layers,
				line{at: at, colour: s.colour(of.n), width: mediumLine},
				marks{at: ends(at), colour: s.colour(of.n), shape: s.shape(of.n), radius: markRadius, edge: true})
		}
		f.panels = append(f.panels, p)
	}
	f.wide = 2
	lines := key{}
	if held {
		lines.entries = append(lines.entries, entry{text: "held out", colour: ink(), line: mediumLine})
	}
	if train {
		lines.entries = append(lines.entries, entry{text: "training batch", colour: pale(ink(), 0.45), line: thinLine})
	}
	f.keys = []key{s.key(), lines}
	f.note("One run for each k and dict_size: the setting with the least error, its first seed.")
	f.noteOthers(len(ks), len(picked), "k")
	return ""
}

// representatives returns a path for each k and dict_size, by these: the first seed of the best setting among the runs,
// or without results the path of the least seed.
func representatives(paths []path, runs []run) []path {
	best := map[string]int{} // place of a cell among those of its point
	for _, p := range choose(runs, false).points {
		for i, r := range p.runs {
			if r.cell != "" {
				best[r.cell] = i + 1
			}
		}
	}
	rank := func(p path) int {
		if i := best[p.cell]; i > 0 {
			return i
		}
		return len(runs) + 1
	}
	sorted := slices.Clone(paths)
	slices.SortStableFunc(sorted, func(a, b path) int {
		return cmp.Or(cmp.Compare(a.k, b.k), cmp.Compare(a.n, b.n),
			cmp.Compare(rank(a), rank(b)), cmp.Compare(a.seed, b.seed))
	})
	return slices.CompactFunc(sorted, func(a, b path) bool { return a.k == b.k && a.n == b.n })
}
