package figures

import (
	"slices"
)

// auxkDead draws the share of dead latents against auxk_alpha: a panel for each dict_size, a series for each k.
func (f *Figure) auxkDead(runs []run) string {
	f.Title = "Dead latents with and without AuxK"
	c := withDead(choose(runs, true))
	c.points = slices.DeleteFunc(c.points, func(p point) bool { return !p.alpha.ok })
	alphas := distinct(c.points, func(p point) float64 { return p.alpha.v })
	switch len(alphas) {
	case 0:
		return "no run has both auxk_alpha and a number of dead latents"
	case 1:
		return "all runs have auxk_alpha " + plain(alphas[0])
	}
	s := scheme{"k", distinct(c.points, kOf)}
	ns := distinct(c.points, nOf)
	shown := pick(ns, maxPanels)
	most := 0.0
	for _, p := range c.points {
		most = max(most, 100*p.dead.v)
	}
	for _, n := range shown {
		p := panel{
			x: ordinal("auxk_alpha (weight of the loss)", alphas, weight),
			y: span("dead latents (%)", false, []float64{0, max(most, 1)}),
		}
		p.y.min = -0.03 * p.y.max
		if len(ns) > 1 {
			p.title = "dict_size " + size(n)
		}
		for _, k := range s.values {
			l := line{colour: s.colour(k), width: mediumLine}
			for _, at := range c.points {
				if at.k == k && at.n == n {
					i, _ := slices.BinarySearch(alphas, at.alpha.v)
					l.at = append(l.at, xy{float64(i), 100 * at.dead.v})
				}
			}
			m := marks{at: l.at, shape: s.shape(k), colour: l.colour, radius: markRadius, edge: true}
			p.layers = append(p.layers, l, m)
		}
		f.panels = append(f.panels, p)
	}
	f.wide = 2
	f.keys = []key{s.key()}
	f.note("%s", c.selection("Markers"))
	f.noteOthers(len(ns), len(shown), "dict_size")
	return ""
}

func weight(v float64) string { return alphaText(number{v, true}) }
