package grid

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/topksweep/sweep/trainer"
)

// product returns the number of settings of the axes, before exclude. It stops
// counting at an impossible number.
func (g *Grid) product() int64 {
	if len(g.Axes) == 0 && len(g.include) > 0 {
		return 0 // the entries of include are the grid
	}
	n := int64(1)
	for _, gr := range g.groups {
		if n > math.MaxInt64/int64(gr.n)/2 {
			return math.MaxInt64 / 2
		}
		n *= int64(gr.n)
	}
	return n
}

// matches reports whether some setting of the axes, zipped as they are, has the
// values of x. Without a zip every exclusion does.
func (g *Grid) matches(x exclusion) bool {
	for _, gr := range g.groups {
		found := false
		for i := 0; i < gr.n && !found; i++ {
			found = !slices.ContainsFunc(gr.axes, func(a int) bool {
				return x.value[a] >= 0 && x.value[a] != g.Axes[a].class[i]
			})
		}
		if !found {
			return false
		}
	}
	return true
}

// An excluder tells quickly whether a setting is excluded. Exclusions that name
// the same axes are one set.
type excluder struct {
	grid *Grid
	sets []exclusionSet
	key  []byte
}

type exclusionSet struct {
	axes   []int
	tuples map[string]bool
}

func newExcluder(g *Grid) *excluder {
	x := &excluder{grid: g}
	index := map[string]int{}
	for _, e := range g.exclude {
		var axes []int
		for a, v := range e.value {
			if v >= 0 {
				axes = append(axes, a)
			}
		}
		name := fmt.Sprint(axes)
		i, ok := index[name]
		if !ok {
			i = len(x.sets)
			index[name] = i
			x.sets = append(x.sets, exclusionSet{axes, map[string]bool{}})
		}
		x.sets[i].tuples[string(x.tuple(axes, func(a int) int { return e.value[a] }))] = true
	}
	return x
}

// tuple packs the values of some axes; the result is valid until the next call.
func (x *excluder) tuple(axes []int, value func(axis int) int) []byte {
	x.key = x.key[:0]
	for _, a := range axes {
		x.key = binary.LittleEndian.AppendUint32(x.key, uint32(value(a)))
	}
	return x.key
}

// excluded reports on the setting with the i-th value of each axis.
func (x *excluder) excluded(i []int) bool {
	for _, s := range x.sets {
		if s.tuples[string(x.tuple(s.axes, func(a int) int { return x.grid.Axes[a].class[i[a]] }))] {
			return true
		}
	}
	return false
}

// settings calls fn for each setting of the grid in order: the axes with the
// last one fastest, without what is excluded, then include. It reuses the slice.
// at holds the index of each axis' value, or is nil for an entry of include. It
// stops when fn returns false.
func (g *Grid) settings(fn func(setting []value, at []int) bool) {
	x := newExcluder(g)
	setting, at := slices.Clone(g.base), make([]int, len(g.Axes))
	for range g.product() {
		if !x.excluded(at) {
			for a, axis := range g.Axes {
				setting[axis.field] = axis.values[at[a]]
			}
			if !fn(setting, at) {
				return
			}
		}
		for i := len(g.groups) - 1; i >= 0; i-- {
			gr := g.groups[i]
			next := (at[gr.axes[0]] + 1) % gr.n
			for _, a := range gr.axes {
				at[a] = next
			}
			if next > 0 {
				break
			}
		}
	}
	for _, in := range g.include {
		copy(setting, g.base)
		in.over(setting)
		if !fn(setting, nil) {
			return
		}
	}
}

// Cells expands the grid over the data that it trains on. The order is that of
// the axes in the file, the last one fastest, then include. Settings that
// resolve to the same cell appear once, where the first of them stands, and are
// counted in Duplicates. An error is an Errors: what is wrong with the grid on
// data of this width.
func (g *Grid) Cells(info trainer.DataInfo) ([]Cell, error) {
	if info.Dim < 1 {
		return nil, fmt.Errorf("cells of %s: the data has no width", g.Name)
	}
	if errs := g.check(info.Dim, false); len(errs) > 0 {
		return nil, errs.sorted()
	}
	var (
		cells   []Cell
		columns = g.columns()
		index   = map[string]int{}
		labels  []string
	)
	g.settings(func(setting []value, _ []int) bool {
		c := g.schema.config(setting, info.Dim)
		id := CellID(c, info.Fingerprint)
		if i, ok := index[id]; ok {
			cells[i].Duplicates++
			return true
		}
		index[id] = len(cells)
		if len(labels) < len(columns) {
			labels = make([]string, 1024*len(columns)) // one allocation for many cells
		}
		values := labels[:len(columns):len(columns)]
		labels = labels[len(columns):]
		for i, f := range columns {
			values[i] = setting[f].text
		}
		cells = append(cells, Cell{ID: id, Config: c, Values: values})
		return true
	})
	return cells, nil
}

// columns returns the fields that differ between settings: the axes in file
// order, then what only include varies.
func (g *Grid) columns() []int {
	var candidates []int
	texts := make([]map[string]bool, len(g.base)) // of each field: the values it takes
	meet := func(f int, text string) {
		if texts[f] == nil {
			texts[f] = map[string]bool{}
			candidates = append(candidates, f)
		}
		texts[f][text] = true
	}
	for _, a := range g.Axes {
		for _, v := range a.values {
			meet(a.field, v.text)
		}
	}
	for _, in := range g.include {
		for i, f := range in.fields {
			meet(f, in.values[i].text)
		}
	}
	given := map[int]int{} // entries of include that name a field
	for _, in := range g.include {
		for _, f := range in.fields {
			given[f]++
		}
	}
	return slices.DeleteFunc(candidates, func(f int) bool {
		// Elsewhere the field has its constant or default.
		if g.axisOf(f) < 0 && (g.product() > 0 || given[f] < len(g.include)) {
			texts[f][g.base[f].text] = true
		}
		return len(texts[f]) < 2
	})
}

// Varying returns the keys that differ between cells, in the order of
// Cell.Values.
func (g *Grid) Varying() []string {
	var out []string
	for _, f := range g.columns() {
		out = append(out, g.schema.fields[f].Key)
	}
	return out
}
