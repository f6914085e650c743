package figures

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxPanels is how many panels a figure has at most.
const maxPanels = 6

// deadLatents draws the share of dead latents as a heat map over k and dict_size, a panel for each auxk_alpha.
func (f *Figure) deadLatents(runs []run) string {
	f.Title = "Dead latents at the end of training"
	c := withDead(choose(runs, true))
	if len(c.points) == 0 {
		return "no run has a number of dead latents"
	}
	ks, ns := distinct(c.points, kOf), distinct(c.points, nOf)
	most := 0.0
	for _, p := range c.points {
		most = max(most, p.dead.v)
	}
	scale := axis{label: "dead latents (%)", min: 0, max: 100}
	if most > 0 {
		scale.max = 5 * stepOf(100*most/5)
	}
	alphas := alphasOf(c.points)
	shown := alphas
	room := maxPanels
	if len(ns) > 5 { // one below the other
		room = 3
	}
	if len(alphas) > room {
		shown = nil
		for _, i := range pick(indexes(len(alphas)), room) {
			shown = append(shown, alphas[int(i)])
		}
	}
	widest := ""
	for _, p := range c.points {
		widest = wider(widest, percent(p.dead.v))
	}
	empty := 0
	for _, alpha := range shown {
		p := panel{x: ordinal(nLabel, ns, size), y: ordinal(kLabel, ks, size)}
		if len(alphas) > 1 {
			p.title = "auxk_alpha " + alphaText(alpha)
		}
		cells := 0
		for _, at := range c.points {
			if at.alpha != alpha {
				continue
			}
			cells++
			i, _ := slices.BinarySearch(ns, at.n)
			j, _ := slices.BinarySearch(ks, at.k)
			p.layers = append(p.layers, cell{
				xy{float64(i), float64(j)}, heatColour(100 * at.dead.v / scale.max), percent(at.dead.v), widest,
			})
		}
		empty += len(ks)*len(ns) - cells
		f.panels = append(f.panels, p)
	}
	f.wide = 1
	if len(f.panels) > 1 && len(ns) <= 5 {
		f.wide = 2
	}
	// A cell is 16 points high on a figure of 227 points, as long as that is not too much.
	f.shape = min(max(float64(16*len(ks)*f.rows()+16*f.rows()+24)/227, 0.35), 0.8*float64(f.rows()))
	f.keys = []key{{label: scale.label, bar: &colourBar{scale, heatColour}}}
	f.note("%s", c.selection("Each field"))
	if empty > 0 {
		f.note("White: no such run.")
	}
	f.noteOthers(len(alphas), len(shown), "auxk_alpha")
	return ""
}

// withDead drops the points without a share of dead latents.
func withDead(c chosen) chosen {
	c.points = slices.DeleteFunc(c.points, func(p point) bool { return !p.dead.ok })
	return c
}

// alphasOf returns the different values of auxk_alpha, ascending. Points without one come first.
func alphasOf(points []point) []number {
	var out []number
	for _, p := range points {
		if !slices.Contains(out, p.alpha) {
			out = append(out, p.alpha)
		}
	}
	slices.SortFunc(out, func(a, b number) int {
		if a.ok != b.ok {
			return cmp.Compare(truth(a.ok), truth(b.ok))
		}
		return cmp.Compare(a.v, b.v)
	})
	return out
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// alphaText writes a weight: 1/32 for a power of two below 1.
func alphaText(a number) string {
	if !a.ok {
		return "unknown"
	}
	if fraction, power := math.Frexp(a.v); fraction == 0.5 && power <= 0 && power > -16 {
		return fmt.Sprintf("1/%d", 1<<(1-power))
	}
	return rounded(a.v)
}

// percent writes a share in percent with two digits.
func percent(share float64) string {
	v := 100 * share
	switch {
	case v > 0 && v < 0.05:
		return "<0.1"
	case v >= 9.95 || v == 0:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// wider returns the wider one of two texts of percent: that of more characters, or of more digits.
func wider(a, b string) string {
	if len(b) > len(a) || len(b) == len(a) && strings.Contains(a, ".") {
		return b
	}
	return a
}

// ordinal returns an axis on which values stand at equal distances.
func ordinal(label string, values []float64, text func(float64) string) axis {
	a := axis{label: label, min: -0.5, max: float64(len(values)) - 0.5, ordinal: true}
	i := -1
	return a.at(indexes(len(values)), func(float64) string { i++; return text(values[i]) })
}

// indexes returns 0, 1, … n−1.
func indexes(n int) []float64 {
	var out []float64
	for i := range n {
		out = append(out, float64(i))
	}
	return out
}

// noteOthers says that there are more values than panels.
func (f *Figure) noteOthers(all, shown int, setting string) {
	if all > shown {
		f.note("Shown are %d of %d values of %s.", shown, all, setting)
	}
}
