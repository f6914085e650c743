package page

import (
	"math"
	"slices"
	"sort"
	"strconv"

	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// The page holds a part of each curve's points. There are at most maxPoints points of all curves, shared out evenly,
// but at most mostPoints and at least leastPoints of one curve. Those kept are the first, the last, and those nearest
// to steps that are evenly spaced on a logarithmic scale.
const (
	maxPoints   = 24_000
	mostPoints  = 200
	leastPoints = 8
)

// A curve is what one run's curve has of points, a list for each series of curveSeries.
type curve struct {
	Row    int     `json:"row"`          // in the results
	Flops  float64 `json:"flop"`         // a step
	Tokens int64   `json:"tok"`          // a step
	Steps  int     `json:"at"`           // index in pageData.Steps
	Series [][]any `json:"y"`            // in the order of curveSeries; an empty list has no value
	L2     number  `json:"l2,omitempty"` // where l2_loss is train_nmse times this, and so left out of Series
}

// curveSeries lists the columns of curves that the page can show.
func curveSeries() []string {
	return []string{"train_nmse", "nmse", "l2_loss", "auxk_loss", "dead_latents", "grad_norm"}
}

// A number is written with four significant digits: more cannot be seen in a plot.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	return []byte(strconv.FormatFloat(float64(n), 'g', 4, 64)), nil
}

// pointsEach returns how many points of each of n curves are kept.
func pointsEach(n int) int {
	return min(max(maxPoints/max(n, 1), leastPoints), mostPoints)
}

// A curveRows is the rows of a table that are one run's curve.
type curveRows struct {
	t    *table.Table
	rows []int
	row  int // of the run in the results
}

// findCurves returns the curves in tables whose runs are among the results. rowOf finds a row by sweep and cell.
func findCurves(tables []table.Table, rowOf func(sweep, cell string) (int, bool)) []*curveRows {
	var all []*curveRows
	for i := range tables {
		t := &tables[i]
		atSweep, atCell := t.Index("sweep"), t.Index("cell")
		index := map[[2]string]*curveRows{}
		for r := range t.Rows {
			key := [2]string{textAt(t, r, atSweep), textAt(t, r, atCell)}
			g := index[key]
			if g == nil {
				g = &curveRows{t: t, row: -1}
				index[key] = g
				if row, ok := rowOf(key[0], key[1]); ok {
					g.row = row
					all = append(all, g)
				}
			}
			g.rows = append(g.rows, r)
		}
	}
	return all
}

// textAt returns the text in column j of a row, or "" where there is none.
func textAt(t *table.Table, row, j int) string {
	if j < 0 {
		return ""
	}
	s, _ := t.Rows[row][j].(string)
	return s
}

// curve returns n of the run's points, and their steps.
func (g *curveRows) curve(n int) (curve, []int64) {
	var steps []int64
	var rows []int
	at := g.t.Index("step")
	for _, r := range g.rows {
		if at < 0 {
			continue
		}
		// The steps must rise: the file may be any.
		if s, ok := g.t.Rows[r][at].(int64); ok && s >= 0 && (len(steps) == 0 || s > steps[len(steps)-1]) {
			steps, rows = append(steps, s), append(rows, r)
		}
	}
	heldOut := g.t.Index("nmse")
	has := func(i int) bool { return heldOut >= 0 && g.t.Rows[rows[i]][heldOut] != nil }
	kept := keep(steps, n, has)
	c := curve{Row: g.row}
	out := make([]int64, len(kept))
	for i, k := range kept {
		out[i] = steps[k]
	}
	if len(kept) > 0 {
		last := kept[len(kept)-1]
		if steps[last] > 0 {
			tokens, _ := g.t.Number(rows[last], "tokens")
			flops, _ := g.t.Number(rows[last], "flops")
			c.Tokens, c.Flops = int64(tokens)/steps[last], flops/float64(steps[last])
		}
	}
	for _, name := range curveSeries() {
		c.Series = append(c.Series, g.series(name, kept, rows))
	}
	c.dropL2()
	return c, out
}

// series returns the values of a column at the points that are kept; nil where none has a value.
func (g *curveRows) series(name string, kept, rows []int) []any {
	j := g.t.Index(name)
	if j < 0 {
		return nil
	}
	out, some := make([]any, len(kept)), false
	for i, k := range kept {
		switch v := g.t.Rows[rows[k]][j].(type) {
		case int64:
			out[i], some = v, true
		case float64:
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				out[i], some = number(v), true
			}
		}
	}
	if !some {
		return nil
	}
	return out
}

// dropL2 leaves l2_loss out where it is train_nmse times one number, as it is in the curves of sweeps.
func (c *curve) dropL2() {
	nmse, loss := c.Series[slices.Index(curveSeries(), "train_nmse")], slices.Index(curveSeries(), "l2_loss")
	factor := number(0)
	for i, v := range c.Series[loss] {
		l, ok := v.(number)
		if i >= len(nmse) {
			return
		}
		n, ok2 := nmse[i].(number)
		switch {
		case v == nil && nmse[i] == nil:
			continue
		case !ok || !ok2 || !(n > 0 && l > 0):
			return
		case factor == 0:
			factor = l / n
		}
		if !(math.Abs(float64(factor*n-l)) <= 1e-9*float64(l)) {
			return
		}
	}
	if factor > 0 && !math.IsInf(float64(factor), 0) {
		c.L2, c.Series[loss] = factor, nil
	}
}

// Thin returns the points of the curve of a run of so many steps that the page of a sweep of so many cells shows.
// Whoever reads curves again and again may keep these alone. The page has one point more, that of the end of the run.
func Thin(points []trainer.Point, steps int64, cells int) []trainer.Point {
	all := make([]int64, 0, len(points)+1)
	for _, p := range points {
		all = append(all, p.Step)
	}
	all = append(all, steps)
	heldOut := func(i int) bool { return i < len(points) && points[i].EvalNMSE != nil }
	kept := keep(all, pointsEach(cells), heldOut)
	out := make([]trainer.Point, 0, len(kept))
	for _, i := range kept[:len(kept)-1] {
		out = append(out, points[i])
	}
	return out
}

// keep returns the indices of at most n steps: the first, the last, and those nearest to steps that are evenly spaced
// on a logarithmic scale. Of two that are as near, a point that has a held-out value is kept.
func keep(steps []int64, n int, heldOut func(i int) bool) []int {
	if len(steps) <= n {
		out := make([]int, len(steps))
		for i := range out {
			out[i] = i
		}
		return out
	}
	last := len(steps) - 1
	out := []int{0}
	first, end := math.Log(float64(steps[0]+1)), math.Log(float64(steps[last]+1))
	for i := 1; i < n-1; i++ {
		want := math.Exp(first+(end-first)*float64(i)/float64(n-1)) - 1
		j := sort.Search(last, func(j int) bool { return float64(steps[j]) >= want })
		if j > 0 && want-float64(steps[j-1]) < float64(steps[j])-want {
			j--
		}
		for d := range min(3, last) { // a held-out point close by says more
			if j+d < last && heldOut(j+d) {
				j += d
				break
			}
			if j-d > out[len(out)-1] && heldOut(j-d) {
				j -= d
				break
			}
		}
		if j > out[len(out)-1] && j < last {
			out = append(out, j)
		}
	}
	return append(out, last)
}
