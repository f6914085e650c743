package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

// Extend adds the cells of another plan that p does not have, and returns how many
// they are. The cells and trees of p keep their numbers, and p keeps its ID, name
// and run options. It is an error if the plans are on different data without names, or of
// different training semantics: their results would stand in one table and not be comparable.
func (p *Plan) Extend(add *Plan) (int, error) {
	if have, now := p.SemanticsVersion(), add.SemanticsVersion(); have != now {
		return 0, fmt.Errorf("extend %s: it was planned under version %d of the training semantics, and this program "+
			"has version %d, whose results are not comparable: submit a grid of all its cells as a sweep of its own",
			p.ID, have, now)
	}
	cells, err := p.addSets(add, add.Cells)
	if err != nil {
		return 0, err
	}
	have := make(map[string]bool, len(p.Cells))
	for _, c := range p.Cells {
		have[c.ID] = true
	}
	var fresh []grid.Cell
	for _, c := range cells {
		if !have[c.ID] {
			fresh = append(fresh, c)
		}
	}
	if len(fresh) == 0 {
		return 0, nil
	}
	if err := p.addInits(p.Cells, fresh); err != nil {
		return 0, err
	}
	axes := p.unionOfAxes(cells, add.Axes)
	p.setAxes(p.Cells, p.Axes, axes)
	p.setAxes(fresh, add.Axes, axes)
	p.Axes = axes
	first := len(p.Cells)
	p.Cells = append(p.Cells, fresh...)
	trees := newTrees(&p.Header, fresh)
	for _, t := range trees {
		for i := range t.Cells {
			t.Cells[i].Cell += first
		}
	}
	p.added = append(p.added, trees...)
	p.TreeChunks += len(chunkTrees(trees))
	p.CellCount = len(p.Cells)
	for _, c := range fresh {
		p.StepsUnshared += int64(c.Config.Steps)
	}
	p.countStages(trees, make([]bool, len(p.Cells)), Estimates{})
	p.Duplicates += add.Duplicates
	p.Bytes, p.HostBytes = max(p.Bytes, add.Bytes), max(p.HostBytes, add.HostBytes)
	p.CheckpointBytes = max(p.CheckpointBytes, add.CheckpointBytes)
	return len(fresh), nil
}

// unionOfAxes lists the keys that vary within either plan, then those that are
// constant in each and differ between the two, then what else it takes to tell the
// cells apart. Example: lr is auto in the one plan and 0.001 in the other, and
// dict_size varies in both. Then lr is no constant of the first plan, and only lr
// tells two cells of one dict_size apart. added are the cells of the other plan, with values of addedAxes. The data set
// is among the keys where cells have several, and only there.
func (p *Plan) unionOfAxes(added []grid.Cell, addedAxes []string) []string {
	several := len(p.Sets) > 1
	axes := slices.DeleteFunc(slices.Clone(p.Axes), func(key string) bool { return key == grid.DataKey && !several })
	for _, key := range addedAxes {
		if !slices.Contains(axes, key) && (key != grid.DataKey || several) {
			axes = append(axes, key)
		}
	}
	if several && !slices.Contains(axes, grid.DataKey) {
		axes = append(axes, grid.DataKey)
	}
	for _, f := range trainer.Fields() {
		a, constant := constantOf(f, p.Cells)
		b, both := constantOf(f, added)
		if constant && both && a != b && !slices.Contains(axes, f.Key) {
			axes = append(axes, f.Key)
		}
	}
	axes = oneLength(axes, p.Cells, added)
	return append(axes, p.untold(axes, added, addedAxes)...)
}

// oneLength replaces the axes tokens and epochs by steps, unless the grid of each cell gives that one.
func oneLength(axes []string, plans ...[]grid.Cell) []string {
	for i, key := range axes {
		lacks := func(c grid.Cell) bool { _, ok := c.Written[key]; return !ok }
		if slices.Contains(Lengths(), key) &&
			slices.ContainsFunc(plans, func(cells []grid.Cell) bool { return slices.ContainsFunc(cells, lacks) }) {
			axes[i] = "steps"
		}
	}
	out := axes[:0]
	for _, key := range axes {
		if !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out
}

// untold lists the keys in which cells of the two plans differ that have the same values of the axes.
func (p *Plan) untold(axes []string, added []grid.Cell, addedAxes []string) (missing []string) {
	first := map[string]trainer.Config{} // by the values of the axes
	look := func(cells []grid.Cell, before []string) {
		value := p.valueOf(before)
		for _, c := range cells {
			var b strings.Builder
			for _, key := range axes {
				b.WriteString(value(c, key) + " ")
			}
			like, seen := first[b.String()]
			if !seen {
				first[b.String()] = c.Config
				continue
			}
			for _, f := range trainer.Fields() {
				if f.Get(like) != f.Get(c.Config) && !slices.Contains(axes, f.Key) && !slices.Contains(missing, f.Key) {
					missing = append(missing, f.Key)
				}
			}
		}
	}
	look(p.Cells, p.Axes)
	look(added, addedAxes)
	return missing
}

// constantOf returns the value of a field in the first cell, and whether all cells
// have it.
func constantOf(f trainer.Field, cells []grid.Cell) (any, bool) {
	v := f.Get(cells[0].Config)
	return v, !slices.ContainsFunc(cells, func(c grid.Cell) bool { return f.Get(c.Config) != v })
}

// setAxes changes the cells' Values from those of the keys before to those of the
// keys after.
func (h *Header) setAxes(cells []grid.Cell, before, after []string) {
	value := h.valueOf(before)
	for i, c := range cells {
		values := make([]string, len(after))
		for j, key := range after {
			values[j] = value(c, key)
		}
		cells[i].Values = values
	}
}

// valueOf returns a function that gives the value of a key that a cell has, whose Values are those of the keys before.
// Of a key that is not among them it is the resolved value; of a path, of tokens and of epochs what its grid has.
func (h *Header) valueOf(before []string) func(c grid.Cell, key string) string {
	of, fields := h.dataOf(), trainer.Fields()
	return func(c grid.Cell, key string) string {
		if key == grid.DataKey {
			return of(c).Name
		}
		if at := slices.Index(before, key); at >= 0 && at < len(c.Values) {
			return c.Values[at]
		}
		if slices.Contains(Lengths(), key) {
			return c.Written[key]
		}
		for _, f := range fields {
			if f.Key != key {
				continue
			}
			if path, ok := c.Written[key]; ok && f.Kind == trainer.File {
				return path
			}
			return f.Text(c.Config)
		}
		return ""
	}
}
