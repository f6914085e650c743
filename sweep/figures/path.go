package figures

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/topksweep/sweep/sweep/table"
)

// A path is one run's curve.
type path struct {
	cell       string
	k, n, seed float64
	points     []pathPoint // by step
}

type pathPoint struct {
	step          float64
	tokens, flops number // above 0
	train, held   number // nmse of the batch and of the held-out rows, above 0
}

// pathsOf reads curves. Without columns there are none. A point without a step, k or dict_size is left out, and so is
// one of a cell that has come in another sweep.
func pathsOf(t *table.Table) ([]path, error) {
	if len(t.Columns) == 0 {
		return nil, nil
	}
	for _, column := range []string{"k", "dict_size", "step"} {
		if t.Index(column) < 0 {
			return nil, fmt.Errorf("the curves have no column %s; figures need k, dict_size and step", column)
		}
	}
	type name struct {
		cell       string
		k, n, seed float64
	}
	var out []path
	at := map[name]int{}
	sweeps := map[name]string{} // that a path is of
	for i := range t.Rows {
		k, n, step := positive(t, i, "k"), positive(t, i, "dict_size"), value(t, i, "step")
		if !k.ok || !n.ok || !step.ok {
			continue
		}
		id := name{textOf(t.Value(i, "cell")), k.v, n.v, value(t, i, "seed").v}
		sweep := textOf(t.Value(i, "sweep"))
		if _, ok := at[id]; !ok {
			at[id], sweeps[id] = len(out), sweep
			out = append(out, path{cell: id.cell, k: k.v, n: n.v, seed: id.seed})
		}
		if sweeps[id] != sweep {
			continue
		}
		p := &out[at[id]]
		p.points = append(p.points, pathPoint{
			step.v, positive(t, i, "tokens"), positive(t, i, "flops"), positive(t, i, "train_nmse"), positive(t, i, "nmse"),
		})
	}
	for i := range out {
		slices.SortStableFunc(out[i].points, func(a, b pathPoint) int { return cmp.Compare(a.step, b.step) })
	}
	return out, nil
}

// along returns the points of a path that have both values.
func (p path) along(x, y func(pathPoint) number) []xy {
	var out []xy
	for _, at := range p.points {
		if a, b := x(at), y(at); a.ok && b.ok {
			out = append(out, xy{a.v, b.v})
		}
	}
	return out
}

func tokensOf(p pathPoint) number { return p.tokens }
func flopsOf(p pathPoint) number  { return p.flops }
func trainOf(p pathPoint) number  { return p.train }
func heldOf(p pathPoint) number   { return p.held }

// thinned returns at most a number of places, at about equal distances, with the first and the last.
func thinned(at []xy, most int) []xy {
	if len(at) <= most {
		return at
	}
	var out []xy
	for i := range most {
		out = append(out, at[i*(len(at)-1)/(most-1)])
	}
	return out
}
