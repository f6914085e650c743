package scaling

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/topksweep/sweep/sweep/table"
)

const envelopeRule = "the lower convex hull, in ln C and ln L, of the held-out points of the curves; of the smallest " +
	"dict_size only the last of these, if there are others"

// Envelope returns the lower envelope of a table of curves, in the order of compute (flops): of the points with a
// held-out nmse, the lower convex hull in ln C and ln L, as far as it falls. A law e + a·C^−b is convex there, and a
// point above the hull is of a model that had better been smaller or larger for its compute.
//
// Of the smallest dict_size it has only the last such point, if other sizes have any: before that one, a smaller model
// that nobody trained might have been better, so that those points are no frontier of compute.
func Envelope(curves table.Table) ([]Point, Selection, error) {
	s := Selection{Rule: envelopeRule, Chosen: []string{}}
	size := sizeColumn(&curves)
	if err := checkColumns(&curves, "flops", "nmse", size); err != nil {
		return nil, s, err
	}
	var all []Point
	why := map[string]int{}
	for i := range curves.Rows {
		raw := curves.Value(i, "nmse")
		if raw == nil {
			continue // no held-out point
		}
		v, okV := number(raw)
		flops, okC := number(curves.Value(i, "flops"))
		n, okN := whole(curves.Value(i, size))
		switch {
		case !okV || v <= 0:
			why["nmse is no finite number over 0"]++
			continue
		case v > 1:
			why["nmse is over 1: the model is worse than always predicting the mean"]++
			continue
		case !okC || flops <= 0:
			why["flops is no finite number over 0"]++
			continue
		case !okN:
			why[size+" is no whole number over 0"]++
			continue
		}
		p := Point{DictSize: n, NMSE: v, Flops: &flops, Seeds: 1, Cells: []string{}}
		p.K, _ = whole(curves.Value(i, "k"))
		if tokens, ok := whole(curves.Value(i, "tokens")); ok {
			p.Tokens = &tokens
		}
		if step, ok := whole(curves.Value(i, "step")); ok {
			p.Step = &step
		}
		if cell := text(curves.Value(i, "cell")); cell != "" {
			p.Cells = append(p.Cells, cell)
		}
		all = append(all, p)
	}
	for _, reason := range slices.Sorted(maps.Keys(why)) {
		s.LeftOut = append(s.LeftOut, LeftOut{Seeds: why[reason], Reason: reason})
	}
	points := frontier(all)
	runs := map[string]bool{}
	for _, p := range points {
		for _, cell := range p.Cells {
			runs[cell] = true
		}
	}
	s.Runs = len(runs)
	if len(points) > 0 && points[0].DictSize == points[len(points)-1].DictSize {
		s.Warnings = append(s.Warnings, "one dict_size makes the whole envelope: it says how that model trains, "+
			"not what compute is best spent on")
	}
	return points, s, nil
}

// frontier returns the points of the lower envelope.
func frontier(all []Point) []Point {
	slices.SortStableFunc(all, func(a, b Point) int {
		return cmp.Or(cmp.Compare(*a.Flops, *b.Flops), cmp.Compare(a.NMSE, b.NMSE))
	})
	out := []Point{}
	lowest := math.Inf(1)
	for _, p := range all {
		if p.NMSE < lowest {
			lowest = p.NMSE
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return out
	}
	out = hull(out)
	smallest := slices.MinFunc(out, func(a, b Point) int { return cmp.Compare(a.DictSize, b.DictSize) }).DictSize
	last, others := -1, false
	for i, p := range out {
		if p.DictSize == smallest {
			last = i
		} else {
			others = true
		}
	}
	if !others {
		return out
	}
	kept := out[:0]
	for i, p := range out {
		if p.DictSize != smallest || i == last {
			kept = append(kept, p)
		}
	}
	return kept
}

// hull returns the lower convex hull, in ln C and ln L, of points of ascending compute and descending loss.
func hull(points []Point) []Point {
	// slope is that of the line from a point to another.
	slope := func(a, b Point) float64 { return math.Log(b.NMSE/a.NMSE) / math.Log(*b.Flops / *a.Flops) }
	var out []Point
	for _, p := range points {
		for len(out) > 1 && slope(out[len(out)-2], out[len(out)-1]) >= slope(out[len(out)-1], p) {
			out = out[:len(out)-1]
		}
		out = append(out, p)
	}
	return out
}
