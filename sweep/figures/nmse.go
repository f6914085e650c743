package figures

import "fmt"

const (
	nmseLabel = "held-out nmse (ratio)"
	kLabel    = "k (latents per token)"
	nLabel    = "dict_size (latents)"
	noResults = "there are no results with an nmse above 0"
)

// nmseByDictSize draws the error against dict_size, a series for each k.
func (f *Figure) nmseByDictSize(runs []run, fits fitted) string {
	f.Title = "Error against dictionary size"
	return f.nmse(runs, fits, nLabel, "k", nOf, kOf)
}

// nmseByK draws the error against k, a series for each dict_size.
func (f *Figure) nmseByK(runs []run, fits fitted) string {
	f.Title = "Error against latents per token"
	return f.nmse(runs, fits, kLabel, "dict_size", kOf, nOf)
}

// nmse draws the error against one of k and dict_size, with a series for each value of the other.
func (f *Figure) nmse(runs []run, fits fitted, label, series string, xOf, seriesOf func(point) float64) string {
	c := choose(aboveZero(runs), false)
	xs := distinct(c.points, xOf)
	if len(c.points) == 0 {
		return noResults
	}
	if len(xs) < 2 {
		name := map[string]string{"k": "dict_size", "dict_size": "k"}[series]
		return fmt.Sprintf("all runs have %s %s", name, size(xs[0]))
	}
	s := scheme{series, distinct(c.points, seriesOf)}
	var layers, bars, top []layer
	var ys []float64
	for _, r := range aboveZero(runs) {
		ys = append(ys, r.nmse.v)
	}
	x := span(label, true, xs).at(xs, size)
	y := span(nmseLabel, true, ys)
	for _, v := range s.values {
		colour := s.colour(v)
		m := marks{shape: s.shape(v), colour: colour, radius: markRadius, edge: s.named()}
		joined := line{colour: colour, width: mediumLine}
		for _, p := range c.points {
			if seriesOf(p) != v {
				continue
			}
			m.at = append(m.at, xy{xOf(p), p.nmse})
			if p.sd > 0 {
				bars = append(bars, bar{xOf(p), p.nmse - p.sd, p.nmse + p.sd, colour})
			}
		}
		if joined.at = m.at; fits.nmse != nil {
			joined.at = fits.lineOfNMSE(series, v, xs[0], xs[len(xs)-1])
		}
		layers, top = append(layers, joined), append(top, m)
	}
	var rings []layer
	for _, v := range s.values {
		d := marks{colour: pale(s.colour(v), 0.25), radius: ringRadius, ring: true}
		for _, r := range aboveZero(runs) {
			if p := (point{k: r.k, n: r.n}); seriesOf(p) == v {
				d.at = append(d.at, xy{xOf(p), r.nmse.v})
			}
		}
		rings = append(rings, d)
	}
	several := len(aboveZero(runs)) > len(c.points) // runs besides those of the markers
	f.keys = []key{s.key()}
	layers = append(layers, bars...)
	if several {
		layers = append(layers, rings...)
	}
	f.panels = []panel{{x: x, y: y, layers: append(layers, top...)}}
	f.note("%s", c.selection("Markers"))
	if len(bars) > 0 {
		f.note("Bars: ± one standard deviation over the seeds.")
	}
	if several {
		f.note("Rings: all runs.")
	}
	if fits.nmse != nil {
		f.note("Lines: %s.", describe(fits.nmse))
	} else {
		f.note("Lines join the markers.")
	}
	f.noteLeftOut(runs, "nmse", func(r run) bool { return r.nmse.ok && r.nmse.v > 0 })
	return ""
}

// aboveZero returns the runs whose error a logarithmic axis can show.
func aboveZero(runs []run) []run {
	var out []run
	for _, r := range runs {
		if r.nmse.ok && r.nmse.v > 0 {
			out = append(out, r)
		}
	}
	return out
}

// noteLeftOut says how many runs a figure does not show.
func (f *Figure) noteLeftOut(runs []run, what string, shown func(run) bool) {
	out := 0
	for _, r := range runs {
		if !shown(r) {
			out++
		}
	}
	if out > 0 {
		f.note("Not shown: %d of %d runs, without %s above 0.", out, len(runs), what)
	}
}

// between returns the value at a share of the way from a to b.
func between(a, b, share float64) float64 { return a + share*(b-a) }
