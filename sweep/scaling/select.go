package scaling

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/table"
)

// A Selection says how points were made of runs.
type Selection struct {
	Rule      string    `json:"rule"`
	Chosen    []string  `json:"chosen_settings"`    // with several values at some k and dict_size: the best is taken
	Differing []string  `json:"differing_settings"` // with one value at each k and dict_size, but not the same at all
	Runs      int       `json:"runs"`               // in the points
	LeftOut   []LeftOut `json:"-"`
	Warnings  []string  `json:"-"`
}

const pointsRule = "one point for each k and dict_size: of the settings tried, the one with the lowest nmse " +
	"averaged over its seeds"

// Points makes one point for each k and dict_size of a table of results: of the settings tried there, the one with the
// lowest nmse, averaged over its seeds. The points are in the order of dict_size, then of k. Runs of different data,
// activation widths or recipes are an error.
func Points(t table.Table) ([]Point, Selection, error) {
	s := Selection{Rule: pointsRule}
	runs, rows, out, err := readRuns(&t)
	if err != nil {
		return nil, s, err
	}
	s.LeftOut = out
	if err := checkSame(&t, rows); err != nil {
		return nil, s, err
	}
	var settings []string
	if len(rows) > 0 {
		settings = varying(&t, rows)
	}
	s.Chosen, s.Differing = tried(&t, groups(runs), settings)
	for i := range runs {
		var parts []string
		for _, name := range settings {
			if v := text(t.Value(rows[i], name)); v != "" {
				parts = append(parts, name+"="+v)
			}
		}
		runs[i].setting = strings.Join(parts, ", ")
	}
	points := []Point{}
	edges := map[string][]string{} // which edge → where
	var fewer []string             // where another setting has more seeds
	for _, at := range groups(runs) {
		p, worse := best(at)
		points = append(points, p.Point)
		s.Runs += p.Seeds
		most := p.Seeds
		for _, w := range worse {
			most = max(most, w.Seeds)
			s.LeftOut = append(s.LeftOut, LeftOut{
				K: &w.K, DictSize: &w.DictSize, Setting: w.Setting, NMSE: &w.NMSE, Seeds: w.Seeds,
				Reason: "another setting is better",
			})
		}
		if most > p.Seeds {
			fewer = append(fewer, fmt.Sprintf("%s (%d and %d)", p.at(NK), p.Seeds, most))
		}
		if edge := lrEdge(at, p.lr); edge != "" {
			edges[edge] = append(edges[edge], p.at(NK)+" ("+text(p.lr)+")")
		}
	}
	for _, edge := range []string{"smallest", "largest"} {
		if where := edges[edge]; len(where) > 0 {
			s.Warnings = append(s.Warnings, fmt.Sprintf(
				"the best lr is the %s one tried, and a better one may lie beyond, at %s",
				edge, strings.Join(shorten(where), "; ")))
		}
	}
	if len(fewer) > 0 {
		s.Warnings = append(s.Warnings, "the best setting has fewer seeds than another one, "+
			"and may be the best by chance, at "+strings.Join(shorten(fewer), "; "))
	}
	s.warnTokens(points)
	return points, s, nil
}

// groups sorts runs into those of one k and dict_size each, in the order of dict_size, then of k.
func groups(runs []run) [][]run {
	sorted := slices.Clone(runs)
	slices.SortStableFunc(sorted, func(a, b run) int {
		return cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.k, b.k))
	})
	var out [][]run
	for i, r := range sorted {
		if i == 0 || r.k != sorted[i-1].k || r.n != sorted[i-1].n {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], r)
	}
	return out
}

// A candidate is the point of one setting.
type candidate struct {
	Point
	lr float64
}

// best returns the point of the best setting, and those of the others, in the order of the runs.
func best(runs []run) (p candidate, worse []candidate) {
	var all []candidate
	bySetting := map[string][]run{}
	for _, r := range runs {
		if _, ok := bySetting[r.setting]; !ok {
			all = append(all, candidate{Point{K: r.k, DictSize: r.n, Setting: r.setting}, r.lr})
		}
		bySetting[r.setting] = append(bySetting[r.setting], r)
	}
	least := 0
	for i := range all {
		all[i].average(bySetting[all[i].Setting])
		if all[i].NMSE < all[least].NMSE {
			least = i
		}
	}
	return all[least], slices.Delete(slices.Clone(all), least, least+1)
}

// average fills a point from the runs of its seeds.
func (c *candidate) average(runs []run) {
	c.Seeds = len(runs)
	c.Cells = []string{}
	for _, r := range runs {
		c.NMSE += r.nmse / float64(len(runs))
		if r.cell != "" {
			c.Cells = append(c.Cells, r.cell)
		}
	}
	if len(runs) > 1 {
		var sum float64
		for _, r := range runs {
			sum += (r.nmse - c.NMSE) * (r.nmse - c.NMSE)
		}
		std := math.Sqrt(sum / float64(len(runs)-1))
		c.Std = &std
	}
	c.Tokens = runs[0].tokens
}

// lrEdge says at which end of the learning rates that were tried the best one lies, or nothing.
func lrEdge(runs []run, best float64) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, r := range runs {
		low, high = min(low, r.lr), max(high, r.lr) // NaN stays
	}
	switch {
	case !(low < high):
		return ""
	case best == low:
		return "smallest"
	case best == high:
		return "largest"
	}
	return ""
}

// warnTokens warns of points that were not trained on equally many tokens.
func (s *Selection) warnTokens(points []Point) {
	low, high := int64(math.MaxInt64), int64(0)
	for _, p := range points {
		if p.Tokens != nil {
			low, high = min(low, *p.Tokens), max(high, *p.Tokens)
		}
	}
	if low < high {
		s.Warnings = append(s.Warnings, fmt.Sprintf(
			"the points were trained on %d to %d tokens: what the form gives to k and dict_size may be due to that",
			low, high))
	}
}
