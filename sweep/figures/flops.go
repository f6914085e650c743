package figures

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
)

// nmseByFlops draws the error of every run against the compute spent so far, and the lower envelope of the curves for
// each k.
func (f *Figure) nmseByFlops(paths []path, fits fitted) string {
	f.Title = "Error against training compute"
	byK := map[float64][][]xy{}
	var ks, ns, xs, ys []float64
	longest := 0
	for _, p := range paths {
		at := p.along(flopsOf, heldOf)
		if len(at) == 0 {
			continue
		}
		longest = max(longest, len(at))
		byK[p.k] = append(byK[p.k], at)
		ks, ns = append(ks, p.k), append(ns, p.n)
		for _, v := range at {
			xs, ys = append(xs, v.x), append(ys, v.y)
		}
	}
	switch {
	case len(paths) == 0:
		return "there are no curves"
	case longest < 2:
		return "no curve has held-out points before its end"
	}
	unit := prefixOf(slices.Max(xs)/30, flopUnits())
	for i := range xs {
		xs[i] /= unit.value
	}
	byColour := scheme{"k", distinct(ks, same)}
	if len(byColour.values) == 1 {
		byColour = scheme{"dict_size", distinct(ns, same)}
	}
	var runs, envelopes []layer
	for _, p := range paths {
		l := line{at: scaled(thinned(p.along(flopsOf, heldOf), maxPoints), unit), width: thinLine}
		l.colour = pale(byColour.colour(byColour.of(p)), 0.5)
		runs = append(runs, l)
	}
	for _, k := range distinct(ks, same) {
		e := line{at: scaled(envelope(byK[k]), unit), width: mediumLine, colour: ink()}
		if byColour.setting == "k" {
			e.colour = byColour.colour(k)
		}
		envelopes = append(envelopes, e)
		if byColour.setting == "k" && byColour.named() {
			envelopes = append(envelopes, marks{
				at: ends(e.at), shape: byColour.shape(k), colour: e.colour, radius: markRadius, edge: true,
			})
		}
	}
	entries := []entry{
		{text: "run", colour: pale(ink(), 0.5), line: thinLine},
		{text: "lower envelope", colour: ink(), line: mediumLine},
	}
	without := map[string]bool{}
	for _, k := range distinct(ks, same) {
		fit := scaled(fits.lineOfCompute(k), unit)
		if len(fit) == 0 {
			continue
		}
		without[describe(fits.compute[k])] = true
		l := line{at: fit, colour: ink(), width: thinLine, dashes: dashes()}
		// White below keeps the dashes apart from the envelope.
		envelopes = append(envelopes, line{at: fit, colour: whiteInk(), width: mediumLine}, l)
	}
	if len(without) > 0 {
		entries = append(entries, entry{text: "fit", colour: ink(), line: thinLine, dashes: dashes()})
	}
	f.keys = []key{byColour.key(), {entries: entries}}
	f.panels = []panel{{
		x: span("compute, dense-equivalent ("+unit.name+")", true, xs), y: span(nmseLabel, true, ys),
		layers: append(runs, envelopes...),
	}}
	f.note("Envelope: the least error of any run with the same k after no more compute.")
	if len(without) > 0 {
		f.note("Fit: %s.", strings.Join(slices.Sorted(maps.Keys(without)), ", or "))
	}
	return ""
}

// of returns the value of a path that a scheme gives colours to.
func (s scheme) of(p path) float64 {
	if s.setting == "k" {
		return p.k
	}
	return p.n
}

// envelope returns the places of some curves that no place is below with the same or a smaller x, by x.
func envelope(curves [][]xy) []xy {
	all := slices.Concat(curves...)
	slices.SortFunc(all, func(a, b xy) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y)) })
	var out []xy
	for _, at := range all {
		if len(out) == 0 || at.y < out[len(out)-1].y {
			out = append(out, at)
		}
	}
	return out
}

// scaled divides the x of some places by a unit.
func scaled(at []xy, unit prefix) []xy {
	out := make([]xy, len(at))
	for i, v := range at {
		out[i] = xy{v.x / unit.value, v.y}
	}
	return out
}

// ends returns the first and the last of some places.
func ends(at []xy) []xy {
	if len(at) < 2 {
		return at
	}
	return []xy{at[0], at[len(at)-1]}
}

func same(v float64) float64 { return v }

func dashes() []vg.Length { return []vg.Length{3, 1.5} }
