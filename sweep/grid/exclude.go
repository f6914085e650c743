package grid

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// An exclusion is an entry of exclude. It drops the settings that have all of its values.
type exclusion struct {
	values []int // for each axis: an index in Axis.Values, the first of equal ones, or -1 for any value
	pos    position
}

// readExclude reads the section exclude.
func (p *parser) readExclude(e *entry) {
	g := p.grid
	items := p.listItems(e, "exclude", "maps of axis values, as in exclude: [{k: 64, dict_size: 4096}]")
	for i, item := range items {
		path := fmt.Sprintf("exclude[%d]", i)
		if item.kind != mapNode || len(item.entries) == 0 {
			p.errorf(item.pos, path, "want a map of axis values, as in {k: 64, dict_size: 4096}")
			continue
		}
		x := exclusion{values: slices.Repeat([]int{-1}, len(g.Axes)), pos: item.pos}
		ok := true
		for _, e := range item.entries {
			a, v := p.axisValue(e, path)
			if a >= 0 && v >= 0 {
				x.values[a] = v
			} else {
				ok = false
			}
		}
		if !ok {
			continue
		}
		if !g.canMatch(x) {
			p.errorf(item.pos, path, "excludes nothing: zip never puts these values together")
			continue
		}
		g.exclude = append(g.exclude, x)
	}
}

// canMatch reports whether some setting of the axes has the values of x. That is always so without a zip.
func (g *Grid) canMatch(x exclusion) bool {
	for _, gr := range g.groups {
		found := false
		for i := 0; i < gr.length && !found; i++ {
			found = !slices.ContainsFunc(gr.axes, func(a int) bool {
				return x.values[a] >= 0 && x.values[a] != g.Axes[a].firstEqual[i]
			})
		}
		if !found {
			return false
		}
	}
	return true
}

// An excluder decides quickly whether a setting is excluded: exclusions that name the same axes are one set, and each
// set is one look-up. The exclusions {k: 16, seed: 0}, {k: 32, seed: 1} and {seed: 2} are two sets: (k, seed) with two
// tuples of values, and (seed) with one.
type excluder struct {
	grid   *Grid
	sets   []exclusionSet
	buffer []byte // of the last tuple
}

type exclusionSet struct {
	axes   []int
	tuples map[string]bool
}

func newExcluder(g *Grid) *excluder {
	x := &excluder{grid: g}
	index := map[string]int{} // from the axes of a set to its index in x.sets
	for _, e := range g.exclude {
		var axes []int
		for a, v := range e.values {
			if v >= 0 {
				axes = append(axes, a)
			}
		}
		key := fmt.Sprint(axes)
		i, ok := index[key]
		if !ok {
			i = len(x.sets)
			index[key] = i
			x.sets = append(x.sets, exclusionSet{axes, map[string]bool{}})
		}
		x.sets[i].tuples[string(x.tuple(axes, func(a int) int { return e.values[a] }))] = true
	}
	return x
}

// tuple encodes the values of some axes. The result is valid until the next call.
func (x *excluder) tuple(axes []int, value func(axis int) int) []byte {
	x.buffer = x.buffer[:0]
	for _, a := range axes {
		x.buffer = binary.LittleEndian.AppendUint32(x.buffer, uint32(value(a)))
	}
	return x.buffer
}

// excludes reports whether a setting is excluded. indices holds the index of each axis' value.
func (x *excluder) excludes(indices []int) bool {
	for _, s := range x.sets {
		if s.tuples[string(x.tuple(s.axes, func(a int) int { return x.grid.Axes[a].firstEqual[indices[a]] }))] {
			return true
		}
	}
	return false
}
